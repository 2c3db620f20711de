// RMSNorm with the residual add of few rows, as decoding has them: a block per row, and a thread for four columns.
// There is too little to read to hide how long it takes to come: so all is asked for at once, weights too.
#include "kernels/cuda/rmsnorm.cuh"

namespace {

enum { FOUR = 4, WIDEST = 1024, MOST_ROWS = 1024, MOST_WARPS = WIDEST / FOUR / WARP };

template <class T> __global__ void __launch_bounds__(MOST_WARPS *WARP) forward_few(tt_rmsnorm p) {
    TT_SHARED(float, partial, MOST_WARPS);
    const int c = FOUR * threadIdx.x, d = p.d;
    const bool there = c < d, whole = d % FOUR == 0;
    const int64_t offset = static_cast<int64_t>(blockIdx.x) * d + c;
    const T *branch = static_cast<const T *>(p.branch);
    const float *from = branch && p.x_in ? p.x_in : p.x;
    float4x x = float4x(), add = float4x(), w = float4x();
    if (there) {
        x = load4(from + offset, whole, d - c);
        if (branch) add = load4(branch + offset, whole, d - c);
        w = load4(p.w + c, whole, d - c);
    }
    float squares = 0;
#pragma unroll
    for (int i = 0; i < FOUR; ++i) {
        x.v[i] += add.v[i];
        squares += x.v[i] * x.v[i];
    }
    squares = warp_sum(squares);
    if (threadIdx.x % WARP == 0) partial[threadIdx.x / WARP] = squares;
    if (there && branch) store4(p.x + offset, x, whole, d - c);
    __syncthreads();
    squares = 0;
    for (int i = 0; i < static_cast<int>(blockDim.x / WARP); ++i) squares += partial[i];
    const float rstd = 1.0f / sqrtf(squares / static_cast<float>(d) + p.eps);
    if (threadIdx.x == 0) p.rstd[blockIdx.x] = rstd;
    if (!there) return;
#pragma unroll
    for (int i = 0; i < FOUR; ++i) x.v[i] *= rstd * w.v[i];
    store4(static_cast<T *>(p.y) + offset, x, whole, d - c);
}

template <class T> tt_status run_few(tt_device *device, const tt_rmsnorm *p) {
    const int threads = tt_ceil_div(p->d, FOUR * WARP) * WARP;
    TT_CUDA(TT_LAUNCH((forward_few<T>), p->rows, threads, 0, tt_stream(device), *p), "rmsnorm_fwd");
    return TT_OK;
}

} // namespace

bool tt_cuda_rmsnorm_is_few(const tt_rmsnorm *p) {
    return p->rows <= MOST_ROWS && p->d <= WIDEST && !(p->drop.p > 0) && !(p->output_drop.p > 0);
}

tt_status tt_cuda_rmsnorm_few(tt_device *device, const tt_rmsnorm *p) {
    return TT_BY_OPERAND(device, run_few, device, p);
}
