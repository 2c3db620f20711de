// RMSNorm fused with the residual add and both dropouts. One warp per row; each lane has four neighbouring
// columns of every 128, so that a request of the warp is for whole sectors whether elements have two bytes or
// four. Rows of up to WIDEST columns are kept in registers: everything is read once, and backward sums dw at
// the same time. Longer rows are read twice, the second time from cache. dw is summed over strips of rows,
// then over strips in order, of many norms in one launch (rmsnorm_dw).
#include "kernels/cuda/dropout.cuh"
#include "kernels/cuda/rmsnorm.cuh"
#include "kernels/cuda/scratch.h"

namespace {

enum { FOUR = 4, STRIDE = FOUR * WARP, ROWS = 4, THREADS = ROWS * WARP, STRIP_THREADS = 256 };
// Kernels for rows in registers exist for 2, 4, .. WIDEST / STRIDE fours of a lane.
enum { WIDEST = 1024, HELD = WIDEST / STRIDE / 2 };

__device__ __forceinline__ int column_of(int lane, int i) {
    return FOUR * lane + STRIDE * i;
}

// ---- rows in registers: N fours a lane

template <class T, int N>
__global__ void __launch_bounds__(THREADS)
    forward_held(tt_rmsnorm p, dropout_plan drop, dropout_plan output_drop) {
    const int row = blockIdx.x * ROWS + threadIdx.x / WARP, lane = threadIdx.x % WARP, d = p.d;
    if (row >= p.rows) return;
    const bool whole = d % FOUR == 0;
    const int64_t offset = static_cast<int64_t>(row) * d;
    const T *branch = static_cast<const T *>(p.branch);
    const float *from = branch && p.x_in ? p.x_in : p.x;
    const dropout_token token = token_of(drop, row), output_token = token_of(output_drop, row);
    float4x x[N], add[N];
#pragma unroll
    for (int i = 0; i < N; ++i) {
        const int c = column_of(lane, i);
        const bool there = c < d;
        x[i] = float4x(), add[i] = float4x();
        if (there) x[i] = load4(from + offset + c, whole, d - c);
        if (there && branch) add[i] = load4(branch + offset + c, whole, d - c);
    }
    float squares = 0;
#pragma unroll
    for (int i = 0; i < N; ++i) {
        const int c = column_of(lane, i);
        if (branch && c < d) {
            drop4(drop, token, c / FOUR, &add[i]);
            for (int j = 0; j < FOUR; ++j) x[i].v[j] += add[i].v[j];
            store4(p.x + offset + c, x[i], whole, d - c);
        }
        for (int j = 0; j < FOUR; ++j) squares += x[i].v[j] * x[i].v[j];
    }
    const float rstd = 1.0f / sqrtf(warp_sum(squares) / static_cast<float>(d) + p.eps);
    if (lane == 0) p.rstd[row] = rstd;
    T *y = static_cast<T *>(p.y);
#pragma unroll
    for (int i = 0; i < N; ++i) {
        const int c = column_of(lane, i);
        if (c >= d) break;
        const float4x w = load4(p.w + c, whole, d - c);
        for (int j = 0; j < FOUR; ++j) x[i].v[j] *= rstd * w.v[j];
        drop4(output_drop, output_token, c / FOUR, &x[i]);
        store4(y + offset + c, x[i], whole, d - c);
    }
}

// Blocks of a multiprocessor for which there are registers without any in memory.
template <int N> constexpr int BLOCKS = N > 6 ? 3 : N > 4 ? 4 : 5;

// A block has a strip of rows: dx, dbranch, and partial[strip, c] = sum of dy x rstd over them. dx is read
// after the row's sum, when the registers of dy's dropout are free.
template <class T, int N>
__global__ void __launch_bounds__(THREADS, BLOCKS<N>)
    backward_held(tt_rmsnorm p, dropout_plan drop, dropout_plan output_drop, float *partial) {
    constexpr int WIDTH = N * STRIDE;
    TT_SHARED(float, sums, ROWS *WIDTH);
    const int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP, d = p.d;
    const int first = blockIdx.x * TT_RMSNORM_STRIP, end = min(first + TT_RMSNORM_STRIP, p.rows);
    const bool whole = d % FOUR == 0;
    const T *dy = static_cast<const T *>(p.dy);
    T *dbranch = static_cast<T *>(p.dbranch);
    float4x dw[N];
#pragma unroll
    for (int i = 0; i < N; ++i) dw[i] = float4x();
    for (int row = first + warp; row < end; row += ROWS) {
        const int64_t offset = static_cast<int64_t>(row) * d;
        const float rstd = p.rstd[row];
        const dropout_token token = token_of(drop, row), output_token = token_of(output_drop, row);
        float4x g[N], x[N];
#pragma unroll
        for (int i = 0; i < N; ++i) {
            const int c = column_of(lane, i);
            g[i] = float4x(), x[i] = float4x();
            if (c >= d) continue;
            g[i] = load4(dy + offset + c, whole, d - c);
            x[i] = load4(p.x + offset + c, whole, d - c);
        }
        float dot = 0;
#pragma unroll
        for (int i = 0; i < N; ++i) {
            const int c = column_of(lane, i);
            float4x w = float4x();
            if (c < d) w = load4(p.w + c, whole, d - c);
            if (c < d) drop4(output_drop, output_token, c / FOUR, &g[i]);
            for (int j = 0; j < FOUR; ++j) {
                dw[i].v[j] += g[i].v[j] * x[i].v[j] * rstd;
                g[i].v[j] *= w.v[j];
                dot += g[i].v[j] * x[i].v[j];
            }
        }
        const float mean = warp_sum(dot) * rstd * rstd / static_cast<float>(d);
#pragma unroll
        for (int i = 0; i < N; ++i) {
            const int c = column_of(lane, i);
            if (c >= d) break;
            float4x dx = load4(p.dx + offset + c, whole, d - c);
            for (int j = 0; j < FOUR; ++j) dx.v[j] += rstd * (g[i].v[j] - x[i].v[j] * mean);
            store4(p.dx + offset + c, dx, whole, d - c);
            if (!dbranch) continue;
            drop4(drop, token, c / FOUR, &dx);
            store4(dbranch + offset + c, dx, whole, d - c);
        }
    }
#pragma unroll
    for (int i = 0; i < N; ++i) store4(sums + warp * WIDTH + column_of(lane, i), dw[i], true, FOUR);
    __syncthreads();
    for (int c = threadIdx.x; c < d; c += THREADS) {
        float sum = 0;
        for (int w = 0; w < ROWS; ++w) sum += sums[w * WIDTH + c];
        partial[static_cast<int64_t>(blockIdx.x) * d + c] = sum;
    }
}

// ---- rows of any length

template <class T> __global__ void forward(tt_rmsnorm p, dropout_plan drop, dropout_plan output_drop) {
    const int row = blockIdx.x * ROWS + threadIdx.x / WARP, lane = threadIdx.x % WARP, d = p.d;
    if (row >= p.rows) return;
    const bool whole = d % FOUR == 0;
    const int64_t offset = static_cast<int64_t>(row) * d;
    const T *branch = static_cast<const T *>(p.branch);
    const float *from = branch && p.x_in ? p.x_in : p.x;
    const dropout_token token = token_of(drop, row), output_token = token_of(output_drop, row);
    float squares = 0;
    for (int c = FOUR * lane; c < d; c += STRIDE) {
        float4x x = load4(from + offset + c, whole, d - c);
        if (branch) {
            float4x add = load4(branch + offset + c, whole, d - c);
            drop4(drop, token, c / FOUR, &add);
            for (int i = 0; i < FOUR; ++i) x.v[i] += add.v[i];
            store4(p.x + offset + c, x, whole, d - c);
        }
        for (int i = 0; i < FOUR; ++i) squares += x.v[i] * x.v[i];
    }
    const float rstd = 1.0f / sqrtf(warp_sum(squares) / static_cast<float>(d) + p.eps);
    if (lane == 0) p.rstd[row] = rstd;
    T *y = static_cast<T *>(p.y);
    for (int c = FOUR * lane; c < d; c += STRIDE) {
        float4x x = load4(p.x + offset + c, whole, d - c); // a lane reads what it wrote itself
        const float4x w = load4(p.w + c, whole, d - c);
        for (int i = 0; i < FOUR; ++i) x.v[i] *= rstd * w.v[i];
        drop4(output_drop, output_token, c / FOUR, &x);
        store4(y + offset + c, x, whole, d - c);
    }
}

// dx and dbranch; dw needs all rows of a column and has a kernel of its own.
template <class T> __global__ void backward(tt_rmsnorm p, dropout_plan drop, dropout_plan output_drop) {
    const int row = blockIdx.x * ROWS + threadIdx.x / WARP, lane = threadIdx.x % WARP, d = p.d;
    if (row >= p.rows) return;
    const bool whole = d % FOUR == 0;
    const int64_t offset = static_cast<int64_t>(row) * d;
    const T *dy = static_cast<const T *>(p.dy);
    T *dbranch = static_cast<T *>(p.dbranch);
    const float rstd = p.rstd[row];
    const dropout_token token = token_of(drop, row), output_token = token_of(output_drop, row);
    float dot = 0;
    for (int c = FOUR * lane; c < d; c += STRIDE) {
        float4x g = load4(dy + offset + c, whole, d - c);
        const float4x x = load4(p.x + offset + c, whole, d - c), w = load4(p.w + c, whole, d - c);
        drop4(output_drop, output_token, c / FOUR, &g);
        for (int i = 0; i < FOUR; ++i) dot += g.v[i] * w.v[i] * x.v[i];
    }
    const float mean = warp_sum(dot) * rstd * rstd / static_cast<float>(d);
    for (int c = FOUR * lane; c < d; c += STRIDE) {
        float4x g = load4(dy + offset + c, whole, d - c), dx = load4(p.dx + offset + c, whole, d - c);
        const float4x x = load4(p.x + offset + c, whole, d - c), w = load4(p.w + c, whole, d - c);
        drop4(output_drop, output_token, c / FOUR, &g);
        for (int i = 0; i < FOUR; ++i) dx.v[i] += rstd * (g.v[i] * w.v[i] - x.v[i] * mean);
        store4(p.dx + offset + c, dx, whole, d - c);
        if (!dbranch) continue;
        drop4(drop, token, c / FOUR, &dx);
        store4(dbranch + offset + c, dx, whole, d - c);
    }
}

// partial[strip, c] = sum of dy x rstd over a strip of rows; threads over columns by fours.
template <class T> __global__ void weight_strips(tt_rmsnorm p, dropout_plan output_drop, float *partial) {
    const int d = p.d, first = blockIdx.x * TT_RMSNORM_STRIP, end = min(first + TT_RMSNORM_STRIP, p.rows);
    const int c = FOUR * (blockIdx.y * blockDim.x + threadIdx.x);
    if (c >= d) return;
    const bool whole = d % FOUR == 0;
    const T *dy = static_cast<const T *>(p.dy);
    float4x sum = {};
#pragma unroll 2
    for (int row = first; row < end; ++row) {
        const int64_t offset = static_cast<int64_t>(row) * d + c;
        float4x g = load4(dy + offset, whole, d - c);
        const float4x x = load4(p.x + offset, whole, d - c);
        const float rstd = p.rstd[row];
        drop4(output_drop, token_of(output_drop, row), c / FOUR, &g);
        for (int i = 0; i < FOUR; ++i) sum.v[i] += g.v[i] * x.v[i] * rstd;
    }
    store4(partial + static_cast<int64_t>(blockIdx.x) * d + c, sum, whole, d - c);
}

tt_status check_rmsnorm(const tt_rmsnorm *p, const char *op) {
    if (p->rows < 0 || p->d < 1)
        return tt_fail(TT_ERR_INPUT, "%s: %d rows of %d, expected rows >= 0 and d >= 1", op, p->rows, p->d);
    TT_TRY(check_dropout(&p->drop, op));
    return check_dropout(&p->output_drop, op);
}

// The kernel of `held` for rows of d columns.
int held_at(int d) {
    return tt_ceil_div(d, 2 * STRIDE) - 1;
}

template <class T> tt_status run_forward(tt_device *device, const tt_rmsnorm *p) {
    using kernel = void (*)(tt_rmsnorm, dropout_plan, dropout_plan);
    static const kernel held[HELD] = {
        forward_held<T, 2>, forward_held<T, 4>, forward_held<T, 6>, forward_held<T, 8>};
    const kernel rmsnorm_forward = p->d <= WIDEST ? held[held_at(p->d)] : forward<T>;
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
    const int wanted = tt_ceil_div(p->d, STRIDE) * WARP;
    const int threads = wanted < STRIP_THREADS ? wanted : STRIP_THREADS;
    const dim3 grid(static_cast<unsigned>(strips), static_cast<unsigned>(tt_ceil_div(p->d, FOUR * threads)));
    TT_CUDA(TT_LAUNCH((weight_strips<T>), grid, threads, 0, stream, *p, output_drop, partial), "rmsnorm_bwd");
    return TT_OK;
}

template <class T> tt_status run_backward(tt_device *device, const tt_rmsnorm *p) {
    using kernel = void (*)(tt_rmsnorm, dropout_plan, dropout_plan, float *);
    static const kernel held[HELD] = {
        backward_held<T, 2>, backward_held<T, 4>, backward_held<T, 6>, backward_held<T, 8>};
    const int strips = tt_rmsnorm_strips(p->rows);
    float *partial = p->strips;
    if (!partial) partial = static_cast<float *>(tt_device_scratch(device, tt_cuda_rmsnorm_bwd_scratch(p)));
    if (!partial) return tt_context(TT_ERR_NOMEM, "rmsnorm_bwd");
    if (p->d > WIDEST) {
        TT_TRY(backward_in_two<T>(device, p, strips, partial));
    } else {
        const kernel rmsnorm_backward = held[held_at(p->d)];
        TT_CUDA(TT_LAUNCH(rmsnorm_backward, strips, THREADS, 0, tt_stream(device), *p, plan_dropout(&p->drop),
                    plan_dropout(&p->output_drop), partial),
            "rmsnorm_bwd");
    }
    if (p->strips) return TT_OK;
    const tt_rmsnorm_sum sum = {p->rows, partial, p->dw};
    return tt_cuda_rmsnorm_dw(device, &sum, 1, p->d);
}

} // namespace

