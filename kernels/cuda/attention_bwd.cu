// Attention, backward, without atomics. With D = keep (dO V^T) and delta = sum over d_kv of dO O
//   P = exp(Q K^T + bias - lse)   dS = P (D - delta)   dQ = dS K   dK = dS^T Q   dV = (keep P)^T dO
// One kernel has a block for 64 keys of a sequence and head and goes through the queries that read them, for
// dK, dV and the bias's gradient; another has a block for 64 queries and goes through their keys, for dQ. So
// every sum has one writer and one order, for the price of computing P and D twice.
#include "kernels/cuda/attention.cuh"

namespace {

enum { BLOCK_ROWS = 64, STEP = 32 }; // rows of a block's own tile; of the tile that passes by

// delta[row, head]; one warp each.
template <class T> __global__ void sum_deltas(tt_attention p, float *delta, int64_t pairs) {
    const int64_t pair = static_cast<int64_t>(blockIdx.x) * (ATTENTION_THREADS / WARP) + threadIdx.x / WARP;
    if (pair >= pairs) return;
    const int lane = threadIdx.x % WARP;
    const int64_t at = pair / p.heads * p.ldo + pair % p.heads * p.d_kv;
    const T *out = static_cast<const T *>(p.out) + at, *dout = static_cast<const T *>(p.dout) + at;
    float sum = 0;
    for (int c = lane; c < p.d_kv; c += WARP) sum += to_float(out[c]) * to_float(dout[c]);
    sum = warp_sum(sum);
    if (lane == 0) delta[pair] = sum;
}

// ---- dK, dV and the bias's gradient

template <class T, int D> struct key_memory {
    static constexpr int ld = tile_shape<T, D>::ld;
    T k[BLOCK_ROWS * ld], v[BLOCK_ROWS * ld], q[STEP * ld], dout[STEP * ld];
    float bias[BLOCK_ROWS + STEP], lse[STEP], delta[STEP];
    uint32_t example[STEP], position[STEP];
    float ds[BLOCK_ROWS * (STEP + 1)]; // for the bias's gradient
    float diagonal[BLOCK_ROWS + STEP];
};

// What belongs to the queries that pass by.
template <class M>
__device__ __forceinline__ void load_rows(
    M *m, const tt_attention &p, const dropout_plan &drop, const float *delta, int row, int n, int head) {
    for (int i = threadIdx.x; i < STEP; i += ATTENTION_THREADS) {
        const int64_t pair = static_cast<int64_t>(row + i) * p.heads + head;
        m->lse[i] = i < n ? p.lse[pair] : INFINITY; // P = 0 where there is no query
        m->delta[i] = i < n ? delta[pair] : 0;
        m->example[i] = i < n && drop.threshold ? drop.example[row + i] : 0;
        m->position[i] = i < n && drop.threshold ? drop.position[row + i] : 0;
    }
}

// Adds the tile's dS to the buckets: first along diagonals, where the distance is one, then by bucket. Thread
// b has bucket b.
template <class M>
__device__ __forceinline__ void add_to_buckets(M *m, float *mine, const float (&ds)[STEP / 8][4],
    const bias_plan &bias, int offset, int warp_row, int lane) {
    constexpr int diagonals = BLOCK_ROWS + STEP - 1;
    const int g = lane / 4, t = lane % 4;
#pragma unroll
    for (int n = 0; n < STEP / 8; ++n)
#pragma unroll
        for (int i = 0; i < 4; ++i)
            m->ds[(warp_row + g + i / 2 * 8) * (STEP + 1) + 8 * n + 2 * t + i % 2] = ds[n][i];
    __syncthreads();
    for (int i = threadIdx.x; i < diagonals; i += ATTENTION_THREADS) { // key - query = i - (STEP - 1)
        float sum = 0;
        for (int query = max(0, STEP - 1 - i); query < STEP && query + i - (STEP - 1) < BLOCK_ROWS; ++query)
            sum += m->ds[(query + i - (STEP - 1)) * (STEP + 1) + query];
        m->diagonal[i] = sum;
    }
    __syncthreads();
    if (static_cast<int>(threadIdx.x) >= bias.buckets) return;
    for (int i = 0; i < diagonals; ++i)
        if (bucket_of(bias, offset + i - (STEP - 1)) == static_cast<int>(threadIdx.x))
            *mine += m->diagonal[i];
}

template <class T, int D>
__device__ __forceinline__ void store_rows(
    T *to, int ld, const float (&x)[D / 8][4], int first, int rows, int d, int lane) {
    const int g = lane / 4, t = lane % 4;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        const int row = first + g + 8 * half;
        if (row >= rows) continue;
#pragma unroll
        for (int n = 0; n < D / 8; ++n)
#pragma unroll
            for (int j = 0; j < 2; ++j) {
                const int c = 8 * n + 2 * t + j;
                if (c < d) to[static_cast<int64_t>(row) * ld + c] = from_float<T>(x[n][2 * half + j]);
            }
    }
}

