// RMSNorm fused with the residual add and both dropouts. One warp per row; each lane has four neighbouring
// columns of every 128, so that a request of the warp is for whole sectors whether elements have two bytes or
// four. Rows of up to WIDEST columns are kept in registers: everything is read once, and backward sums dw at
// the same time. Longer rows are read twice, the second time from cache. dw is summed over strips of rows,
// then over strips in order, of many norms in one launch (rmsnorm_dw).
#include "kernels/cuda/async.cuh"
#include "kernels/cuda/dropout.cuh"
#include "kernels/cuda/rmsnorm.cuh"
#include "kernels/cuda/scratch.h"

namespace {

enum { FOUR = 4, STRIDE = FOUR * WARP, ROWS = 4, THREADS = ROWS * WARP, STRIP_THREADS = 256 };
// Kernels for rows in registers exist for 2, 4, .. MOST_FOURS fours of a lane.
enum { MOST_FOURS = 8, WIDEST = MOST_FOURS * STRIDE, HELD = MOST_FOURS / 2 };
// Blocks of a multiprocessor for which there are registers without any in memory.
template <class T, int N, bool WHOLE>
constexpr int FORWARD_BLOCKS = !WHOLE          ? 4
                               : sizeof(T) > 2 ? (N > 6 ? 5 : 7)
                                               : (N > 6 ? 6 : 8);

__device__ __forceinline__ int column_of(int lane, int i) {
    return FOUR * lane + STRIDE * i;
}

// ---- rows in registers: N fours a lane. WHOLE: the row has that many. All of a row's loads are under way before the
// first is waited for; a branch around each, as other rows need, would make them wait for each other.

template <class T, int N, bool WHOLE>
__global__ void __launch_bounds__(THREADS, FORWARD_BLOCKS<T, N, WHOLE>)
    forward_held(tt_rmsnorm p, dropout_plan drop, dropout_plan output_drop) {
    const int row = blockIdx.x * ROWS + threadIdx.x / WARP, lane = threadIdx.x % WARP;
    const int d = WHOLE ? N * STRIDE : p.d;
    if (row >= p.rows) return;
    const bool whole = WHOLE || d % FOUR == 0;
    const int64_t offset = static_cast<int64_t>(row) * d;
    const T *branch = static_cast<const T *>(p.branch);
    const float *from = branch && p.x_in ? p.x_in : p.x;
    float4x x[N];
#pragma unroll
    for (int i = 0; i < N; ++i) {
        const int c = column_of(lane, i);
        x[i] = float4x();
        if (WHOLE || c < d) x[i] = load4(from + offset + c, whole, d - c);
    }
    if (branch) {
        float4x add[N];
#pragma unroll
        for (int i = 0; i < N; ++i) {
            const int c = column_of(lane, i);
            if (WHOLE || c < d) add[i] = load4(branch + offset + c, whole, d - c);
        }
        const dropout_token token = token_of(drop, row);
#pragma unroll
        for (int i = 0; i < N; ++i) {
            const int c = column_of(lane, i);
            if (!WHOLE && c >= d) break;
            drop4(drop, token, c / FOUR, &add[i]);
            for (int j = 0; j < FOUR; ++j) x[i].v[j] += add[i].v[j];
            store4(p.x + offset + c, x[i], whole, d - c);
        }
    }
    float squares = 0;
#pragma unroll
    for (int i = 0; i < N; ++i)
        for (int j = 0; j < FOUR; ++j) squares += x[i].v[j] * x[i].v[j];
    const float rstd = 1.0f / sqrtf(warp_sum(squares) / static_cast<float>(d) + p.eps);
    if (lane == 0) p.rstd[row] = rstd;
    const dropout_token token = token_of(output_drop, row);
    T *y = static_cast<T *>(p.y);
#pragma unroll
    for (int i = 0; i < N; ++i) {
        const int c = column_of(lane, i);
        if (!WHOLE && c >= d) break;
        const float4x w = load4(p.w + c, whole, d - c);
        for (int j = 0; j < FOUR; ++j) x[i].v[j] *= rstd * w.v[j];
        drop4(output_drop, token, c / FOUR, &x[i]);
        store4(y + offset + c, x[i], whole, d - c);
    }
}

// What backward reads of a row.
template <class T, int WIDTH> struct row_ahead {
    float x[WIDTH], dx[WIDTH];
    T dy[WIDTH];
};

// Of a row that is not WHOLE, the rest becomes 0.
template <bool WHOLE, int WIDTH, class E> __device__ __forceinline__ void fetch(E *to, const E *from, int d) {
    constexpr int PIECE = 16 / sizeof(E);
    const int lane = threadIdx.x % WARP;
    if (WHOLE) {
#pragma unroll
        for (int c = PIECE * lane; c < WIDTH; c += PIECE * WARP) copy_async<16>(to + c, from + c, true);
    } else {
        for (int c = lane; c < WIDTH; c += WARP) to[c] = c < d ? from[c] : from_float<E>(0);
    }
}
template <bool WHOLE, class T, int WIDTH>
__device__ __forceinline__ void fetch_row(row_ahead<T, WIDTH> *to, const tt_rmsnorm &p, int row, int end) {
    const int64_t offset = static_cast<int64_t>(row) * p.d;
    if (row < end) {
        fetch<WHOLE, WIDTH>(to->dy, static_cast<const T *>(p.dy) + offset, p.d);
        fetch<WHOLE, WIDTH>(to->x, p.x + offset, p.d);
        fetch<WHOLE, WIDTH>(to->dx, p.dx + offset, p.d);
    }
    commit_copies();
}

// A block has a strip of rows: dx, dbranch, and partial[strip, c] = sum of dy x rstd over them. While a warp works on a row, its
// next one is on the way.
template <class T, int N, bool WHOLE>
__global__ void __launch_bounds__(THREADS)
    backward_held(tt_rmsnorm p, dropout_plan drop, dropout_plan output_drop, float *partial) {
    constexpr int WIDTH = N * STRIDE;
    using ahead = row_ahead<T, WIDTH>;
    TT_SHARED_DYNAMIC(ahead, rows); // [ROWS, 2]
    const int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP, d = WHOLE ? WIDTH : p.d;
    const int first = blockIdx.x * TT_RMSNORM_STRIP, end = min(first + TT_RMSNORM_STRIP, p.rows);
    T *dbranch = static_cast<T *>(p.dbranch);
    float4x dw[N];
#pragma unroll
    for (int i = 0; i < N; ++i) dw[i] = float4x();
    int stage = 2 * warp;
    fetch_row<WHOLE>(&rows[stage], p, first + warp, end);
    for (int row = first + warp; row < end; row += ROWS, stage ^= 1) {
        fetch_row<WHOLE>(&rows[stage ^ 1], p, row + ROWS, end);
        const int64_t offset = static_cast<int64_t>(row) * d;
        const float rstd = p.rstd[row];
        const dropout_token token = token_of(drop, row), output_token = token_of(output_drop, row);
        wait_for_copies<1>();
        __syncwarp();
        const ahead &own = rows[stage];
        float4x g[N], x[N];
        float dot = 0;
#pragma unroll
        for (int i = 0; i < N; ++i) {
            const int c = column_of(lane, i);
            const float4x w = load4(p.w + c, WHOLE, d - c);
            g[i] = load4(own.dy + c, true, FOUR);
            x[i] = load4(own.x + c, true, FOUR);
            drop4(output_drop, output_token, c / FOUR, &g[i]);
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
            float4x dx = load4(own.dx + c, true, FOUR);
            for (int j = 0; j < FOUR; ++j) dx.v[j] += rstd * (g[i].v[j] - x[i].v[j] * mean);
            store4(p.dx + offset + c, dx, WHOLE, d - c);
            if (!dbranch) continue;
            drop4(drop, token, c / FOUR, &dx);
            store4(dbranch + offset + c, dx, WHOLE, d - c);
        }
        __syncwarp(); // the next row but one takes this one's place
    }
    __syncthreads();
    float *const sums = reinterpret_cast<float *>(rows); // [ROWS, WIDTH]
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

// The kernel of `held` for rows of d columns; the last one is for all that are not whole.
int held_at(int d) {
    return d % (2 * STRIDE) == 0 ? d / (2 * STRIDE) - 1 : HELD;
}

template <class T> tt_status run_forward(tt_device *device, const tt_rmsnorm *p) {
    using kernel = void (*)(tt_rmsnorm, dropout_plan, dropout_plan);
    static const kernel held[HELD + 1] = {forward_held<T, 2, true>, forward_held<T, 4, true>,
        forward_held<T, 6, true>, forward_held<T, 8, true>, forward_held<T, MOST_FOURS, false>};
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

template <class T, int N, bool WHOLE>
tt_status backward_in_one(tt_device *device, const tt_rmsnorm *p, int strips, float *partial) {
    constexpr size_t shared = 2 * ROWS * sizeof(row_ahead<T, N * STRIDE>);
    const cudaStream_t stream = tt_stream(device);
    TT_ALLOW_SHARED((backward_held<T, N, WHOLE>), shared, stream, "rmsnorm_bwd");
    TT_CUDA(TT_LAUNCH((backward_held<T, N, WHOLE>), strips, THREADS, shared, stream, *p,
                plan_dropout(&p->drop), plan_dropout(&p->output_drop), partial),
        "rmsnorm_bwd");
    return TT_OK;
}

template <class T> tt_status run_backward(tt_device *device, const tt_rmsnorm *p) {
    using way = tt_status (*)(tt_device *, const tt_rmsnorm *, int, float *);
    static const way held[HELD + 1] = {backward_in_one<T, 2, true>, backward_in_one<T, 4, true>,
        backward_in_one<T, 6, true>, backward_in_one<T, 8, true>, backward_in_one<T, MOST_FOURS, false>};
    const int strips = tt_rmsnorm_strips(p->rows);
    float *partial = p->strips;
    if (!partial) partial = static_cast<float *>(tt_device_scratch(device, tt_cuda_rmsnorm_bwd_scratch(p)));
    if (!partial) return tt_context(TT_ERR_NOMEM, "rmsnorm_bwd");
    const way make_sums = p->d <= WIDEST ? held[held_at(p->d)] : backward_in_two<T>;
    TT_TRY(make_sums(device, p, strips, partial));
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
