// The search is that of the package (and of SentencePiece's EncodeOptimized): position by position, in double precision, the
// first of equal candidates stays. A character that is no piece costs 10 more than the worst piece.
#include "host/text/unigram.h"

#include "host/base/memory.h"
#include "host/text/unicode.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double unknown_penalty = 10;

typedef struct entry {
    const char *text;
    int id;
} entry;

struct tt_unigram {
    const char **pieces; // [n] by id
    double *scores;      // [n]
    entry *sorted;       // [n_sorted] by text; of pieces given twice the last
    int n, n_sorted, unk;
    bool byte_fallback;
    int bytes[256]; // byte -> id, all of them or byte_fallback does nothing
    double unknown_score;
    tt_arena memory;
};

static int by_text(const void *left, const void *right) {
    const entry *a = left, *b = right;
    const int order = strcmp(a->text, b->text);
    return order ? order : a->id - b->id;
}

static tt_status read_piece(tt_unigram *u, const json_t *pair, int id) {
    const json_t *text = json_array_get(pair, 0), *score = json_array_get(pair, 1);
    if (!json_is_string(text) || !json_is_number(score) || json_array_size(pair) != 2)
        return tt_fail(TT_ERR_FORMAT, "model: entry %d of vocab is not a piece and its score", id);
    u->pieces[id] = tt_arena_strdup(&u->memory, json_string_value(text));
    if (!u->pieces[id]) return TT_ERR_NOMEM;
    u->scores[id] = json_number_value(score);
    u->sorted[id] = (entry){u->pieces[id], id};
    if (u->scores[id] - unknown_penalty < u->unknown_score)
        u->unknown_score = u->scores[id] - unknown_penalty;
    return TT_OK;
}

static void sort_pieces(tt_unigram *u) {
    qsort(u->sorted, (size_t)u->n, sizeof *u->sorted, by_text);
    for (int i = 0; i < u->n; ++i) {
        if (i + 1 < u->n && strcmp(u->sorted[i].text, u->sorted[i + 1].text) == 0) continue;
        if (*u->sorted[i].text) u->sorted[u->n_sorted++] = u->sorted[i]; // an empty piece matches nothing
    }
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
    TT_TRY(tt_alloc(&u->sorted, (size_t)u->n, sizeof *u->sorted, "vocabulary"));
    u->unknown_score = 1e300;
    for (int i = 0; i < u->n; ++i) TT_TRY(read_piece(u, json_array_get(vocab, (size_t)i), i));
    sort_pieces(u);
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
    free(u->sorted);
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

// Pieces that begin alike: sorted[low, high).
typedef struct range {
    int low, high;
} range;

// Those of `r`, all of which begin alike up to byte `depth`, that have `c` there.
static range narrow(const tt_unigram *u, range r, size_t depth, unsigned char c) {
    int low = r.low, high = r.high;
    while (low < high) {
        const int middle = (low + high) / 2;
        if ((unsigned char)u->sorted[middle].text[depth] < c)
            low = middle + 1;
        else
            high = middle;
    }
    const int first = low;
    high = r.high;
    while (low < high) {
        const int middle = (low + high) / 2;
        if ((unsigned char)u->sorted[middle].text[depth] <= c)
            low = middle + 1;
        else
            high = middle;
    }
    return (range){first, low};
}

static int find(const tt_unigram *u, const char *text, size_t n) {
    range r = {0, u->n_sorted};
    for (size_t i = 0; i < n && r.low < r.high; ++i) r = narrow(u, r, i, (unsigned char)text[i]);
    return n && r.low < r.high && !u->sorted[r.low].text[n] ? u->sorted[r.low].id : -1;
}

int tt_unigram_find(const tt_unigram *u, const char *text) {
    return find(u, text, strlen(text));
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

static void search(const tt_unigram *u, const char *text, size_t n, node *best) {
    for (size_t i = 0; i <= n; ++i) best[i].from = -1;
    for (size_t at = 0; at < n;) {
        const size_t character = (size_t)tt_utf8_length(text[at]);
        const double so_far = best[at].score;
        bool single = false;
        range r = {0, u->n_sorted};
        for (size_t k = 0; at + k < n; ++k) {
            r = narrow(u, r, k, (unsigned char)text[at + k]);
            if (r.low >= r.high) break;
            const entry *e = &u->sorted[r.low];
            if (e->text[k + 1]) continue; // no piece ends here
            offer(&best[at + k + 1], u->scores[e->id] + so_far, at, e->id);
            single |= k + 1 == character;
        }
        if (!single) offer(&best[at + character], u->unknown_score + so_far, at, u->unk);
        at += character;
    }
}

// What the model does not know: one piece if it happens to be one as a whole, else its bytes, else the unknown.
static void take_unknown(
    const tt_unigram *u, const char *text, size_t n, void (*take)(void *, int), void *context) {
    const int id = find(u, text, n);
    bool all = u->byte_fallback;
    for (size_t i = 0; i < n && all; ++i) all = u->bytes[(unsigned char)text[i]] >= 0;
    if (id >= 0 || !all) {
        take(context, id >= 0 ? id : u->unk);
        return;
    }
    for (size_t i = 0; i < n; ++i) take(context, u->bytes[(unsigned char)text[i]]);
}

tt_status tt_unigram_encode(
    const tt_unigram *u, const char *text, size_t n, void (*take)(void *, int), void *context) {
    node *best;
    int32_t *ends;
    size_t count = 0;
    if (n > INT32_MAX / 2) return tt_fail(TT_ERR_NOMEM, "a text of %zu bytes is too long for one search", n);
    TT_TRY(tt_alloc(&best, n + 1, sizeof *best, "tokens"));
    tt_status status = tt_alloc(&ends, n + 1, sizeof *ends, "tokens");
    if (status == TT_OK) {
        search(u, text, n, best);
        // From the end to the start; unknown characters side by side are one token.
        for (size_t end = n; end > 0;) {
            ends[count++] = (int32_t)end;
            size_t from = (size_t)best[end].from;
            if (best[end].id == u->unk)
                while (from > 0 && best[from].id == u->unk) from = (size_t)best[from].from;
            end = from;
        }
        for (size_t from = 0; count > 0; from = (size_t)ends[count]) {
            const size_t end = (size_t)ends[--count];
            if (best[end].id == u->unk)
                take_unknown(u, text + from, end - from, take, context);
            else
                take(context, best[end].id);
        }
    }
    free(best);
    free(ends);
    return status;
}
