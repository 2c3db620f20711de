// The search is that of the package (and of SentencePiece's EncodeOptimized): position by position, in double precision, the
// first of equal candidates stays. A character that is no piece costs 10 more than the worst piece.
#include "host/text/unigram.h"

#include "host/base/memory.h"
#include "host/text/trie.h"
#include "host/text/unicode.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double unknown_penalty = 10;

struct tt_unigram {
    const char **pieces; // [n] by id
    double *scores;      // [n]
    tt_trie *trie;       // of pieces given twice the last
    int n, unk;
    bool byte_fallback;
    int bytes[256]; // byte -> id, all of them or byte_fallback does nothing
    double unknown_score;
    tt_arena memory;
};

static tt_status read_piece(tt_unigram *u, const json_t *pair, int id) {
    const json_t *text = json_array_get(pair, 0), *score = json_array_get(pair, 1);
    if (!json_is_string(text) || !json_is_number(score) || json_array_size(pair) != 2)
        return tt_fail(TT_ERR_FORMAT, "model: entry %d of vocab is not a piece and its score", id);
    u->pieces[id] = tt_arena_strdup(&u->memory, json_string_value(text));
    if (!u->pieces[id]) return TT_ERR_NOMEM;
    u->scores[id] = json_number_value(score);
    if (u->scores[id] - unknown_penalty < u->unknown_score)
        u->unknown_score = u->scores[id] - unknown_penalty;
    return TT_OK;
}

static tt_status index_pieces(tt_unigram *u) {
    tt_trie_key *keys;
    TT_TRY(tt_alloc(&keys, (size_t)u->n, sizeof *keys, "vocabulary"));
    for (int i = 0; i < u->n; ++i) keys[i] = (tt_trie_key){u->pieces[i], i};
    const tt_status status = tt_trie_open(&u->trie, keys, (size_t)u->n);
    free(keys);
    return status;
}

static void find_bytes(tt_unigram *u) {
    for (int i = 0; i < 256 && u->byte_fallback; ++i) {
        char name[8];
        snprintf(name, sizeof name, "<0x%02X>", (unsigned)i);
        u->bytes[i] = tt_unigram_find(u, name);
    }
}

static tt_status read_model(tt_unigram *u, const json_t *model) {
    const char *type = json_string_value(json_object_get(model, "type"));
    const json_t *vocab = json_object_get(model, "vocab"), *unk = json_object_get(model, "unk_id");
    if (type ? strcmp(type, "Unigram") != 0 : !json_is_array(vocab)) // early files name no type
        return tt_fail(
            TT_ERR_UNSUPPORTED, "model: its type is %s; T5 has a Unigram model", type ? type : "missing");
    if (!json_is_array(vocab)) return tt_fail(TT_ERR_FORMAT, "model: vocab is not a list");
    if (json_array_size(vocab) > 1 << 24)
        return tt_fail(TT_ERR_FORMAT, "model: vocab has %zu pieces; at most %d can be read",
            json_array_size(vocab), 1 << 24);
    u->n = (int)json_array_size(vocab);
    if (!json_is_integer(unk) || json_integer_value(unk) < 0 || json_integer_value(unk) >= u->n)
        return tt_fail(TT_ERR_UNSUPPORTED, "model: unk_id is missing, or no piece has this id");
    u->unk = (int)json_integer_value(unk);
    u->byte_fallback = json_is_true(json_object_get(model, "byte_fallback"));
    TT_TRY(tt_alloc(&u->pieces, (size_t)u->n, sizeof(void *), "vocabulary"));
    TT_TRY(tt_alloc(&u->scores, (size_t)u->n, sizeof *u->scores, "vocabulary"));
    u->unknown_score = 1e300;
    for (int i = 0; i < u->n; ++i) TT_TRY(read_piece(u, json_array_get(vocab, (size_t)i), i));
    TT_TRY(index_pieces(u));
    find_bytes(u);
    return TT_OK;
}

tt_status tt_unigram_open(tt_unigram **out, const json_t *model) {
    *out = NULL;
    tt_unigram *u;
    TT_TRY(tt_alloc(&u, 1, sizeof *u, "vocabulary"));
    tt_status status = read_model(u, model);
    if (status == TT_OK)
        *out = u;
    else
        tt_unigram_close(u);
    return status;
}

void tt_unigram_close(tt_unigram *u) {
    if (!u) return;
    free(u->pieces);
    free(u->scores);
    tt_trie_close(u->trie);
    tt_arena_close(&u->memory);
    free(u);
}

