// Named shapes, and checks of a configuration.
#include "host/model/model.h"

#include "host/base/str.h"

#include <string.h>

typedef struct preset {
    const char *name;
    int d_model, d_kv, d_ff, layers, heads;
    bool v1_1; // gated GELU, untied head
} preset;

// Raffel et al. 2020 (T5 1.0) and the sizes published with T5 1.1.
static const preset presets[] = {
    {"t5-small", 512, 64, 2048, 6, 8, false},
    {"t5-base", 768, 64, 3072, 12, 12, false},
    {"t5-large", 1024, 64, 4096, 24, 16, false},
    {"t5-3b", 1024, 128, 16384, 24, 32, false},
    {"t5-11b", 1024, 128, 65536, 24, 128, false},
    {"t5-v1_1-small", 512, 64, 1024, 8, 6, true},
    {"t5-v1_1-base", 768, 64, 2048, 12, 12, true},
    {"t5-v1_1-large", 1024, 64, 2816, 24, 16, true},
    {"t5-v1_1-xl", 2048, 64, 5120, 24, 32, true},
    {"t5-v1_1-xxl", 4096, 64, 10240, 24, 64, true},
};
enum { PRESETS = sizeof presets / sizeof *presets };

tt_status tt_model_preset(tt_model_config *out, const char *name) {
    const char *names[PRESETS];
    for (int i = 0; i < PRESETS; ++i) {
        const preset *p = &presets[i];
        names[i] = p->name;
        if (strcmp(name, p->name) != 0) continue;
        *out = (tt_model_config){.vocab_size = 32128,
            .d_model = p->d_model,
            .d_kv = p->d_kv,
            .d_ff = p->d_ff,
            .num_layers = p->layers,
            .num_decoder_layers = p->layers,
            .num_heads = p->heads,
            .relative_attention_num_buckets = 32,
            .relative_attention_max_distance = 128,
            .dropout_rate = 0.1f,
            .layer_norm_epsilon = 1e-6f,
            .initializer_factor = 1.0f,
            .activation = p->v1_1 ? TT_GATED_GELU : TT_RELU,
            .tie_word_embeddings = !p->v1_1};
        return TT_OK;
    }
    const char *nearest = tt_nearest(name, names, PRESETS);
    return tt_fail(TT_ERR_CONFIG,
        "unknown shape '%s'%s%s; known are t5-small, t5-base, t5-large, t5-3b, t5-11b, "
        "t5-v1_1-small, -base, -large, -xl, -xxl",
        name, nearest ? "; did you mean " : "", nearest ? nearest : "");
}

tt_status tt_model_config_check(const tt_model_config *c) {
    const struct {
        const char *name;
        int value, low, high;
    } sizes[] = {
        {"vocab_size", c->vocab_size, 3, 1 << 24},
        {"d_model", c->d_model, 1, 1 << 16},
        {"d_kv", c->d_kv, 1, 1 << 12},
        {"d_ff", c->d_ff, 1, 1 << 20},
        {"num_layers", c->num_layers, 1, 255},
        {"num_decoder_layers", c->num_decoder_layers, 1, 255},
        {"num_heads", c->num_heads, 1, 256},
        {"relative_attention_num_buckets", c->relative_attention_num_buckets, 4, 4096},
        {"relative_attention_max_distance", c->relative_attention_max_distance, 1, 1 << 20},
    };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i)
        if (sizes[i].value < sizes[i].low || sizes[i].value > sizes[i].high)
            return tt_fail(TT_ERR_CONFIG, "model: %s is %d, allowed are %d to %d", sizes[i].name,
                sizes[i].value, sizes[i].low, sizes[i].high);
    if (c->relative_attention_num_buckets % 2)
        return tt_fail(TT_ERR_CONFIG, "model: relative_attention_num_buckets is %d, must be even",
            c->relative_attention_num_buckets);
    if (c->relative_attention_max_distance <= c->relative_attention_num_buckets / 2)
        return tt_fail(TT_ERR_CONFIG,
            "model: relative_attention_max_distance is %d, must exceed half of the %d buckets",
            c->relative_attention_max_distance, c->relative_attention_num_buckets);
    if (c->activation != TT_RELU && c->activation != TT_GATED_GELU)
        return tt_fail(TT_ERR_CONFIG, "model: unknown activation %d", (int)c->activation);
    if (!(c->dropout_rate >= 0 && c->dropout_rate < 1))
        return tt_fail(
            TT_ERR_CONFIG, "model: dropout_rate is %g, allowed are 0 up to below 1", (double)c->dropout_rate);
    if (!(c->layer_norm_epsilon > 0))
        return tt_fail(
            TT_ERR_CONFIG, "model: layer_norm_epsilon is %g, must be above 0", (double)c->layer_norm_epsilon);
    return TT_OK;
}
