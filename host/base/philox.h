// Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
// SC 2011). A number is a pure function of a key and a counter. So what is drawn depends on what it is for (seed,
// purpose, example, position) and never on rank, batch, device or order of evaluation.
#ifndef TT_BASE_PHILOX_H
#define TT_BASE_PHILOX_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// What a stream is for. Streams of different purposes have different keys. Append only: the values decide what a seed
// draws.
typedef enum tt_purpose {
    TT_FOR_INIT = 1, // initial weights
    TT_FOR_DROPOUT,  // masks
    TT_FOR_ORDER,    // order of training examples
    TT_FOR_SAMPLING, // sampled tokens
    TT_FOR_SPLIT,    // train / validation / test
    TT_FOR_SPAN,     // span corruption
    TT_FOR_WORLD,    // generated data
    TT_FOR_PAIRS,    // preference pairs
    TT_FOR_TEST,     // tests
    TT_FOR_TEACHER   // exemplars of a prompt, selection of the teacher's choices
} tt_purpose;

// One block of four 32-bit words for counter `c` under key `k`. It is in the header because kernels inline it.
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

// 64 well-mixed bits made of a seed, a purpose and a number of the caller's (a step, say; 0 otherwise).
uint64_t tt_key(uint64_t seed, tt_purpose purpose, uint64_t extra);

// A stream of numbers that are read one after another.
typedef struct tt_rng {
    uint32_t key[2], counter[4], block[4];
    int used; // words of the block that were read
} tt_rng;

// `a` and `b` say what the stream is for within its purpose: an example and a sample, say.
void tt_rng_open(tt_rng *rng, uint64_t seed, tt_purpose purpose, uint64_t a, uint32_t b);
// The next number is the first of this block of four words; numbers are then read on from there.
void tt_rng_seek(tt_rng *rng, uint32_t block);
uint32_t tt_rng_u32(tt_rng *rng);
uint32_t tt_rng_below(tt_rng *rng, uint32_t n);          // uniform in 0..n-1, unbiased; n >= 1
double tt_rng_uniform(tt_rng *rng);                      // [0, 1)
double tt_rng_normal(tt_rng *rng);                       // standard normal (Box-Muller)
void tt_rng_shuffle(tt_rng *rng, int32_t *items, int n); // Fisher-Yates, in place

#ifdef __cplusplus
}
#endif

#endif
