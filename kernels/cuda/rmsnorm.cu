// RMSNorm fused with the residual add and both dropouts, by pieces of 16 bytes of the operands. One warp per
// row. Rows of up to HELD pieces per lane are kept in registers, so that everything is read once and
// backward sums dw at the same time; longer rows are read twice, the second time from cache. dw is summed
// over strips of rows, then over strips in order.
#include "kernels/cuda/dropout.cuh"

namespace {

enum { ROWS = 4, THREADS = ROWS * WARP, STRIP = 16, STRIP_THREADS = 256, HELD = 4 };

// ---- rows in registers: N pieces a lane

template <class T, int N>
__global__ void __launch_bounds__(THREADS)
    forward_held(tt_rmsnorm p, dropout_plan drop, dropout_plan output_drop) {
    constexpr int P = piece<T>::size;
    const int row = blockIdx.x * ROWS + threadIdx.x / WARP, lane = threadIdx.x % WARP, d = p.d;
    if (row >= p.rows) return;
    const bool whole = d % P == 0;
    const int64_t offset = static_cast<int64_t>(row) * d;
    const T *branch = static_cast<const T *>(p.branch);
    const float *from = branch && p.x_in ? p.x_in : p.x;
    piece<T> x[N], add[N];
#pragma unroll
    for (int i = 0; i < N; ++i) {
        const int c = P * (lane + WARP * i);
        const bool there = c < d;
        x[i] = piece<T>(), add[i] = piece<T>();
        if (there) load_floats(&x[i], from + offset + c, whole, d - c);
        if (there && branch) load_piece(&add[i], branch + offset + c, whole, d - c);
    }
    float squares = 0;
#pragma unroll
    for (int i = 0; i < N; ++i) {
        const int c = P * (lane + WARP * i);
        if (branch && c < d) {
            drop_piece(drop, row, c, &add[i]);
#pragma unroll
            for (int j = 0; j < P; ++j) x[i][j] += add[i][j];
            store_floats(p.x + offset + c, x[i], whole, d - c);
        }
#pragma unroll
        for (int j = 0; j < P; ++j) squares += x[i][j] * x[i][j];
    }
    const float rstd = 1.0f / sqrtf(warp_sum(squares) / static_cast<float>(d) + p.eps);
    if (lane == 0) p.rstd[row] = rstd;
    T *y = static_cast<T *>(p.y);
#pragma unroll
    for (int i = 0; i < N; ++i) {
        const int c = P * (lane + WARP * i);
        if (c >= d) break;
        piece<T> w;
        load_floats(&w, p.w + c, whole, d - c);
#pragma unroll
        for (int j = 0; j < P; ++j) x[i][j] *= rstd * w[j];
        drop_piece(output_drop, row, c, &x[i]);
        store_piece(y + offset + c, x[i], whole, d - c);
    }
}

// A block has a strip of rows: dx, dbranch, and partial[strip, c] = sum of dy x rstd over them.
template <class T, int N>
__global__ void __launch_bounds__(THREADS)
    backward_held(tt_rmsnorm p, dropout_plan drop, dropout_plan output_drop, float *partial) {
    constexpr int P = piece<T>::size, WIDTH = N * P * WARP;
    TT_SHARED(float, sums, ROWS *WIDTH);
    const int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP, d = p.d;
    const int first = blockIdx.x * STRIP, end = min(first + STRIP, p.rows);
    const bool whole = d % P == 0;
    const T *dy = static_cast<const T *>(p.dy);
    T *dbranch = static_cast<T *>(p.dbranch);
    piece<T> dw[N];
#pragma unroll
    for (int i = 0; i < N; ++i) dw[i] = piece<T>();
    for (int row = first + warp; row < end; row += ROWS) {
        const int64_t offset = static_cast<int64_t>(row) * d;
        const float rstd = p.rstd[row];
        piece<T> g[N], x[N], dx[N];
#pragma unroll
        for (int i = 0; i < N; ++i) {
            const int c = P * (lane + WARP * i);
            g[i] = piece<T>(), x[i] = piece<T>(), dx[i] = piece<T>();
            if (c >= d) continue;
            load_piece(&g[i], dy + offset + c, whole, d - c);
            load_floats(&x[i], p.x + offset + c, whole, d - c);
            load_floats(&dx[i], p.dx + offset + c, whole, d - c);
        }
        float dot = 0;
#pragma unroll
        for (int i = 0; i < N; ++i) {
            const int c = P * (lane + WARP * i);
            piece<T> w = piece<T>();
            if (c < d) load_floats(&w, p.w + c, whole, d - c);
            if (c < d) drop_piece(output_drop, row, c, &g[i]);
#pragma unroll
            for (int j = 0; j < P; ++j) {
                dw[i][j] += g[i][j] * x[i][j] * rstd;
                g[i][j] *= w[j];
                dot += g[i][j] * x[i][j];
            }
        }
        const float mean = warp_sum(dot) * rstd * rstd / static_cast<float>(d);
#pragma unroll
        for (int i = 0; i < N; ++i) {
            const int c = P * (lane + WARP * i);
            if (c >= d) break;
#pragma unroll
            for (int j = 0; j < P; ++j) dx[i][j] += rstd * (g[i][j] - x[i][j] * mean);
            store_floats(p.dx + offset + c, dx[i], whole, d - c);
            if (!dbranch) continue;
            drop_piece(drop, row, c, &dx[i]);
            store_piece(dbranch + offset + c, dx[i], whole, d - c);
        }
    }
#pragma unroll
    for (int i = 0; i < N; ++i) store_floats(sums + warp * WIDTH + P * (lane + WARP * i), dw[i], true, P);
    __syncthreads();
    for (int c = threadIdx.x; c < d; c += THREADS) {
        float sum = 0;
        for (int w = 0; w < ROWS; ++w) sum += sums[w * WIDTH + c];
        partial[static_cast<int64_t>(blockIdx.x) * d + c] = sum;
    }
}

// ---- rows of any length

template <class T> __global__ void forward(tt_rmsnorm p, dropout_plan drop, dropout_plan output_drop) {
    constexpr int P = piece<T>::size;
    const int row = blockIdx.x * ROWS + threadIdx.x / WARP, lane = threadIdx.x % WARP, d = p.d;
    if (row >= p.rows) return;
    const bool whole = d % P == 0;
    const int64_t offset = static_cast<int64_t>(row) * d;
    const T *branch = static_cast<const T *>(p.branch);
    const float *from = branch && p.x_in ? p.x_in : p.x;
    float squares = 0;
    for (int c = P * lane; c < d; c += P * WARP) {
        piece<T> x;
        load_floats(&x, from + offset + c, whole, d - c);
        if (branch) {
            piece<T> add;
            load_piece(&add, branch + offset + c, whole, d - c);
            drop_piece(drop, row, c, &add);
            for (int i = 0; i < P; ++i) x[i] += add[i];
            store_floats(p.x + offset + c, x, whole, d - c);
        }
        for (int i = 0; i < P; ++i) squares += x[i] * x[i];
    }
    const float rstd = 1.0f / sqrtf(warp_sum(squares) / static_cast<float>(d) + p.eps);
    if (lane == 0) p.rstd[row] = rstd;
    T *y = static_cast<T *>(p.y);
    for (int c = P * lane; c < d; c += P * WARP) {
        piece<T> x, w;
        load_floats(&x, p.x + offset + c, whole, d - c); // a lane reads what it wrote itself
        load_floats(&w, p.w + c, whole, d - c);
        for (int i = 0; i < P; ++i) x[i] *= rstd * w[i];
        drop_piece(output_drop, row, c, &x);
        store_piece(y + offset + c, x, whole, d - c);
    }
}

// dx and dbranch; dw needs all rows of a column and has a kernel of its own.
template <class T> __global__ void backward(tt_rmsnorm p, dropout_plan drop, dropout_plan output_drop) {
    constexpr int P = piece<T>::size;
    const int row = blockIdx.x * ROWS + threadIdx.x / WARP, lane = threadIdx.x % WARP, d = p.d;
    if (row >= p.rows) return;
    const bool whole = d % P == 0;
    const int64_t offset = static_cast<int64_t>(row) * d;
    const T *dy = static_cast<const T *>(p.dy);
    T *dbranch = static_cast<T *>(p.dbranch);
    const float rstd = p.rstd[row];
    float dot = 0;
    for (int c = P * lane; c < d; c += P * WARP) {
        piece<T> g, x, w;
        load_piece(&g, dy + offset + c, whole, d - c);
        load_floats(&x, p.x + offset + c, whole, d - c);
        load_floats(&w, p.w + c, whole, d - c);
        drop_piece(output_drop, row, c, &g);
        for (int i = 0; i < P; ++i) dot += g[i] * w[i] * x[i];
    }
    const float mean = warp_sum(dot) * rstd * rstd / static_cast<float>(d);
    for (int c = P * lane; c < d; c += P * WARP) {
        piece<T> g, x, w, dx;
        load_piece(&g, dy + offset + c, whole, d - c);
        load_floats(&x, p.x + offset + c, whole, d - c);
        load_floats(&w, p.w + c, whole, d - c);
        load_floats(&dx, p.dx + offset + c, whole, d - c);
        drop_piece(output_drop, row, c, &g);
        for (int i = 0; i < P; ++i) dx[i] += rstd * (g[i] * w[i] - x[i] * mean);
        store_floats(p.dx + offset + c, dx, whole, d - c);
        if (!dbranch) continue;
        drop_piece(drop, row, c, &dx);
        store_piece(dbranch + offset + c, dx, whole, d - c);
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
        const int64_t offset = static_cast<int64_t>(row) * d + c;
        piece<T> g, x;
        load_piece(&g, dy + offset, whole, d - c);
        load_floats(&x, p.x + offset, whole, d - c);
        const float rstd = p.rstd[row];
        drop_piece(output_drop, row, c, &g);
        for (int i = 0; i < P; ++i) sum[i] += g[i] * x[i] * rstd;
    }
    store_floats(partial + static_cast<int64_t>(blockIdx.x) * d + c, sum, whole, d - c);
}

tt_status check_rmsnorm(const tt_rmsnorm *p, const char *op) {
    if (p->rows < 0 || p->d < 1)
        return tt_fail(TT_ERR_INPUT, "%s: %d rows of %d, expected rows >= 0 and d >= 1", op, p->rows, p->d);
    TT_TRY(check_dropout(&p->drop, op));
    return check_dropout(&p->output_drop, op);
}

// Pieces that each lane has of a row.
template <class T> int pieces_of(const tt_rmsnorm *p) {
    return tt_ceil_div(p->d, piece<T>::size * WARP);
}

template <class T> tt_status run_forward(tt_device *device, const tt_rmsnorm *p) {
    using kernel = void (*)(tt_rmsnorm, dropout_plan, dropout_plan);
    static const kernel held[HELD] = {
        forward_held<T, 1>, forward_held<T, 2>, forward_held<T, 3>, forward_held<T, 4>};
    const int pieces = pieces_of<T>(p);
    const kernel rmsnorm_forward = pieces <= HELD ? held[pieces - 1] : forward<T>;
    TT_CUDA(TT_LAUNCH(rmsnorm_forward, tt_ceil_div(p->rows, ROWS), THREADS, 0, tt_stream(device), *p,
                plan_dropout(&p->drop), plan_dropout(&p->output_drop)),
        "rmsnorm_fwd");
    return TT_OK;
}

template <class T>
tt_status backward_in_two(tt_device *device, const tt_rmsnorm *p, int strips, float *partial) {
    const cudaStream_t stream = tt_stream(device);
    const dropout_plan output_drop = plan_dropout(&p->output_drop);
    TT_CUDA(TT_LAUNCH((backward<T>), tt_ceil_div(p->rows, ROWS), THREADS, 0, stream, *p,
                plan_dropout(&p->drop), output_drop),
        "rmsnorm_bwd");
    const int wanted = tt_ceil_div(p->d, piece<T>::size * WARP) * WARP;
    const int threads = wanted < STRIP_THREADS ? wanted : STRIP_THREADS;
    const dim3 grid(
        static_cast<unsigned>(strips), static_cast<unsigned>(tt_ceil_div(p->d, piece<T>::size * threads)));
    TT_CUDA(TT_LAUNCH((weight_strips<T>), grid, threads, 0, stream, *p, output_drop, partial), "rmsnorm_bwd");
    return TT_OK;
}

template <class T> tt_status run_backward(tt_device *device, const tt_rmsnorm *p) {
    using kernel = void (*)(tt_rmsnorm, dropout_plan, dropout_plan, float *);
    static const kernel held[HELD] = {
        backward_held<T, 1>, backward_held<T, 2>, backward_held<T, 3>, backward_held<T, 4>};
    const int strips = tt_ceil_div(p->rows, STRIP), pieces = pieces_of<T>(p);
    float *partial = static_cast<float *>(
        tt_device_scratch(device, static_cast<size_t>(strips) * static_cast<size_t>(p->d) * sizeof(float)));
    if (!partial) return tt_context(TT_ERR_NOMEM, "rmsnorm_bwd");
    if (pieces > HELD) {
        TT_TRY(backward_in_two<T>(device, p, strips, partial));
    } else {
        const kernel rmsnorm_backward = held[pieces - 1];
        TT_CUDA(TT_LAUNCH(rmsnorm_backward, strips, THREADS, 0, tt_stream(device), *p, plan_dropout(&p->drop),
                    plan_dropout(&p->output_drop), partial),
            "rmsnorm_bwd");
    }
    return tt_cuda_add_strips(device, p->dw, partial, strips, p->d);
}

} // namespace

tt_status tt_cuda_rmsnorm_fwd(tt_device *device, const tt_rmsnorm *p) {
    TT_TRY(check_rmsnorm(p, "rmsnorm_fwd"));
    return p->rows == 0 ? TT_OK : TT_BY_OPERAND(device, run_forward, device, p);
}

tt_status tt_cuda_rmsnorm_bwd(tt_device *device, const tt_rmsnorm *p) {
    TT_TRY(check_rmsnorm(p, "rmsnorm_bwd"));
    return p->rows == 0 ? TT_OK : TT_BY_OPERAND(device, run_backward, device, p);
}
