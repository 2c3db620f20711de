// A student of random weights, so small that tests of what is around it are fast.
#ifndef TT_TESTS_TINY_MODEL_H
#define TT_TESTS_TINY_MODEL_H

#include "host/model/model.h"
#include "tests/expect.h"

// On a CPU device of one thread. The caller closes both.
static inline void tiny_model_open(tt_device **device, tt_model **model, int vocab) {
    const tt_model_config c = {.vocab_size = vocab,
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
    OK(tt_device_open(device, "cpu", TT_FP32, 1));
    OK(tt_model_open(model, &c, *device));
    OK(tt_model_init(*model, TT_INIT_T5, 5));
}

#endif
