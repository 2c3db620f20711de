// Attention of one query per slot where neighbouring slots read the same rows: the samples of one prompt on
// its encoder output. A block has 8 slots of one head, a warp each. If all of them read the same rows, 32
// keys and values at a time are brought to shared memory once; else each warp reads its own, in the same
// order of additions.
//
// Of 32 keys each lane has one: q k without exchange. Of the values each lane has columns.
#include "kernels/cuda/attention.cuh"

namespace {

enum { WARPS = 8, THREADS = WARPS * WARP, WIDTH = 256, OWN = WIDTH / WARP, TILE = WARP, PAD = 8 };

struct layout {
    int ld;       // of a staged row, in elements
    bool aligned; // rows begin at multiples of four elements
};

// Rows first .. first + n of k and v, `head`'s columns, to shared memory.
template <class T>
__device__ __forceinline__ void stage(
    T *tile, const T *rows, const tt_attention_decode &p, const layout &l, int64_t first, int n) {
    const int chunks = (p.d_kv + 3) / 4;
    for (int i = threadIdx.x; i < n * chunks; i += THREADS) {
        const int row = i / chunks, c = 4 * (i % chunks), left = p.d_kv - c;
        const bool whole = l.aligned && left >= 4;
        store4(tile + row * l.ld + c, load4(rows + (first + row) * p.ldkv + c, whole, left), whole, left);
    }
}

// What a warp has so far: running maximum and sum (the same in all lanes), and the lane's columns of the
// output.
struct running {
    float top, sum, out[OWN];
};

// Keys 0 .. n of at most TILE: rows `ld` apart.
template <class T>
__device__ __forceinline__ void attend(
    running *r, const float *q, const T *k, const T *v, int64_t ld, int n, int d, bool aligned) {
    const int lane = threadIdx.x % WARP;
    float score = -INFINITY;
    if (lane < n) {
        score = 0;
        for (int c = 0; c < d; c += 4) {
            const float4x x = load4(k + lane * ld + c, aligned && c + 4 <= d, d - c);
            for (int j = 0; j < 4; ++j)
                if (c + j < d) score += q[c + j] * x.v[j];
        }
    }
    const float top = fmaxf(r->top, warp_max(score)), scale = expf(r->top - top), weight = expf(score - top);
    r->sum = r->sum * scale + warp_sum(weight);
    r->top = top;
#pragma unroll
    for (int i = 0; i < OWN; ++i) r->out[i] *= scale;
    for (int key = 0; key < n; ++key) {
        const float w = __shfl_sync(TT_ALL_LANES, weight, key);
#pragma unroll
        for (int i = 0; i < OWN; ++i) {
            const int c = lane + WARP * i;
            if (c < d) r->out[i] += w * to_float(v[key * ld + c]);
        }
    }
}

template <class T> __global__ void decode_shared(tt_attention_decode p, layout l) {
    TT_SHARED_DYNAMIC(float, memory);
    const int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
    const int first_slot = blockIdx.x * WARPS, slot = first_slot + warp, head = blockIdx.y, d = p.d_kv;
    float *q = memory + warp * d;
    T *k_tile = reinterpret_cast<T *>(memory + WARPS * ((d + 3) / 4 * 4)), *v_tile = k_tile + TILE * l.ld;
    const int64_t column = static_cast<int64_t>(head) * d;
    const T *k = static_cast<const T *>(p.k) + column, *v = static_cast<const T *>(p.v) + column;
    const bool here = slot < p.slots;
    const int n = here ? p.length[slot] : 0;
    const int64_t first = here ? p.start[slot] : 0;
    bool same = true;
    for (int s = first_slot + 1; s < first_slot + WARPS && s < p.slots; ++s)
        same = same && p.start[s] == p.start[first_slot] && p.length[s] == p.length[first_slot];
    if (here)
        for (int c = lane; c < d; c += WARP)
            q[c] = to_float(static_cast<const T *>(p.q)[static_cast<int64_t>(slot) * p.ldq + column + c]);
    __syncwarp();
    running r = {-INFINITY, 0, {}};
    if (same) {
        const int most = p.length[first_slot];
        const int64_t from = p.start[first_slot];
        for (int key = 0; key < most; key += TILE) {
            const int keys = min(most - key, static_cast<int>(TILE));
            __syncthreads();
            stage(k_tile, k, p, l, from + key, keys);
            stage(v_tile, v, p, l, from + key, keys);
            __syncthreads();
            if (here) attend(&r, q, k_tile, v_tile, l.ld, keys, d, l.aligned);
        }
    } else {
        for (int key = 0; key < n; key += TILE)
            attend(&r, q, k + (first + key) * p.ldkv, v + (first + key) * p.ldkv, p.ldkv,
                min(n - key, static_cast<int>(TILE)), d, l.aligned);
    }
    if (!here) return;
    T *to = static_cast<T *>(p.out) + static_cast<int64_t>(slot) * p.ldo + column;
#pragma unroll
    for (int i = 0; i < OWN; ++i)
        if (lane + WARP * i < d) to[lane + WARP * i] = from_float<T>(r.out[i] / r.sum);
}

template <class T> tt_status run(tt_device *device, const tt_attention_decode *p) {
    const uintptr_t pointers = reinterpret_cast<uintptr_t>(p->k) | reinterpret_cast<uintptr_t>(p->v);
    const layout l = {
        (p->d_kv + 3) / 4 * 4 + PAD, p->d_kv % 4 == 0 && p->ldkv % 4 == 0 && pointers % (4 * sizeof(T)) == 0};
    const size_t bytes = static_cast<size_t>(WARPS * ((p->d_kv + 3) / 4 * 4)) * sizeof(float) +
                         static_cast<size_t>(2 * TILE * l.ld) * sizeof(T);
    TT_ALLOW_SHARED(decode_shared<T>, bytes, "attention_decode");
    const dim3 grid(static_cast<unsigned>(tt_ceil_div(p->slots, WARPS)), static_cast<unsigned>(p->heads));
    TT_CUDA(
        TT_LAUNCH((decode_shared<T>), grid, THREADS, bytes, tt_stream(device), *p, l), "attention_decode");
    return TT_OK;
}

} // namespace

tt_status tt_cuda_attention_decode_shared(tt_device *device, const tt_attention_decode *t) {
    return TT_BY_OPERAND(device, run, device, t);
}
