// Attention over packed sequences, forward: one block for 64 queries of a sequence and head. It goes through
// the keys in tiles with a running maximum and sum (online softmax, Milakov and Gimelshein 2018;
// FlashAttention-2, Dao 2023) and copies the next tile while it computes on one. Queries are in registers.
#include "kernels/cuda/attention_drop.cuh"

#include "host/base/memory.h"

#include <stdlib.h>

namespace {

// Warps of a block, keys of a tile, tiles in memory at once. fp32 is for parity with the CPU: heads of 128 must fit. SHORT:
// for sequences that leave large tiles mostly empty; warps of 16 rows, of which twice as many find registers.
template <class T, int D, int ROWS, int USE, bool SHORT> struct forward_shape {
    using block = block_shape<T, D, ROWS, USE != ANY && !SHORT>;
    static constexpr int tiles = block::tiles, warp_rows = block::warp_rows, threads = block::threads,
                         blocks = SHORT ? 16 / block::warps : block::blocks,
                         keys = sizeof(T) == sizeof(bf16) && !SHORT ? 64 : 32,
                         stages = sizeof(T) == sizeof(bf16) ? 2 : 1;
    using distance = distances<ROWS, keys>;
    struct memory {
        static constexpr int ld = tile_shape<T, D>::ld;
        T q[ROWS * ld], k[stages][keys * ld], v[stages][keys * ld];
        // Behind it: biases by distance.
    };
};

// Of rows g + 8 up of a warp: the largest score so far, and this lane's part of the sum of 2^(score - largest).
template <int TILES> struct softmax_state { float top[TILES][2], sum[TILES][2]; };

// Scores become 2^(log2e score - largest). Where the largest of any row has grown, sums and outputs so far are
// rescaled; elsewhere the factor would be 1. LOG2: the scores are times log2(e) already.
template <bool LOG2, int TILES, int N, int COLUMNS>
__device__ __forceinline__ void online_softmax(
    float (&s)[TILES][N][4], float (&out)[TILES][COLUMNS][4], softmax_state<TILES> &state) {
    constexpr float UNIT = LOG2 ? 1 : TT_LOG2E;
    float old[TILES][2];
    bool grown = false;
#pragma unroll
    for (int m = 0; m < TILES; ++m)
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            float high = old[m][half] = state.top[m][half];
#pragma unroll
            for (int n = 0; n < N; ++n) high = fmaxf(high, fmaxf(s[m][n][2 * half], s[m][n][2 * half + 1]));
            high = fmaxf(high, __shfl_xor_sync(TT_ALL_LANES, high, 1));
            high = fmaxf(high, __shfl_xor_sync(TT_ALL_LANES, high, 2));
            grown |= high > state.top[m][half];
            state.top[m][half] = high;
        }
    if (__any_sync(TT_ALL_LANES, grown)) {
#pragma unroll
        for (int m = 0; m < TILES; ++m)
#pragma unroll
            for (int half = 0; half < 2; ++half) {
                const float scale = power_of_two(UNIT * (old[m][half] - state.top[m][half]));
                state.sum[m][half] *= scale;
#pragma unroll
                for (int n = 0; n < COLUMNS; ++n)
                    out[m][n][2 * half] *= scale, out[m][n][2 * half + 1] *= scale;
            }
    }
#pragma unroll
    for (int m = 0; m < TILES; ++m)
#pragma unroll
        for (int n = 0; n < N; ++n)
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                const float top = UNIT * state.top[m][i / 2];
                s[m][n][i] = power_of_two(LOG2 ? s[m][n][i] - top : fmaf(s[m][n][i], TT_LOG2E, -top));
                state.sum[m][i / 2] += s[m][n][i];
            }
}

