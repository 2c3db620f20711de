// Sums and scaling of flat buffers. A sum is taken over blocks of fixed size, then over their sums in order.
#include "kernels/cpu/cpu.h"
#include "kernels/cpu/reserve.h"

enum { BLOCK = 16384 };

TT_MULTIVERSION(double, block_square_sum, (int64_t n, const float *x), (n, x)) {
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < n; ++i) sum += (double)x[i] * x[i];
    return sum;
}

size_t tt_cpu_square_sum_scratch(int64_t n) {
    return (size_t)((n + BLOCK - 1) / BLOCK + 1) * sizeof(double);
}

tt_status tt_cpu_square_sum(tt_device *device, double *sum, const float *x, int64_t n) {
    if (n < 0) return tt_fail(TT_ERR_INPUT, "square_sum: n %lld, expected n >= 0", (long long)n);
    const int64_t blocks = (n + BLOCK - 1) / BLOCK;
    double *partial = tt_device_scratch(device, tt_cpu_square_sum_scratch(n));
    if (!partial) return TT_ERR_NOMEM;
#pragma omp parallel for num_threads(tt_cpu_team(device->threads)) schedule(static)
    for (int64_t b = 0; b < blocks; ++b) {
        int64_t rest = n - b * BLOCK;
        partial[b] = block_square_sum(rest < BLOCK ? rest : BLOCK, x + b * BLOCK);
    }
    double total = 0;
    for (int64_t b = 0; b < blocks; ++b) total += partial[b];
    *sum = total;
    return TT_OK;
}

TT_MULTIVERSION(void, block_scale, (int64_t n, float *x, float factor), (n, x, factor)) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) x[i] *= factor;
}

tt_status tt_cpu_scale(tt_device *device, float *x, int64_t n, float factor) {
    if (n < 0) return tt_fail(TT_ERR_INPUT, "scale: n %lld, expected n >= 0", (long long)n);
#pragma omp parallel for num_threads(tt_cpu_team(device->threads)) schedule(static)
    for (int64_t i = 0; i < n; i += BLOCK) block_scale(n - i < BLOCK ? n - i : BLOCK, x + i, factor);
    return TT_OK;
}
