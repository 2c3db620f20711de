// Attention, backward, without atomics. With dP = dO V^T and delta = sum over d_kv of dO O
//   P = exp(Q K^T + bias - lse)   dS = P (keep dP - delta)   dQ = dS K   dK = dS^T Q   dV = (keep P)^T dO
// A block of the first kernel has 64 queries of a sequence and head and goes through their keys, for delta
// and dQ. A block of the second has 64 keys and goes through the queries that attend to them, for dK, dV and
// the bias's gradient. So every sum has one writer and one order, at the price of computing P and dP twice.
// The next tile is copied while one is used. Short key sequences have a kernel that computes them once
// (attention_bwd_short.cu).
//
// Products begin with -lse and -delta instead of 0. dP and delta are over `kept`, the factor of dropout, and so
// are dQ, dK and the bias's gradient until they are stored: dropping is all that is left to do for an element.
//
// Queries and keys beyond the end of a sequence are masked: a row's lse does not bound their scores.
#include "kernels/cuda/attention_bwd.cuh"
#include "kernels/cuda/scratch.h"

namespace {

// Rows of the tiles that a block goes through, and how many tiles are in memory at once. In fp32, which is
// for parity with the CPU, heads of 128 must fit.
template <class T> struct passing {
    static constexpr int rows = sizeof(T) == sizeof(bf16) ? 32 : 16,
                         stages = sizeof(T) == sizeof(bf16) ? 2 : 1;
};

template <class T, int D, int ROWS, int USE> using own_block = block_shape<T, D, ROWS, USE != ANY>;

// ---- delta and dQ

template <class T, int D, int ROWS> struct query_memory {
    static constexpr int ld = tile_shape<T, D>::ld, stages = passing<T>::stages;
    T q[ROWS * ld], dout[ROWS * ld], k[stages][passing<T>::rows * ld], v[stages][passing<T>::rows * ld];
    float delta[ROWS];
    // Behind it: biases by distance.
};

// m->delta of the warp's rows, and their place in `delta`: over `kept`.
template <int WARP_ROWS, class T, int D, int ROWS>
__device__ __forceinline__ void sum_deltas(query_memory<T, D, ROWS> *m, const tt_attention &p, float *delta,
    float kept, int64_t row, int warp_row, int rows, int head) {
    constexpr int P = piece<T>::size, LANES = 8; // of a row
    const int lane = threadIdx.x % WARP;
    const int64_t column = static_cast<int64_t>(head) * p.d_kv;
    const bool whole = p.d_kv % P == 0 && p.ldo % P == 0 &&
                       reinterpret_cast<uintptr_t>(static_cast<const T *>(p.out) + column) % 16 == 0;
#pragma unroll
    for (int i = 0; i < WARP_ROWS; i += WARP / LANES) {
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
        sum /= kept;
        m->delta[r] = sum;
        if (r < rows) delta[(row + r) * p.heads + head] = sum;
    }
    __syncwarp();
}

template <class T, int D, int ROWS, int USE>
__global__ void __launch_bounds__(own_block<T, D, ROWS, USE>::threads, own_block<T, D, ROWS, USE>::blocks)
    attention_bwd_queries(tt_attention p, bias_plan bias, dropout_plan drop, int above, float *delta) {
    using block = own_block<T, D, ROWS, USE>;
    using shared = query_memory<T, D, ROWS>;
    constexpr bool BIAS = USE & BIASES, ALIGNED = USE != ANY;
    constexpr int STEP = passing<T>::rows, STAGES = passing<T>::stages, TILES = block::tiles, N = STEP / 8;
    using distance = distances<ROWS, STEP>;
    TT_SHARED_DYNAMIC(shared, m);
    float *biases = reinterpret_cast<float *>(m + 1);
    const int sequence = blockIdx.z, head = blockIdx.y, first = blockIdx.x * ROWS;
    const int q_row = p.q_offsets[sequence], queries = p.q_offsets[sequence + 1] - q_row;
    if (first >= queries) return;
    const int source = p.source ? p.source[sequence] : sequence;
    const int kv_row = p.kv_offsets[source], keys = p.kv_offsets[source + 1] - kv_row;
    if (keys <= above) return;
    const int lane = threadIdx.x % WARP, warp_row = threadIdx.x / WARP * block::warp_rows, g = lane / 4,
              t = lane % 4;
    const int64_t column = static_cast<int64_t>(head) * p.d_kv, row = q_row + first;
    const T *k = static_cast<const T *>(p.k) + static_cast<int64_t>(kv_row) * p.ldk + column;
    const T *v = static_cast<const T *>(p.v) + static_cast<int64_t>(kv_row) * p.ldv + column;
    const int last = p.causal ? min(keys, first + ROWS) : keys;
    const auto fetch = [&](int key0, int stage) {
        fetch_keys<T, D, STEP, block::threads, ALIGNED>(m->k[stage], m->v[stage], k, v, p, key0, keys);
    };
    fetch_tile<T, D, ROWS, block::threads, ALIGNED>(
        m->q, static_cast<const T *>(p.q) + row * p.ldq + column, p.ldq, queries - first, p.d_kv);
    fetch_tile<T, D, ROWS, block::threads, ALIGNED>(
        m->dout, static_cast<const T *>(p.dout) + row * p.ldo + column, p.ldo, queries - first, p.d_kv);
    fetch(0, 0);
    const int middle = distance::middle(bias.reach);
    if (BIAS) fill_biases(biases, middle, bias, p.causal, head, -(first + ROWS - 1), last + STEP - 1 - first);
    wait_for_copies<0>();
    __syncthreads();
    sum_deltas<block::warp_rows>(m, p, delta, drop.kept, row, warp_row, queries - first, head);

    const bool drops = USE & DROPOUT && (USE != ANY || drop.threshold);
    uint32_t example[TILES][2] = {}, position[TILES][2] = {};
    float lse[TILES][2] = {}, own_delta[TILES][2];
#pragma unroll
    for (int up = 0; up < 2 * TILES; ++up) {
        const int i = first + warp_row + g + 8 * up;
        own_delta[up / 2][up % 2] = m->delta[warp_row + g + 8 * up];
        if (i >= queries) continue;
        lse[up / 2][up % 2] = p.lse[static_cast<int64_t>(q_row + i) * p.heads + head];
        if (drops)
            example[up / 2][up % 2] = drop.example[q_row + i],
                                 position[up / 2][up % 2] = drop.position[q_row + i];
    }
    own_rows<T, D, TILES, block::tensor_cores> own_q;
    own_rows<T, D, TILES, false> own_dout; // there are not registers enough for both
    own_q.open(m->q, warp_row, lane);
    own_dout.open(m->dout, warp_row, lane);
    float dq[TILES][D / 8][4] = {};
    for (int key0 = 0, stage = 0;;) {
        const bool more = key0 + STEP < last;
        if (STAGES == 2 && more) fetch(key0 + STEP, 1 - stage);
        // Nothing to do for a warp whose queries don't exist or come before all of these keys.
        if (first + warp_row < queries && !(p.causal && key0 >= first + warp_row + block::warp_rows)) {
            float s[TILES][N][4], ds[TILES][N][4];
#pragma unroll
            for (int i = 0; i < TILES * N * 4; ++i)
                s[i / 4 / N][i / 4 % N][i % 4] = -lse[i / 4 / N][i % 4 / 2],
                                            ds[i / 4 / N][i / 4 % N][i % 4] =
                                                -own_delta[i / 4 / N][i % 4 / 2];
            rows_times_rows(s, own_q, m->k[stage], lane);
            rows_times_rows(ds, own_dout, m->v[stage], lane);
            if (drops) {
#pragma unroll
                for (int i = 0; i < TILES; ++i)
                    drop_by_query<N>(
                        drop, head, key0, example[i], position[i], lane, [&](int n, int j, bool dropped) {
                            if (dropped) ds[i][n][j] = -own_delta[i][j / 2];
                        });
            }
            if (BIAS)
                add_biases<1>(
                    s, biases + middle + distance::clamped(key0 - first, bias.reach) - warp_row - g + 2 * t);
            if (key0 + STEP > keys) hide_columns(s, keys - key0 - 2 * t);
#pragma unroll
            for (int i = 0; i < TILES * N * 4; ++i) {
                const float score = s[i / 4 / N][i / 4 % N][i % 4];
                ds[i / 4 / N][i / 4 % N][i % 4] *= power_of_two(BIAS ? score : TT_LOG2E * score);
            }
            product_times_rows<T, D>(dq, ds, m->k[stage], lane);
        }
        if (!more) break;
        key0 += STEP;
        next_tile<STAGES>(&stage, [&] { fetch(key0, 0); });
    }
    store_rows<T, D>(static_cast<T *>(p.dq) + row * p.ldq + column, p.ldq, dq, drop.kept, warp_row,
        queries - first, p.d_kv);
}

// ---- dK, dV and the bias's gradient

template <class T, int D, int ROWS> struct key_memory {
    static constexpr int ld = tile_shape<T, D>::ld, stages = passing<T>::stages, rows = passing<T>::rows;
    T k[ROWS * ld], v[ROWS * ld], q[stages][rows * ld], dout[stages][rows * ld];
    float lse[stages][rows], delta[stages][rows];
    uint32_t example[stages][rows], position[stages][rows];
    // Behind it: biases by distance; for their gradient sums by distance, of each warp.
};

template <class T, int D, int ROWS, int USE>
__global__ void __launch_bounds__(own_block<T, D, ROWS, USE>::threads, own_block<T, D, ROWS, USE>::blocks)
    attention_bwd_keys(
        tt_attention p, bias_plan bias, dropout_plan drop, int above, const float *delta, bias_sums dbias) {
    using block = own_block<T, D, ROWS, USE>;
    using shared = key_memory<T, D, ROWS>;
    constexpr bool BIAS = USE & BIASES, ALIGNED = USE != ANY;
    constexpr int STEP = passing<T>::rows, STAGES = passing<T>::stages, TILES = block::tiles;
    // Queries at a time: with dropout there are not registers enough for the scores of 32.
    constexpr int PART = TILES == 2 && USE & DROPOUT ? 16 : STEP, N = PART / 8;
    using distance = distances<STEP, ROWS>;
    TT_SHARED_DYNAMIC(shared, m);
    const int middle = distance::middle(bias.reach), size = distance::size(bias.reach);
    float *biases = reinterpret_cast<float *>(m + 1), *sums = biases + size;
    const int sequence = blockIdx.z, head = blockIdx.y, first = blockIdx.x * ROWS;
    const int kv_row = p.kv_offsets[sequence], keys = p.kv_offsets[sequence + 1] - kv_row;
    if (keys <= above) return;
    if (first >= keys) {
        if (dbias.strips && !dbias.add)
            zero_buckets(own_strip(dbias, bias, sequence, blockIdx.x), bias, head);
        return;
    }
    const int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP, warp_row = block::warp_rows * warp,
              g = lane / 4, t = lane % 4;
    const int64_t column = static_cast<int64_t>(head) * p.d_kv, row = kv_row + first;
    const bool drops = USE & DROPOUT && (USE != ANY || drop.threshold);
    const bool causal = BIAS && p.causal;
    fetch_tile<T, D, ROWS, block::threads, ALIGNED>(
        m->k, static_cast<const T *>(p.k) + row * p.ldk + column, p.ldk, keys - first, p.d_kv);
    fetch_tile<T, D, ROWS, block::threads, ALIGNED>(
        m->v, static_cast<const T *>(p.v) + row * p.ldv + column, p.ldv, keys - first, p.d_kv);
    commit_copies(); // where nobody reads these keys, there is no other group to wait for
    reading now = {p.source ? p.reader_offsets[sequence] : sequence,
        p.source ? p.reader_offsets[sequence + 1] : sequence + 1, 0, 0, 0};
    enter(&now, p, causal, first, STEP);
    const auto fetch = [&](const reading &r, int stage) {
        const int64_t from = r.q_row + r.query0;
        const int n = r.queries - r.query0;
        fetch_tile<T, D, STEP, block::threads, ALIGNED>(
            m->q[stage], static_cast<const T *>(p.q) + from * p.ldq + column, p.ldq, n, p.d_kv);
        fetch_tile<T, D, STEP, block::threads, ALIGNED>(
            m->dout[stage], static_cast<const T *>(p.dout) + from * p.ldo + column, p.ldo, n, p.d_kv);
        const bool there = lane < n;
        const int64_t token = from + (there ? lane : 0), pair = token * p.heads + head;
        if (lane < STEP && warp == 0) {
            copy_async<4>(&m->lse[stage][lane], &p.lse[pair], there);
            if (drops) copy_async<4>(&m->example[stage][lane], &drop.example[token], there);
        } else if (lane < STEP && warp == 1) {
            copy_async<4>(&m->delta[stage][lane], &delta[pair], there);
            if (drops) copy_async<4>(&m->position[stage][lane], &drop.position[token], there);
        }
        commit_copies();
    };
    if (now.reader < now.end) fetch(now, 0);
    if (BIAS) fill_biases(biases, middle, bias, p.causal, head, -middle, middle);
    if (BIAS && dbias.strips)
        for (int i = threadIdx.x; i < block::warps * size; i += block::threads) sums[i] = 0;
    own_rows<T, D, TILES, false> own_k, own_v;
    own_k.open(m->k, warp_row, lane);
    own_v.open(m->v, warp_row, lane);
    float dk[TILES][D / 8][4] = {}, dv[TILES][D / 8][4] = {};
    for (int stage = 0; now.reader < now.end;) {
        reading next = now;
        advance(&next, p, causal, first, STEP);
        const bool more = next.reader < next.end;
        wait_for_copies<0>();
        __syncthreads();
        if (STAGES == 2 && more) fetch(next, 1 - stage);
        // Nothing to do for a warp whose keys don't exist or come behind all of these queries.
        if (first + warp_row < keys && !(causal && first + warp_row >= now.query0 + STEP)) {
#pragma unroll
            for (int part = 0; part < STEP; part += PART) {
                const T *q = m->q[stage] + part * shared::ld, *dout = m->dout[stage] + part * shared::ld;
                const float *lse = m->lse[stage] + part + 2 * t, *own_delta = m->delta[stage] + part + 2 * t;
                float s[TILES][N][4], ds[TILES][N][4];
#pragma unroll
                for (int i = 0; i < TILES * N * 4; ++i) {
                    const int n = i / 4 % N;
                    s[i / 4 / N][n][i % 4] = -lse[8 * n + i % 2];
                    ds[i / 4 / N][n][i % 4] = -own_delta[8 * n + i % 2];
                }
                rows_times_rows(s, own_k, q, lane);
                rows_times_rows(ds, own_v, dout, lane);
                const int offset =
                    middle + distance::clamped(first - now.query0, bias.reach) + warp_row - part;
                if (BIAS) add_biases<-1>(s, biases + offset + g - 2 * t);
                const int rows = now.queries - now.query0 - part;
                if (rows < PART) hide_columns(s, rows - 2 * t);
                if (first + warp_row + block::warp_rows > keys) hide_rows(s, keys - first - warp_row - g);
#pragma unroll
                for (int i = 0; i < TILES * N * 4; ++i) {
                    float &score = s[i / 4 / N][i / 4 % N][i % 4];
                    score = power_of_two(BIAS ? score : TT_LOG2E * score);
                }
                if (drops) {
                    drop_by_key<TILES, N>(drop, head, first + warp_row, m->example[stage] + part,
                        m->position[stage] + part, lane, [&](int i, int n, int j, bool dropped) {
                            ds[i][n][j] = s[i][n][j] * (dropped ? -own_delta[8 * n + j % 2] : ds[i][n][j]);
                            if (dropped) s[i][n][j] = 0;
                        });
                } else {
#pragma unroll
                    for (int i = 0; i < TILES * N * 4; ++i)
                        ds[i / 4 / N][i / 4 % N][i % 4] *= s[i / 4 / N][i / 4 % N][i % 4];
                }
                product_times_rows<T, D>(dv, s, dout, lane);
                product_times_rows<T, D>(dk, ds, q, lane);
                if (BIAS && dbias.strips)
                    add_diagonals(sums + warp * size + offset, ds, static_cast<int>(threadIdx.x) % WARP);
            }
        }
        if (STAGES == 2) {
            stage = 1 - stage;
        } else {
            __syncthreads(); // the tile has been used
            if (more) fetch(next, 0);
        }
        now = next;
    }
    wait_for_copies<0>(); // of keys that nobody reads
    store_rows<T, D>(
        static_cast<T *>(p.dk) + row * p.ldk + column, p.ldk, dk, drop.kept, warp_row, keys - first, p.d_kv);
    store_rows<T, D>(
        static_cast<T *>(p.dv) + row * p.ldv + column, p.ldv, dv, drop.kept, warp_row, keys - first, p.d_kv);
    if (BIAS && dbias.strips)
        write_buckets<block::warps>(own_strip(dbias, bias, blockIdx.z, blockIdx.x), dbias.add, drop.kept,
            sums, size, middle, bias, head);
}

// ---- host side

template <class T, int D, int ROWS, int USE> struct backward {
    static size_t table(const bias_plan &bias) {
        const int biases = USE & BIASES ? distances<ROWS, passing<T>::rows>::size(bias.reach) : 0;
        return static_cast<size_t>(biases) * sizeof(float);
    }
    static size_t query_bytes(const bias_plan &bias) {
        return sizeof(query_memory<T, D, ROWS>) + table(bias);
    }
    static size_t key_bytes(const tt_attention *p, const bias_plan &bias) {
        return sizeof(key_memory<T, D, ROWS>) +
               table(bias) * (p->dbias ? 1 + own_block<T, D, ROWS, USE>::warps : 1);
    }
    static size_t bytes(const tt_attention *p, const bias_plan &bias) {
        const size_t queries = query_bytes(bias), keys = key_bytes(p, bias);
        return queries > keys ? queries : keys;
    }
    static tt_status run(tt_device *device, const tt_attention *p, const bias_plan &bias) {
        constexpr int query_threads = own_block<T, D, ROWS, USE>::threads,
                      key_threads = own_block<T, D, ROWS, USE>::threads;
        const cudaStream_t stream = tt_stream(device);
        const dropout_plan drop = plan_dropout_of_probabilities(&p->drop);
        const unsigned heads = static_cast<unsigned>(p->heads);
        const int blocks = tt_ceil_div(p->longest_kv, ROWS); // of the longest key sequence
        const size_t deltas = static_cast<size_t>(p->q_rows) * static_cast<size_t>(p->heads);
        const bool apart = p->dbias && !p->strips; // a sum of this call alone
        float *delta =
            static_cast<float *>(tt_device_scratch(device, tt_cuda_attention_bwd_scratch(p, ROWS)));
        if (!delta) return tt_context(TT_ERR_NOMEM, "attention_bwd");
        const bias_sums dbias = {apart ? delta + deltas : p->dbias ? p->strips : nullptr, blocks, !apart};
        int above = -1;
        TT_TRY(tt_cuda_attention_bwd_short(device, p, bias, dbias, &above));
        if (p->longest_kv > above) {
            TT_TRY(tt_cuda_attention_fits(device, p, bytes(p, bias)));
            const dim3 queries(static_cast<unsigned>(tt_ceil_div(p->longest_q, ROWS)), heads,
                static_cast<unsigned>(p->q_seqs));
            TT_ALLOW_SHARED(
                (attention_bwd_queries<T, D, ROWS, USE>), query_bytes(bias), stream, "attention_bwd");
            TT_CUDA(TT_LAUNCH((attention_bwd_queries<T, D, ROWS, USE>), queries, query_threads,
                        query_bytes(bias), stream, *p, bias, drop, above, delta),
                "attention_bwd");
            const dim3 keys(static_cast<unsigned>(blocks), heads, static_cast<unsigned>(p->kv_seqs));
            TT_ALLOW_SHARED(
                (attention_bwd_keys<T, D, ROWS, USE>), key_bytes(p, bias), stream, "attention_bwd");
            TT_CUDA(TT_LAUNCH((attention_bwd_keys<T, D, ROWS, USE>), keys, key_threads, key_bytes(p, bias),
                        stream, *p, bias, drop, above, delta, dbias),
                "attention_bwd");
        }
        return apart ? tt_cuda_add_strips(
                           device, p->dbias, dbias.strips, blocks * p->kv_seqs, p->buckets * p->heads)
                     : TT_OK;
    }
};

template <class T> tt_status run_backward(tt_device *device, const tt_attention *p) {
    bias_plan bias;
    TT_TRY(tt_cuda_bias_plan(device, p, &bias));
    return launch_by_size<backward, T>(device, p, bias);
}

} // namespace

tt_status tt_cuda_attention_bwd(tt_device *device, const tt_attention *p) {
    TT_TRY(tt_cuda_attention_check(p));
    if (p->source && (!p->readers || !p->reader_offsets))
        return tt_fail(TT_ERR_INPUT, "attention_bwd: source is set, but readers or reader_offsets is not");
    if (p->dbias && !p->bias) return tt_fail(TT_ERR_INPUT, "attention_bwd: dbias is set, but bias is not");
    return TT_BY_OPERAND(device, run_backward, device, p);
}

tt_status tt_cuda_attention_dbias(tt_device *device, const tt_attention *p) {
    return tt_cuda_add_strips(
        device, p->dbias, p->strips, tt_attention_strips(p->longest_kv, p->kv_seqs), p->buckets * p->heads);
}
