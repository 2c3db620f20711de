// The parts of a .model (sentencepiece_model.proto): ModelProto {repeated SentencePiece pieces = 1 {string piece = 1; float
// score = 2; Type type = 3}; TrainerSpec trainer_spec = 2 {ModelType model_type = 3}; NormalizerSpec normalizer_spec = 3
// {bytes precompiled_charsmap = 2}}.
#include "host/text/charsmap.h"
#include "host/text/protobuf.h"
#include "host/text/sentencepiece.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static tt_status damaged(const char *what) {
    return tt_fail(TT_ERR_FORMAT, "not a SentencePiece model, or a damaged one (%s)", what);
}

static tt_status check_piece(tt_protobuf b, int id) {
    tt_protobuf_field f;
    while (b.p < b.end) {
        if (!tt_protobuf_read(&b, &f)) return damaged("a piece");
        const size_t n = f.wire == 2 ? (size_t)(f.content.end - f.content.p) : 0;
        if (f.number == 1 && (f.wire != 2 || !tt_utf8_valid((const char *)f.content.p, n, NULL)))
            return tt_fail(TT_ERR_FORMAT, "piece %d is not UTF-8 text without NUL", id);
        if (f.number == 3 && (f.wire != 0 || f.integer < 1 || f.integer > 6))
            return tt_fail(TT_ERR_FORMAT, "piece %d: unknown type; SentencePiece has the types 1 to 6", id);
        if (f.number != 2) continue;
        if (f.wire != 5) return tt_fail(TT_ERR_FORMAT, "piece %d: expected its score as a 32-bit float", id);
        float score;
        memcpy(&score, f.content.p, sizeof score);
        if (!isfinite(score))
            return tt_fail(
                TT_ERR_FORMAT, "piece %d has the score %g; expected a finite number", id, (double)score);
    }
    return TT_OK;
}

static tt_status check_trainer(tt_protobuf b) {
    static const char *const types[] = {"", "unigram", "BPE", "word", "character"};
    tt_protobuf_field f;
    while (b.p < b.end) {
        if (!tt_protobuf_read(&b, &f)) return damaged("trainer_spec");
        if (f.number != 3 || f.wire != 0 || f.integer == 1) continue;
        return tt_fail(TT_ERR_UNSUPPORTED,
            "a SentencePiece model of type %s; T5 has a unigram model (spm_train --model_type=unigram)",
            f.integer < sizeof types / sizeof *types ? types[f.integer] : "unknown");
    }
    return TT_OK;
}

static tt_status check_normalizer(tt_protobuf b) {
    tt_protobuf_field f;
    while (b.p < b.end) {
        if (!tt_protobuf_read(&b, &f)) return damaged("normalizer_spec");
        if (f.number != 2 || f.wire != 2 || f.content.p == f.content.end) continue;
        tt_charsmap *map;
        TT_TRY(tt_charsmap_parse(&map, f.content.p, (size_t)(f.content.end - f.content.p)));
        tt_charsmap_close(map);
    }
    return TT_OK;
}

tt_status tt_spm_check(const void *data, size_t n) {
    tt_protobuf b = {data, (const unsigned char *)data + n};
    bool normalizer = false;
    int pieces = 0;
    tt_protobuf_field f;
    while (b.p < b.end) {
        if (!tt_protobuf_read(&b, &f)) return damaged("its fields");
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
