#include "host/base/philox.h"

#include <math.h>

// The finaliser of SplitMix64 (Steele, Lea, Flood 2014): a bijection that spreads every input bit.
static uint64_t mix_bits(uint64_t x) {
    x += 0x9E3779B97F4A7C15ull;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ull;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBull;
    return x ^ (x >> 31);
}

uint64_t tt_key(uint64_t seed, tt_purpose purpose, uint64_t extra) {
    return mix_bits(mix_bits(mix_bits(seed) ^ (uint64_t)purpose) ^ extra);
}

void tt_rng_open(tt_rng *rng, uint64_t seed, tt_purpose purpose, uint64_t a, uint32_t b) {
    uint64_t key = tt_key(seed, purpose, 0);
    rng->key[0] = (uint32_t)key;
    rng->key[1] = (uint32_t)(key >> 32);
    rng->counter[0] = 0;
    rng->counter[1] = b;
    rng->counter[2] = (uint32_t)a;
    rng->counter[3] = (uint32_t)(a >> 32);
    rng->used = 4;
}

void tt_rng_seek(tt_rng *rng, uint32_t block) {
    rng->counter[0] = block;
    rng->used = 4;
}

uint32_t tt_rng_u32(tt_rng *rng) {
    if (rng->used == 4) {
        tt_philox(rng->counter, rng->key, rng->block);
        rng->counter[0]++;
        rng->used = 0;
    }
    return rng->block[rng->used++];
}

uint32_t tt_rng_below(tt_rng *rng, uint32_t n) {
    uint32_t reject = (uint32_t)(-n) % n; // 2^32 mod n: this many values would come up once too often
    uint32_t x;
    do x = tt_rng_u32(rng);
    while (x < reject);
    return x % n;
}

double tt_rng_uniform(tt_rng *rng) {
    uint64_t high = tt_rng_u32(rng), low = tt_rng_u32(rng);
    return (double)(((high << 32) | low) >> 11) * 0x1.0p-53;
}

double tt_rng_normal(tt_rng *rng) {
    double u = 1.0 - tt_rng_uniform(rng), v = tt_rng_uniform(rng);
    return sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v);
}

void tt_rng_shuffle(tt_rng *rng, int32_t *items, int n) {
    for (int i = n - 1; i > 0; --i) {
        uint32_t j = tt_rng_below(rng, (uint32_t)i + 1);
        int32_t held = items[i];
        items[i] = items[j];
        items[j] = held;
    }
}
