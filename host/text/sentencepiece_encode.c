// A text is brought to its normal form (spaces as U+2581, replacements of the model's table, symbols as they are), and the best
// pieces of the whole of it are searched for. The library keeps the sums of scores in single precision and adds to them in
// double; so must this, or texts with two equally good ways would be cut otherwise.
#include "host/text/sentencepiece_encode.h"

#include "host/base/memory.h"
#include "host/base/str.h"
#include "host/text/charsmap.h"
#include "host/text/protobuf.h"
#include "host/text/trie.h"
#include "host/text/unicode.h"

#include <float.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char space_mark[] = "\xe2\x96\x81"; // U+2581
static const float unknown_penalty = 10;

// sentencepiece_model.proto: SentencePiece.Type
typedef enum piece_type { NORMAL = 1, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE } piece_type;

struct tt_spm_encoder {
    tt_trie *pieces;
    tt_trie *symbols; // pieces that are never split; NULL where there are none
    tt_charsmap *map; // NULL: nothing is replaced
    double *scores;   // [pieces]
    int32_t bytes[256];
    int unknown;         // its id
    float unknown_score; // of a character that is no piece
    bool byte_fallback, prefix, suffix, trim, escape;
    bool keeps[256]; // whether the character stays as it is before another of ASCII and at the end
};

// ---- opening

// What is being read of a .model.
typedef struct reader {
    tt_spm_encoder *encoder;
    tt_trie_key *keys, *symbols; // [room]
    size_t n_keys, n_symbols, n_scores, room, scores_room, symbols_room;
    float least, most; // scores of normal pieces
    tt_arena memory;   // of their texts
} reader;

static tt_status read_piece(reader *r, tt_protobuf piece) {
    tt_protobuf_field f;
    tt_protobuf text = {0};
    piece_type type = NORMAL;
    float score = 0;
    const int id = (int)r->n_scores;
    while (piece.p < piece.end && tt_protobuf_read(&piece, &f)) {
        if (f.number == 1) text = f.content;
        if (f.number == 2 && f.wire == 5) memcpy(&score, f.content.p, sizeof score);
        if (f.number == 3) type = (piece_type)f.integer;
    }
    TT_TRY(tt_grow(&r->encoder->scores, &r->scores_room, r->n_scores + 1, sizeof(double), "vocabulary"));
    r->encoder->scores[r->n_scores++] = (double)score;
    const size_t n = (size_t)(text.end - text.p);
    char *key = tt_arena_alloc(&r->memory, n + 1);
    if (!key) return TT_ERR_NOMEM;
    if (n) memcpy(key, text.p, n);
    key[n] = '\0';
    if (type == UNKNOWN) r->encoder->unknown = id;
    unsigned byte;
    if (type == BYTE && sscanf(key, "<0x%02X>", &byte) == 1 && byte < 256) r->encoder->bytes[byte] = id;
    if (type != NORMAL && type != USER_DEFINED) return TT_OK;
    TT_TRY(tt_grow(&r->keys, &r->room, r->n_keys + 1, sizeof *r->keys, "vocabulary"));
    r->keys[r->n_keys++] = (tt_trie_key){key, id};
    if (type == NORMAL && score < r->least) r->least = score;
    if (type == NORMAL && score > r->most) r->most = score;
    if (type == NORMAL) return TT_OK;
    TT_TRY(tt_grow(&r->symbols, &r->symbols_room, r->n_symbols + 1, sizeof *r->symbols, "vocabulary"));
    r->symbols[r->n_symbols++] = (tt_trie_key){key, id};
    return TT_OK;
}

static void read_trainer(tt_spm_encoder *e, tt_protobuf spec) {
    for (tt_protobuf_field f; spec.p < spec.end && tt_protobuf_read(&spec, &f);) {
        if (f.number == 24) e->suffix = f.integer != 0;
        if (f.number == 35) e->byte_fallback = f.integer != 0;
    }
}

static tt_status read_normalizer(tt_spm_encoder *e, tt_protobuf spec) {
    for (tt_protobuf_field f; spec.p < spec.end && tt_protobuf_read(&spec, &f);) {
        if (f.number == 3) e->prefix = f.integer != 0;
        if (f.number == 4) e->trim = f.integer != 0;
        if (f.number == 5) e->escape = f.integer != 0;
        if (f.number != 2 || f.wire != 2 || f.content.p == f.content.end) continue;
        tt_charsmap_close(e->map);
        TT_TRY(tt_charsmap_parse(&e->map, f.content.p, (size_t)(f.content.end - f.content.p)));
    }
    return TT_OK;
}

