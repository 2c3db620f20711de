// Attention over packed sequences, forward: one block for 64 queries of a sequence and head. It goes through
// the keys in tiles with a running maximum and sum (online softmax, Milakov and Gimelshein 2018;
// FlashAttention-2, Dao 2023) and copies the next tile while it computes on one. Each of four warps has 16
// queries.
#include "kernels/cuda/attention.cuh"

#include "host/base/memory.h"

#include <stdlib.h>

namespace {

enum { QUERIES = 64 };

// fp32 is for parity with the CPU: smaller tiles, one at a time, so that heads of 128 fit every GPU.
template <class T> struct tiles {
    static constexpr int keys = sizeof(T) == sizeof(bf16) ? 64 : 32,
                         stages = sizeof(T) == sizeof(bf16) ? 2 : 1;
    using distance = distances<QUERIES, keys>;
};

template <class T, int D> struct memory {
    static constexpr int ld = tile_shape<T, D>::ld;
    T q[QUERIES * ld], k[tiles<T>::stages][tiles<T>::keys * ld], v[tiles<T>::stages][tiles<T>::keys * ld];
    // Behind it: biases by distance.
};

// Scores become 2^(score - maximum) and sums; the outputs so far are rescaled. Rows g and g + 8.
template <int D, int KEYS>
__device__ __forceinline__ void online_softmax(
    float (&s)[KEYS / 8][4], float (&out)[D / 8][4], float (&top)[2], float (&sum)[2]) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        float high = top[half];
#pragma unroll
        for (int n = 0; n < KEYS / 8; ++n) high = fmaxf(high, fmaxf(s[n][2 * half], s[n][2 * half + 1]));
        high = fmaxf(high, __shfl_xor_sync(TT_ALL_LANES, high, 1));
        high = fmaxf(high, __shfl_xor_sync(TT_ALL_LANES, high, 2));
        // A row that sees none of these keys has seen some before: only rows beyond the sequence have not.
        const float base = high == -INFINITY ? 0 : high;
        const float scale = power_of_two(top[half] - base);
        float total = 0;
#pragma unroll
        for (int n = 0; n < KEYS / 8; ++n)
#pragma unroll
            for (int i = 2 * half; i < 2 * half + 2; ++i) {
                s[n][i] = power_of_two(s[n][i] - base);
                total += s[n][i];
            }
        total += __shfl_xor_sync(TT_ALL_LANES, total, 1);
        total += __shfl_xor_sync(TT_ALL_LANES, total, 2);
        sum[half] = sum[half] * scale + total;
        top[half] = high;
#pragma unroll
        for (int n = 0; n < D / 8; ++n) out[n][2 * half] *= scale, out[n][2 * half + 1] *= scale;
    }
}

