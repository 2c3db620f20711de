#include "host/bench/bench.h"
#include "host/bench/parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool tt_bench_apart(const tt_device *device) {
    return strcmp(device->name, "cpu") != 0;
}

tt_status tt_bench_shape(tt_model_config *config, const char *name) {
    if (strcmp(name, "tiny") == 0) { // the shape of the everyday world's student
        TT_TRY(tt_model_preset(config, "t5-small"));
        config->vocab_size = 1024;
        config->d_model = 128;
        config->d_kv = 32;
        config->d_ff = 512;
        config->num_heads = 4;
        config->num_layers = config->num_decoder_layers = 2;
        return TT_OK;
    }
    char preset[64];
    const bool ours = strcmp(name, "small") == 0 || strcmp(name, "base") == 0 || strcmp(name, "large") == 0;
    snprintf(preset, sizeof preset, "%s%s", ours ? "t5-" : "", name);
    return tt_model_preset(config, preset);
}

int tt_bench_between(tt_rng *rng, int low, int high) {
    return low + (int)tt_rng_below(rng, (uint32_t)(high - low + 1));
}

int tt_bench_source_length(tt_rng *rng, const tt_bench_options *options) {
    if (options->source_length > 0) return options->source_length;
    return tt_bench_between(rng, TT_BENCH_SOURCE_MIN, TT_BENCH_SOURCE_MAX);
}

int tt_bench_target_length(tt_rng *rng, const tt_bench_options *options) {
    if (options->target_length > 0) return options->target_length;
    return tt_bench_between(rng, TT_BENCH_TARGET_MIN, TT_BENCH_TARGET_MAX);
}

void tt_bench_tokens(tt_rng *rng, int32_t *ids, int n, int vocab) {
    for (int i = 0; i + 1 < n; ++i) ids[i] = tt_bench_between(rng, 3, vocab - 1);
    ids[n - 1] = 1; // </s>
}

static int by_size(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

tt_bench_spread tt_bench_spread_of(double *values, int n) {
    qsort(values, (size_t)n, sizeof *values, by_size);
    const double median = n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
    return (tt_bench_spread){.median = median, .low = values[0], .high = values[n - 1]};
}
