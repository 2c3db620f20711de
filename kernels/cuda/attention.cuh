// Shared by attention's kernels: tiles, biases by distance, dropout of probabilities, checks.
//
// Self-attention's bias depends on the distance between key and query alone: for a pair of tiles it is a
// short table, made from the buckets; the matrix of biases never exists.
#ifndef TT_KERNELS_CUDA_ATTENTION_CUH
#define TT_KERNELS_CUDA_ATTENTION_CUH

#include "kernels/cuda/dropout.cuh"
#include "kernels/cuda/mma.cuh"

// Bucket of distance min(|key - query|, max_distance), max_distance + 1 entries in device memory, made by
// tt_relative_bucket on the host: a logarithm of the GPU could fall into the neighbouring bucket. Two-sided
// buckets of keys to the right are buckets / 2 higher. Kept with the device.
tt_status tt_cuda_buckets(
    tt_device *device, bool bidirectional, int buckets, int max_distance, const uint8_t **table);

// Checks what can be checked without reading device memory.
tt_status tt_cuda_attention_check(const tt_attention *t);

struct bias_plan {
    const float *table;    // [buckets, heads] or NULL
    const uint8_t *bucket; // [max_distance + 1]
    int buckets, heads, max_distance;
    bool bidirectional;
};
tt_status tt_cuda_bias_plan(tt_device *device, const tt_attention *t, bias_plan *out);

static __device__ __forceinline__ int bucket_of(const bias_plan &plan, int key_minus_query) {
    const int away = plan.bidirectional ? abs(key_minus_query) : max(-key_minus_query, 0);
    const int bucket = plan.bucket[min(away, plan.max_distance)];
    return plan.bidirectional && key_minus_query > 0 ? bucket + plan.buckets / 2 : bucket;
}

enum { ATTENTION_THREADS = 128 }; // four warps, each with 16 rows of a tile of 64
#define TT_LOG2E 1.4426950408889634f

// Rows of tiles in shared memory are a little longer than D, so that a column's elements lie in different
// banks.
template <class T, int D> struct tile_shape {
    static constexpr int ld = D + 16 / static_cast<int>(sizeof(T));
};

// tile[i][c] = from[i][c] for i < rows, c < d, else 0; ROWS rows. Four elements at a time where all is
// aligned.
template <class T, int D, int ROWS>
__device__ __forceinline__ void load_tile(T *tile, const T *from, int ld, int rows, int d) {
    constexpr int chunk = 16 / static_cast<int>(sizeof(T)), per_row = D / chunk;
    const bool aligned = d % chunk == 0 && ld % chunk == 0 && reinterpret_cast<uintptr_t>(from) % 16 == 0;
    for (int i = threadIdx.x; i < ROWS * per_row; i += ATTENTION_THREADS) {
        const int row = i / per_row, c = i % per_row * chunk;
        T *to = tile + row * tile_shape<T, D>::ld + c;
        const T *source = from + static_cast<int64_t>(row) * ld + c;
        if (aligned && row < rows && c < d) {
            *reinterpret_cast<uint4 *>(to) = *reinterpret_cast<const uint4 *>(source);
        } else {
            for (int j = 0; j < chunk; ++j) to[j] = row < rows && c + j < d ? source[j] : from_float<T>(0);
        }
    }
}

// d[16 rows, COLUMNS] += rows row0 .. of `a` times the transpose of `b`'s rows: both tiles of width D.
template <class T, int D, int COLUMNS>
__device__ __forceinline__ void rows_times_rows(
    float (&d)[COLUMNS / 8][4], const T *a, int row0, const T *b, int lane) {
    constexpr int ld = tile_shape<T, D>::ld;
#pragma unroll
    for (int k = 0; k < D; k += 16) {
        const fragment_a<T> left = load_a(a, ld, row0, k, lane);
#pragma unroll
        for (int n = 0; n < COLUMNS / 8; ++n) mma(d[n], left, load_b(b, ld, k, 8 * n, lane), lane);
    }
}

