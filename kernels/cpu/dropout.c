#include "kernels/cpu/dropout.h"

#include "host/base/philox.h"
#include "kernels/cpu/dropout_draw.h"

#include <math.h>
#include <string.h>

// One block after the other, as the definition says.
void tt_draw_portable(const tt_draw *draw, int units, float *factor) {
    for (uint32_t i = 0; i < (uint32_t)units * TT_DRAW_UNIT / 4; ++i, factor += 4) {
        const uint32_t counter[4] = {draw->block + i, draw->site, draw->position, draw->example};
        uint32_t word[4];
        tt_philox(counter, draw->key, word);
        for (int j = 0; j < 4; ++j) factor[j] = word[j] < draw->threshold ? 0.0f : draw->kept;
    }
}

static tt_draw_function *best_draw(void) {
#if defined(__x86_64__)
    static tt_draw_function *const draws[] = {
        [TT_BASELINE] = tt_draw_portable, [TT_AVX2] = tt_draw_avx2, [TT_AVX512] = tt_draw_avx512};
    return draws[tt_cpu_level_of_process()];
#else
    return tt_draw_portable;
#endif
}

void tt_dropout_factors(const tt_dropout *drop, uint32_t site, int64_t row, int first, int n, float *factor) {
    tt_draw_function *const make = best_draw();
    tt_draw draw = {
        .key = {(uint32_t)*drop->key, (uint32_t)(*drop->key >> 32)},
        .block = (uint32_t)first / 4,
        .site = site,
        .position = drop->position[row],
        .example = drop->example[row],
        .threshold = (uint32_t)ceil((double)drop->p * 4294967296.0),
        .kept = 1.0f / (1.0f - drop->p),
    };
    const int units = n / TT_DRAW_UNIT, made = units * TT_DRAW_UNIT;
    make(&draw, units, factor);
    if (made < n) {
        float rest[TT_DRAW_UNIT];
        draw.block += (uint32_t)made / 4;
        make(&draw, 1, rest);
        memcpy(factor + made, rest, (size_t)(n - made) * sizeof *rest);
    }
}

TT_MULTIVERSION(
    void, multiply_rows, (int n, float *out, const float *in, const float *factor), (n, out, in, factor)) {
#pragma omp simd
    for (int i = 0; i < n; ++i) out[i] = in[i] * factor[i];
}

void tt_dropout_row(const tt_dropout *drop, int64_t row, int n, float *out, const float *in) {
    if (!(drop->p > 0)) {
        if (out != in) memcpy(out, in, (size_t)n * sizeof *out);
        return;
    }
    float factor[TT_DROPOUT_TILE] = {0}; // every element is written, which the analyser cannot see
    for (int i = 0; i < n; i += TT_DROPOUT_TILE) {
        int tile = n - i < TT_DROPOUT_TILE ? n - i : TT_DROPOUT_TILE;
        tt_dropout_factors(drop, drop->site, row, i, tile, factor);
        multiply_rows(tile, out + i, in + i, factor);
    }
}

tt_status tt_dropout_check(const tt_dropout *drop, const char *op) {
    if (drop->p == 0) return TT_OK;
    if (!(drop->p > 0 && drop->p < 1))
        return tt_fail(TT_ERR_INPUT, "%s: dropout probability %g, expected 0 <= p < 1", op, (double)drop->p);
    if (!drop->key || !drop->example || !drop->position)
        return tt_fail(
            TT_ERR_INPUT, "%s: dropout needs a key, and the example and the position of each row", op);
    return TT_OK;
}
