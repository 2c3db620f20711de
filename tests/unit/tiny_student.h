// A student of random weights with a tokenizer of its own, for the tests of what is written.
#ifndef TT_TESTS_TINY_STUDENT_H
#define TT_TESTS_TINY_STUDENT_H

#include "host/model/model.h"
#include "host/text/tokenizer.h"
#include "tests/expect.h"

typedef struct tiny_student {
    tt_tokenizer *tokenizer;
    tt_device *device;
    tt_model *model;
} tiny_student;

// Its tokenizer is trained with n texts into the file `path`, which has room for so many pieces, and `extra_ids` behind them.
static inline void tiny_student_open(
    tiny_student *out, const char *path, const char *const *texts, int n, int pieces, int extra_ids) {
    OK(tt_tokenizer_train(texts, n, &(tt_tokenizer_training){.pieces = pieces}, path));
    OK(tt_tokenizer_load(&out->tokenizer, path, extra_ids));
    const tt_model_config c = {.vocab_size = tt_tokenizer_size(out->tokenizer),
        .d_model = 16,
        .d_kv = 4,
        .d_ff = 24,
        .num_layers = 1,
        .num_decoder_layers = 1,
        .num_heads = 4,
        .relative_attention_num_buckets = 8,
        .relative_attention_max_distance = 16,
        .layer_norm_epsilon = 1e-6f,
        .initializer_factor = 1};
    OK(tt_device_open(&out->device, "cpu", TT_FP32, 1));
    OK(tt_model_open(&out->model, &c, out->device));
    OK(tt_model_init(out->model, TT_INIT_T5, 5));
}

#endif
