// Shared by attention's kernels: tiles, biases by distance, dropout of probabilities, checks.
//
// Self-attention's bias depends on the distance between key and query alone: a block has a short table of it
// in shared memory; the matrix of biases never exists. Scores are kept times log2(e), so that probabilities
// are powers of two.
#ifndef TT_KERNELS_CUDA_ATTENTION_CUH
#define TT_KERNELS_CUDA_ATTENTION_CUH

#include "kernels/cuda/async.cuh"
#include "kernels/cuda/dropout.cuh"
#include "kernels/cuda/mma.cuh"

// Checks what can be checked without reading device memory.
tt_status tt_cuda_attention_check(const tt_attention *t);

// Errors: TT_ERR_UNSUPPORTED for more shared memory than the GPU has; tables of biases grow with the
// distances and lengths.
tt_status tt_cuda_attention_fits(tt_device *device, const tt_attention *t, size_t bytes);

// Biases as kernels see them. Buckets by distance come from a table of the host (tt_relative_bucket): a
// logarithm of the GPU could fall into the neighbouring bucket.
struct bias_plan {
    const float *table;    // [buckets, heads] or NULL
    const uint8_t *bucket; // [max_distance + 1]: of distance |key - query|; kept with the device
    const int32_t *begin;  // [buckets of one side + 1]: the least distance in a bucket or behind it
    int buckets, heads, max_distance;
    int reach; // all distances of the batch from here on are in one bucket, or there are none
    bool bidirectional;
};
tt_status tt_cuda_bias_plan(tt_device *device, const tt_attention *t, bias_plan *out);

static __device__ __forceinline__ int bucket_of(const bias_plan &plan, int key_minus_query) {
    const int away = plan.bidirectional ? abs(key_minus_query) : max(-key_minus_query, 0);
    const int bucket = plan.bucket[min(away, plan.max_distance)];
    return plan.bidirectional && key_minus_query > 0 ? bucket + plan.buckets / 2 : bucket;
}

enum { ATTENTION_THREADS = 128, ATTENTION_WARPS = ATTENTION_THREADS / WARP };
#define TT_LOG2E 1.4426950408889634f

// Rows of tiles in shared memory are 16 bytes longer than D elements, so that a column's elements lie in
// different banks and every row begins at a multiple of 16 bytes.
template <class T, int D> struct tile_shape {
    static constexpr int ld = D + 16 / static_cast<int>(sizeof(T));
};

// tile[i][c] = from[i][c] for i < rows, c < d, else 0; ROWS rows. The copies are asynchronous (async.cuh).
template <class T, int D, int ROWS>
__device__ __forceinline__ void fetch_tile(T *tile, const T *from, int ld, int rows, int d) {
    constexpr int chunk = 16 / static_cast<int>(sizeof(T)), per_row = D / chunk;
    const bool aligned = d % chunk == 0 && ld % chunk == 0 && reinterpret_cast<uintptr_t>(from) % 16 == 0;
    for (int i = threadIdx.x; i < ROWS * per_row; i += ATTENTION_THREADS) {
        const int row = i / per_row, c = i % per_row * chunk;
        T *to = tile + row * tile_shape<T, D>::ld + c;
        const bool there = row < rows && c < d;
        const T *source = from + (there ? static_cast<int64_t>(row) * ld + c : 0);
        if (aligned) {
            copy_async<16>(to, source, there);
        } else {
            for (int j = 0; j < chunk; ++j) to[j] = row < rows && c + j < d ? source[j] : from_float<T>(0);
        }
    }
}

// Rows key0 .. of K and V of a sequence with `keys` rows into two tiles, as one group of copies.
template <class T, int D, int ROWS>
__device__ __forceinline__ void fetch_keys(
    T *k_tile, T *v_tile, const T *k, const T *v, const tt_attention &p, int key0, int keys) {
    fetch_tile<T, D, ROWS>(k_tile, k + static_cast<int64_t>(key0) * p.ldk, p.ldk, keys - key0, p.d_kv);
    fetch_tile<T, D, ROWS>(v_tile, v + static_cast<int64_t>(key0) * p.ldv, p.ldv, keys - key0, p.d_kv);
    commit_copies();
}

// sum[16 rows, COLUMNS] += rows row0 .. of `a` times the transpose of `b`'s rows: both tiles of width D.
template <class T, int D, int COLUMNS>
__device__ __forceinline__ void rows_times_rows(
    float (&sum)[COLUMNS / 8][4], const T *a, int row0, const T *b, int lane) {
    constexpr int ld = tile_shape<T, D>::ld;
#pragma unroll
    for (int k = 0; k < D; k += 16) {
        const fragment_a<T> left = load_a(a, ld, row0, k, lane);
#pragma unroll
        for (int n = 0; n < COLUMNS / 8; n += 2) {
            const fragment_b2<T> right = load_b2(b, ld, k, 8 * n, lane);
            mma(sum[n], left, right.v[0], lane);
            mma(sum[n + 1], left, right.v[1], lane);
        }
    }
}

// sum[16 rows, D] += p[16 rows, K] times the K rows of tile b.
template <class T, int D, int K>
__device__ __forceinline__ void product_times_rows(
    float (&sum)[D / 8][4], const float (&p)[K / 8][4], const T *b, int lane) {
    constexpr int ld = tile_shape<T, D>::ld;
#pragma unroll
    for (int k = 0; k < K; k += 16) {
        const fragment_a<T> left = as_a<T>(p[k / 8], p[k / 8 + 1]);
#pragma unroll
        for (int n = 0; n < D / 8; n += 2) {
            const fragment_b2<T> right = load_b2_rows(b, ld, k, 8 * n, lane);
            mma(sum[n], left, right.v[0], lane);
            mma(sum[n + 1], left, right.v[1], lane);
        }
    }
}

