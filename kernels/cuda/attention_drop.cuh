// Dropout of probabilities: which elements of a warp's scores are dropped. Kept ones are not scaled here: the
// kernels scale their results.
#ifndef TT_KERNELS_CUDA_ATTENTION_DROP_CUH
#define TT_KERNELS_CUDA_ATTENTION_DROP_CUH

#include "kernels/cuda/attention_tile.cuh"
#include "kernels/cuda/dropout.cuh"

// apply(n, i, dropped) for each element of 16 queries (rows) and 8 N keys, the first of them key0, a multiple of
// 8 N or of 32. What a lane has of 32 keys of a query is a Philox block of its own.
template <int N, class Apply>
__device__ __forceinline__ void drop_by_query(const dropout_plan &drop, int head, int key0,
    const uint32_t (&example)[2], const uint32_t (&position)[2], int lane, const Apply &apply) {
    const bool upper = N % 4 && key0 % 32; // the second half of the 32
#pragma unroll
    for (int n = 0; n < N; ++n)
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            if (n % 4) continue;
            const uint32_t block = static_cast<uint32_t>((key0 + 8 * n) / 32 * 4 + lane % 4);
            const uint4 made = dropout_words(__ldg(drop.key), drop.site + static_cast<uint32_t>(head),
                example[half], position[half], block);
            const uint32_t word[4] = {upper ? made.z : made.x, upper ? made.w : made.y, made.z, made.w};
#pragma unroll
            for (int i = 0; i < 4 && n + i < N; ++i) {
                apply(n + i, 2 * half, word[i] << 16 < drop.threshold);
                apply(n + i, 2 * half + 1, word[i] < drop.threshold);
            }
        }
}

// apply(m, n, i, dropped) for 16 TILES keys (rows), from key0 on, and 8 N queries, whose example and position are in
// shared memory. Lanes of rows g and g ^ 1 share the Philox blocks of their two queries: each makes one, then
// they exchange halves of the words.
template <int TILES, int N, class Apply>
__device__ __forceinline__ void drop_by_key(const dropout_plan &drop, int head, int key0,
    const uint32_t *example, const uint32_t *position, int lane, const Apply &apply) {
    const int g = lane / 4, t = lane % 4;
    const bool odd = g % 2, upper = TILES == 1 && key0 % 32;
    const uint32_t block = static_cast<uint32_t>(key0 / 32 * 4 + g / 2);
    const uint32_t lower_halves = 0x5410, upper_halves = 0x7632;
#pragma unroll
    for (int n = 0; n < N; ++n) {
        const int query = 8 * n + 2 * t + odd; // of the block that this lane makes
        const uint4 made = dropout_words(
            __ldg(drop.key), drop.site + static_cast<uint32_t>(head), example[query], position[query], block);
        const uint32_t word[4] = {upper ? made.z : made.x, upper ? made.w : made.y, made.z, made.w};
#pragma unroll
        for (int m = 0; m < TILES; ++m) {
            const uint32_t a = word[2 * m], b = word[2 * m + 1];
            const uint32_t mine = __byte_perm(a, b, odd ? upper_halves : lower_halves);
            const uint32_t other =
                __shfl_xor_sync(TT_ALL_LANES, __byte_perm(a, b, odd ? lower_halves : upper_halves), 4);
            const uint32_t first = odd ? other : mine, second = odd ? mine : other; // of queries 2t, 2t + 1
            apply(m, n, 0, first << 16 < drop.threshold);
            apply(m, n, 1, second << 16 < drop.threshold);
            apply(m, n, 2, first < drop.threshold);
            apply(m, n, 3, second < drop.threshold);
        }
    }
}

#endif
