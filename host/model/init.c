// Random weights. A value is a function of (seed, parameter's name, position in it) alone.
#include "host/model/layout.h"

#include "host/base/philox.h"
#include "host/base/str.h"
#include "kernels/ops.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// A normal number takes a block of the stream, so that threads begin where they want.
static void fill_normal(float *w, size_t n, double std, uint64_t seed, const char *name) {
    enum { PART = 1 << 14 };
    const uint64_t hash = tt_hash(name, strlen(name));
#pragma omp parallel for schedule(static)
    for (size_t from = 0; from < n; from += PART) {
        tt_rng rng;
        tt_rng_open(&rng, seed, TT_FOR_INIT, hash, 0);
        tt_rng_seek(&rng, (uint32_t)from);
        for (size_t i = from; i < n && i < from + PART; ++i) w[i] = (float)(std * tt_rng_normal(&rng));
    }
}

// Standard deviation of a parameter in T5 (Hugging Face's T5PreTrainedModel._init_weights); 0 for norms.
static double t5_std(const tt_model_config *c, const char *name) {
    const double d = c->d_model;
    if (strstr(name, "layer_norm")) return 0;
    if (strstr(name, "shared") || strstr(name, "lm_head")) return 1;
    if (strstr(name, ".q.weight")) return 1 / sqrt(d * c->d_kv);
    if (strstr(name, ".o.weight")) return 1 / sqrt((double)tt_inner(c));
    if (strstr(name, ".wo.weight")) return 1 / sqrt((double)c->d_ff);
    return 1 / sqrt(d); // k, v, wi, relative bias
}

// Makes the rows of w[rows, columns] orthonormal (modified Gram-Schmidt); needs rows <= columns.
static void orthonormal_rows(float *w, int rows, int columns) {
    for (int i = 0; i < rows; ++i) {
        float *a = w + (size_t)i * columns;
        for (int j = 0; j <= i; ++j) {
            const float *b = w + (size_t)j * columns;
            double dot = 0;
            for (int c = 0; c < columns; ++c) dot += (double)a[c] * b[c];
            if (j == i) {
                for (int c = 0; c < columns; ++c) a[c] = (float)(a[c] / sqrt(dot));
            } else {
                for (int c = 0; c < columns; ++c) a[c] -= (float)(dot * b[c]);
            }
        }
    }
}

// Sets the bias of a head for the relative positions from..to, so that it attends to these neighbours.
static void favour_offsets(
    float *bias, const tt_model_config *c, int head, int from, int to, bool bidirectional, float value) {
    for (int r = from; r <= to && head < c->num_heads; ++r) {
        int bucket = tt_relative_bucket(
            r, bidirectional, c->relative_attention_num_buckets, c->relative_attention_max_distance);
        bias[(size_t)bucket * c->num_heads + head] = value;
    }
}

// Structured initialisation: heads that copy exist from the first step instead of forming late in training.
//   embedding std 0.3 and the decoder's final norm 1/0.3, so that the tied head's logits start at T5's scale;
//   o and wo of T5 halved; W_k with std 1/sqrt(d),
//   W_q = W_k / sqrt(d_kv), so that a token attends to tokens like itself; in cross-attention W_v has
//   orthonormal rows and W_o = 0.3 W_v^T, so that what is attended to is written to the output as it is;
//   relative bias 0 but +4 at offset -1 (head 0 of both stacks), +4 at +1 (encoder's head 1) and +3 at
//   offsets -6..-9 (encoder's head 2).
static tt_status structure_weights(tt_model *model, float *w) {
    const tt_model_config *c = &model->config;
    const tt_layout *layout = model->layout;
    const int d = c->d_model, inner = tt_inner(c);
    if (inner != d)
        return tt_fail(TT_ERR_CONFIG,
            "init copy needs num_heads x d_kv = d_model, but the model has %d x %d and %d", c->num_heads,
            c->d_kv, d);
    const size_t square = (size_t)inner * d;
    for (size_t i = 0; i < (size_t)c->vocab_size * d; ++i) w[layout->shared + i] *= 0.3f;
    for (int i = 0; i < d; ++i) w[layout->decoder.final_norm + i] = 1 / 0.3f;
    for (int side = 0; side < 2; ++side) {
        const tt_stack_layout *stack = side ? &layout->decoder : &layout->encoder;
        for (int l = 0; l < stack->layers; ++l) {
            const tt_block_layout *b = &stack->blocks[l];
            for (size_t i = 0; i < square; ++i) w[b->o + i] *= 0.5f;
            for (size_t i = 0; i < (size_t)d * c->d_ff; ++i) w[b->wo + i] *= 0.5f;
            const float same = 1 / sqrtf((float)c->d_kv);
            for (size_t i = 0; i < square; ++i) w[b->q + i] = w[b->k + i] * same;
            if (side == 0) continue;
            for (size_t i = 0; i < square; ++i) w[b->cross_q + i] = w[b->cross_k + i] * same;
            orthonormal_rows(w + b->cross_v, inner, d);
            for (int r = 0; r < d; ++r)
                for (int k = 0; k < inner; ++k)
                    w[b->cross_o + (size_t)r * inner + k] = 0.3f * w[b->cross_v + (size_t)k * d + r];
        }
        float *bias = w + stack->bias;
        memset(bias, 0, (size_t)c->relative_attention_num_buckets * c->num_heads * sizeof *bias);
        favour_offsets(bias, c, 0, -1, -1, side == 0, 4);
        if (side == 0) {
            favour_offsets(bias, c, 1, 1, 1, true, 4);
            favour_offsets(bias, c, 2, -9, -6, true, 3);
        }
    }
    return TT_OK;
}

tt_status tt_init_parse(tt_init *out, const char *word) {
    static const char *const names[] = {TT_INIT_MAP(TT_WORD_TEXT)};
    static const tt_words words = {.what = "init", .words = names, .n = TT_INITS, .error = TT_ERR_CONFIG};
    int index;
    TT_TRY(tt_word_parse(&words, word, &index));
    *out = (tt_init)index;
    return TT_OK;
}

tt_status tt_model_init(tt_model *model, tt_init how, uint64_t seed) {
    float *w;
    TT_TRY(tt_alloc(&w, model->size, sizeof *w, "initial weights"));
    for (int i = 0; i < model->n_parameters; ++i) {
        const tt_parameter *p = &model->parameters[i];
        const size_t n = (size_t)p->rows * (size_t)p->columns;
        const double std = t5_std(&model->config, p->name);
        if (std == 0)
            for (size_t j = 0; j < n; ++j) w[p->offset + j] = 1;
        else
            fill_normal(w + p->offset, n, std * (double)model->config.initializer_factor, seed, p->name);
    }
    tt_status status = how == TT_INIT_COPY ? structure_weights(model, w) : TT_OK;
    if (status == TT_OK) status = tt_device_upload(model->device, model->w, w, model->size * sizeof *w);
    free(w);
    return status == TT_OK ? tt_model_written(model) : status;
}
