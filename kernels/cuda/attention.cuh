// Shared by attention's kernels: checks, biases by distance. Tiles are in attention_tile.cuh.
//
// Self-attention's bias depends on the distance between key and query alone: a block has a short table of it
// in shared memory; the matrix of biases never exists. Scores are kept times log2(e), so that probabilities
// are powers of two.
#ifndef TT_KERNELS_CUDA_ATTENTION_CUH
#define TT_KERNELS_CUDA_ATTENTION_CUH

#include "kernels/cuda/kernel.cuh"

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

enum { ATTENTION_BUCKETS = 128 }; // at most

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

// table[middle + x] = log2(e) bias of distance x, for the distances from `low` to `high` that the table has; 0
// where there are no biases, and minus infinity where causality hides the key. `low` is negative; tiles that
// are clamped from below reach up to -reach - 1.
static __device__ __forceinline__ void fill_biases(
    float *table, int middle, const bias_plan &plan, bool causal, int head, int low, int high) {
    high = min(max(high, -plan.reach - 1), middle);
    for (int x = max(low, -middle) + static_cast<int>(threadIdx.x); x <= high;
         x += static_cast<int>(blockDim.x)) {
        float bias = 0;
        if (causal && x > 0)
            bias = -INFINITY;
        else if (plan.table)
            bias = TT_LOG2E * plan.table[bucket_of(plan, x) * plan.heads + head];
        table[middle + x] = bias;
    }
}

#endif
