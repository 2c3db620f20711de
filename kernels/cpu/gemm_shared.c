// Buffers, and the writing of results, which all kinds of product share.
#include "kernels/cpu/gemm.h"
#include "kernels/cpu/math.h"

#include <math.h>

TT_MULTIVERSION(void, write_row, (int n, float *c, const float *sums, float alpha, float beta),
    (n, c, sums, alpha, beta)) {
    if (beta == 0) { // c may hold anything, NaN too
#pragma omp simd
        for (int j = 0; j < n; ++j) c[j] = alpha * sums[j];
    } else {
#pragma omp simd
        for (int j = 0; j < n; ++j) c[j] = alpha * sums[j] + beta * c[j];
    }
}

void tt_gemm_write_row(int n, float *c, const float *sums, float alpha, float beta) {
    write_row(n, c, sums, alpha, beta);
}

TT_MULTIVERSION(void, write_narrow,
    (int n, uint16_t *c, const float *sums, float alpha, float beta, float least),
    (n, c, sums, alpha, beta, least)) {
    if (beta == 0) {
#pragma omp simd
        for (int j = 0; j < n; ++j) {
            const float x = alpha * sums[j];
            c[j] = tt_bf16_round(x < least ? least : x);
        }
    } else {
#pragma omp simd
        for (int j = 0; j < n; ++j) {
            const float x = alpha * sums[j] + beta * tt_bf16_widen(c[j]);
            c[j] = tt_bf16_round(x < least ? least : x);
        }
    }
}

void tt_gemm_write_narrow(int n, uint16_t *c, const float *sums, float alpha, float beta, bool relu) {
    write_narrow(n, c, sums, alpha, beta, relu ? 0 : -INFINITY);
}

tt_status tt_gemm_reserve(tt_device *device, tt_gemm_buffer *buffer, size_t bytes) {
    if (bytes <= buffer->bytes) return TT_OK;
    tt_device_free(device, buffer->data);
    *buffer = (tt_gemm_buffer){0};
    TT_TRY(tt_device_alloc(device, &buffer->data, bytes + bytes / 4, 1, "gemm's buffer"));
    buffer->bytes = bytes + bytes / 4;
    return TT_OK;
}
