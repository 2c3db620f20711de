// Dropout of probabilities: which elements of a warp's scores are dropped. Kept ones are not scaled here: the
// kernels scale their results.
#ifndef TT_KERNELS_CUDA_ATTENTION_DROP_CUH
#define TT_KERNELS_CUDA_ATTENTION_DROP_CUH

#include "kernels/cuda/attention_tile.cuh"
#include "kernels/cuda/dropout.cuh"

// apply(n, i, dropped) for each element of 16 queries (rows) and 8 N keys, the first of them key0. A Philox
// block serves four keys of a query, of which a lane holds two: lanes t and t ^ 1 make one block each, for rows
// g and g + 8, and exchange halves.
template <int N, class Apply>
__device__ __forceinline__ void drop_by_query(const dropout_plan &drop, int head, int key0,
    const uint32_t (&example)[2], const uint32_t (&position)[2], int lane, const Apply &apply) {
    const int t = lane % 4;
    const bool odd = t % 2;
#pragma unroll
    for (int n = 0; n < N; ++n) {
        const uint32_t block = static_cast<uint32_t>(key0 / 4 + 2 * n + t / 2);
        const uint4 mine = dropout_words(drop, drop.site + static_cast<uint32_t>(head),
            odd ? example[1] : example[0], odd ? position[1] : position[0], block);
        const uint32_t first = __shfl_xor_sync(TT_ALL_LANES, odd ? mine.x : mine.z, 1);
        const uint32_t second = __shfl_xor_sync(TT_ALL_LANES, odd ? mine.y : mine.w, 1);
        apply(n, 0, (odd ? first : mine.x) < drop.threshold);
        apply(n, 1, (odd ? second : mine.y) < drop.threshold);
        apply(n, 2, (odd ? mine.z : first) < drop.threshold);
        apply(n, 3, (odd ? mine.w : second) < drop.threshold);
    }
}

// The same of 16 keys (rows), from key0 on, and 8 N queries, whose example and position are in shared memory.
// Four lanes with neighbouring g share the Philox blocks of two queries and two halves of the rows: each makes
// one, then they exchange words.
template <int N, class Apply>
__device__ __forceinline__ void drop_by_key(const dropout_plan &drop, int head, int key0,
    const uint32_t *example, const uint32_t *position, int lane, const Apply &apply) {
    const int g = lane / 4, t = lane % 4, i = g % 4;
    const uint32_t block = static_cast<uint32_t>((key0 + g / 4 * 4) / 4 + i / 2 * 2);
#pragma unroll
    for (int n = 0; n < N; ++n) {
        const int query = 8 * n + 2 * t + i % 2; // of the block that this lane makes
        const uint4 mine = dropout_words(
            drop, drop.site + static_cast<uint32_t>(head), example[query], position[query], block);
        uint32_t words[4] = {0, 0, 0, 0};
#pragma unroll
        for (int r = 0; r < 4; ++r) { // from lane i ^ r: block i ^ r, word i
            const int to = i ^ r;
            const uint32_t send = to == 0 ? mine.x : to == 1 ? mine.y : to == 2 ? mine.z : mine.w;
            const uint32_t word = __shfl_xor_sync(TT_ALL_LANES, send, 4 * r);
#pragma unroll
            for (int c = 0; c < 4; ++c) // block c: query 2t + c % 2, rows g (c < 2) or g + 8
                if ((i ^ r) == c) words[c] = word;
        }
#pragma unroll
        for (int c = 0; c < 4; ++c) apply(n, c, words[c] < drop.threshold);
    }
}

#endif