template <class T, int D, int ROWS, int USE, bool SHORT>
__global__ void __launch_bounds__(
    forward_shape<T, D, ROWS, USE, SHORT>::threads, forward_shape<T, D, ROWS, USE, SHORT>::blocks)
    attention_fwd(tt_attention p, bias_plan bias, dropout_plan drop) {
    using block = forward_shape<T, D, ROWS, USE, SHORT>;
    using shared = typename block::memory;
    using distance = typename block::distance;
    constexpr bool BIAS = USE & BIASES, ALIGNED = USE != ANY;
    constexpr int KEYS = block::keys, STAGES = block::stages, TILES = block::tiles, N = KEYS / 8;
    TT_SHARED_DYNAMIC(shared, m);
    float *biases = reinterpret_cast<float *>(m + 1);
    const int sequence = blockIdx.z, head = blockIdx.y, first = blockIdx.x * ROWS;
    const int q_row = p.q_offsets[sequence], queries = p.q_offsets[sequence + 1] - q_row;
    if (first >= queries) return;
    const int source = p.source ? p.source[sequence] : sequence;
    const int kv_row = p.kv_offsets[source], keys = p.kv_offsets[source + 1] - kv_row;
    const int lane = threadIdx.x % WARP, warp_row = threadIdx.x / WARP * block::warp_rows, g = lane / 4,
              t = lane % 4;
    const int64_t column = static_cast<int64_t>(head) * p.d_kv;
    const T *k = static_cast<const T *>(p.k) + static_cast<int64_t>(kv_row) * p.ldk + column;
    const T *v = static_cast<const T *>(p.v) + static_cast<int64_t>(kv_row) * p.ldv + column;
    const int last = p.causal ? min(keys, first + ROWS) : keys;
    const auto fetch = [&](int key0, int stage) {
        fetch_keys<T, D, KEYS, block::threads, ALIGNED>(m->k[stage], m->v[stage], k, v, p, key0, keys);
    };
    fetch_tile<T, D, ROWS, block::threads, ALIGNED>(m->q,
        static_cast<const T *>(p.q) + static_cast<int64_t>(q_row + first) * p.ldq + column, p.ldq,
        queries - first, p.d_kv);
    fetch(0, 0);
    const int middle = distance::middle(bias.reach);
    if (BIAS) fill_biases(biases, middle, bias, p.causal, head, -(first + ROWS - 1), last + KEYS - 1 - first);

    const bool drops = USE & DROPOUT && (USE != ANY || drop.threshold);
    uint32_t example[TILES][2] = {}, position[TILES][2] = {};
    float out[TILES][D / 8][4] = {};
    softmax_state<TILES> state = {};
#pragma unroll
    for (int up = 0; up < 2 * TILES; ++up) {
        const int i = first + warp_row + g + 8 * up;
        state.top[up / 2][up % 2] = -INFINITY;
        if (drops && i < queries)
            example[up / 2][up % 2] = drop.example[q_row + i],
                                 position[up / 2][up % 2] = drop.position[q_row + i];
    }
    wait_for_copies<0>();
    __syncthreads();
    own_rows<T, D, TILES, sizeof(T) == sizeof(bf16)> own;
    own.open(m->q, warp_row, lane);
    for (int key0 = 0, stage = 0;;) {
        const bool more = key0 + KEYS < last;
        if (STAGES == 2 && more) fetch(key0 + KEYS, 1 - stage);
        // Nothing to do for a warp whose queries don't exist or come before all of these keys.
        if (first + warp_row < queries && !(p.causal && key0 >= first + warp_row + block::warp_rows)) {
            float s[TILES][N][4] = {};
            rows_times_rows(s, own, m->k[stage], lane);
            if (BIAS)
                add_biases<1>(
                    s, biases + middle + distance::clamped(key0 - first, bias.reach) - warp_row - g + 2 * t);
            if (key0 + KEYS > keys) hide_columns(s, keys - key0 - 2 * t);
            online_softmax<BIAS>(s, out, state);
            if (drops) {
#pragma unroll
                for (int i = 0; i < TILES; ++i)
                    drop_by_query<N>(
                        drop, head, key0, example[i], position[i], lane, [&](int n, int j, bool dropped) {
                            if (dropped) s[i][n][j] = 0;
                        });
            }
            product_times_rows<T, D>(out, s, m->v[stage], lane);
        }
        if (!more) break;
        key0 += KEYS;
        next_tile<STAGES>(&stage, [&] { fetch(key0, 0); });
    }
#pragma unroll
    for (int up = 0; up < 2 * TILES; ++up) {
        float &sum = state.sum[up / 2][up % 2];
        sum += __shfl_xor_sync(TT_ALL_LANES, sum, 1);
        sum += __shfl_xor_sync(TT_ALL_LANES, sum, 2);
        const float scale = drop.kept / sum;
#pragma unroll
        for (int n = 0; n < D / 8; ++n)
            out[up / 2][n][up % 2 * 2] *= scale, out[up / 2][n][up % 2 * 2 + 1] *= scale;
        const int i = first + warp_row + g + 8 * up;
        if (t == 0 && i < queries)
            p.lse[static_cast<int64_t>(q_row + i) * p.heads + head] =
                (BIAS ? state.top[up / 2][up % 2] / TT_LOG2E : state.top[up / 2][up % 2]) +
                log2f(sum) / TT_LOG2E;
    }
    store_rows<T, D>(static_cast<T *>(p.out) + static_cast<int64_t>(q_row + first) * p.ldo + column, p.ldo,
        out, 1, warp_row, queries - first, p.d_kv);
}