int tt_unigram_size(const tt_unigram *u) {
    return u->n;
}
int tt_unigram_unk(const tt_unigram *u) {
    return u->unk;
}
const char *tt_unigram_piece(const tt_unigram *u, int id) {
    return u->pieces[id];
}

int tt_unigram_find(const tt_unigram *u, const char *text) {
    return tt_trie_find(u->trie, text, strlen(text));
}

int tt_unigram_byte(const tt_unigram *u, int id) {
    for (int i = 0; i < 256 && u->byte_fallback; ++i)
        if (u->bytes[i] == id) return i;
    return -1;
}

// The best way to reach a position of the text.
typedef struct node {
    double score;
    int32_t from; // -1: not reached
    int32_t id;
} node;

static void offer(node *to, double score, size_t from, int id) {
    if (to->from < 0 || score > to->score) *to = (node){score, (int32_t)from, id};
}

// matches: room for tt_trie_most.
static void search(const tt_unigram *u, const char *text, size_t n, node *best, tt_trie_match *matches) {
    for (size_t i = 0; i <= n; ++i) best[i] = (node){0, -1, u->unk};
    for (size_t at = 0; at < n;) {
        const size_t character = (size_t)tt_utf8_length(text[at]);
        const double so_far = best[at].score;
        bool single = false;
        const int found = tt_trie_matches(u->trie, text + at, n - at, matches);
        for (int k = 0; k < found; ++k) {
            const size_t length = (size_t)matches[k].length;
            offer(&best[at + length], u->scores[matches[k].value] + so_far, at, matches[k].value);
            single |= length == character;
        }
        if (!single) offer(&best[at + character], u->unknown_score + so_far, at, u->unk);
        at += character;
    }
}

// What the model does not know: one piece if it happens to be one as a whole, else its bytes, else the unknown.
static void take_unknown(
    const tt_unigram *u, const char *text, size_t n, void (*take)(void *, int), void *context) {
    const int id = tt_trie_find(u->trie, text, n);
    bool all = u->byte_fallback;
    for (size_t i = 0; i < n && all; ++i) all = u->bytes[(unsigned char)text[i]] >= 0;
    if (id >= 0 || !all) {
        take(context, id >= 0 ? id : u->unk);
        return;
    }
    for (size_t i = 0; i < n; ++i) take(context, u->bytes[(unsigned char)text[i]]);
}

// Memory for one search.
typedef struct scratch {
    node *best;             // [n + 1]
    int32_t *ends;          // [n + 1]
    tt_trie_match *matches; // a text of n bytes begins with at most n pieces
} scratch;

static void encode(const tt_unigram *u, const char *text, size_t n, const scratch *s,
    void (*take)(void *, int), void *context) {
    size_t count = 0;
    search(u, text, n, s->best, s->matches);
    // From the end to the start; unknown characters side by side are one token.
    for (size_t end = n; end > 0;) {
        s->ends[count++] = (int32_t)end;
        size_t from = (size_t)s->best[end].from;
        if (s->best[end].id == u->unk)
            while (from > 0 && s->best[from].id == u->unk) from = (size_t)s->best[from].from;
        end = from;
    }
    for (size_t from = 0; count > 0; from = (size_t)s->ends[count]) {
        const size_t end = (size_t)s->ends[--count];
        if (s->best[end].id == u->unk)
            take_unknown(u, text + from, end - from, take, context);
        else
            take(context, s->best[end].id);
    }
}

static tt_status encode_long(
    const tt_unigram *u, const char *text, size_t n, void (*take)(void *, int), void *context) {
    scratch s = {0};
    if (n > INT32_MAX / 2) return tt_fail(TT_ERR_NOMEM, "a text of %zu bytes is too long for one search", n);
    tt_status status = tt_alloc(&s.best, n + 1, sizeof *s.best, "tokens");
    if (status == TT_OK) status = tt_alloc(&s.ends, n + 1, sizeof *s.ends, "tokens");
    if (status == TT_OK)
        status = tt_alloc(&s.matches, (size_t)tt_trie_most(u->trie), sizeof *s.matches, "tokens");
    if (status == TT_OK) encode(u, text, n, &s, take, context);
    free(s.best);
    free(s.ends);
    free(s.matches);
    return status;
}

tt_status tt_unigram_encode(
    const tt_unigram *u, const char *text, size_t n, void (*take)(void *, int), void *context) {
    enum { WORD = 128 }; // bytes; nearly all words are shorter
    node best[WORD + 1];
    int32_t ends[WORD + 1];
    tt_trie_match matches[WORD];
    if (n > WORD) return encode_long(u, text, n, take, context);
    encode(u, text, n, &(scratch){best, ends, matches}, take, context);
    return TT_OK;
}
