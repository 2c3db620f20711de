// Tiles of attention: in shared memory, as fragments of a warp, and products of both.
//
// A block has ROWS rows of its own (queries, or in one kernel keys) and goes through the others in tiles. A warp
// has TILES times 16 of the rows: what it reads of a tile serves them all. Scores are s[TILES][N][4]: N products
// of 8 columns each, in the layout of mma.cuh, for every 16 rows.
#ifndef TT_KERNELS_CUDA_ATTENTION_TILE_CUH
#define TT_KERNELS_CUDA_ATTENTION_TILE_CUH

#include "kernels/cuda/async.cuh"
#include "kernels/cuda/attention.cuh"
#include "kernels/cuda/mma.cuh"

// What a kernel is made for, so that its loop has no more than that. With ANY it looks for itself what there is,
// and rows may begin anywhere; else they begin at multiples of 16 bytes. Causality is a bias.
enum { BIASES = 1, DROPOUT = 2, ANY = 7 };

// A warp has two times 16 rows where registers allow (TWO, heads of up to 64). fp32 is for parity with the CPU.
template <class T, int D, int ROWS, bool TWO> struct block_shape {
    static constexpr bool tensor_cores = sizeof(T) == sizeof(bf16);
    static constexpr int tiles = tensor_cores && D <= 64 && TWO ? 2 : 1, warp_rows = 16 * tiles,
                         warps = ROWS / warp_rows, threads = WARP * warps;
    // Blocks that a multiprocessor's registers should be enough for.
    static constexpr int blocks = (D <= 64 && !tensor_cores ? 12 : 8) / warps;
};

// Rows of tiles in shared memory are 16 bytes longer than D elements, so that a column's elements lie in
// different banks and every row begins at a multiple of 16 bytes.
template <class T, int D> struct tile_shape {
    static constexpr int ld = D + 16 / static_cast<int>(sizeof(T));
};

// tile[i][c] = from[i][c] for i < rows, c < d, else 0; ROWS rows. The copies are asynchronous (async.cuh).
// ALIGNED: `from`, ld and d are multiples of 16 bytes for certain.
template <class T, int D, int ROWS, int THREADS, bool ALIGNED>
__device__ __forceinline__ void fetch_tile(T *tile, const T *from, int ld, int rows, int d) {
    constexpr int chunk = 16 / static_cast<int>(sizeof(T)), per_row = D / chunk, step = THREADS / per_row;
    static_assert(THREADS % per_row == 0 && ROWS % step == 0, "a thread has one column");
    const bool aligned =
        ALIGNED || (d % chunk == 0 && ld % chunk == 0 && reinterpret_cast<uintptr_t>(from) % 16 == 0);
    const int row = static_cast<int>(threadIdx.x) / per_row,
              c = static_cast<int>(threadIdx.x) % per_row * chunk;
    T *to = tile + row * tile_shape<T, D>::ld + c;
    const T *source = from + static_cast<int64_t>(row) * ld + c;
    if (aligned) {
        const int left = c < d ? rows - row : 0;
#pragma unroll
        for (int i = 0; i < ROWS; i += step) {
            copy_async<16>(to + i * tile_shape<T, D>::ld, source, i < left);
            source += static_cast<int64_t>(step) * ld;
        }
        return;
    }
    if constexpr (!ALIGNED) {
#pragma unroll 1
        for (int i = 0; i < ROWS; i += step) {
#pragma unroll 1
            for (int j = 0; j < chunk; ++j)
                to[i * tile_shape<T, D>::ld + j] = row + i < rows && c + j < d ? source[j] : from_float<T>(0);
            source += static_cast<int64_t>(step) * ld;
        }
    }
}

// Rows key0 .. of K and V of a sequence with `keys` rows into two tiles, as one group of copies.
template <class T, int D, int ROWS, int THREADS, bool ALIGNED>
__device__ __forceinline__ void fetch_keys(
    T *k_tile, T *v_tile, const T *k, const T *v, const tt_attention &p, int key0, int keys) {
    fetch_tile<T, D, ROWS, THREADS, ALIGNED>(
        k_tile, k + static_cast<int64_t>(key0) * p.ldk, p.ldk, keys - key0, p.d_kv);
    fetch_tile<T, D, ROWS, THREADS, ALIGNED>(
        v_tile, v + static_cast<int64_t>(key0) * p.ldv, p.ldv, keys - key0, p.d_kv);
    commit_copies();
}

