// Attention, backward, without atomics. With dP = dO V^T and delta = sum over d_kv of dO O
//   P = exp(Q K^T + bias - lse)   dS = P (keep dP - delta)   dQ = dS K   dK = dS^T Q   dV = (keep P)^T dO
// A block of the first kernel has 64 queries of a sequence and head and goes through their keys, for delta
// and dQ. A block of the second has 64 keys and goes through the queries that attend to them, for dK, dV and
// the bias's gradient. So every sum has one writer and one order, at the price of computing P and dP twice.
// The next tile is copied while one is used.
//
// Queries and keys beyond the end of a sequence, and keys hidden by causality, are masked: a row's lse does
// not bound their scores.
#include "kernels/cuda/attention.cuh"

namespace {

enum { ROWS = 64 }; // of a block's own tile

// Rows of the tiles that a block goes through, and how many tiles are in memory at once. In fp32, which is
// for parity with the CPU, heads of 128 must fit.
template <class T> struct passing {
    static constexpr int rows = sizeof(T) == sizeof(bf16) ? 32 : 16,
                         stages = sizeof(T) == sizeof(bf16) ? 2 : 1;
};

// ---- delta and dQ

template <class T, int D> struct query_memory {
    static constexpr int ld = tile_shape<T, D>::ld, stages = passing<T>::stages;
    T q[ROWS * ld], dout[ROWS * ld], k[stages][passing<T>::rows * ld], v[stages][passing<T>::rows * ld];
    float delta[ROWS];
    // Behind it: biases by distance.
};

// m->delta of the warp's rows, and their place in `delta`.
template <class T, int D>
__device__ __forceinline__ void sum_deltas(query_memory<T, D> *m, const tt_attention &p, float *delta,
    int64_t row, int warp_row, int rows, int head, int lane) {
    constexpr int P = piece<T>::size, LANES = 8; // of a row
    const int64_t column = static_cast<int64_t>(head) * p.d_kv;
    const bool whole = p.d_kv % P == 0 && p.ldo % P == 0 &&
                       reinterpret_cast<uintptr_t>(static_cast<const T *>(p.out) + column) % 16 == 0;
#pragma unroll
    for (int i = 0; i < 16; i += WARP / LANES) {
        const int r = warp_row + i + lane / LANES;
        float sum = 0;
        for (int c = lane % LANES * P; r < rows && c < p.d_kv; c += LANES * P) {
            piece<T> out, dout;
            load_piece(
                &out, static_cast<const T *>(p.out) + (row + r) * p.ldo + column + c, whole, p.d_kv - c);
            load_piece(&dout, m->dout + r * tile_shape<T, D>::ld + c, true, P);
#pragma unroll
            for (int j = 0; j < P; ++j) sum += out[j] * dout[j];
        }
        for (int step = LANES / 2; step > 0; step /= 2) sum += __shfl_xor_sync(TT_ALL_LANES, sum, step);
        if (lane % LANES) continue;
        m->delta[r] = sum;
        if (r < rows) delta[(row + r) * p.heads + head] = sum;
    }
    __syncwarp();
}

template <class T, int D>
__global__ void __launch_bounds__(ATTENTION_THREADS, D <= 64 ? 3 : 2)
    attention_backward_queries(tt_attention p, bias_plan bias, dropout_plan drop, float *delta) {
    using shared = query_memory<T, D>;
    constexpr int STEP = passing<T>::rows, STAGES = passing<T>::stages;
    using distance = distances<ROWS, STEP>;
    TT_SHARED_DYNAMIC(shared, m);
    float *biases = reinterpret_cast<float *>(m + 1);
    const int sequence = blockIdx.z, head = blockIdx.y, first = blockIdx.x * ROWS;
    const int q_row = p.q_offsets[sequence], queries = p.q_offsets[sequence + 1] - q_row;
    if (first >= queries) return;
    const int source = p.source ? p.source[sequence] : sequence;
    const int kv_row = p.kv_offsets[source], keys = p.kv_offsets[source + 1] - kv_row;
    const int lane = threadIdx.x % WARP, warp_row = threadIdx.x / WARP * 16, g = lane / 4, t = lane % 4;
    const int64_t column = static_cast<int64_t>(head) * p.d_kv, row = q_row + first;
    const T *k = static_cast<const T *>(p.k) + static_cast<int64_t>(kv_row) * p.ldk + column;
    const T *v = static_cast<const T *>(p.v) + static_cast<int64_t>(kv_row) * p.ldv + column;
    const int last = p.causal ? min(keys, first + ROWS) : keys;
    const auto fetch = [&](int key0, int stage) {
        fetch_keys<T, D, STEP>(m->k[stage], m->v[stage], k, v, p, key0, keys);
    };
    fetch_tile<T, D, ROWS>(
        m->q, static_cast<const T *>(p.q) + row * p.ldq + column, p.ldq, queries - first, p.d_kv);
    fetch_tile<T, D, ROWS>(
        m->dout, static_cast<const T *>(p.dout) + row * p.ldo + column, p.ldo, queries - first, p.d_kv);
    fetch(0, 0);
    const int middle = distance::middle(bias.reach);
    if (bias.table) fill_biases(biases, middle, bias, head, -(first + ROWS - 1), last + STEP - 1 - first);
    uint32_t example[2] = {0, 0}, position[2] = {0, 0};
    float lse[2] = {0, 0}, own_delta[2] = {0, 0};
    for (int half = 0; half < 2; ++half) {
        const int i = first + warp_row + g + 8 * half;
        if (i >= queries) continue;
        lse[half] = TT_LOG2E * p.lse[static_cast<int64_t>(q_row + i) * p.heads + head];
        if (drop.threshold)
            example[half] = drop.example[q_row + i], position[half] = drop.position[q_row + i];
    }
    float dq[D / 8][4] = {};
    int stage = 0;
    for (int key0 = 0; key0 < last; key0 += STEP) {
        const bool more = key0 + STEP < last;
        if (STAGES == 2 && more) {
            fetch(key0 + STEP, 1 - stage);
            wait_for_copies<1>();
        } else {
            wait_for_copies<0>();
        }
        __syncthreads();
        if (key0 == 0) {
            sum_deltas(m, p, delta, row, warp_row, queries - first, head, lane);
            own_delta[0] = m->delta[warp_row + g], own_delta[1] = m->delta[warp_row + g + 8];
        }
        // Nothing to do for a warp whose queries don't exist or come before all of these keys.
        if (first + warp_row < queries && !(p.causal && key0 > first + warp_row + 15)) {
            float s[STEP / 8][4] = {}, ds[STEP / 8][4] = {};
            rows_times_rows<T, D, STEP>(s, m->q, warp_row, m->k[stage], lane);
            rows_times_rows<T, D, STEP>(ds, m->dout, warp_row, m->v[stage], lane);
            const float *by_distance =
                biases + middle + distance::clamped(key0 - first, bias.reach) - warp_row - g + 2 * t;
            const bool hides = key0 + STEP > keys || (p.causal && key0 + STEP - 1 > first + warp_row);
#pragma unroll
            for (int n = 0; n < STEP / 8; ++n) {
                if (drop.threshold) {
                    float keep[4];
                    keep_by_query(keep, drop, head, key0, n, example, position, lane);
#pragma unroll
                    for (int i = 0; i < 4; ++i) ds[n][i] *= keep[i];
                }
#pragma unroll
                for (int i = 0; i < 4; ++i) {
                    const int query = g + i / 2 * 8, key = 8 * n + 2 * t + i % 2;
                    float score = s[n][i] * TT_LOG2E - lse[i / 2];
                    if (bias.table) score += by_distance[8 * n + i % 2 - i / 2 * 8];
                    const float probability = power_of_two(score);
                    ds[n][i] = probability * (ds[n][i] - own_delta[i / 2]);
                    if (hides && (key0 + key >= keys || (p.causal && key0 + key > first + warp_row + query)))
                        ds[n][i] = 0;
                }
            }
            product_times_rows<T, D, STEP>(dq, ds, m->k[stage], lane);
        }
        __syncthreads(); // the tile has been used
        if (STAGES == 1 && more) fetch(key0 + STEP, 0);
        if (STAGES == 2) stage = 1 - stage;
    }
    store_rows<T, D>(
        static_cast<T *>(p.dq) + row * p.ldq + column, p.ldq, dq, warp_row, queries - first, p.d_kv, lane);
}

// ---- dK, dV and the bias's gradient

template <class T, int D> struct key_memory {
    static constexpr int ld = tile_shape<T, D>::ld, stages = passing<T>::stages, rows = passing<T>::rows;
    T k[ROWS * ld], v[ROWS * ld], q[stages][rows * ld], dout[stages][rows * ld];
    float lse[stages][rows], delta[stages][rows];
    uint32_t example[stages][rows], position[stages][rows];
    // Behind it: biases by distance; for their gradient sums by distance, of each warp.
};

// sums[x] += the sum of dS over key - query = x, where sums[0] belongs to row 0 and column 0 of the warp's
// product.
//
// A lane's elements lie on diagonals x = g - 2t - c + 8 (h - n) of column 2t + c of ds[n], row g + 8h. With r
// the remainder of g - 2t by 8, four lanes (one for each t) share the diagonals r - c + 8i: they exchange
// their sums, then each writes some of them. The order of additions depends on nothing.
template <int COLUMNS>
__device__ __forceinline__ void add_diagonals(float *sums, const float (&ds)[COLUMNS / 8][4], int lane) {
    constexpr int N = COLUMNS / 8;
    const int g = lane / 4, t = lane % 4, r = (g - 2 * t) & 7;
    const bool below = g < 2 * t;
    // shifted[c][i]: of diagonal r - c + 8 (i - N)
    float shifted[2][N + 3];
#pragma unroll
    for (int c = 0; c < 2; ++c) {
        float own[N + 1] = {}; // own[i]: of h - n = i - (N - 1)
#pragma unroll
        for (int n = 0; n < N; ++n) own[N - 1 - n] += ds[n][c], own[N - n] += ds[n][2 + c];
#pragma unroll
        for (int i = 0; i < N + 3; ++i) {
            const float here = i <= N ? own[i <= N ? i : 0] : 0,
                        before = i >= 1 && i <= N + 1 ? own[i - 1] : 0;
            shifted[c][i] = below ? here : before;
        }
    }
    const int one = 4 * ((r + 2 * (t ^ 1)) & 7) + (t ^ 1), two = 4 * ((r + 2 * (t ^ 2)) & 7) + (t ^ 2);
    const int next = 4 * ((r + 1 + 2 * t) & 7) + t; // the lane of remainder r + 1
#pragma unroll
    for (int c = 0; c < 2; ++c)
#pragma unroll
        for (int i = 0; i < N + 2; ++i) {
            shifted[c][i] += __shfl_sync(TT_ALL_LANES, shifted[c][i], one);
            shifted[c][i] += __shfl_sync(TT_ALL_LANES, shifted[c][i], two);
        }
    float neighbour[N + 3] = {};
#pragma unroll
    for (int i = 0; i < N + 2; ++i) neighbour[i] = __shfl_sync(TT_ALL_LANES, shifted[1][i], next);
#pragma unroll
    for (int i = 0; i < N + 2; ++i)
        if (i % 4 == t) sums[r + 8 * (i - N)] += shifted[0][i] + (r == 7 ? neighbour[i + 1] : neighbour[i]);
    __syncwarp();
}

// The bucket's part of sums by distance, over all warps: to `dbias`, one bucket for a warp at a time.
template <class Distance>
__device__ __forceinline__ void write_buckets(
    float *dbias, float *sums, int size, int middle, const bias_plan &bias, int head) {
    __syncthreads();
    for (int i = threadIdx.x; i < size; i += ATTENTION_THREADS) {
        float sum = 0;
        for (int w = 0; w < ATTENTION_WARPS; ++w) sum += sums[w * size + i];
        sums[i] = sum;
    }
    __syncthreads();
    const int sided = bias.bidirectional ? bias.buckets / 2 : bias.buckets, lane = threadIdx.x % WARP;
    for (int b = static_cast<int>(threadIdx.x) / WARP; b < bias.buckets; b += ATTENTION_WARPS) {
        const int side = b >= sided ? b - sided : b; // right of the query: b - sided
        const int low = bias.begin[side],
                  high = side + 1 == sided ? middle + 1 : min(bias.begin[side + 1], middle + 1);
        float sum = 0;
        if (b >= sided) {
            for (int x = max(low, 1) + lane; x < high; x += WARP) sum += sums[middle + x];
        } else {
            // Keys behind the query are at no distance where buckets look to one side.
            if (low == 0 && !bias.bidirectional)
                for (int x = 1 + lane; x <= middle; x += WARP) sum += sums[middle + x];
            for (int x = low + lane; x < high; x += WARP) sum += sums[middle - x];
        }
        sum = warp_sum(sum);
        if (lane == 0) dbias[b * bias.heads + head] = sum;
    }
}

// A tile of the queries that attend to a key sequence; enter and advance go through them all.
struct reading {
    int reader, end;            // in the list of readers
    int q_row, queries, query0; // of the reader: its rows, and where the tile begins
};
__device__ __forceinline__ void enter(reading *r, const tt_attention &p, int first, int step) {
    while (r->reader < r->end) {
        const int sequence = p.source ? p.readers[r->reader] : r->reader;
        r->q_row = p.q_offsets[sequence];
        r->queries = p.q_offsets[sequence + 1] - r->q_row;
        r->query0 = p.causal ? first / step * step : 0; // queries before the first key see none of these
        if (r->query0 < r->queries) return;
        ++r->reader;
    }
}
__device__ __forceinline__ void advance(reading *r, const tt_attention &p, int first, int step) {
    r->query0 += step;
    if (r->query0 < r->queries) return;
    ++r->reader;
    enter(r, p, first, step);
}

template <class T, int D>
__global__ void __launch_bounds__(ATTENTION_THREADS, D <= 64 ? 3 : 2) attention_backward_keys(
    tt_attention p, bias_plan bias, dropout_plan drop, const float *delta, float *dbias) {
    using shared = key_memory<T, D>;
    constexpr int STEP = passing<T>::rows, STAGES = passing<T>::stages;
    using distance = distances<STEP, ROWS>;
    TT_SHARED_DYNAMIC(shared, m);
    const int middle = distance::middle(bias.reach), size = distance::size(bias.reach);
    float *biases = reinterpret_cast<float *>(m + 1), *sums = biases + size;
    const int sequence = blockIdx.z, head = blockIdx.y, first = blockIdx.x * ROWS;
    const int kv_row = p.kv_offsets[sequence], keys = p.kv_offsets[sequence + 1] - kv_row;
    if (dbias) dbias += (static_cast<int64_t>(blockIdx.z) * gridDim.x + blockIdx.x) * bias.buckets * p.heads;
    if (first >= keys) {
        for (int b = threadIdx.x; dbias && b < bias.buckets; b += ATTENTION_THREADS)
            dbias[b * p.heads + head] = 0;
        return;
    }
    const int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP, warp_row = 16 * warp, g = lane / 4,
              t = lane % 4;
    const int64_t column = static_cast<int64_t>(head) * p.d_kv, row = kv_row + first;
    fetch_tile<T, D, ROWS>(
        m->k, static_cast<const T *>(p.k) + row * p.ldk + column, p.ldk, keys - first, p.d_kv);
    fetch_tile<T, D, ROWS>(
        m->v, static_cast<const T *>(p.v) + row * p.ldv + column, p.ldv, keys - first, p.d_kv);
    reading now = {p.source ? p.reader_offsets[sequence] : sequence,
        p.source ? p.reader_offsets[sequence + 1] : sequence + 1, 0, 0, 0};
    enter(&now, p, first, STEP);
    const auto fetch = [&](const reading &r, int stage) {
        const int64_t from = r.q_row + r.query0;
        const int n = r.queries - r.query0;
        fetch_tile<T, D, STEP>(
            m->q[stage], static_cast<const T *>(p.q) + from * p.ldq + column, p.ldq, n, p.d_kv);
        fetch_tile<T, D, STEP>(
            m->dout[stage], static_cast<const T *>(p.dout) + from * p.ldo + column, p.ldo, n, p.d_kv);
        // A warp for each of what belongs to the queries.
        const bool there = lane < n;
        const int64_t token = from + (there ? lane : 0), pair = token * p.heads + head;
        if (lane < STEP && warp == 0) copy_async<4>(&m->lse[stage][lane], &p.lse[pair], there);
        if (lane < STEP && warp == 1) copy_async<4>(&m->delta[stage][lane], &delta[pair], there);
        if (lane < STEP && warp == 2 && drop.threshold)
            copy_async<4>(&m->example[stage][lane], &drop.example[token], there);
        if (lane < STEP && warp == 3 && drop.threshold)
            copy_async<4>(&m->position[stage][lane], &drop.position[token], there);
        commit_copies();
    };
    if (now.reader < now.end) fetch(now, 0);
    if (bias.table) fill_biases(biases, middle, bias, head, -middle, middle);
    if (dbias)
        for (int i = threadIdx.x; i < ATTENTION_WARPS * size; i += ATTENTION_THREADS) sums[i] = 0;
    float dk[D / 8][4] = {}, dv[D / 8][4] = {};
    int stage = 0;
    while (now.reader < now.end) {
        reading next = now;
        advance(&next, p, first, STEP);
        const bool more = next.reader < next.end;
        if (STAGES == 2 && more) {
            fetch(next, 1 - stage);
            wait_for_copies<1>();
        } else {
            wait_for_copies<0>();
        }
        __syncthreads();
        // Nothing to do for a warp whose keys don't exist or come behind all of these queries.
        if (first + warp_row < keys && !(p.causal && first + warp_row > now.query0 + STEP - 1)) {
            float s[STEP / 8][4] = {}, ds[STEP / 8][4] = {};
            rows_times_rows<T, D, STEP>(s, m->k, warp_row, m->q[stage], lane);
            rows_times_rows<T, D, STEP>(ds, m->v, warp_row, m->dout[stage], lane);
            const int clamped = distance::clamped(first - now.query0, bias.reach);
            const float *by_distance = biases + middle + clamped + warp_row + g - 2 * t;
            const int rows = now.queries - now.query0;
            const bool hides = (p.causal && first + warp_row + 15 > now.query0) ||
                               first + warp_row + 16 > keys || rows < STEP;
#pragma unroll
            for (int n = 0; n < STEP / 8; ++n) {
                float keep[4] = {1, 1, 1, 1};
                if (drop.threshold)
                    keep_by_key(
                        keep, drop, head, first + warp_row, n, m->example[stage], m->position[stage], lane);
#pragma unroll
                for (int i = 0; i < 4; ++i) {
                    const int key = first + warp_row + g + i / 2 * 8, query = 8 * n + 2 * t + i % 2;
                    float score = s[n][i] * TT_LOG2E - TT_LOG2E * m->lse[stage][query];
                    if (bias.table) score += by_distance[i / 2 * 8 - 8 * n - i % 2];
                    float probability = power_of_two(score);
                    if (hides && (key >= keys || query >= rows || (p.causal && key > now.query0 + query)))
                        probability = 0;
                    ds[n][i] = probability * (keep[i] * ds[n][i] - m->delta[stage][query]);
                    s[n][i] = keep[i] * probability;
                }
            }
            product_times_rows<T, D, STEP>(dv, s, m->dout[stage], lane);
            product_times_rows<T, D, STEP>(dk, ds, m->q[stage], lane);
            if (dbias) add_diagonals<STEP>(sums + warp * size + middle + clamped + warp_row, ds, lane);
        }
        __syncthreads(); // the tile has been used
        if (STAGES == 1 && more) fetch(next, 0);
        if (STAGES == 2) stage = 1 - stage;
        now = next;
    }
    store_rows<T, D>(
        static_cast<T *>(p.dk) + row * p.ldk + column, p.ldk, dk, warp_row, keys - first, p.d_kv, lane);
    store_rows<T, D>(
        static_cast<T *>(p.dv) + row * p.ldv + column, p.ldv, dv, warp_row, keys - first, p.d_kv, lane);
    if (dbias) write_buckets<distance>(dbias, sums, size, middle, bias, head);
}

// ---- host side

template <class T, int D>
tt_status launch_backward(tt_device *device, const tt_attention *p, float *delta, float *partial) {
    const cudaStream_t stream = tt_stream(device);
    const dropout_plan drop = plan_dropout(&p->drop);
    const unsigned heads = static_cast<unsigned>(p->heads);
    constexpr int STEP = passing<T>::rows;
    bias_plan bias;
    TT_TRY(tt_cuda_bias_plan(device, p, &bias));
    const size_t one_table = static_cast<size_t>(distances<ROWS, STEP>::size(bias.reach)) * sizeof(float);
    const size_t query_bytes = sizeof(query_memory<T, D>) + (bias.table ? one_table : 0);
    const size_t key_bytes =
        sizeof(key_memory<T, D>) + (bias.table ? one_table : 0) + (partial ? ATTENTION_WARPS * one_table : 0);
    const dim3 queries(
        static_cast<unsigned>(tt_ceil_div(p->longest_q, ROWS)), heads, static_cast<unsigned>(p->q_seqs));
    TT_TRY(tt_cuda_attention_fits(device, p, query_bytes > key_bytes ? query_bytes : key_bytes));
    TT_ALLOW_SHARED((attention_backward_queries<T, D>), query_bytes, "attention_bwd");
    TT_CUDA(TT_LAUNCH((attention_backward_queries<T, D>), queries, ATTENTION_THREADS, query_bytes, stream, *p,
                bias, drop, delta),
        "attention_bwd");
    const dim3 keys(
        static_cast<unsigned>(tt_ceil_div(p->longest_kv, ROWS)), heads, static_cast<unsigned>(p->kv_seqs));
    TT_ALLOW_SHARED((attention_backward_keys<T, D>), key_bytes, "attention_bwd");
    TT_CUDA(TT_LAUNCH((attention_backward_keys<T, D>), keys, ATTENTION_THREADS, key_bytes, stream, *p, bias,
                drop, delta, partial),
        "attention_bwd");
    return TT_OK;
}

template <class T> tt_status run_backward(tt_device *device, const tt_attention *p) {
    const int strips = tt_ceil_div(p->longest_kv, ROWS) * p->kv_seqs, columns = p->buckets * p->heads;
    const size_t deltas = static_cast<size_t>(p->q_rows) * static_cast<size_t>(p->heads);
    const size_t partials = p->dbias ? static_cast<size_t>(strips) * static_cast<size_t>(columns) : 0;
    float *delta = static_cast<float *>(tt_device_scratch(device, (deltas + partials) * sizeof(float)));
    if (!delta) return tt_context(TT_ERR_NOMEM, "attention_bwd");
    float *partial = p->dbias ? delta + deltas : nullptr;
    if (p->d_kv <= 32)
        TT_TRY((launch_backward<T, 32>(device, p, delta, partial)));
    else if (p->d_kv <= 64)
        TT_TRY((launch_backward<T, 64>(device, p, delta, partial)));
    else
        TT_TRY((launch_backward<T, 128>(device, p, delta, partial)));
    return partial ? tt_cuda_add_strips(device, p->dbias, partial, strips, columns) : TT_OK;
}

} // namespace

tt_status tt_cuda_attention_bwd(tt_device *device, const tt_attention *p) {
    TT_TRY(tt_cuda_attention_check(p));
    if (p->source && (!p->readers || !p->reader_offsets))
        return tt_fail(TT_ERR_INPUT, "attention_bwd: source is set, but readers or reader_offsets is not");
    if (p->dbias && !p->bias) return tt_fail(TT_ERR_INPUT, "attention_bwd: dbias is set, but bias is not");
    return TT_BY_OPERAND(device, run_backward, device, p);
}