static tt_status read_model(reader *r, tt_protobuf model) {
    for (tt_protobuf_field f; model.p < model.end && tt_protobuf_read(&model, &f);) {
        if (f.number == 1) TT_TRY(read_piece(r, f.content));
        if (f.number == 2) read_trainer(r->encoder, f.content);
        if (f.number == 3) TT_TRY(read_normalizer(r->encoder, f.content));
    }
    return TT_OK;
}

// A symbol scores so much that it wins against the pieces that it is made of.
static void score_symbols(const reader *r) {
    for (size_t i = 0; i < r->n_symbols; ++i)
        r->encoder->scores[r->symbols[i].value] = (double)((float)strlen(r->symbols[i].text) * r->most) - 0.1;
}

static void note_kept(const reader *r) {
    tt_spm_encoder *e = r->encoder;
    for (int c = 1; c < 128; ++c)
        e->keeps[c] = c != ' ' && (!e->map || tt_charsmap_keeps(e->map, (unsigned char)c));
    for (size_t i = 0; i < r->n_symbols; ++i) e->keeps[(unsigned char)*r->symbols[i].text] = false;
}

static tt_status fill_encoder(reader *r, const void *bytes, size_t n) {
    tt_spm_encoder *e = r->encoder;
    TT_TRY(read_model(r, (tt_protobuf){bytes, (const unsigned char *)bytes + n}));
    e->unknown_score = r->least - unknown_penalty;
    score_symbols(r);
    note_kept(r);
    if (r->n_symbols) TT_TRY(tt_trie_open(&e->symbols, r->symbols, r->n_symbols));
    return tt_trie_open(&e->pieces, r->keys, r->n_keys);
}

tt_status tt_spm_encoder_open(tt_spm_encoder **out, const void *bytes, size_t n) {
    *out = NULL;
    tt_spm_encoder *e;
    TT_TRY(tt_alloc(&e, 1, sizeof *e, "vocabulary"));
    e->prefix = e->trim = e->escape = true; // where the file does not say
    reader r = {.encoder = e, .least = FLT_MAX, .most = FLT_MIN};
    const tt_status status = fill_encoder(&r, bytes, n);
    free(r.keys);
    free(r.symbols);
    tt_arena_close(&r.memory);
    if (status == TT_OK)
        *out = e;
    else
        tt_spm_encoder_close(e);
    return status;
}

void tt_spm_encoder_close(tt_spm_encoder *e) {
    if (!e) return;
    tt_trie_close(e->pieces);
    tt_trie_close(e->symbols);
    tt_charsmap_close(e->map);
    free(e->scores);
    free(e);
}

// ---- the normal form

// The next characters of a text and what they become.
typedef struct rewriting {
    const char *text;
    size_t n, taken; // bytes it has; bytes of the original
} rewriting;

// matches: room for what e->symbols finds.
static rewriting rewrite(const tt_spm_encoder *e, const char *text, size_t n, tt_trie_match *matches) {
    const int symbols = e->symbols ? tt_trie_matches(e->symbols, text, n, matches) : 0;
    if (symbols) {
        const size_t length = (size_t)matches[symbols - 1].length;
        return (rewriting){text, length, length};
    }
    size_t length = (size_t)tt_utf8_length(*text);
    const char *with = e->map ? tt_charsmap_longest(e->map, text, n, &length) : NULL;
    return (rewriting){with ? with : text, with ? strlen(with) : length, length};
}

static size_t kept_at_start(const tt_spm_encoder *e, const char *text, size_t n) {
    size_t kept = 0;
    while (kept < n && e->keeps[(unsigned char)text[kept]]) ++kept;
    if (kept > 0 && kept < n && (unsigned char)text[kept] >= 128) --kept; // they may be replaced together
    return kept;
}

static void append_space(const tt_spm_encoder *e, tt_str *out) {
    tt_str_append(out, e->escape ? space_mark : " ");
}

static void append_escaped(const tt_spm_encoder *e, const char *text, size_t n, tt_str *out) {
    while (n > 0) {
        const char *space = e->escape ? memchr(text, ' ', n) : NULL;
        const size_t before = space ? (size_t)(space - text) : n;
        tt_str_append_n(out, text, before);
        if (space) tt_str_append(out, space_mark);
        text += before + (space != NULL);
        n -= before + (space != NULL);
    }
}

static void trim_end(const tt_spm_encoder *e, tt_str *text) {
    const size_t space = e->escape ? strlen(space_mark) : 1;
    while (text->data && text->length >= space &&
           memcmp(text->data + text->length - space, e->escape ? space_mark : " ", space) == 0)
        text->length -= space;
}

