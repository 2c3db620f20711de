#include "kernels/cpu/dropout.h"

#include "host/base/philox.h"

#include <math.h>
#include <string.h>

enum { LANES = 16 }; // Philox blocks side by side, four elements each

// One round of Philox4x32 on the four words of a lane; the same as in host/base/philox.h, written out so that
// a loop over lanes vectorises.
#define ROUND(r)                                                                                             \
    do {                                                                                                     \
        uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;                           \
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ (k0 + (r)*0x9E3779B9u);                                             \
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ (k1 + (r)*0xBB67AE85u);                                             \
        c1 = (uint32_t)p1;                                                                                   \
        c3 = (uint32_t)p0;                                                                                   \
    } while (0)

TT_MULTIVERSION
static void draw(
    const uint32_t key[2], const uint32_t counter[4], uint32_t threshold, float kept, float *factor) {
    const uint32_t k0 = key[0], k1 = key[1], first = counter[0], site = counter[1], position = counter[2],
                   example = counter[3];
#pragma omp simd
    for (uint32_t lane = 0; lane < LANES; ++lane) {
        uint32_t c0 = first + lane, c1 = site, c2 = position, c3 = example;
        ROUND(0u);
        ROUND(1u);
        ROUND(2u);
        ROUND(3u);
        ROUND(4u);
        ROUND(5u);
        ROUND(6u);
        ROUND(7u);
        ROUND(8u);
        ROUND(9u);
        factor[4 * lane] = c0 < threshold ? 0.0f : kept;
        factor[4 * lane + 1] = c1 < threshold ? 0.0f : kept;
        factor[4 * lane + 2] = c2 < threshold ? 0.0f : kept;
        factor[4 * lane + 3] = c3 < threshold ? 0.0f : kept;
    }
}

void tt_dropout_factors(const tt_dropout *drop, uint32_t site, int64_t row, int first, int n, float *factor) {
    const uint32_t key[2] = {(uint32_t)drop->key, (uint32_t)(drop->key >> 32)};
    const uint32_t threshold = (uint32_t)ceil((double)drop->p * 4294967296.0);
    const float kept = 1.0f / (1.0f - drop->p);
    uint32_t counter[4] = {(uint32_t)first / 4, site, drop->position[row], drop->example[row]};
    int i = 0;
    for (; i + 4 * LANES <= n; i += 4 * LANES, counter[0] += LANES)
        draw(key, counter, threshold, kept, factor + i);
    if (i < n) {
        float rest[4 * LANES];
        draw(key, counter, threshold, kept, rest);
        memcpy(factor + i, rest, (size_t)(n - i) * sizeof *rest);
    }
}

TT_MULTIVERSION
static void multiply(int n, float *out, const float *in, const float *factor) {
#pragma omp simd
    for (int i = 0; i < n; ++i) out[i] = in[i] * factor[i];
}

void tt_dropout_row(const tt_dropout *drop, int64_t row, int n, float *out, const float *in) {
    if (!(drop->p > 0)) {
        if (out != in) memcpy(out, in, (size_t)n * sizeof *out);
        return;
    }
    float factor[TT_DROPOUT_TILE];
    for (int i = 0; i < n; i += TT_DROPOUT_TILE) {
        int tile = n - i < TT_DROPOUT_TILE ? n - i : TT_DROPOUT_TILE;
        tt_dropout_factors(drop, drop->site, row, i, tile, factor);
        multiply(tile, out + i, in + i, factor);
    }
}

tt_status tt_dropout_check(const tt_dropout *drop, const char *op) {
    if (!drop || drop->p == 0) return TT_OK;
    if (!(drop->p > 0 && drop->p < 1))
        return tt_fail(TT_ERR_INPUT, "%s: dropout probability %g, expected 0 <= p < 1", op, (double)drop->p);
    if (!drop->example || !drop->position)
        return tt_fail(TT_ERR_INPUT, "%s: dropout needs the example and the position of each row", op);
    return TT_OK;
}
