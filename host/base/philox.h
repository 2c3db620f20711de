// Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
// SC 2011). A number is a pure function of a key and a counter, so that what is drawn depends on what it is
// for (seed, purpose, example, position) and never on rank, batch, device or order of evaluation.
#ifndef TT_BASE_PHILOX_H
#define TT_BASE_PHILOX_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// What a stream is for. Numbers of different purposes never coincide. Append only: values enter checkpoints.
typedef enum tt_purpose {
    TT_FOR_INIT = 1, // initial weights
    TT_FOR_DROPOUT,  // masks
    TT_FOR_ORDER,    // order of training examples
    TT_FOR_SAMPLING, // sampled tokens
    TT_FOR_SPLIT,    // train / validation / test
    TT_FOR_SPAN,     // span corruption
    TT_FOR_WORLD,    // generated data
    TT_FOR_PAIRS,    // preference pairs
    TT_FOR_TEST      // tests
} tt_purpose;

// One block of four 32-bit words for counter `c` under key `k`. In the header since kernels inline it.
static inline void tt_philox(const uint32_t c[4], const uint32_t k[2], uint32_t out[4]) {
    uint32_t c0 = c[0], c1 = c[1], c2 = c[2], c3 = c[3], k0 = k[0], k1 = k[1];
    for (int round = 0; round < 10; ++round) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        c0 = n0;
        c2 = n2;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

// A key made of a seed and a purpose (and, say, a step): 64 well-mixed bits.
uint64_t tt_key(uint64_t seed, tt_purpose purpose, uint64_t extra);

// A stream of numbers read one after another; `a` and `b` name what it is for within the purpose.
typedef struct tt_rng {
    uint32_t key[2], counter[4], block[4];
    int used;
} tt_rng;

// Begins a stream: the same arguments give the same numbers.
void tt_rng_open(tt_rng *rng, uint64_t seed, tt_purpose purpose, uint64_t a, uint32_t b);
uint32_t tt_rng_u32(tt_rng *rng);                        // 32 random bits
uint32_t tt_rng_below(tt_rng *rng, uint32_t n);          // uniform in 0..n-1, unbiased; n >= 1
double tt_rng_uniform(tt_rng *rng);                      // [0, 1)
double tt_rng_normal(tt_rng *rng);                       // standard normal (Box-Muller)
void tt_rng_shuffle(tt_rng *rng, int32_t *items, int n); // Fisher-Yates: every order is equally likely

#ifdef __cplusplus
}
#endif

#endif