template <class T, int D>
__global__ void __launch_bounds__(ATTENTION_THREADS, 2) attention_backward_keys(
    tt_attention p, bias_plan bias, dropout_plan drop, const float *delta, float *dbias) {
    using shared = key_memory<T, D>;
    TT_SHARED_DYNAMIC(shared, m);
    const int sequence = blockIdx.z, head = blockIdx.y, first = blockIdx.x * BLOCK_ROWS;
    const int kv_row = p.kv_offsets[sequence], keys = p.kv_offsets[sequence + 1] - kv_row;
    if (first >= keys) return;
    const int lane = threadIdx.x % WARP, warp_row = threadIdx.x / WARP * 16, g = lane / 4, t = lane % 4;
    const int64_t column = static_cast<int64_t>(head) * p.d_kv;
    load_tile<T, D, BLOCK_ROWS>(m->k,
        static_cast<const T *>(p.k) + static_cast<int64_t>(kv_row + first) * p.ldk + column, p.ldk,
        keys - first, p.d_kv);
    load_tile<T, D, BLOCK_ROWS>(m->v,
        static_cast<const T *>(p.v) + static_cast<int64_t>(kv_row + first) * p.ldv + column, p.ldv,
        keys - first, p.d_kv);
    float dk[D / 8][4] = {}, dv[D / 8][4] = {}, bucket = 0;
    const int readers = p.source ? p.q_seqs : sequence + 1;
    for (int reader = p.source ? 0 : sequence; reader < readers; ++reader) {
        if (p.source && p.source[reader] != sequence) continue;
        const int q_row = p.q_offsets[reader], queries = p.q_offsets[reader + 1] - q_row;
        // Causal: queries before the first key see none of these.
        for (int query0 = p.causal ? first / STEP * STEP : 0; query0 < queries; query0 += STEP) {
            __syncthreads(); // the tile before has been used
            const int64_t row = q_row + query0;
            load_tile<T, D, STEP>(
                m->q, static_cast<const T *>(p.q) + row * p.ldq + column, p.ldq, queries - query0, p.d_kv);
            load_tile<T, D, STEP>(m->dout, static_cast<const T *>(p.dout) + row * p.ldo + column, p.ldo,
                queries - query0, p.d_kv);
            load_rows(m, p, drop, delta, q_row + query0, queries - query0, head);
            if (bias.table) load_bias<STEP, BLOCK_ROWS>(m->bias, bias, head, first - query0);
            __syncthreads();
            float s[STEP / 8][4] = {}, ds[STEP / 8][4] = {};
            rows_times_rows<T, D, STEP>(s, m->k, warp_row, m->q, lane);
            rows_times_rows<T, D, STEP>(ds, m->v, warp_row, m->dout, lane);
            float keep[STEP / 8][4];
            if (drop.threshold)
                keep_by_key<STEP>(keep, drop, head, first + warp_row, m->example, m->position, lane);
#pragma unroll
            for (int n = 0; n < STEP / 8; ++n)
#pragma unroll
                for (int i = 0; i < 4; ++i) {
                    const int key = warp_row + g + i / 2 * 8, query = 8 * n + 2 * t + i % 2;
                    const float factor = drop.threshold ? keep[n][i] : 1;
                    float score = s[n][i];
                    if (bias.table) score += m->bias[key - query + STEP - 1];
                    const bool hidden = first + key >= keys || (p.causal && first + key > query0 + query);
                    const float probability = hidden ? 0 : exp2f((score - m->lse[query]) * TT_LOG2E);
                    ds[n][i] = probability * (factor * ds[n][i] - m->delta[query]);
                    s[n][i] = factor * probability;
                }
            product_times_rows<T, D, STEP>(dv, s, m->dout, lane);
            product_times_rows<T, D, STEP>(dk, ds, m->q, lane);
            if (dbias) add_to_buckets(m, &bucket, ds, bias, first - query0, warp_row, lane);
        }
    }
    const int64_t row = kv_row + first;
    store_rows<T, D>(
        static_cast<T *>(p.dk) + row * p.ldk + column, p.ldk, dk, warp_row, keys - first, p.d_kv, lane);
    store_rows<T, D>(
        static_cast<T *>(p.dv) + row * p.ldv + column, p.ldv, dv, warp_row, keys - first, p.d_kv, lane);
    if (dbias && static_cast<int>(threadIdx.x) < bias.buckets)
        dbias[(static_cast<int64_t>(blockIdx.z) * gridDim.x + blockIdx.x) * bias.buckets * p.heads +
              static_cast<int>(threadIdx.x) * p.heads + head] = bucket;
}

