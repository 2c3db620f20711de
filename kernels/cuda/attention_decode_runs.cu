// Attention of one query per slot over a K/V cache on tensor cores, for bf16 and heads of 64 or 128. Neighbouring slots
// that read the same keys (samples of one prompt) are a run, the columns of one product: the keys are read once for all
// of them. Runs do not cross groups of 8 slots. A block takes runs of a group, for one head; its warps take tiles of 16
// keys in turn, each with its own running maximum, sum and output, which are merged at the end.
//
// Products are transposed: scores are K Q^T, and the output is V^T P^T. Keys and values come from memory into the layout
// of fragments (mma.cuh) without shared memory: a product does not depend on the order of what it sums over, and rows may
// have any names. So a lane's 16 bytes of a row of K are the elements 2t, 2t + 1, 2t + 8, 2t + 9 of two steps; Q is
// loaded alike. And row g of the j-th half tile of 64 rows of V^T is dimension 8g + j.
#include "kernels/cuda/attention_decode.cuh"
#include "kernels/cuda/mma.cuh"

namespace {

// Of a block: warps for slots that share keys, and for few slots that do not; blocks that take the runs of a group.
enum { GROUP = 8, TILE = 16, WARPS_OF_RUNS = 4, SHARE = 2, WARPS_OF_FEW = 4, BUSY = 8 };

struct words {
    uint32_t w[4];
};
__device__ __forceinline__ words load_words(const bf16 *p) {
    const uint4 x = *reinterpret_cast<const uint4 *>(p);
    return {{x.x, x.y, x.z, x.w}};
}
__device__ __forceinline__ void store_words(bf16 *p, const words &x) {
    *reinterpret_cast<uint4 *>(p) = make_uint4(x.w[0], x.w[1], x.w[2], x.w[3]);
}

// Slots first .. first + rows - 1, all with the same `length` keys.
struct run {
    int first, rows, start, length;
};

// Where a slot's keys and values lie, of one head.
struct key_rows {
    bf16 *cache;
    const bf16 *last; // of the last key, which goes to the cache; or NULL
    const int32_t *table;
    int ld, start, length;