// Ends the use of a tile in stage *stage: behind it the next one is there for all threads. With one stage, `fetch` copies
// it now; with two it is on its way.
template <int STAGES, class Fetch> __device__ __forceinline__ void next_tile(int *stage, const Fetch &fetch) {
    if (STAGES == 2) {
        *stage = 1 - *stage;
    } else {
        __syncthreads(); // the tile has been used
        fetch();
    }
    wait_for_copies<0>();
    __syncthreads();
}

// Left factors from a warp's own rows of a tile: kept in registers, or read from shared memory each time.
template <class T, int D, int TILES, bool KEPT> struct own_rows {
    fragment_a<T> kept[TILES][D / 16];
    __device__ __forceinline__ void open(const T *tile, int row0, int lane) {
#pragma unroll
        for (int m = 0; m < TILES; ++m)
#pragma unroll
            for (int k = 0; k < D / 16; ++k)
                kept[m][k] = load_a(tile, tile_shape<T, D>::ld, row0 + 16 * m, 16 * k, lane);
    }
    __device__ __forceinline__ fragment_a<T> at(int m, int k, int lane) const {
        (void)lane;
        return kept[m][k];
    }
};
template <class T, int D, int TILES> struct own_rows<T, D, TILES, false> {
    const T *tile;
    int row0;
    __device__ __forceinline__ void open(const T *t, int r, int lane) {
        (void)lane;
        tile = t, row0 = r;
    }
    __device__ __forceinline__ fragment_a<T> at(int m, int k, int lane) const {
        return load_a(tile, tile_shape<T, D>::ld, row0 + 16 * m, 16 * k, lane);
    }
};

// sum += the warp's own rows times the transpose of rows of tile b.
template <class T, int D, int TILES, bool KEPT, int N>
__device__ __forceinline__ void rows_times_rows(
    float (&sum)[TILES][N][4], const own_rows<T, D, TILES, KEPT> &own, const T *b, int lane) {
#pragma unroll
    for (int k = 0; k < D / 16; ++k) {
        fragment_a<T> left[TILES];
#pragma unroll
        for (int m = 0; m < TILES; ++m) left[m] = own.at(m, k, lane);
#pragma unroll
        for (int n = 0; n < N; n += 2) {
            const fragment_b2<T> right = load_b2(b, tile_shape<T, D>::ld, 16 * k, 8 * n, lane);
#pragma unroll
            for (int i = 0; i < 2; ++i)
#pragma unroll
                for (int m = 0; m < TILES; ++m) mma(sum[m][n + i], left[m], right.v[i], lane);
        }
    }
}

// sum[., D] += p times the 8 N rows of tile b.
template <class T, int D, int TILES, int N>
__device__ __forceinline__ void product_times_rows(
    float (&sum)[TILES][D / 8][4], const float (&p)[TILES][N][4], const T *b, int lane) {
#pragma unroll
    for (int k = 0; k < N; k += 2) {
        fragment_a<T> left[TILES];
#pragma unroll
        for (int m = 0; m < TILES; ++m) left[m] = as_a<T>(p[m][k], p[m][k + 1]);
#pragma unroll
        for (int n = 0; n < D / 8; n += 2) {
            const fragment_b2<T> right = load_b2_rows(b, tile_shape<T, D>::ld, 8 * k, 8 * n, lane);
#pragma unroll
            for (int i = 0; i < 2; ++i)
#pragma unroll
                for (int m = 0; m < TILES; ++m) mma(sum[m][n + i], left[m], right.v[i], lane);
        }
    }
}

// s = log2(e) s + bias. by[DIRECTION * x] is the bias, times log2(e), of the element x columns to the right of
// row g's and column 2t's; x columns to the right is as x rows up.
template <int DIRECTION, int TILES, int N>
__device__ __forceinline__ void add_biases(float (&s)[TILES][N][4], const float *by) {
#pragma unroll
    for (int x = 1 - 2 * TILES; x < N; ++x) {
        const float even = by[DIRECTION * 8 * x], odd = by[DIRECTION * (8 * x + 1)];
#pragma unroll
        for (int up = 0; up < 2 * TILES; ++up) { // the row is g + 8 up
            const int m = up / 2, n = x + up, i = up % 2 * 2;
            if (n < 0 || n >= N) continue;
            s[m][n][i] = fmaf(s[m][n][i], TT_LOG2E, even);
            s[m][n][i + 1] = fmaf(s[m][n][i + 1], TT_LOG2E, odd);
        }
    }
}