// d[16 rows, D] += p[16 rows, K] times the K rows of tile b.
template <class T, int D, int K>
__device__ __forceinline__ void product_times_rows(
    float (&d)[D / 8][4], const float (&p)[K / 8][4], const T *b, int lane) {
    constexpr int ld = tile_shape<T, D>::ld;
#pragma unroll
    for (int k = 0; k < K; k += 16) {
        const fragment_a<T> left = as_a<T>(p[k / 8], p[k / 8 + 1]);
#pragma unroll
        for (int n = 0; n < D / 8; ++n) mma(d[n], left, load_b_rows(b, ld, k, 8 * n, lane), lane);
    }
}

// bias[i] = that of key - query = offset + i - (QUERIES - 1), for i < QUERIES + KEYS - 1.
template <int QUERIES, int KEYS>
__device__ __forceinline__ void load_bias(float *bias, const bias_plan &plan, int head, int offset) {
    for (int i = threadIdx.x; i < QUERIES + KEYS - 1; i += ATTENTION_THREADS)
        bias[i] = plan.table[bucket_of(plan, offset + i - (QUERIES - 1)) * plan.heads + head];
}

// Factors for the products' layout with queries as rows: keep[n] belongs to d[n] where column 0 is key `key0`
// (a multiple of 4). A Philox block serves four keys of a query, of which a lane holds two: lanes t and t ^ 1
// make one block each, for rows g and g + 8, and exchange halves.
template <int COLUMNS>
__device__ __forceinline__ void keep_by_query(float (&keep)[COLUMNS / 8][4], const dropout_plan &drop,
    int head, int key0, const uint32_t (&example)[2], const uint32_t (&position)[2], int lane) {
    const int t = lane % 4;
    const bool odd = t % 2;
    const uint32_t site = drop.site + static_cast<uint32_t>(head);
#pragma unroll
    for (int n = 0; n < COLUMNS / 8; ++n) {
        const uint32_t block = static_cast<uint32_t>(key0 / 4 + 2 * n + t / 2);
        const float4x mine = dropout_factors(
            drop, site, odd ? example[1] : example[0], odd ? position[1] : position[0], block);
        const float first = __shfl_xor_sync(TT_ALL_LANES, odd ? mine.v[0] : mine.v[2], 1);
        const float second = __shfl_xor_sync(TT_ALL_LANES, odd ? mine.v[1] : mine.v[3], 1);
        keep[n][0] = odd ? first : mine.v[0], keep[n][1] = odd ? second : mine.v[1];
        keep[n][2] = odd ? mine.v[2] : first, keep[n][3] = odd ? mine.v[3] : second;
    }
}

// The same with keys as rows: row 0 is key `key0`, columns are queries whose example and position are in
// shared memory. Four lanes with neighbouring g share the Philox blocks of two queries and two halves of the
// rows: each makes one, then they exchange words.
template <int COLUMNS>
__device__ __forceinline__ void keep_by_key(float (&keep)[COLUMNS / 8][4], const dropout_plan &drop, int head,
    int key0, const uint32_t *example, const uint32_t *position, int lane) {
    const int g = lane / 4, t = lane % 4, i = g % 4;
    const uint32_t site = drop.site + static_cast<uint32_t>(head);
#pragma unroll
    for (int n = 0; n < COLUMNS / 8; ++n) {
        const int query = 8 * n + 2 * t + i % 2; // of the block that this lane makes
        const uint32_t block = static_cast<uint32_t>((key0 + g / 4 * 4) / 4 + i / 2 * 2);
        const float4x mine = dropout_factors(drop, site, example[query], position[query], block);
#pragma unroll
        for (int r = 0; r < 4; ++r) { // from lane i ^ r: block i ^ r, word i
            const int to = i ^ r;
            const float send = to == 0 ? mine.v[0] : to == 1 ? mine.v[1] : to == 2 ? mine.v[2] : mine.v[3];
            const float word = __shfl_xor_sync(TT_ALL_LANES, send, 4 * r);
#pragma unroll
            for (int c = 0; c < 4; ++c) // block c: query 2t + c % 2, rows g (c < 2) or g + 8
                if ((i ^ r) == c) keep[n][c] = word;
        }
    }
}

#endif