enum { SHORT_KEYS = 256 }; // of the longest key sequence for which kernels of short ones are taken

template <class T, int D, int ROWS, int USE> struct forward {
    template <bool SHORT> static size_t bytes(const bias_plan &bias) {
        using shape = forward_shape<T, D, ROWS, USE, SHORT>;
        const int biases = USE & BIASES ? shape::distance::size(bias.reach) : 0;
        return sizeof(typename shape::memory) + static_cast<size_t>(biases) * sizeof(float);
    }
    static size_t bytes(const tt_attention *, const bias_plan &bias) { return bytes<false>(bias); }
    template <bool SHORT>
    static tt_status launch(tt_device *device, const tt_attention *p, const bias_plan &bias) {
        const dim3 grid(static_cast<unsigned>(tt_ceil_div(p->longest_q, ROWS)),
            static_cast<unsigned>(p->heads), static_cast<unsigned>(p->q_seqs));
        constexpr int threads = forward_shape<T, D, ROWS, USE, SHORT>::threads;
        const size_t size = bytes<SHORT>(bias);
        TT_TRY(tt_cuda_attention_fits(device, p, size));
        TT_ALLOW_SHARED((attention_fwd<T, D, ROWS, USE, SHORT>), size, tt_stream(device), "attention");
        TT_CUDA(TT_LAUNCH((attention_fwd<T, D, ROWS, USE, SHORT>), grid, threads, size, tt_stream(device), *p,
                    bias, plan_dropout_of_probabilities(&p->drop)),
            "attention");
        return TT_OK;
    }
    static tt_status run(tt_device *device, const tt_attention *p, const bias_plan &bias) {
        if constexpr (D == 64 && USE != ANY)
            if (p->longest_kv <= SHORT_KEYS) return launch<true>(device, p, bias);
        return launch<false>(device, p, bias);
    }
};

template <class T> tt_status run_forward(tt_device *device, const tt_attention *p) {
    bias_plan bias;
    TT_TRY(tt_cuda_bias_plan(device, p, &bias));
    return launch_by_size<forward, T>(device, p, bias);
}

} // namespace

tt_status tt_cuda_attention_check(const tt_attention *t) {
    if (t->heads < 1 || t->d_kv < 1)
        return tt_fail(
            TT_ERR_INPUT, "attention: %d heads of d_kv %d; both must be at least 1", t->heads, t->d_kv);
    if (t->d_kv > 128)
        return tt_fail(TT_ERR_UNSUPPORTED, "attention: d_kv %d; device cuda takes up to 128", t->d_kv);
    if (t->q_seqs < 1) return tt_fail(TT_ERR_INPUT, "attention: no query sequences");
    if (t->kv_seqs < 1) return tt_fail(TT_ERR_INPUT, "attention: no key sequences");
    if (t->q_seqs > 65535 || t->kv_seqs > 65535)
        return tt_fail(TT_ERR_INPUT,
            "attention: %d query and %d key sequences; device cuda takes up to 65535 in a batch", t->q_seqs,
            t->kv_seqs);
    if (!t->source && t->q_seqs != t->kv_seqs)
        return tt_fail(TT_ERR_INPUT, "attention: %d query and %d key sequences without a source for each",
            t->q_seqs, t->kv_seqs);
    if (t->longest_q < 1 || t->longest_kv < 1)
        return tt_fail(TT_ERR_INPUT, "attention: longest sequences of %d and %d; both must be at least 1",
            t->longest_q, t->longest_kv);
    if (t->bias && (t->buckets < 4 || t->buckets % 2 || t->buckets > ATTENTION_BUCKETS ||
                       t->max_distance <= t->buckets / 2))
        return tt_fail(TT_ERR_INPUT,
            "attention: %d buckets up to distance %d; expected an even number from 4 to %d and a distance "
            "above "
            "half of it",
            t->buckets, t->max_distance, static_cast<int>(ATTENTION_BUCKETS));
    return check_dropout(&t->drop, "attention");
}