template <class T, int D>
__global__ void __launch_bounds__(ATTENTION_THREADS, D <= 64 ? 3 : 2)
    attention_forward(tt_attention p, bias_plan bias, dropout_plan drop) {
    using shared = memory<T, D>;
    using distance = typename tiles<T>::distance;
    constexpr int KEYS = tiles<T>::keys, STAGES = tiles<T>::stages;
    TT_SHARED_DYNAMIC(shared, m);
    float *biases = reinterpret_cast<float *>(m + 1);
    const int sequence = blockIdx.z, head = blockIdx.y, first = blockIdx.x * QUERIES;
    const int q_row = p.q_offsets[sequence], queries = p.q_offsets[sequence + 1] - q_row;
    if (first >= queries) return;
    const int source = p.source ? p.source[sequence] : sequence;
    const int kv_row = p.kv_offsets[source], keys = p.kv_offsets[source + 1] - kv_row;
    const int lane = threadIdx.x % WARP, warp_row = threadIdx.x / WARP * 16, g = lane / 4, t = lane % 4;
    const int64_t column = static_cast<int64_t>(head) * p.d_kv;
    const T *k = static_cast<const T *>(p.k) + static_cast<int64_t>(kv_row) * p.ldk + column;
    const T *v = static_cast<const T *>(p.v) + static_cast<int64_t>(kv_row) * p.ldv + column;
    const int last = p.causal ? min(keys, first + QUERIES) : keys;
    const auto fetch = [&](int key0, int stage) {
        fetch_keys<T, D, KEYS>(m->k[stage], m->v[stage], k, v, p, key0, keys);
    };
    fetch_tile<T, D, QUERIES>(m->q,
        static_cast<const T *>(p.q) + static_cast<int64_t>(q_row + first) * p.ldq + column, p.ldq,
        queries - first, p.d_kv);
    fetch(0, 0);
    const int middle = distance::middle(bias.reach);
    if (bias.table) fill_biases(biases, middle, bias, head, -(first + QUERIES - 1), last + KEYS - 1 - first);

    uint32_t example[2] = {0, 0}, position[2] = {0, 0};
    for (int half = 0; half < 2 && drop.threshold; ++half) {
        const int i = first + warp_row + g + 8 * half;
        if (i < queries) example[half] = drop.example[q_row + i], position[half] = drop.position[q_row + i];
    }
    float out[D / 8][4] = {}, top[2] = {-INFINITY, -INFINITY}, sum[2] = {0, 0};
    int stage = 0;
    for (int key0 = 0; key0 < last; key0 += KEYS) {
        const bool more = key0 + KEYS < last;
        if (STAGES == 2 && more) {
            fetch(key0 + KEYS, 1 - stage);
            wait_for_copies<1>();
        } else {
            wait_for_copies<0>();
        }
        __syncthreads();
        // Nothing to do for a warp whose queries don't exist or come before all of these keys.
        if (first + warp_row < queries && !(p.causal && key0 > first + warp_row + 15)) {
            float s[KEYS / 8][4] = {};
            rows_times_rows<T, D, KEYS>(s, m->q, warp_row, m->k[stage], lane);
            const float *by_distance =
                biases + middle + distance::clamped(key0 - first, bias.reach) - warp_row - g + 2 * t;
            const bool whole = key0 + KEYS <= keys && !(p.causal && key0 + KEYS - 1 > first + warp_row);
#pragma unroll
            for (int n = 0; n < KEYS / 8; ++n)
#pragma unroll
                for (int i = 0; i < 4; ++i) {
                    const int query = g + i / 2 * 8, key = 8 * n + 2 * t + i % 2;
                    s[n][i] *= TT_LOG2E;
                    if (bias.table) s[n][i] += by_distance[8 * n + i % 2 - i / 2 * 8];
                    if (!whole && (key0 + key >= keys || (p.causal && key0 + key > first + warp_row + query)))
                        s[n][i] = -INFINITY;
                }
            online_softmax<D, KEYS>(s, out, top, sum);
            if (drop.threshold) {
#pragma unroll
                for (int n = 0; n < KEYS / 8; ++n) {
                    float keep[4];
                    keep_by_query(keep, drop, head, key0, n, example, position, lane);
#pragma unroll
                    for (int i = 0; i < 4; ++i) s[n][i] *= keep[i];
                }
            }
            product_times_rows<T, D, KEYS>(out, s, m->v[stage], lane);
        }
        __syncthreads(); // the tile has been used
        if (STAGES == 1 && more) fetch(key0 + KEYS, 0);
        if (STAGES == 2) stage = 1 - stage;
    }
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        const float scale = 1.0f / sum[half];
#pragma unroll
        for (int n = 0; n < D / 8; ++n) out[n][2 * half] *= scale, out[n][2 * half + 1] *= scale;
        const int i = first + warp_row + g + 8 * half;
        if (t == 0 && i < queries)
            p.lse[static_cast<int64_t>(q_row + i) * p.heads + head] =
                (top[half] + log2f(sum[half])) / TT_LOG2E;
    }
    store_rows<T, D>(static_cast<T *>(p.out) + static_cast<int64_t>(q_row + first) * p.ldo + column, p.ldo,
        out, warp_row, queries - first, p.d_kv, lane);
}

template <class T, int D> tt_status launch_forward(tt_device *device, const tt_attention *p) {
    bias_plan bias;
    TT_TRY(tt_cuda_bias_plan(device, p, &bias));
    const dim3 grid(static_cast<unsigned>(tt_ceil_div(p->longest_q, QUERIES)),
        static_cast<unsigned>(p->heads), static_cast<unsigned>(p->q_seqs));
    const size_t biases = bias.table ? static_cast<size_t>(tiles<T>::distance::size(bias.reach)) : 0;
    const size_t bytes = sizeof(memory<T, D>) + biases * sizeof(float);
    TT_TRY(tt_cuda_attention_fits(device, p, bytes));
    TT_ALLOW_SHARED((attention_forward<T, D>), bytes, "attention");
    TT_CUDA(TT_LAUNCH((attention_forward<T, D>), grid, ATTENTION_THREADS, bytes, tt_stream(device), *p, bias,
                plan_dropout(&p->drop)),
        "attention");
    return TT_OK;
}

template <class T> tt_status run_forward(tt_device *device, const tt_attention *p) {
    if (p->d_kv <= 32) return launch_forward<T, 32>(device, p);
    if (p->d_kv <= 64) return launch_forward<T, 64>(device, p);
    return launch_forward<T, 128>(device, p);
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
    if (t->bias && (t->buckets < 4 || t->buckets % 2 || t->buckets > ATTENTION_THREADS ||
                       t->max_distance <= t->buckets / 2))
        return tt_fail(TT_ERR_INPUT,
            "attention: %d buckets up to distance %d; expected an even number from 4 to %d and a distance "
            "above "
            "half of it",
            t->buckets, t->max_distance, static_cast<int>(ATTENTION_THREADS));
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
