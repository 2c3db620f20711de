// Scalar functions that a compiler can vectorise: no branches, no calls, no tables. They are inlined into
// loops under `#pragma omp simd` in TT_MULTIVERSION functions.
#ifndef TT_KERNELS_CPU_MATH_H
#define TT_KERNELS_CPU_MATH_H

#include "kernels/cpu/cpu.h"

#include <stdint.h>

TT_INLINE float tt_bits_float(uint32_t bits) {
    union {
        uint32_t u;
        float f;
    } both = {.u = bits};
    return both.f;
}

TT_INLINE uint32_t tt_float_bits(float x) {
    union {
        float f;
        uint32_t u;
    } both = {.f = x};
    return both.u;
}

// To bf16, to nearest even; NaN stays NaN: rounding could carry its bits into infinity or the sign.
TT_INLINE uint16_t tt_bf16_round(float x) {
    const uint32_t bits = tt_float_bits(x);
    const uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16, quiet = (bits >> 16) | 0x40u;
    return (uint16_t)((bits & 0x7fffffffu) > 0x7f800000u ? quiet : rounded);
}

TT_INLINE float tt_bf16_widen(uint16_t x) {
    return tt_bits_float((uint32_t)x << 16);
}

// e^x within 2 units in the last place over the whole range, subnormal results included; -inf gives 0,
// overflow and +inf give +inf, NaN gives NaN.
//
// x = n ln2 + r with |r| <= ln2/2 (ln2 in two parts, so that n * ln2_high is exact), then e^r by a polynomial
// of degree 6 and 2^n in two factors, since 2^n alone may leave the range of normal numbers.
TT_INLINE float tt_expf(float x) {
    const float round_magic = 0x1.8p23f; // adding it leaves the nearest integer in the low bits
    x = x < -104.0f ? -104.0f : x;
    x = x > 89.0f ? 89.0f : x;
    float shifted = x * 1.44269504f + round_magic;
    float n = shifted - round_magic;
    float r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
    float p = 1.392632562e-03f;
    p = p * r + 8.363292753e-03f;
    p = p * r + 4.166655376e-02f;
    p = p * r + 1.666657631e-01f;
    p = p * r + 0.5f;
    p = (p * r) * r + r;
    p = p + 1.0f;
    int32_t exponent = (int32_t)(tt_float_bits(shifted) - tt_float_bits(round_magic));
    int32_t half = exponent >> 1;
    float first = tt_bits_float((uint32_t)(half + 127) << 23);
    float second = tt_bits_float((uint32_t)(exponent - half + 127) << 23);
    return p * first * second;
}

// 1 / (1 + e^-x). tanh(x) is 2 sigmoid(2x) - 1.
TT_INLINE float tt_sigmoidf(float x) {
    return 1.0f / (1.0f + tt_expf(-x));
}

#endif