// ---- dQ

template <class T, int D> struct query_memory {
    static constexpr int ld = tile_shape<T, D>::ld;
    T q[BLOCK_ROWS * ld], dout[BLOCK_ROWS * ld], k[STEP * ld], v[STEP * ld];
    float bias[BLOCK_ROWS + STEP];
};

template <class T, int D>
__global__ void __launch_bounds__(ATTENTION_THREADS, 2)
    attention_backward_queries(tt_attention p, bias_plan bias, dropout_plan drop, const float *delta) {
    using shared = query_memory<T, D>;
    TT_SHARED_DYNAMIC(shared, m);
    const int sequence = blockIdx.z, head = blockIdx.y, first = blockIdx.x * BLOCK_ROWS;
    const int q_row = p.q_offsets[sequence], queries = p.q_offsets[sequence + 1] - q_row;
    if (first >= queries) return;
    const int source = p.source ? p.source[sequence] : sequence;
    const int kv_row = p.kv_offsets[source], keys = p.kv_offsets[source + 1] - kv_row;
    const int lane = threadIdx.x % WARP, warp_row = threadIdx.x / WARP * 16, g = lane / 4, t = lane % 4;
    const int64_t column = static_cast<int64_t>(head) * p.d_kv, row = q_row + first;
    const T *k = static_cast<const T *>(p.k) + static_cast<int64_t>(kv_row) * p.ldk + column;
    const T *v = static_cast<const T *>(p.v) + static_cast<int64_t>(kv_row) * p.ldv + column;
    load_tile<T, D, BLOCK_ROWS>(
        m->q, static_cast<const T *>(p.q) + row * p.ldq + column, p.ldq, queries - first, p.d_kv);
    load_tile<T, D, BLOCK_ROWS>(
        m->dout, static_cast<const T *>(p.dout) + row * p.ldo + column, p.ldo, queries - first, p.d_kv);
    uint32_t example[2] = {0, 0}, position[2] = {0, 0};
    float lse[2], own_delta[2];
    for (int half = 0; half < 2; ++half) {
        const int i = first + warp_row + g + 8 * half;
        const bool there = i < queries;
        const int64_t pair = static_cast<int64_t>(q_row + i) * p.heads + head;
        lse[half] = there ? p.lse[pair] : INFINITY;
        own_delta[half] = there ? delta[pair] : 0;
        if (there && drop.threshold)
            example[half] = drop.example[q_row + i], position[half] = drop.position[q_row + i];
    }
    float dq[D / 8][4] = {};
    const int last = p.causal ? min(keys, first + BLOCK_ROWS) : keys;
    for (int key0 = 0; key0 < last; key0 += STEP) {
        __syncthreads();
        load_tile<T, D, STEP>(m->k, k + static_cast<int64_t>(key0) * p.ldk, p.ldk, keys - key0, p.d_kv);
        load_tile<T, D, STEP>(m->v, v + static_cast<int64_t>(key0) * p.ldv, p.ldv, keys - key0, p.d_kv);
        if (bias.table) load_bias<BLOCK_ROWS, STEP>(m->bias, bias, head, key0 - first);
        __syncthreads();
        float s[STEP / 8][4] = {}, ds[STEP / 8][4] = {}, keep[STEP / 8][4];
        rows_times_rows<T, D, STEP>(s, m->q, warp_row, m->k, lane);
        rows_times_rows<T, D, STEP>(ds, m->dout, warp_row, m->v, lane);
        if (drop.threshold) keep_by_query<STEP>(keep, drop, head, key0, example, position, lane);
#pragma unroll
        for (int n = 0; n < STEP / 8; ++n)
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                const int query = warp_row + g + i / 2 * 8, key = 8 * n + 2 * t + i % 2;
                float score = s[n][i];
                if (bias.table) score += m->bias[key - query + BLOCK_ROWS - 1];
                const bool hidden = key0 + key >= keys || (p.causal && key0 + key > first + query);
                const float probability = hidden ? 0 : exp2f((score - lse[i / 2]) * TT_LOG2E);
                ds[n][i] = probability * ((drop.threshold ? keep[n][i] : 1) * ds[n][i] - own_delta[i / 2]);
            }
        product_times_rows<T, D, STEP>(dq, ds, m->k, lane);
    }
    store_rows<T, D>(
        static_cast<T *>(p.dq) + row * p.ldq + column, p.ldq, dq, warp_row, queries - first, p.d_kv, lane);
}

