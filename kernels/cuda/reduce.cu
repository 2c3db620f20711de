// Sums, scaling and rounding of flat buffers. A sum is made over strips of fixed size, then over their sums
// in order.
#include "kernels/cuda/kernel.cuh"
#include "kernels/cuda/scratch.h"

namespace {

enum { THREADS = 256, STRIP = TT_CUDA_SUM_STRIP, LAST = 1024 };

__global__ void square_strips(double *partial, const float *x, int64_t n) {
    TT_SHARED(double, sums, THREADS / WARP);
    const int64_t first = static_cast<int64_t>(blockIdx.x) * STRIP;
    double sum = 0;
    for (int64_t i = first + 4 * threadIdx.x; i < first + STRIP; i += 4 * THREADS) {
        const int64_t rest = n - i;
        const float4x v = load4(x + i, rest >= 4, rest > 0 ? static_cast<int>(rest) : 0);
        for (int j = 0; j < 4; ++j) sum += static_cast<double>(v.v[j]) * static_cast<double>(v.v[j]);
    }
    sum = block_sum<THREADS>(sum, sums);
    if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

// total = sum of x; one block, each thread a stretch in order.
__global__ void sum_in_order(double *total, const double *x, int n) {
    TT_SHARED(double, sums, LAST / WARP);
    const int each = (n + LAST - 1) / LAST, first = static_cast<int>(threadIdx.x) * each;
    double sum = 0;
    for (int i = first; i < first + each && i < n; ++i) sum += x[i];
    sum = block_sum<LAST>(sum, sums);
    if (threadIdx.x == 0) *total = sum;
}

// to[c] += sum over strips of partial[strip, c]: 32 sums of every 32nd strip, then those in order.
__global__ void add_strips(tt_cuda_strips p, int d) {
    TT_SHARED(float, sums, WARP *(WARP + 1));
    const int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP, c = blockIdx.x * WARP + lane;
    const float *partial = p.of[blockIdx.y].partial;
    const int strips = p.of[blockIdx.y].strips;
    float sum = 0;
    for (int s = warp; c < d && s < strips; s += WARP) sum += partial[static_cast<int64_t>(s) * d + c];
    sums[warp * (WARP + 1) + lane] = sum;
    __syncthreads();
    if (warp > 0 || c >= d) return;
    float total = 0;
    for (int w = 0; w < WARP; ++w) total += sums[w * (WARP + 1) + lane];
    p.of[blockIdx.y].to[c] += total;
}

__global__ void multiply(float *x, int64_t n, float factor) {
    const int64_t i = 4 * (static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x);
    if (i >= n) return;
    const int rest = static_cast<int>(n - i < 4 ? n - i : 4);
    float4x v = load4(x + i, rest == 4, rest);
    for (int j = 0; j < 4; ++j) v.v[j] *= factor;
    store4(x + i, v, rest == 4, rest);
}

// Between fp32 and bf16.
template <class To, class From> __global__ void convert(To *out, const From *x, int64_t n) {
    const int64_t i = 4 * (static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x);
    if (i >= n) return;
    const int rest = static_cast<int>(n - i < 4 ? n - i : 4);
    store4(out + i, load4(x + i, rest == 4, rest), rest == 4, rest);
}

tt_status check_count(int64_t n, const char *op) {
    return n >= 0 ? TT_OK
                  : tt_fail(TT_ERR_INPUT, "%s: n %lld, expected n >= 0", op, static_cast<long long>(n));
}

} // namespace

tt_status tt_cuda_square_sum(tt_device *device, double *sum, const float *x, int64_t n) {
    TT_TRY(check_count(n, "square_sum"));
    if (n == 0) return tt_device_zero(device, sum, sizeof *sum);
    const int strips = tt_ceil_div(n, STRIP);
    double *partial = static_cast<double *>(tt_device_scratch(device, tt_cuda_square_sum_scratch(n)));
    if (!partial) return tt_context(TT_ERR_NOMEM, "square_sum");
    TT_CUDA(TT_LAUNCH(square_strips, strips, THREADS, 0, tt_stream(device), partial, x, n), "square_sum");
    TT_CUDA(TT_LAUNCH(sum_in_order, 1, LAST, 0, tt_stream(device), sum, partial, strips), "square_sum");
    return TT_OK;
}

tt_status tt_cuda_scale(tt_device *device, float *x, int64_t n, float factor) {
    TT_TRY(check_count(n, "scale"));
    if (n == 0) return TT_OK;
    TT_CUDA(TT_LAUNCH(multiply, tt_ceil_div(n, 4 * THREADS), THREADS, 0, tt_stream(device), x, n, factor),
        "scale");
    return TT_OK;
}

tt_status tt_cuda_narrow(cudaStream_t stream, bf16 *out, const float *x, int64_t n) {
    if (n == 0) return TT_OK;
    TT_CUDA(TT_LAUNCH((convert<bf16, float>), tt_ceil_div(n, 4 * THREADS), THREADS, 0, stream, out, x, n),
        "to_bf16");
    return TT_OK;
}

tt_status tt_cuda_widen(cudaStream_t stream, float *out, const bf16 *x, int64_t n) {
    if (n == 0) return TT_OK;
    TT_CUDA(TT_LAUNCH((convert<float, bf16>), tt_ceil_div(n, 4 * THREADS), THREADS, 0, stream, out, x, n),
        "from bf16");
    return TT_OK;
}

tt_status tt_cuda_to_bf16(tt_device *device, uint16_t *out, const float *x, int64_t n) {
    TT_TRY(check_count(n, "to_bf16"));
    return tt_cuda_narrow(tt_stream(device), reinterpret_cast<bf16 *>(out), x, n);
}

tt_status tt_cuda_add_strips(tt_device *device, const tt_cuda_strips *p, int columns) {
    const dim3 grid(static_cast<unsigned>(tt_ceil_div(columns, WARP)), static_cast<unsigned>(p->n));
    TT_CUDA(
        TT_LAUNCH(add_strips, grid, WARP * WARP, 0, tt_stream(device), *p, columns), "adding partial sums");
    return TT_OK;
}

tt_status tt_cuda_add_strips(tt_device *device, float *to, const float *partial, int strips, int columns) {
    tt_cuda_strips one = {};
    one.n = 1;
    one.of[0] = {to, partial, strips};
    return tt_cuda_add_strips(device, &one, columns);
}