    __device__ __forceinline__ bf16 *at(int key) const {
        const int row = start + key;
        return cache + static_cast<int64_t>(table ? table[row] : row) * ld;
    }
    // N pieces, `step` elements apart, from `column` on; beyond the last key that one's.
    template <int N>
    __device__ __forceinline__ void load(words (&to)[N], int key, int column, int step) const {
        const int there = min(key, length - 1);
        const bf16 *from = last && there == length - 1 ? last : at(there);
#pragma unroll
        for (int i = 0; i < N; ++i) to[i] = load_words(from + column + i * step);
    }
    // The last key's row to the cache, by D / 8 lanes.
    template <int D> __device__ __forceinline__ void put_last(int lane) const {
        if (last && lane < D / 8) store_words(at(length - 1) + 8 * lane, load_words(last + 8 * lane));
    }
};

// Of slots 2t and 2t + 1 of the run: out[m] has, of both, dimension 8g + 2m and 8g + 2m + 1 (from m = 4 on, + 64).
template <int D> struct state { float out[D / 16][4], top[2], sum[2]; };

// s = log2(e) (q k + bias) of keys g and g + 8; minus infinity beyond the last key.
template <int D>
__device__ __forceinline__ void score_tile(float (&s)[4], const words (&q)[D / 32],
    const words (&k)[2][D / 32], const float (&add)[2], int key0, int length) {
    const int lane = threadIdx.x % WARP, g = lane / 4;
    for (int i = 0; i < 4; ++i) s[i] = 0;
#pragma unroll
    for (int i = 0; i < D / 32; ++i)
#pragma unroll
        for (int h = 0; h < 4; h += 2) {
            const fragment_a<bf16> a = {
                {{k[0][i].w[h]}, {k[1][i].w[h]}, {k[0][i].w[h + 1]}, {k[1][i].w[h + 1]}}};
            const fragment_b<bf16> b = {{{q[i].w[h]}, {q[i].w[h + 1]}}};
            mma(s, a, b, lane);
        }
#pragma unroll
    for (int i = 0; i < 4; ++i)
        s[i] = key0 + g + i / 2 * 8 < length ? TT_LOG2E * (s[i] + add[i / 2]) : -INFINITY;
}

// s becomes 2^(s - largest so far).
template <int D> __device__ __forceinline__ void soften(float (&s)[4], state<D> *r) {
#pragma unroll
    for (int e = 0; e < 2; ++e) {
        float high = fmaxf(r->top[e], fmaxf(s[e], s[e + 2]));
        for (int step = 4; step < WARP; step *= 2)
            high = fmaxf(high, __shfl_xor_sync(TT_ALL_LANES, high, step));
        const float factor = power_of_two(r->top[e] - high);
        r->top[e] = high;
        s[e] = power_of_two(s[e] - high), s[e + 2] = power_of_two(s[e + 2] - high);
        r->sum[e] = r->sum[e] * factor + s[e] + s[e + 2];
#pragma unroll
        for (int m = 0; m < D / 16; ++m) r->out[m][e] *= factor, r->out[m][e + 2] *= factor;
    }
}

template <int D>
__device__ __forceinline__ void add_values(state<D> *r, const float (&s)[4], const words (&v)[4][D / 64]) {
    const int lane = threadIdx.x % WARP;
    const fragment_b<bf16> b = {
        {{transposed(pack2(s[0], s[1]), lane)}, {transposed(pack2(s[2], s[3]), lane)}}};
#pragma unroll
    for (int m = 0; m < D / 16; ++m) {
        const int i = m / 4, w = m % 4;
        const fragment_a<bf16> a = {{{__byte_perm(v[0][i].w[w], v[1][i].w[w], 0x5410)},
            {__byte_perm(v[0][i].w[w], v[1][i].w[w], 0x7632)},
            {__byte_perm(v[2][i].w[w], v[3][i].w[w], 0x5410)},
            {__byte_perm(v[2][i].w[w], v[3][i].w[w], 0x7632)}}};
        mma(r->out[m], a, b, lane);
    }
}

// The warp's tiles of keys.
template <int D, int WARPS>
__device__ __forceinline__ void attend(state<D> *r, const words (&q)[D / 32], const key_rows &k,
    const key_rows &v, const bias_plan &bias, int head) {
    const int lane = threadIdx.x % WARP, g = lane / 4, t = lane % 4;
    for (int key0 = threadIdx.x / WARP * TILE; key0 < k.length; key0 += WARPS * TILE) {
        // All is asked for before any of it is used.
        int bucket[2] = {0, 0};
        words keys[2][D / 32], values[4][D / 64];
        float add[2] = {0, 0}, s[4];
#pragma unroll
        for (int n = 0; n < 2; ++n)
            if (bias.table) bucket[n] = bucket_of(bias, min(key0 + g + 8 * n - (k.length - 1), 0));
#pragma unroll
        for (int n = 0; n < 2; ++n) k.load(keys[n], key0 + 8 * n + g, 8 * t, 32);
#pragma unroll
        for (int n = 0; n < 4; ++n) v.load(values[n], key0 + 2 * t + n % 2 + n / 2 * 8, 8 * g, 64);
#pragma unroll
        for (int n = 0; n < 2; ++n)
            if (bias.table) add[n] = bias.table[bucket[n] * bias.heads + head];
        score_tile<D>(s, q, keys, add, key0, k.length);
        soften<D>(s, r);
        add_values<D>(r, s, values);
    }
#pragma unroll
    for (int e = 0; e < 2; ++e)
        for (int step = 4; step < WARP; step *= 2)
            r->sum[e] += __shfl_xor_sync(TT_ALL_LANES, r->sum[e], step);
}

template <int D, int WARPS> struct memory {
    static constexpr int ld = D + 4;
    float tops[WARPS][GROUP], sums[WARPS][GROUP], out[WARPS][GROUP * ld];
};

// What the warps have found becomes the slots' output.
template <int D, int WARPS>
__device__ __forceinline__ void merge(
    memory<D, WARPS> *m, const state<D> &r, const run &of, bf16 *out, int ldo) {
    constexpr int ld = memory<D, WARPS>::ld;
    const int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP, g = lane / 4, t = lane % 4;
    const int parts = min((of.length + TILE - 1) / TILE, static_cast<int>(WARPS));
#pragma unroll
    for (int e = 0; e < 2; ++e) {
        const int row = 2 * t + e;
        if (warp >= parts || row >= of.rows) continue;
        if (g == 0) m->tops[warp][row] = r.top[e], m->sums[warp][row] = r.sum[e];
#pragma unroll
        for (int i = 0; i < D / 16; i += 2)
            store4(&m->out[warp][row * ld + 8 * g + i / 4 * 64 + i % 4 * 2],
                {r.out[i][e], r.out[i][e + 2], r.out[i + 1][e], r.out[i + 1][e + 2]}, true, 4);
    }
    __syncthreads();
    for (int i = threadIdx.x; i < of.rows * (D / 2); i += WARPS * WARP) {
        const int row = i / (D / 2), column = i % (D / 2) * 2;
        float most = m->tops[0][row], total = 0, low = 0, high = 0;
        for (int w = 1; w < parts; ++w) most = fmaxf(most, m->tops[w][row]);
        for (int w = 0; w < parts; ++w) {
            const float factor = power_of_two(m->tops[w][row] - most);
            total += m->sums[w][row] * factor;
            low += m->out[w][row * ld + column] * factor;
            high += m->out[w][row * ld + column + 1] * factor;
        }
        store_pair(out + static_cast<int64_t>(of.first + row) * ldo + column, low / total, high / total);
    }
    __syncthreads();
}

// The blocks of a group take its runs in turn.
template <int D, int WARPS>
__global__ void __launch_bounds__(WARPS *WARP, 64 * 24 / (D * WARPS))
    decode_runs(tt_attention_decode p, bias_plan bias) {
    using block_memory = memory<D, WARPS>;
    TT_SHARED(block_memory, m, 1);
    const int lane = threadIdx.x % WARP, g = lane / 4, t = lane % 4, head = blockIdx.x;
    const int first = blockIdx.y * GROUP, slots = min(static_cast<int>(GROUP), p.slots - first);
    const int slot = first + min(lane, slots - 1), start = p.start[slot], length = p.length[slot];
    const int start_before = __shfl_up_sync(TT_ALL_LANES, start, 1),
              length_before = __shfl_up_sync(TT_ALL_LANES, length, 1);
    const bool apart = p.table || p.new_k || p.bias;
    unsigned begins = __ballot_sync(TT_ALL_LANES,
        lane < slots && (lane == 0 || apart || start != start_before || length != length_before));
    const int64_t column = static_cast<int64_t>(head) * D;
    int others = blockIdx.z; // runs that other blocks take before the next of this one
    while (begins) {
        const int at = __ffs(static_cast<int>(begins)) - 1;
        begins &= begins - 1;
        if (others-- > 0) continue;
        others = gridDim.z - 1;
        const int end = begins ? __ffs(static_cast<int>(begins)) - 1 : slots;
        const run of = {first + at, end - at, p.start[first + at], p.length[first + at]};
        words q[D / 32];
#pragma unroll
        for (int j = 0; j < D / 32; ++j) {
            q[j] = words();
            if (g < of.rows)
                q[j] = load_words(static_cast<const bf16 *>(p.q) +
                                  static_cast<int64_t>(of.first + g) * p.ldq + column + 8 * t + 32 * j);
        }
        key_rows k = {static_cast<bf16 *>(p.k) + column, nullptr, p.table, p.ldkv, of.start, of.length},
                 v = k;
        v.cache = static_cast<bf16 *>(p.v) + column;
        if (p.new_k) {
            const int64_t row = static_cast<int64_t>(of.first) * p.ldq + column;
            k.last = static_cast<const bf16 *>(p.new_k) + row;
            v.last = static_cast<const bf16 *>(p.new_v) + row;
        }
        state<D> r = {{}, {-INFINITY, -INFINITY}, {0, 0}};
        attend<D, WARPS>(&r, q, k, v, bias, head);
        if (threadIdx.x < WARP) k.template put_last<D>(lane), v.template put_last<D>(lane);
        merge<D, WARPS>(m, r, of, static_cast<bf16 *>(p.out) + column, p.ldo);
    }
}

template <int D, int WARPS>
tt_status launch(tt_device *device, const tt_attention_decode *p, const bias_plan *bias, int blocks) {
    const dim3 grid(static_cast<unsigned>(p->heads), static_cast<unsigned>(tt_ceil_div(p->slots, GROUP)),
        static_cast<unsigned>(blocks));
    TT_CUDA(TT_LAUNCH((decode_runs<D, WARPS>), grid, WARPS * WARP, 0, tt_stream(device), *p, *bias),
        "attention_decode");
    return TT_OK;
}

// Slots with keys of their own have a block each: of one warp if there are enough of them to keep the GPU busy.
template <int D>
tt_status launch_runs(tt_device *device, const tt_attention_decode *p, const bias_plan *bias) {
    if (!(p->bias || p->table || p->new_k)) return launch<D, WARPS_OF_RUNS>(device, p, bias, SHARE);
    const int64_t units = static_cast<int64_t>(p->slots) * p->heads;
    return units < static_cast<int64_t>(BUSY) * tt_cuda_of(device)->processors
               ? launch<D, WARPS_OF_FEW>(device, p, bias, GROUP)
               : launch<D, 1>(device, p, bias, GROUP);
}

} // namespace

bool tt_cuda_decodes_runs(const tt_device *device, const tt_attention_decode *p) {
    const uintptr_t pointers = reinterpret_cast<uintptr_t>(p->q) | reinterpret_cast<uintptr_t>(p->k) |
                               reinterpret_cast<uintptr_t>(p->v) | reinterpret_cast<uintptr_t>(p->new_k) |
                               reinterpret_cast<uintptr_t>(p->new_v) | reinterpret_cast<uintptr_t>(p->out);
    return device->operand_size == sizeof(bf16) && (p->d_kv == 64 || p->d_kv == 128) && p->ldq % 8 == 0 &&
           p->ldkv % 8 == 0 && p->ldo % 8 == 0 && pointers % 16 == 0;
}

tt_status tt_cuda_decode_runs(tt_device *device, const tt_attention_decode *p, const bias_plan *bias) {
    return p->d_kv == 64 ? launch_runs<64>(device, p, bias) : launch_runs<128>(device, p, bias);
}