// ---- host side

template <class T, int D>
tt_status launch(tt_device *device, const tt_attention *p, int q_rows, float *delta, float *partial) {
    const cudaStream_t stream = tt_stream(device);
    const dropout_plan drop = plan_dropout(&p->drop);
    const unsigned heads = static_cast<unsigned>(p->heads);
    bias_plan bias;
    TT_TRY(tt_cuda_bias_plan(device, p, &bias));
    const int64_t pairs = static_cast<int64_t>(q_rows) * p->heads;
    TT_CUDA(TT_LAUNCH((sum_deltas<T>), tt_ceil_div(pairs, ATTENTION_THREADS / WARP), ATTENTION_THREADS, 0,
                stream, *p, delta, pairs),
        "attention_bwd");
    const dim3 keys(static_cast<unsigned>(tt_ceil_div(p->longest_kv, BLOCK_ROWS)), heads,
        static_cast<unsigned>(p->kv_seqs));
    const size_t key_bytes = sizeof(key_memory<T, D>), query_bytes = sizeof(query_memory<T, D>);
    TT_ALLOW_SHARED((attention_backward_keys<T, D>), key_bytes, "attention_bwd");
    TT_CUDA(TT_LAUNCH((attention_backward_keys<T, D>), keys, ATTENTION_THREADS, key_bytes, stream, *p, bias,
                drop, delta, partial),
        "attention_bwd");
    const dim3 queries(static_cast<unsigned>(tt_ceil_div(p->longest_q, BLOCK_ROWS)), heads,
        static_cast<unsigned>(p->q_seqs));
    TT_ALLOW_SHARED((attention_backward_queries<T, D>), query_bytes, "attention_bwd");
    TT_CUDA(TT_LAUNCH((attention_backward_queries<T, D>), queries, ATTENTION_THREADS, query_bytes, stream, *p,
                bias, drop, delta),
        "attention_bwd");
    return TT_OK;
}

template <class T> tt_status run(tt_device *device, const tt_attention *p) {
    const int strips = tt_ceil_div(p->longest_kv, BLOCK_ROWS) * p->kv_seqs, columns = p->buckets * p->heads;
    const size_t deltas = static_cast<size_t>(p->q_rows) * static_cast<size_t>(p->heads);
    const size_t partials = p->dbias ? static_cast<size_t>(strips) * static_cast<size_t>(columns) : 0;
    float *delta = static_cast<float *>(tt_device_scratch(device, (deltas + partials) * sizeof(float)));
    if (!delta) return tt_context(TT_ERR_NOMEM, "attention_bwd");
    float *partial = p->dbias ? delta + deltas : nullptr;
    // Sequences shorter than the longest leave blocks without work.
    if (partial) TT_TRY(tt_device_zero(device, partial, partials * sizeof(float)));
    if (p->d_kv <= 32)
        TT_TRY((launch<T, 32>(device, p, p->q_rows, delta, partial)));
    else if (p->d_kv <= 64)
        TT_TRY((launch<T, 64>(device, p, p->q_rows, delta, partial)));
    else
        TT_TRY((launch<T, 128>(device, p, p->q_rows, delta, partial)));
    return partial ? tt_cuda_add_strips(device, p->dbias, partial, strips, columns) : TT_OK;
}

} // namespace

tt_status tt_cuda_attention_bwd(tt_device *device, const tt_attention *p) {
    TT_TRY(tt_cuda_attention_check(p));
    return TT_BY_OPERAND(device, run, device, p);
}
