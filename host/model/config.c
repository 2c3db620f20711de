// Named shapes, and checks of a configuration.
#include "host/model/model.h"

#include "host/base/str.h"

#include <string.h>

typedef struct preset {
    const char *name;
    int d_model, d_kv, d_ff, layers, heads;
    bool v1_1; // gated GELU, untied head
} preset;

static const preset presets[] = {
#define PRESET(code, name_, d_model_, d_kv_, d_ff_, layers_, heads_, v1_1_)                                  \
    {.name = name_,                                                                                          \
        .d_model = d_model_,                                                                                 \
        .d_kv = d_kv_,                                                                                       \
        .d_ff = d_ff_,                                                                                       \
        .layers = layers_,                                                                                   \
        .heads = heads_,                                                                                     \
        .v1_1 = v1_1_},
    TT_SHAPE_MAP(PRESET)
#undef PRESET
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
            .tie_word_embeddings = !p->v1_1,
            .scale_decoder_outputs = !p->v1_1};
        return TT_OK;
    }
    const char *nearest = tt_nearest(name, names, PRESETS);
    tt_str known = {0};
    for (int i = 0; i < PRESETS; ++i) tt_str_format(&known, "%s%s", i ? ", " : "", names[i]);
    tt_fail(TT_ERR_CONFIG, "unknown shape '%s'%s%s; known are %s", name, nearest ? "; did you mean " : "",
        nearest ? nearest : "", tt_str_text(&known));
    tt_str_close(&known);
    return TT_ERR_CONFIG;
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
