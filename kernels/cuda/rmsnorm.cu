// RMSNorm fused with the residual add and both dropouts, by pieces of 16 bytes of the operands. One warp per
// row; the row is read twice, the second time from cache. dw is summed over strips of rows, then over strips
// in order.
#include "kernels/cuda/dropout.cuh"

namespace {

enum { ROWS = 4, THREADS = ROWS * WARP, STRIP = 16, STRIP_THREADS = 256 };

template <class T> __global__ void forward(tt_rmsnorm p, dropout_plan drop, dropout_plan output_drop) {
    constexpr int P = piece<T>::size;
    const int row = blockIdx.x * ROWS + threadIdx.x / WARP, lane = threadIdx.x % WARP, d = p.d;
    if (row >= p.rows) return;
    const bool whole = d % P == 0;
    const int64_t at = static_cast<int64_t>(row) * d;
    const T *branch = static_cast<const T *>(p.branch);
    const float *from = branch && p.x_in ? p.x_in : p.x;
    float squares = 0;
    for (int c = P * lane; c < d; c += P * WARP) {
        piece<T> x;
        load_floats(&x, from + at + c, whole, d - c);
        if (branch) {
            piece<T> add;
            load_piece(&add, branch + at + c, whole, d - c);
            drop_piece(drop, row, c, &add);
            for (int i = 0; i < P; ++i) x[i] += add[i];
            store_floats(p.x + at + c, x, whole, d - c);
        }
        for (int i = 0; i < P; ++i) squares += x[i] * x[i];
    }
    const float rstd = 1.0f / sqrtf(warp_sum(squares) / static_cast<float>(d) + p.eps);
    if (lane == 0) p.rstd[row] = rstd;
    T *y = static_cast<T *>(p.y);
    for (int c = P * lane; c < d; c += P * WARP) {
        piece<T> x, w;
        load_floats(&x, p.x + at + c, whole, d - c); // a lane reads what it wrote itself
        load_floats(&w, p.w + c, whole, d - c);
        for (int i = 0; i < P; ++i) x[i] *= rstd * w[i];
        drop_piece(output_drop, row, c, &x);
        store_piece(y + at + c, x, whole, d - c);
    }
}

// dx and dbranch; dw needs all rows of a column and has a kernel of its own.
template <class T> __global__ void backward(tt_rmsnorm p, dropout_plan drop, dropout_plan output_drop) {
    constexpr int P = piece<T>::size;
    const int row = blockIdx.x * ROWS + threadIdx.x / WARP, lane = threadIdx.x % WARP, d = p.d;
    if (row >= p.rows) return;
    const bool whole = d % P == 0;
    const int64_t at = static_cast<int64_t>(row) * d;
    const T *dy = static_cast<const T *>(p.dy);
    T *dbranch = static_cast<T *>(p.dbranch);
    const float rstd = p.rstd[row];
    float dot = 0;
    for (int c = P * lane; c < d; c += P * WARP) {
        piece<T> g, x, w;
        load_piece(&g, dy + at + c, whole, d - c);
        load_floats(&x, p.x + at + c, whole, d - c);
        load_floats(&w, p.w + c, whole, d - c);
        drop_piece(output_drop, row, c, &g);
        for (int i = 0; i < P; ++i) dot += g[i] * w[i] * x[i];
    }
    const float mean = warp_sum(dot) * rstd * rstd / static_cast<float>(d);
    for (int c = P * lane; c < d; c += P * WARP) {
        piece<T> g, x, w, dx;
        load_piece(&g, dy + at + c, whole, d - c);
        load_floats(&x, p.x + at + c, whole, d - c);
        load_floats(&w, p.w + c, whole, d - c);
        load_floats(&dx, p.dx + at + c, whole, d - c);
        drop_piece(output_drop, row, c, &g);
        for (int i = 0; i < P; ++i) dx[i] += rstd * (g[i] * w[i] - x[i] * mean);
        store_floats(p.dx + at + c, dx, whole, d - c);
        if (!dbranch) continue;
        drop_piece(drop, row, c, &dx);
        store_piece(dbranch + at + c, dx, whole, d - c);
    }
}

// partial[strip, c] = sum of dy x rstd over a strip of rows; threads over columns by pieces.
template <class T> __global__ void weight_strips(tt_rmsnorm p, dropout_plan output_drop, float *partial) {
    constexpr int P = piece<T>::size;
    const int d = p.d, first = blockIdx.x * STRIP, end = min(first + STRIP, p.rows);
    const int c = P * (blockIdx.y * blockDim.x + threadIdx.x);
    if (c >= d) return;
    const bool whole = d % P == 0;
    const T *dy = static_cast<const T *>(p.dy);
    piece<T> sum = {};
#pragma unroll 2
    for (int row = first; row < end; ++row) {
        const int64_t at = static_cast<int64_t>(row) * d + c;
        piece<T> g, x;
        load_piece(&g, dy + at, whole, d - c);
        load_floats(&x, p.x + at, whole, d - c);
        const float rstd = p.rstd[row];
        drop_piece(output_drop, row, c, &g);
        for (int i = 0; i < P; ++i) sum[i] += g[i] * x[i] * rstd;
    }
    store_floats(partial + static_cast<int64_t>(blockIdx.x) * d + c, sum, whole, d - c);
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
    const int wanted = tt_ceil_div(p->d, piece<T>::size * WARP) * WARP;
    const int threads = wanted < STRIP_THREADS ? wanted : STRIP_THREADS;
    const dim3 grid(
        static_cast<unsigned>(strips), static_cast<unsigned>(tt_ceil_div(p->d, piece<T>::size * threads)));
    TT_CUDA(TT_LAUNCH((weight_strips<T>), grid, threads, 0, stream, *p, output_drop, partial), "rmsnorm_bwd");
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
