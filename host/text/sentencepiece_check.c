// The parts of a .model (sentencepiece_model.proto): ModelProto {repeated SentencePiece pieces = 1 {string piece = 1; float
// score = 2; Type type = 3}; TrainerSpec trainer_spec = 2 {ModelType model_type = 3}; NormalizerSpec normalizer_spec = 3
// {bytes precompiled_charsmap = 2}}.
#include "host/text/charsmap.h"
#include "host/text/sentencepiece.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

typedef struct bytes {
    const unsigned char *p, *end;
} bytes;

typedef struct field {
    int number, wire; // wire: 0 = an integer, 1 and 5 = 8 and 4 bytes, 2 = bytes
    uint64_t integer;
    bytes content; // of wires 1, 2 and 5
} field;

static bool read_varint(bytes *b, uint64_t *out) {
    *out = 0;
    for (int shift = 0; shift < 64 && b->p < b->end; shift += 7) {
        const unsigned char c = *b->p++;
        *out |= (uint64_t)(c & 0x7f) << shift;
        if (c < 0x80) return true;
    }
    return false;
}

static bool read_field(bytes *b, field *f) {
    *f = (field){0}; // a number has no content
    uint64_t key, length = 0;
    if (!read_varint(b, &key) || key >> 3 == 0 || key >> 3 > 1 << 29) return false;
    f->number = (int)(key >> 3);
    f->wire = (int)(key & 7);
    if (f->wire == 0) return read_varint(b, &f->integer);
    if (f->wire == 1 || f->wire == 5)
        length = f->wire == 1 ? 8 : 4;
    else if (f->wire != 2 || !read_varint(b, &length))
        return false;
    if (length > (uint64_t)(b->end - b->p)) return false;
    f->content = (bytes){b->p, b->p + length};
    b->p += length;
    return true;
}

static tt_status damaged(const char *what) {
    return tt_fail(TT_ERR_FORMAT, "not a SentencePiece model, or a damaged one (%s)", what);
}

static tt_status check_piece(bytes b, int id) {
    field f;
    while (b.p < b.end) {
        if (!read_field(&b, &f)) return damaged("a piece");
        const size_t n = f.wire == 2 ? (size_t)(f.content.end - f.content.p) : 0;
        if (f.number == 1 && (f.wire != 2 || !tt_utf8_valid((const char *)f.content.p, n, NULL)))
            return tt_fail(TT_ERR_FORMAT, "piece %d is not UTF-8 text without NUL", id);
        if (f.number != 2 || f.wire != 5) continue;
        float score;
        memcpy(&score, f.content.p, sizeof score);
        if (!isfinite(score))
            return tt_fail(
                TT_ERR_FORMAT, "piece %d has the score %g; expected a finite number", id, (double)score);
    }
    return TT_OK;
}

static tt_status check_trainer(bytes b) {
    static const char *const types[] = {"", "unigram", "BPE", "word", "character"};
    field f;
    while (b.p < b.end) {
        if (!read_field(&b, &f)) return damaged("trainer_spec");
        if (f.number != 3 || f.wire != 0 || f.integer == 1) continue;
        return tt_fail(TT_ERR_UNSUPPORTED,
            "a SentencePiece model of type %s; T5 has a unigram model (spm_train --model_type=unigram)",
            f.integer < sizeof types / sizeof *types ? types[f.integer] : "unknown");
    }
    return TT_OK;
}

static tt_status check_normalizer(bytes b) {
    field f;
    while (b.p < b.end) {
        if (!read_field(&b, &f)) return damaged("normalizer_spec");
        if (f.number != 2 || f.wire != 2 || f.content.p == f.content.end) continue;
        tt_charsmap *map;
        TT_TRY(tt_charsmap_parse(&map, f.content.p, (size_t)(f.content.end - f.content.p)));
        tt_charsmap_close(map);
    }
    return TT_OK;
}

tt_status tt_spm_check(const void *data, size_t n) {
    bytes b = {data, (const unsigned char *)data + n};
    bool normalizer = false;
    int pieces = 0;
    field f;
    while (b.p < b.end) {
        if (!read_field(&b, &f)) return damaged("its fields");
        if (f.number <= 3 && f.wire != 2) return damaged("its parts");
        if (f.number == 1) TT_TRY(check_piece(f.content, pieces++));
        if (f.number == 2) TT_TRY(check_trainer(f.content));
        if (f.number == 3) TT_TRY(check_normalizer(f.content));
        normalizer |= f.number == 3;
    }
    if (pieces == 0) return damaged("no pieces");
    if (!normalizer)
        return damaged("no normalizer_spec, which says how texts are written before they are cut");
    return TT_OK;
}
