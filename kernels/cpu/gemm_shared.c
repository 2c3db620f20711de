// Buffers, and the writing of results, which all kinds of product share.
#include "kernels/cpu/gemm.h"

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

tt_status tt_gemm_reserve(tt_device *device, tt_gemm_buffer *buffer, size_t bytes) {
    if (bytes <= buffer->bytes) return TT_OK;
    tt_device_free(device, buffer->data);
    *buffer = (tt_gemm_buffer){0};
    TT_TRY(tt_device_alloc(device, &buffer->data, bytes + bytes / 4, 1, "gemm's buffer"));
    buffer->bytes = bytes + bytes / 4;
    return TT_OK;
}
