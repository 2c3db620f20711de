// Small models of odd shape and a packed batch, for the tests of the whole model.
#ifndef TT_TESTS_TINY_T5_H
#define TT_TESTS_TINY_T5_H

#include "host/base/philox.h"
#include "host/model/model.h"
#include "tests/expect.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TINY_TOKENS = 64 };

// num_heads x d_kv differs from d_model, the stacks differ in depth.
static const tt_model_config tiny_1_0 = {.vocab_size = 41,
    .d_model = 12,
    .d_kv = 5,
    .d_ff = 19,
    .num_layers = 2,
    .num_decoder_layers = 3,
    .num_heads = 3,
    .relative_attention_num_buckets = 8,
    .relative_attention_max_distance = 16,
    .dropout_rate = 0,
    .layer_norm_epsilon = 1e-6f,
    .initializer_factor = 1,
    .tie_word_embeddings = true,
    .scale_decoder_outputs = true};

static inline tt_model_config tiny_1_1(void) {
    tt_model_config c = tiny_1_0;
    c.activation = TT_GATED_GELU;
    c.tie_word_embeddings = c.scale_decoder_outputs = false;
    return c;
}

typedef struct tiny {
    tt_device *device;
    tt_model *model;
    tt_pass *pass;
    tt_batch batch;
    float dlogp[TINY_TOKENS], logp[TINY_TOKENS];
} tiny;

static inline int tiny_draw(uint32_t a, uint32_t b, int below) {
    tt_rng rng;
    tt_rng_open(&rng, 7, TT_FOR_TEST, a, b);
    return (int)tt_rng_below(&rng, (uint32_t)below);
}

static inline void tiny_source(tt_batch *batch, int vocab, int n, uint32_t example) {
    int32_t ids[TINY_TOKENS];
    for (int i = 0; i < n; ++i) ids[i] = i == n - 1 ? 1 : tiny_draw(example, (uint32_t)i, vocab);
    OK(tt_batch_add_source(batch, ids, n, example));
}

static inline void tiny_target(tt_batch *batch, int vocab, int n, int source, uint32_t example) {
    int32_t ids[TINY_TOKENS];
    for (int i = 0; i < n; ++i) ids[i] = i == n - 1 ? 1 : tiny_draw(example + 100, (uint32_t)i, vocab);
    OK(tt_batch_add_target(
        batch, &(tt_batch_target){.ids = ids, .n = n, .source = source, .example = example}));
}

// Three sources of lengths 1, 7 and 20; two have two targets each, the first none.
static inline void tiny_fill(tt_batch *batch, int vocab) {
    tt_batch_clear(batch);
    tiny_source(batch, vocab, 1, 0);
    tiny_source(batch, vocab, 7, 1);
    tiny_source(batch, vocab, 20, 2);
    tiny_target(batch, vocab, 5, 1, 3);
    tiny_target(batch, vocab, 1, 2, 4);
    tiny_target(batch, vocab, 18, 1, 5);
    tiny_target(batch, vocab, 9, 2, 6);
}

static inline void tiny_open(tiny *f, const tt_model_config *config) {
    memset(f, 0, sizeof *f);
    OK(tt_device_open(&f->device, "cpu", TT_FP32, 1));
    OK(tt_model_open(&f->model, config, f->device));
    OK(tt_model_init(f->model, TT_INIT_T5, 3));
    // Biases that matter, norms that are not one.
    tt_rng rng;
    tt_rng_open(&rng, 9, TT_FOR_TEST, 0, 0);
    for (int i = 0; i < f->model->n_parameters; ++i) {
        const tt_parameter *p = &f->model->parameters[i];
        const int touched = strstr(p->name, "layer_norm") || strstr(p->name, "relative");
        for (int j = 0; j < p->rows * p->columns && touched; ++j)
            f->model->w[p->offset + (size_t)j] += (float)(0.3 * tt_rng_normal(&rng));
    }
    OK(tt_pass_open(&f->pass, f->model));
    tiny_fill(&f->batch, config->vocab_size);
    for (int t = 0; t < f->batch.dec_tokens; ++t) f->dlogp[t] = (float)(0.2 + 0.1 * tt_rng_normal(&rng));
}

static inline void tiny_close(tiny *f) {
    tt_batch_close(&f->batch);
    tt_pass_close(f->pass);
    tt_model_close(f->model);
    tt_device_close(f->device);
}

// norm(a - b) / norm(b)
static inline double tiny_distance(const float *a, const float *b, size_t n) {
    double difference = 0, size = 0;
    for (size_t i = 0; i < n; ++i) {
        difference += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        size += (double)b[i] * b[i];
    }
    return sqrt(difference / size);
}

#endif
