// Attention of one query per slot over a K/V cache: one block per slot and head. A group of lanes reads a
// key, 16 bytes each; the groups take keys in turn, each with its own running maximum, sum and output. At the
// end the groups of a warp are merged, then the warps in order.
// For fp32 and for heads that tensor cores do not take; attention_decode_runs.cu is for those that they do.
#include "kernels/cuda/attention_decode.cuh"

namespace {

enum { WARPS = 4, THREADS = WARPS * WARP, WIDTH = 256, AT_ONCE = 2 };

// A group's running softmax(scores) v; `out` is the lane's part of it.
template <class T, int PIECES> struct running {
    float top, sum;
    piece<T> out[PIECES];

    __device__ __forceinline__ void scale(float to_top) {
        const float factor = expf(top - to_top);
        sum *= factor;
#pragma unroll
        for (int i = 0; i < PIECES; ++i)
#pragma unroll
            for (int j = 0; j < piece<T>::size; ++j) out[i][j] *= factor;
        top = to_top;
    }
};

// Elements of a row that belong to a lane: pieces part, part + LANES, ...
template <class T, int LANES, int PIECES>
__device__ __forceinline__ void load_own(piece<T> (&x)[PIECES], const T *row, int d, int part, bool aligned) {
    constexpr int P = piece<T>::size;
#pragma unroll
    for (int i = 0; i < PIECES; ++i) {
        const int c = P * (part + LANES * i);
        x[i] = piece<T>();
        if (c < d) load_piece(&x[i], row + c, aligned, d - c);
    }
}

template <class T, int LANES, int PIECES>
__global__ void __launch_bounds__(THREADS) decode(tt_attention_decode p, bias_plan bias, bool aligned) {
    constexpr int P = piece<T>::size, GROUPS = WARP / LANES;
    TT_SHARED(float, tops, WARPS);
    TT_SHARED(float, sums, WARPS);
    TT_SHARED(float, parts, WARPS *WIDTH);
    const int slot = blockIdx.x, head = blockIdx.y, n = p.length[slot];
    const int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP, group = lane / LANES, part = lane % LANES;
    const int64_t column = static_cast<int64_t>(head) * p.d_kv;
    const int first = p.start[slot];
    const int64_t own = static_cast<int64_t>(slot) * p.ldq + column;
    T *k = static_cast<T *>(p.k) + column, *v = static_cast<T *>(p.v) + column;
    const T *new_k = static_cast<const T *>(p.new_k), *new_v = static_cast<const T *>(p.new_v);
    piece<T> q[PIECES];
    load_own<T, LANES>(q, static_cast<const T *>(p.q) + own, p.d_kv, part, aligned);
    running<T, PIECES> r = {-INFINITY, 0, {}};
    for (int base = 0; base < n; base += AT_ONCE * WARPS * GROUPS) {
        piece<T> keys[AT_ONCE][PIECES], values[AT_ONCE][PIECES];
        float score[AT_ONCE], high = r.top;
#pragma unroll
        for (int u = 0; u < AT_ONCE; ++u) {
            const int key = base + (u * WARPS + warp) * GROUPS + group;
            const int at = first + min(key, n - 1);
            const int64_t row = static_cast<int64_t>(p.table ? p.table[at] : at) * p.ldkv;
            const bool last = new_k && key >= n - 1;
            load_own<T, LANES>(keys[u], last ? new_k + own : k + row, p.d_kv, part, aligned);
            load_own<T, LANES>(values[u], last ? new_v + own : v + row, p.d_kv, part, aligned);
            score[u] = bias.table ? bias.table[bucket_of(bias, key - (n - 1)) * p.heads + head] : 0;
        }
#pragma unroll
        for (int u = 0; u < AT_ONCE; ++u) {
            float product = 0;
#pragma unroll
            for (int i = 0; i < PIECES; ++i)
#pragma unroll
                for (int j = 0; j < P; ++j) product += q[i][j] * keys[u][i][j];
            for (int step = LANES / 2; step > 0; step /= 2)
                product += __shfl_xor_sync(TT_ALL_LANES, product, step);
            score[u] = base + (u * WARPS + warp) * GROUPS + group < n ? score[u] + product : -INFINITY;
            high = fmaxf(high, score[u]);
        }
        if (base + warp * GROUPS + group >= n) continue; // no key for this group
        r.scale(high);
#pragma unroll
        for (int u = 0; u < AT_ONCE; ++u) {
            const float weight = expf(score[u] - high);
            r.sum += weight;
#pragma unroll
            for (int i = 0; i < PIECES; ++i)
#pragma unroll
                for (int j = 0; j < P; ++j) r.out[i][j] += weight * values[u][i][j];
        }
    }
    for (int step = LANES; step < WARP; step *= 2) {
        const float other_top = __shfl_xor_sync(TT_ALL_LANES, r.top, step);
        const float high = fmaxf(r.top, other_top), base = high == -INFINITY ? 0 : high;
        r.scale(base);
        r.sum += __shfl_xor_sync(TT_ALL_LANES, r.sum, step);
#pragma unroll
        for (int i = 0; i < PIECES; ++i)
#pragma unroll
            for (int j = 0; j < P; ++j) r.out[i][j] += __shfl_xor_sync(TT_ALL_LANES, r.out[i][j], step);
        r.top = high;
    }
    if (lane == 0) tops[warp] = r.top, sums[warp] = r.sum;
    if (group == 0) {
#pragma unroll
        for (int i = 0; i < PIECES; ++i)
            store_floats(parts + warp * WIDTH + P * (part + LANES * i), r.out[i], true, P);
    }
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
    if (!new_k) return;
    const int at = first + n - 1;
    const int64_t row = static_cast<int64_t>(p.table ? p.table[at] : at) * p.ldkv;
    for (int c = threadIdx.x; c < p.d_kv; c += THREADS)
        k[row + c] = new_k[own + c], v[row + c] = new_v[own + c];
}

template <class T, int LANES, int PIECES>
tt_status launch_decode(tt_device *device, const tt_attention_decode *p, const bias_plan *bias) {
    const uintptr_t pointers = reinterpret_cast<uintptr_t>(p->q) | reinterpret_cast<uintptr_t>(p->k) |
                               reinterpret_cast<uintptr_t>(p->v) | reinterpret_cast<uintptr_t>(p->new_k) |
                               reinterpret_cast<uintptr_t>(p->new_v);
    constexpr int P = piece<T>::size;
    const bool aligned = p->d_kv % P == 0 && p->ldq % P == 0 && p->ldkv % P == 0 && pointers % 16 == 0;
    const dim3 grid(static_cast<unsigned>(p->slots), static_cast<unsigned>(p->heads));
    TT_CUDA(TT_LAUNCH((decode<T, LANES, PIECES>), grid, THREADS, 0, tt_stream(device), *p, *bias, aligned),
        "attention_decode");
    return TT_OK;
}

template <class T>
tt_status run_decode(tt_device *device, const tt_attention_decode *p, const bias_plan *bias) {
    const int pieces = tt_ceil_div(p->d_kv, piece<T>::size);
    if (pieces <= 4) return launch_decode<T, 4, 1>(device, p, bias);
    if (pieces <= 8) return launch_decode<T, 8, 1>(device, p, bias);
    if (pieces <= 16) return launch_decode<T, 16, 1>(device, p, bias);
    if (pieces <= 32) return launch_decode<T, 32, 1>(device, p, bias);
    return launch_decode<T, 32, 2>(device, p, bias);
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
    if (t->bias && (t->buckets < 4 || t->buckets % 2 || t->buckets > ATTENTION_BUCKETS ||
                       t->max_distance <= t->buckets / 2))
        return tt_fail(TT_ERR_INPUT,
            "attention_decode: %d buckets up to distance %d; expected an even number >= 4 and a distance "
            "above "
            "half of it",
            t->buckets, t->max_distance);
    bias_plan bias = {};
    if (t->bias) {
        tt_attention attention = {};
        attention.bias = t->bias, attention.buckets = t->buckets, attention.heads = t->heads,
        attention.max_distance = t->max_distance;
        TT_TRY(tt_cuda_bias_plan(device, &attention, &bias));
    }
    if (tt_cuda_decodes_runs(device, t)) return tt_cuda_decode_runs(device, t, &bias);
    return TT_BY_OPERAND(device, run_decode, device, t, &bias);
}
