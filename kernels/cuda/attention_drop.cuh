// Dropout of probabilities: which elements of a warp's scores are dropped. Kept ones are not scaled here: the
// kernels scale their results.
//
// A Philox block is the mask of what a lane has of 32 keys of a query. The backward kernel that goes through a query's keys
// makes it and leaves it as bits for the one that goes through a key's queries: a word for each lane, of 32 queries and
// keys. Byte `up` is of query g + 8 up, bit 2i + j of it of key 8i + 2t + j, in the lane's g and t of mma.cuh.
#ifndef TT_KERNELS_CUDA_ATTENTION_DROP_CUH
#define TT_KERNELS_CUDA_ATTENTION_DROP_CUH

#include "kernels/cuda/attention_tile.cuh"
#include "kernels/cuda/dropout.cuh"

// Whose masks rows g and g + 8 of a warp's product have.
struct token_pair {
    uint32_t example[2], position[2];
};

// apply(n, i, dropped) for each element of 16 queries (rows) and 8 N keys, the first of them key0, a multiple of
// 8 N or of 32.
template <int N, class Apply>
__device__ __forceinline__ void drop_by_query(
    const dropout_plan &drop, int head, int key0, const token_pair &token, const Apply &apply) {
    const bool upper = N % 4 && key0 % 32; // the second half of the 32
#pragma unroll
    for (int n = 0; n < N; ++n)
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            if (n % 4) continue;
            const uint32_t block = static_cast<uint32_t>((key0 + 8 * n) / 32 * 4) + threadIdx.x % 4;
            const uint4 made = dropout_words(__ldg(drop.key), drop.site + static_cast<uint32_t>(head),
                token.example[half], token.position[half], block);
            const uint32_t word[4] = {upper ? made.z : made.x, upper ? made.w : made.y, made.z, made.w};
#pragma unroll
            for (int i = 0; i < 4 && n + i < N; ++i) {
                apply(n + i, 2 * half, word[i] << 16 < drop.threshold);
                apply(n + i, 2 * half + 1, word[i] < drop.threshold);
            }
        }
}

// Dropout's masks within backward: [tiles of 32 queries, heads, groups of 32 keys], 32 words each. Tiles of a sequence
// follow each other; sequences begin with tiles of their own. Not written where causality hides all 32 keys from all 32
// queries.
struct drop_masks {
    uint32_t *word;
    int groups;
    __device__ __forceinline__ uint32_t *of(int heads, int head, int group, int tile) const {
        return word + 32 * ((static_cast<int64_t>(tile) * heads + head) * groups + group);
    }
};
static __device__ __forceinline__ int mask_tile(int sequence, int q_row, int query) {
    return q_row / 32 + sequence + query / 32;
}

// apply(m, n, i, dropped) for 16 TILES keys (rows) and 8 N queries. mask: of the queries 2t and 2t + 1, from bit 0 on of
// the first key and 8 of them.
template <int TILES, int N, class Apply>
__device__ __forceinline__ void drop_by_masks(const uint32_t (&mask)[2], const Apply &apply) {
#pragma unroll
    for (int n = 0; n < N; ++n)
#pragma unroll
        for (int up = 0; up < 2 * TILES; ++up)
#pragma unroll
            for (int c = 0; c < 2; ++c)
                apply(up / 2, n, up % 2 * 2 + c, (mask[c] & 1u << (8 * n + 2 * up)) != 0);
}

#endif