// to[first + i, c] = x, the layout of products, for the 16 rows of a warp that are below `rows`; c < d.
template <class T, int D>
__device__ __forceinline__ void store_rows(
    T *to, int ld, const float (&x)[D / 8][4], int first, int rows, int d, int lane) {
    const int g = lane / 4, t = lane % 4;
    const bool paired = d % 2 == 0 && ld % 2 == 0 && reinterpret_cast<uintptr_t>(to) % (2 * sizeof(T)) == 0;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        const int row = first + g + 8 * half;
        if (row >= rows) continue;
        T *target = to + static_cast<int64_t>(row) * ld + 2 * t;
#pragma unroll
        for (int n = 0; n < D / 8; ++n) {
            const int left = d - (8 * n + 2 * t);
            if (left >= 2 && paired)
                store_pair(target + 8 * n, x[n][2 * half], x[n][2 * half + 1]);
            else
                for (int j = 0; j < 2 && j < left; ++j) target[8 * n + j] = from_float<T>(x[n][2 * half + j]);
        }
    }
}

// ---- biases and sums by distance
//
// Both live in shared memory by key - query. A pair of tiles of QUERIES and KEYS sees the distances from
// offset - (QUERIES - 1) to offset + KEYS - 1, offset being the distance of their first rows. Where all of
// them are beyond `reach`, another offset with the same biases is taken, so that the tables are short however
// long the texts.

template <int QUERIES, int KEYS> struct distances {
    // Table entries: distance x is at middle + x.
    static __host__ __device__ __forceinline__ int middle(int reach) { return reach + KEYS + QUERIES; }
    static __host__ __device__ __forceinline__ int size(int reach) { return 2 * middle(reach) + 1; }
    static __device__ __forceinline__ int clamped(int offset, int reach) {
        return min(max(offset, -(reach + KEYS)), reach + QUERIES);
    }
};

// table[middle + x] = log2(e) bias of distance x, for the distances from `low` to `high` that the table has.
static __device__ __forceinline__ void fill_biases(
    float *table, int middle, const bias_plan &plan, int head, int low, int high) {
    for (int x = max(low, -middle) + static_cast<int>(threadIdx.x); x <= min(high, middle);
         x += ATTENTION_THREADS)
        table[middle + x] = TT_LOG2E * plan.table[bucket_of(plan, x) * plan.heads + head];
}

// ---- dropout of probabilities

// Factors for the products' layout with queries as rows: keep[i] belongs to sum[n][i] where column 0 of
// sum[0] is key `key0` (a multiple of 4). A Philox block serves four keys of a query, of which a lane holds
// two: lanes t and t ^ 1 make one block each, for rows g and g + 8, and exchange halves.
static __device__ __forceinline__ void keep_by_query(float (&keep)[4], const dropout_plan &drop, int head,
    int key0, int n, const uint32_t (&example)[2], const uint32_t (&position)[2], int lane) {
    const int t = lane % 4;
    const bool odd = t % 2;
    const uint32_t block = static_cast<uint32_t>(key0 / 4 + 2 * n + t / 2);
    const float4x mine = dropout_factors(drop, drop.site + static_cast<uint32_t>(head),
        odd ? example[1] : example[0], odd ? position[1] : position[0], block);
    const float first = __shfl_xor_sync(TT_ALL_LANES, odd ? mine.v[0] : mine.v[2], 1);
    const float second = __shfl_xor_sync(TT_ALL_LANES, odd ? mine.v[1] : mine.v[3], 1);
    keep[0] = odd ? first : mine.v[0], keep[1] = odd ? second : mine.v[1];
    keep[2] = odd ? mine.v[2] : first, keep[3] = odd ? mine.v[3] : second;
}

// The same with keys as rows: row 0 is key `key0`, columns are queries whose example and position are in
// shared memory. Four lanes with neighbouring g share the Philox blocks of two queries and two halves of the
// rows: each makes one, then they exchange words.
static __device__ __forceinline__ void keep_by_key(float (&keep)[4], const dropout_plan &drop, int head,
    int key0, int n, const uint32_t *example, const uint32_t *position, int lane) {
    const int g = lane / 4, t = lane % 4, i = g % 4;
    const int query = 8 * n + 2 * t + i % 2; // of the block that this lane makes
    const uint32_t block = static_cast<uint32_t>((key0 + g / 4 * 4) / 4 + i / 2 * 2);
    const float4x mine = dropout_factors(
        drop, drop.site + static_cast<uint32_t>(head), example[query], position[query], block);
#pragma unroll
    for (int r = 0; r < 4; ++r) { // from lane i ^ r: block i ^ r, word i
        const int to = i ^ r;
        const float send = to == 0 ? mine.v[0] : to == 1 ? mine.v[1] : to == 2 ? mine.v[2] : mine.v[3];
        const float word = __shfl_xor_sync(TT_ALL_LANES, send, 4 * r);
#pragma unroll
        for (int c = 0; c < 4; ++c) // block c: query 2t + c % 2, rows g (c < 2) or g + 8
            if ((i ^ r) == c) keep[c] = word;
    }
}

#endif
