// Attention of one query per slot over a K/V cache: one block per slot and head. Warps take the keys in turn,
// each with a running maximum, sum and output of its own; lanes share a key's elements. In the end the warps'
// parts are put together in order.
#include "kernels/cuda/attention.cuh"

namespace {

enum { WARPS = 4, THREADS = WARPS * WARP, WIDTH = 256, OWN = WIDTH / WARP };

// Columns of a lane: four at a time, 4 * lane + 128 * i. `aligned`: rows begin at multiples of four elements.
template <class T>
__device__ __forceinline__ void load_own(float (&x)[OWN], const T *row, int d, int lane, bool aligned) {
#pragma unroll
    for (int i = 0; i < OWN / 4; ++i) {
        const int c = 4 * lane + 4 * WARP * i;
        const float4x v = load4(row + c, aligned && c + 4 <= d, d - c);
        for (int j = 0; j < 4; ++j) x[4 * i + j] = v.v[j];
    }
}

template <class T> __global__ void decode(tt_attention_decode p, bias_plan bias, bool aligned) {
    TT_SHARED(float, tops, WARPS);
    TT_SHARED(float, sums, WARPS);
    TT_SHARED(float, parts, WARPS *WIDTH);
    const int slot = blockIdx.x, head = blockIdx.y, n = p.length[slot];
    const int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
    const int64_t column = static_cast<int64_t>(head) * p.d_kv, first = p.start[slot];
    const T *k = static_cast<const T *>(p.k) + first * p.ldkv + column;
    const T *v = static_cast<const T *>(p.v) + first * p.ldkv + column;
    float q[OWN], out[OWN] = {}, top = -INFINITY, sum = 0;
    load_own(
        q, static_cast<const T *>(p.q) + static_cast<int64_t>(slot) * p.ldq + column, p.d_kv, lane, aligned);
    for (int key = warp; key < n; key += WARPS) {
        float x[OWN], score = 0;
        load_own(x, k + static_cast<int64_t>(key) * p.ldkv, p.d_kv, lane, aligned);
#pragma unroll
        for (int i = 0; i < OWN; ++i) score += q[i] * x[i];
        score = warp_sum(score);
        if (bias.table) score += bias.table[bucket_of(bias, key - (n - 1)) * p.heads + head];
        const float high = fmaxf(top, score), scale = expf(top - high), weight = expf(score - high);
        load_own(x, v + static_cast<int64_t>(key) * p.ldkv, p.d_kv, lane, aligned);
        sum = sum * scale + weight;
#pragma unroll
        for (int i = 0; i < OWN; ++i) out[i] = out[i] * scale + weight * x[i];
        top = high;
    }
    if (lane == 0) tops[warp] = top, sums[warp] = sum;
#pragma unroll
    for (int i = 0; i < OWN; ++i) parts[warp * WIDTH + 4 * lane + 4 * WARP * (i / 4) + i % 4] = out[i];
    __syncthreads();
    float most = tops[0], total = 0;
    for (int w = 1; w < WARPS; ++w) most = fmaxf(most, tops[w]);
    for (int w = 0; w < WARPS; ++w) total += sums[w] * expf(tops[w] - most);
    T *to = static_cast<T *>(p.out) + static_cast<int64_t>(slot) * p.ldo + column;
    for (int c = threadIdx.x; c < p.d_kv; c += THREADS) {
        float x = 0;
        for (int w = 0; w < WARPS; ++w) x += parts[w * WIDTH + c] * expf(tops[w] - most);
        to[c] = from_float<T>(x / total);
    }
}

template <class T> tt_status run(tt_device *device, const tt_attention_decode *p, const bias_plan *bias) {
    const uintptr_t pointers = reinterpret_cast<uintptr_t>(p->q) | reinterpret_cast<uintptr_t>(p->k) |
                               reinterpret_cast<uintptr_t>(p->v);
    const bool aligned =
        p->d_kv % 4 == 0 && p->ldq % 4 == 0 && p->ldkv % 4 == 0 && pointers % (4 * sizeof(T)) == 0;
    const dim3 grid(static_cast<unsigned>(p->slots), static_cast<unsigned>(p->heads));
    TT_CUDA(
        TT_LAUNCH((decode<T>), grid, THREADS, 0, tt_stream(device), *p, *bias, aligned), "attention_decode");
    return TT_OK;
}

} // namespace

tt_status tt_cuda_attention_decode(tt_device *device, const tt_attention_decode *t) {
    if (t->heads < 1 || t->d_kv < 1)
        return tt_fail(TT_ERR_INPUT, "attention_decode: %d heads of d_kv %d; both must be at least 1",
            t->heads, t->d_kv);
    if (t->d_kv > WIDTH)
        return tt_fail(TT_ERR_UNSUPPORTED, "attention_decode: d_kv %d; device cuda takes up to %d", t->d_kv,
            static_cast<int>(WIDTH));
    if (t->slots < 1)
        return tt_fail(TT_ERR_INPUT, "attention_decode: %d slots; expected at least 1", t->slots);
    if (t->bias && (t->buckets < 4 || t->buckets % 2 || t->max_distance <= t->buckets / 2))
        return tt_fail(TT_ERR_INPUT,
            "attention_decode: %d buckets up to distance %d; expected an even number >= 4 and a distance "
            "above "
            "half of it",
            t->buckets, t->max_distance);
    if (t->shared && !t->bias) return tt_cuda_attention_decode_shared(device, t);
    bias_plan bias = {};
    if (t->bias) {
        tt_attention of = {};
        of.bias = t->bias, of.buckets = t->buckets, of.heads = t->heads, of.max_distance = t->max_distance;
        TT_TRY(tt_cuda_bias_plan(device, &of, &bias));
    }
    return TT_BY_OPERAND(device, run, device, t, &bias);
}