// s = minus infinity in columns from `end` on, which count from 2t.
template <int TILES, int N> __device__ __forceinline__ void hide_columns(float (&s)[TILES][N][4], int end) {
#pragma unroll
    for (int n = 0; n < N; ++n)
#pragma unroll
        for (int i = 0; i < 4; ++i)
            if (8 * n + i % 2 >= end)
                for (int m = 0; m < TILES; ++m) s[m][n][i] = -INFINITY;
}

// The same in rows from `end` on, which count from g.
template <int TILES, int N> __device__ __forceinline__ void hide_rows(float (&s)[TILES][N][4], int end) {
#pragma unroll
    for (int up = 0; up < 2 * TILES; ++up)
        if (8 * up >= end)
            for (int n = 0; n < N; ++n) s[up / 2][n][up % 2 * 2] = s[up / 2][n][up % 2 * 2 + 1] = -INFINITY;
}

// to[first + i, c] = x times `factor` for the warp's rows below `rows`; c < d.
template <class T, int D, int TILES>
__device__ __forceinline__ void store_rows(
    T *to, int ld, const float (&x)[TILES][D / 8][4], float factor, int first, int rows, int d) {
    const int lane = threadIdx.x % WARP, g = lane / 4, t = lane % 4;
    const bool paired = d % 2 == 0 && ld % 2 == 0 && reinterpret_cast<uintptr_t>(to) % (2 * sizeof(T)) == 0;
#pragma unroll
    for (int up = 0; up < 2 * TILES; ++up) {
        const int row = first + g + 8 * up, i = up % 2 * 2;
        if (row >= rows) continue;
        T *target = to + static_cast<int64_t>(row) * ld + 2 * t;
#pragma unroll
        for (int n = 0; n < D / 8; ++n) {
            const int left = d - (8 * n + 2 * t);
            const float even = factor * x[up / 2][n][i], odd = factor * x[up / 2][n][i + 1];
            if (left >= 2 && paired) {
                store_pair(target + 8 * n, even, odd);
            } else {
                if (left >= 1) target[8 * n] = from_float<T>(even);
                if (left >= 2) target[8 * n + 1] = from_float<T>(odd);
            }
        }
    }
}

// ---- host side

// Whether rows of all tensors begin at multiples of 16 bytes.
template <class T> bool rows_aligned(const tt_attention *p) {
    const int chunk = 16 / static_cast<int>(sizeof(T));
    const void *const tensors[] = {p->q, p->k, p->v, p->out, p->dout, p->dq, p->dk, p->dv};
    for (const void *tensor : tensors)
        if (reinterpret_cast<uintptr_t>(tensor) % 16) return false;
    return !(p->d_kv % chunk || p->ldq % chunk || p->ldk % chunk || p->ldv % chunk || p->ldo % chunk);
}

// Launch<T, D, ROWS, USE>::run(device, p, bias) of the kernels for these heads.
template <template <class, int, int, int> class Launch, class T, int D, int ROWS>
tt_status launch_by_use(tt_device *device, const tt_attention *p, const bias_plan &bias) {
    if constexpr (sizeof(T) == sizeof(bf16) && D >= 64 && ROWS == 64) {
        const bool biases = p->bias || p->causal, drops = p->drop.p > 0;
        if (rows_aligned<T>(p)) {
            if (biases && drops) return Launch<T, D, ROWS, BIASES | DROPOUT>::run(device, p, bias);
            if (biases) return Launch<T, D, ROWS, BIASES>::run(device, p, bias);
            if (drops) return Launch<T, D, ROWS, DROPOUT>::run(device, p, bias);
            return Launch<T, D, ROWS, 0>::run(device, p, bias);
        }
    }
    return Launch<T, D, ROWS, ANY>::run(device, p, bias);
}

// A block has 64 rows; of heads of 128 half of that where the GPU has not enough shared memory.
template <template <class, int, int, int> class Launch, class T>
tt_status launch_by_size(tt_device *device, const tt_attention *p, const bias_plan &bias) {
    if (p->d_kv <= 32) return launch_by_use<Launch, T, 32, 64>(device, p, bias);
    if (p->d_kv <= 64) return launch_by_use<Launch, T, 64, 64>(device, p, bias);
    if (Launch<T, 128, 64, ANY>::bytes(p, bias) <= static_cast<size_t>(tt_cuda_of(device)->shared_most))
        return launch_by_use<Launch, T, 128, 64>(device, p, bias);
    return launch_by_use<Launch, T, 128, 32>(device, p, bias);
}

#endif