tt_status tt_cuda_rmsnorm_fwd(tt_device *device, const tt_rmsnorm *p) {
    TT_TRY(check_rmsnorm(p, "rmsnorm_fwd"));
    if (p->rows > 0 && tt_cuda_rmsnorm_is_few(p)) return tt_cuda_rmsnorm_few(device, p);
    return p->rows == 0 ? TT_OK : TT_BY_OPERAND(device, run_forward, device, p);
}

tt_status tt_cuda_rmsnorm_bwd(tt_device *device, const tt_rmsnorm *p) {
    TT_TRY(check_rmsnorm(p, "rmsnorm_bwd"));
    return p->rows == 0 ? TT_OK : TT_BY_OPERAND(device, run_backward, device, p);
}

tt_status tt_cuda_rmsnorm_dw(tt_device *device, const tt_rmsnorm_sum *sums, int n, int d) {
    if (n < 0 || d < 1)
        return tt_fail(TT_ERR_INPUT, "rmsnorm_dw: %d norms of %d, expected n >= 0 and d >= 1", n, d);
    tt_cuda_strips strips = {};
    for (int i = 0; i < n; ++i) {
        strips.of[strips.n++] = {sums[i].dw, sums[i].strips, tt_rmsnorm_strips(sums[i].rows)};
        if (strips.n < tt_cuda_strips::MOST && i + 1 < n) continue;
        TT_TRY(tt_cuda_add_strips(device, &strips, d));
        strips.n = 0;
    }
    return TT_OK;
}
