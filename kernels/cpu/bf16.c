#include "kernels/bf16.h"

#include "kernels/cpu/math.h"

TT_MULTIVERSION(void, round_all, (int64_t n, uint16_t *out, const float *x), (n, out, x)) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) out[i] = tt_bf16_round(x[i]);
}

void tt_bf16_from_float(int64_t n, uint16_t *out, const float *x) {
    round_all(n, out, x);
}

TT_MULTIVERSION(void, widen_all, (int64_t n, float *out, const uint16_t *x), (n, out, x)) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) out[i] = tt_bf16_widen(x[i]);
}

void tt_float_from_bf16(int64_t n, float *out, const uint16_t *x) {
    widen_all(n, out, x);
}

enum { BLOCK = 16384 };

tt_status tt_cpu_to_bf16(tt_device *device, uint16_t *out, const float *x, int64_t n) {
    if (n < 0) return tt_fail(TT_ERR_INPUT, "to_bf16: n %lld, expected n >= 0", (long long)n);
#pragma omp parallel for num_threads(tt_cpu_team(device->threads)) schedule(static)
    for (int64_t i = 0; i < n; i += BLOCK) tt_bf16_from_float(n - i < BLOCK ? n - i : BLOCK, out + i, x + i);
    return TT_OK;
}