static tt_status fill_table(tt_device *device, tt_cuda_bucket_table *table) {
    const int sided = table->bidirectional ? table->buckets / 2 : table->buckets;
    const size_t n = static_cast<size_t>(table->max_distance) + 1, sides = static_cast<size_t>(sided) + 1;
    int32_t *begin = static_cast<int32_t *>(malloc(sides * sizeof *begin + n));
    if (!begin) return tt_fail(TT_ERR_NOMEM, "out of memory: buckets of distances");
    uint8_t *bucket = reinterpret_cast<uint8_t *>(begin + sides);
    int reached = 0; // begin[0 .. reached) are known
    for (int i = 0; i <= table->max_distance; ++i) {
        bucket[i] = static_cast<uint8_t>(
            tt_relative_bucket(-i, table->bidirectional, table->buckets, table->max_distance));
        while (reached <= bucket[i]) begin[reached++] = i;
    }
    table->last = begin[reached - 1];
    while (reached <= sided) begin[reached++] = 1 << 30; // farther than any
    tt_status status = tt_device_upload(device, table->bucket, bucket, n);
    if (status == TT_OK) status = tt_device_upload(device, table->begin, begin, sides * sizeof *begin);
    free(begin);
    return status;
}

// The table of these buckets, kept with the device.
static tt_status bucket_table(
    tt_device *device, bool bidirectional, int buckets, int max_distance, const tt_cuda_bucket_table **out) {
    tt_cuda_state *state = tt_cuda_of(device);
    for (size_t i = 0; i < state->n_tables; ++i) {
        const tt_cuda_bucket_table *t = &state->tables[i];
        *out = t;
        if (t->bidirectional == bidirectional && t->buckets == buckets && t->max_distance == max_distance)
            return TT_OK;
    }
    TT_TRY(tt_grow(&state->tables, &state->table_capacity, state->n_tables + 1, sizeof *state->tables,
        "buckets of distances"));
    tt_cuda_bucket_table *table = &state->tables[state->n_tables];
    *table = tt_cuda_bucket_table();
    table->bidirectional = bidirectional, table->buckets = buckets, table->max_distance = max_distance;
    TT_TRY(tt_device_alloc(
        device, &table->bucket, static_cast<size_t>(max_distance) + 1, 1, "buckets of distances"));
    tt_status status = tt_device_alloc(
        device, &table->begin, static_cast<size_t>(buckets) + 1, sizeof(int32_t), "buckets of distances");
    if (status == TT_OK) status = fill_table(device, table);
    if (status == TT_OK) {
        state->n_tables++;
    } else {
        tt_device_free(device, table->bucket);
        tt_device_free(device, table->begin);
    }
    *out = table;
    return status;
}

tt_status tt_cuda_attention_fits(tt_device *device, const tt_attention *t, size_t bytes) {
    const int most = tt_cuda_of(device)->shared_most;
    if (bytes <= static_cast<size_t>(most)) return TT_OK;
    return tt_fail(TT_ERR_UNSUPPORTED,
        "attention: heads of %d, texts of up to %d tokens and biases up to distance %d need %zu bytes of "
        "shared "
        "memory; this GPU has %d; use shorter texts or a smaller relative_attention_max_distance",
        t->d_kv, t->longest_q > t->longest_kv ? t->longest_q : t->longest_kv, t->max_distance, bytes, most);
}

tt_status tt_cuda_bias_plan(tt_device *device, const tt_attention *t, bias_plan *out) {
    *out = bias_plan();
    if (!t->bias) return TT_OK;
    const tt_cuda_bucket_table *table;
    TT_TRY(bucket_table(device, t->bidirectional, t->buckets, t->max_distance, &table));
    const int longest = t->longest_q > t->longest_kv ? t->longest_q : t->longest_kv;
    out->table = t->bias;
    out->bucket = table->bucket;
    out->begin = table->begin;
    out->buckets = t->buckets;
    out->heads = t->heads;
    out->max_distance = t->max_distance;
    out->reach = longest < table->last ? longest : table->last;
    out->bidirectional = t->bidirectional;
    return TT_OK;
}

tt_status tt_cuda_attention_fwd(tt_device *device, const tt_attention *p) {
    TT_TRY(tt_cuda_attention_check(p));
    return TT_BY_OPERAND(device, run_forward, device, p);
}
