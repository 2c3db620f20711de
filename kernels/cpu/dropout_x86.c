// Philox4x32-10 with the 32 x 32 -> 64 bit products that x86 has: vpmuludq multiplies the low halves of
// 64-bit lanes and ignores the high ones. So a word lives in the low half of a lane with anything above it:
// the low word of a product is the product itself, the high word one shuffle away. Compilers make full 64-bit
// products of the plain loop, three times slower.
#include "kernels/cpu/dropout_draw.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define MULTIPLIER_0 0xD2511F53
#define MULTIPLIER_2 0xCD9E8D57
#define WEYL_0 0x9E3779B9u
#define WEYL_1 0xBB67AE85u

#define AVX512 __attribute__((target("avx512f")))
#define AVX512_INLINE static inline __attribute__((target("avx512f"), always_inline))

// `groups` groups of 8 blocks: the products of one group run while those of another wait.
AVX512_INLINE void draw_groups_512(const tt_draw *draw, uint32_t block, int groups, float *factor) {
    const __m512i m0 = _mm512_set1_epi64(MULTIPLIER_0), m2 = _mm512_set1_epi64(MULTIPLIER_2);
    // This order makes the 128-bit quarters of the interleaved words blocks 0..3 and 4..7.
    const __m512i order = _mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7);
    __m512i c0[4], c1[4], c2[4], c3[4];
    for (int g = 0; g < groups; ++g) {
        c0[g] = _mm512_add_epi32(order, _mm512_set1_epi32((int)(block + 8 * (uint32_t)g)));
        c1[g] = _mm512_set1_epi64(draw->site);
        c2[g] = _mm512_set1_epi64(draw->position);
        c3[g] = _mm512_set1_epi64(draw->example);
    }
    uint32_t k0 = draw->key[0], k1 = draw->key[1];
    for (int round = 0; round < 10; ++round, k0 += WEYL_0, k1 += WEYL_1) {
        const __m512i key0 = _mm512_set1_epi64(k0), key1 = _mm512_set1_epi64(k1);
        for (int g = 0; g < groups; ++g) {
            const __m512i p0 = _mm512_mul_epu32(c0[g], m0), p2 = _mm512_mul_epu32(c2[g], m2);
            const __m512i high0 = _mm512_shuffle_epi32(p0, _MM_PERM_DDBB),
                          high2 = _mm512_shuffle_epi32(p2, _MM_PERM_DDBB);
            c0[g] = _mm512_ternarylogic_epi64(high2, c1[g], key0, 0x96); // xor of three
            c2[g] = _mm512_ternarylogic_epi64(high0, c3[g], key1, 0x96);
            c1[g] = p2;
            c3[g] = p0;
        }
    }
    const __m512i threshold = _mm512_set1_epi32((int)draw->threshold);
    const __m512 kept = _mm512_set1_ps(draw->kept);
    for (int g = 0; g < groups; ++g) {
        const __m512i low = _mm512_mask_shuffle_epi32(c0[g], 0xaaaa, c1[g], _MM_PERM_CCAA);
        const __m512i high = _mm512_mask_shuffle_epi32(c2[g], 0xaaaa, c3[g], _MM_PERM_CCAA);
        const __m512i first = _mm512_unpacklo_epi64(low, high), second = _mm512_unpackhi_epi64(low, high);
        _mm512_storeu_ps(
            factor + 32 * g, _mm512_maskz_mov_ps(_mm512_cmpge_epu32_mask(first, threshold), kept));
        _mm512_storeu_ps(
            factor + 32 * g + 16, _mm512_maskz_mov_ps(_mm512_cmpge_epu32_mask(second, threshold), kept));
    }
}

AVX512 void tt_draw_avx512(const tt_draw *draw, int units, float *factor) {
    uint32_t block = draw->block;
    for (; units >= 4; units -= 4, block += 32, factor += 128) draw_groups_512(draw, block, 4, factor);
    for (; units > 0; --units, block += 8, factor += 32) draw_groups_512(draw, block, 1, factor);
}

#define AVX2 __attribute__((target("avx2")))
#define AVX2_INLINE static inline __attribute__((target("avx2"), always_inline))

// Two groups of 4 blocks.
AVX2_INLINE void draw_groups_256(const tt_draw *draw, uint32_t block, float *factor) {
    const __m256i m0 = _mm256_set1_epi64x(MULTIPLIER_0), m2 = _mm256_set1_epi64x(MULTIPLIER_2);
    const __m256i order = _mm256_setr_epi64x(0, 2, 1, 3);
    __m256i c0[2], c1[2], c2[2], c3[2];
    for (int g = 0; g < 2; ++g) {
        c0[g] = _mm256_add_epi32(order, _mm256_set1_epi32((int)(block + 4 * (uint32_t)g)));
        c1[g] = _mm256_set1_epi64x(draw->site);
        c2[g] = _mm256_set1_epi64x(draw->position);
        c3[g] = _mm256_set1_epi64x(draw->example);
    }
    uint32_t k0 = draw->key[0], k1 = draw->key[1];
    for (int round = 0; round < 10; ++round, k0 += WEYL_0, k1 += WEYL_1) {
        const __m256i key0 = _mm256_set1_epi64x(k0), key1 = _mm256_set1_epi64x(k1);
        for (int g = 0; g < 2; ++g) {
            const __m256i p0 = _mm256_mul_epu32(c0[g], m0), p2 = _mm256_mul_epu32(c2[g], m2);
            c0[g] = _mm256_xor_si256(_mm256_xor_si256(_mm256_srli_epi64(p2, 32), key0), c1[g]);
            c2[g] = _mm256_xor_si256(_mm256_xor_si256(_mm256_srli_epi64(p0, 32), key1), c3[g]);
            c1[g] = p2;
            c3[g] = p0;
        }
    }
    // AVX2 compares signed numbers only: shift both sides by 2^31.
    const __m256i sign = _mm256_set1_epi32(INT32_MIN);
    const __m256i threshold = _mm256_xor_si256(_mm256_set1_epi32((int)draw->threshold), sign);
    const __m256 kept = _mm256_set1_ps(draw->kept);
    for (int g = 0; g < 2; ++g) {
        const __m256i low = _mm256_blend_epi32(c0[g], _mm256_slli_epi64(c1[g], 32), 0xaa);
        const __m256i high = _mm256_blend_epi32(c2[g], _mm256_slli_epi64(c3[g], 32), 0xaa);
        const __m256i words[2] = {_mm256_unpacklo_epi64(low, high), _mm256_unpackhi_epi64(low, high)};
        for (int i = 0; i < 2; ++i) {
            const __m256i dropped = _mm256_cmpgt_epi32(threshold, _mm256_xor_si256(words[i], sign));
            _mm256_storeu_ps(factor + 16 * g + 8 * i, _mm256_andnot_ps(_mm256_castsi256_ps(dropped), kept));
        }
    }
}

AVX2 void tt_draw_avx2(const tt_draw *draw, int units, float *factor) {
    uint32_t block = draw->block;
    for (; units > 0; --units, block += 8, factor += 32) draw_groups_256(draw, block, factor);
}

#endif