static void normalize(
    const tt_spm_encoder *e, const char *text, size_t n, tt_trie_match *matches, tt_str *out) {
    size_t at = 0;
    while (e->trim && at < n) {
        const rewriting next = rewrite(e, text + at, n - at, matches);
        if (next.n != 1 || *next.text != ' ') break;
        at += next.taken;
    }
    if (at == n) return;
    if (!e->suffix && e->prefix) append_space(e, out);
    bool after_space = e->trim; // spaces that follow are left out
    while (at < n) {
        const size_t kept = kept_at_start(e, text + at, n - at);
        if (kept) {
            tt_str_append_n(out, text + at, kept);
            at += kept;
            after_space = false;
            continue;
        }
        rewriting next = rewrite(e, text + at, n - at, matches);
        at += next.taken;
        for (; after_space && next.n && *next.text == ' '; --next.n) ++next.text;
        if (!next.n) continue;
        append_escaped(e, next.text, next.n, out);
        after_space = e->trim && next.text[next.n - 1] == ' ';
    }
    if (e->trim) trim_end(e, out);
    if (e->suffix && e->prefix) append_space(e, out);
}

// ---- the search

// The best way to reach a position of the text.
typedef struct node {
    float score;
    int32_t from; // -1: not reached
    int32_t id;
} node;

static void search(const tt_spm_encoder *e, const char *text, size_t n, tt_trie_match *matches, node *best) {
    for (size_t i = 1; i <= n; ++i) best[i].from = -1;
    for (size_t at = 0; at < n;) {
        const size_t character = (size_t)tt_utf8_length(text[at]);
        const float so_far = best[at].score;
        bool single = false;
        const int found = tt_trie_matches(e->pieces, text + at, n - at, matches);
        for (int k = 0; k < found; ++k) {
            node *to = &best[at + (size_t)matches[k].length];
            const double score = e->scores[matches[k].value] + (double)so_far;
            if (to->from < 0 || score > (double)to->score)
                *to = (node){(float)score, (int32_t)at, matches[k].value};
            single |= (size_t)matches[k].length == character;
        }
        node *next = &best[at + character];
        const float unknown = e->unknown_score + so_far;
        if (!single && (next->from < 0 || unknown > next->score))
            *next = (node){unknown, (int32_t)at, e->unknown};
        at += character;
    }
}

// Turns the way to the end round: `from` becomes the end of the piece that follows, -1 after the last one. The end of the first
// piece.
static int32_t turn_round(node *best, size_t n) {
    int32_t follows = -1;
    for (int32_t at = (int32_t)n; at > 0;) {
        const int32_t from = best[at].from;
        best[at].from = follows;
        follows = at;
        at = from;
    }
    return follows;
}

// The unknown text[0..n) as bytes.
static void give_bytes(const tt_spm_encoder *e, const char *text, size_t n, const tt_spm_sink *sink) {
    for (size_t i = 0; i < n; ++i) {
        char name[8];
        const unsigned byte = (unsigned char)text[i];
        const int length = snprintf(name, sizeof name, "<0x%02X>", byte);
        sink->take(sink->context, e->bytes[byte], name, (size_t)length);
    }
}

static void give(const tt_spm_encoder *e, const char *text, size_t n, node *best, const tt_spm_sink *sink) {
    int32_t from = 0;
    for (int32_t to = turn_round(best, n); to > 0;) {
        const int id = best[to].id;
        // Unknown characters side by side are one piece.
        while (id == e->unknown && !e->byte_fallback && best[to].from > 0 && best[best[to].from].id == id)
            to = best[to].from;
        if (id == e->unknown && e->byte_fallback)
            give_bytes(e, text + from, (size_t)(to - from), sink);
        else
            sink->take(sink->context, id, text + from, (size_t)(to - from));
        from = to;
        to = best[to].from;
    }
}

tt_status tt_spm_encode(const tt_spm_encoder *e, const char *text, size_t n, const tt_spm_sink *sink) {
    const int pieces = tt_trie_most(e->pieces), symbols = e->symbols ? tt_trie_most(e->symbols) : 0;
    tt_trie_match *matches;
    tt_str normal = {0};
    node *best = NULL;
    TT_TRY(tt_alloc(&matches, (size_t)(pieces > symbols ? pieces : symbols), sizeof *matches, "tokens"));
    normalize(e, text, n, matches, &normal);
    tt_status status = tt_str_status(&normal);
    if (status == TT_OK && normal.length > INT32_MAX / 2)
        status = tt_fail(TT_ERR_NOMEM, "a text of %zu bytes is too long for one search", n);
    if (status == TT_OK) status = tt_alloc(&best, normal.length + 1, sizeof *best, "tokens");
    if (status == TT_OK) {
        search(e, tt_str_text(&normal), normal.length, matches, best);
        give(e, tt_str_text(&normal), normal.length, best, sink);
    }
    free(best);
    free(matches);
    tt_str_close(&normal);
    return status;
}
