// RMSNorm fused with the residual add and both dropouts. One warp per row; the row is read twice, the second
// time from cache. dw is summed over strips of rows, then over strips in order.
#include "kernels/cuda/dropout.cuh"

namespace {

enum { ROWS = 4, THREADS = ROWS * WARP, STRIP = 32, STRIP_THREADS = 256 };

template <class T> __global__ void forward(tt_rmsnorm p, dropout_plan drop, dropout_plan output_drop) {
    const int row = blockIdx.x * ROWS + threadIdx.x / WARP, lane = threadIdx.x % WARP, d = p.d;
    if (row >= p.rows) return;
    const bool whole = d % 4 == 0;
    const int64_t at = static_cast<int64_t>(row) * d;
    const T *branch = static_cast<const T *>(p.branch);
    const float *from = branch && p.x_in ? p.x_in : p.x;
    float squares = 0;
    for (int c = 4 * lane; c < d; c += 4 * WARP) {
        float4x x = load4(from + at + c, whole, d - c);
        if (branch) {
            float4x add = load4(branch + at + c, whole, d - c);
            drop4(drop, row, c / 4, &add);
            for (int i = 0; i < 4; ++i) x.v[i] += add.v[i];
            store4(p.x + at + c, x, whole, d - c);
        }
        for (int i = 0; i < 4; ++i) squares += x.v[i] * x.v[i];
    }
    const float rstd = 1.0f / sqrtf(warp_sum(squares) / static_cast<float>(d) + p.eps);
    if (lane == 0) p.rstd[row] = rstd;
    T *y = static_cast<T *>(p.y);
    for (int c = 4 * lane; c < d; c += 4 * WARP) {
        float4x x = load4(p.x + at + c, whole, d - c); // a lane reads what it wrote itself
        const float4x w = load4(p.w + c, whole, d - c);
        for (int i = 0; i < 4; ++i) x.v[i] *= rstd * w.v[i];
        drop4(output_drop, row, c / 4, &x);
        store4(y + at + c, x, whole, d - c);
    }
}

// dx and dbranch; dw needs all rows of a column and has a kernel of its own.
template <class T> __global__ void backward(tt_rmsnorm p, dropout_plan drop, dropout_plan output_drop) {
    const int row = blockIdx.x * ROWS + threadIdx.x / WARP, lane = threadIdx.x % WARP, d = p.d;
    if (row >= p.rows) return;
    const bool whole = d % 4 == 0;
    const int64_t at = static_cast<int64_t>(row) * d;
    const T *dy = static_cast<const T *>(p.dy);
    T *dbranch = static_cast<T *>(p.dbranch);
    const float rstd = p.rstd[row];
    float dot = 0;
    for (int c = 4 * lane; c < d; c += 4 * WARP) {
        float4x g = load4(dy + at + c, whole, d - c);
        drop4(output_drop, row, c / 4, &g);
        const float4x x = load4(p.x + at + c, whole, d - c), w = load4(p.w + c, whole, d - c);
        for (int i = 0; i < 4; ++i) dot += g.v[i] * w.v[i] * x.v[i];
    }
    const float mean = warp_sum(dot) * rstd * rstd / static_cast<float>(d);
    for (int c = 4 * lane; c < d; c += 4 * WARP) {
        float4x g = load4(dy + at + c, whole, d - c);
        drop4(output_drop, row, c / 4, &g);
        const float4x x = load4(p.x + at + c, whole, d - c), w = load4(p.w + c, whole, d - c);
        float4x dx = load4(p.dx + at + c, whole, d - c);
        for (int i = 0; i < 4; ++i) dx.v[i] += rstd * (g.v[i] * w.v[i] - x.v[i] * mean);
        store4(p.dx + at + c, dx, whole, d - c);
        if (!dbranch) continue;
        drop4(drop, row, c / 4, &dx);
        store4(dbranch + at + c, dx, whole, d - c);
    }
}

// partial[strip, c] = sum of dy x rstd over a strip of rows; threads over columns by fours.
template <class T> __global__ void weight_strips(tt_rmsnorm p, dropout_plan output_drop, float *partial) {
    const int d = p.d, first = blockIdx.x * STRIP, end = min(first + STRIP, p.rows);
    const int c = 4 * (blockIdx.y * blockDim.x + threadIdx.x);
    if (c >= d) return;
    const bool whole = d % 4 == 0;
    const T *dy = static_cast<const T *>(p.dy);
    float4x sum = {{0, 0, 0, 0}};
    for (int row = first; row < end; ++row) {
        const int64_t at = static_cast<int64_t>(row) * d + c;
        float4x g = load4(dy + at, whole, d - c);
        drop4(output_drop, row, c / 4, &g);
        const float4x x = load4(p.x + at, whole, d - c);
        const float rstd = p.rstd[row];
        for (int i = 0; i < 4; ++i) sum.v[i] += g.v[i] * x.v[i] * rstd;
    }
    store4(partial + static_cast<int64_t>(blockIdx.x) * d + c, sum, whole, d - c);
}

tt_status check(const tt_rmsnorm *p, const char *op) {
    if (p->rows < 0 || p->d < 1)
        return tt_fail(TT_ERR_INPUT, "%s: %d rows of %d, expected rows >= 0 and d >= 1", op, p->rows, p->d);
    TT_TRY(check_dropout(&p->drop, op));
    return check_dropout(&p->output_drop, op);
}

template <class T> tt_status run_forward(tt_device *device, const tt_rmsnorm *p) {
    TT_CUDA(TT_LAUNCH((forward<T>), tt_ceil_div(p->rows, ROWS), THREADS, 0, tt_stream(device), *p,
                plan_dropout(&p->drop), plan_dropout(&p->output_drop)),
        "rmsnorm_fwd");
    return TT_OK;
}

template <class T> tt_status run_backward(tt_device *device, const tt_rmsnorm *p) {
    const int strips = tt_ceil_div(p->rows, STRIP);
    const dropout_plan output_drop = plan_dropout(&p->output_drop);
    float *partial = static_cast<float *>(
        tt_device_scratch(device, static_cast<size_t>(strips) * static_cast<size_t>(p->d) * sizeof(float)));
    if (!partial) return tt_context(TT_ERR_NOMEM, "rmsnorm_bwd");
    const cudaStream_t stream = tt_stream(device);
    TT_CUDA(TT_LAUNCH((backward<T>), tt_ceil_div(p->rows, ROWS), THREADS, 0, stream, *p,
                plan_dropout(&p->drop), output_drop),
        "rmsnorm_bwd");
    const dim3 grid(
        static_cast<unsigned>(strips), static_cast<unsigned>(tt_ceil_div(p->d, 4 * STRIP_THREADS)));
    TT_CUDA(TT_LAUNCH((weight_strips<T>), grid, STRIP_THREADS, 0, stream, *p, output_drop, partial),
        "rmsnorm_bwd");
    return tt_cuda_add_strips(device, p->dw, partial, strips, p->d);
}

} // namespace

tt_status tt_cuda_rmsnorm_fwd(tt_device *device, const tt_rmsnorm *p) {
    TT_TRY(check(p, "rmsnorm_fwd"));
    return p->rows == 0 ? TT_OK : TT_BY_OPERAND(device, run_forward, device, p);
}

tt_status tt_cuda_rmsnorm_bwd(tt_device *device, const tt_rmsnorm *p) {
    TT_TRY(check(p, "rmsnorm_bwd"));
    return p->rows == 0 ? TT_OK : TT_BY_OPERAND(device, run_backward, device, p);
}
