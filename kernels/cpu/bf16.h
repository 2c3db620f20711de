// Conversion of a stretch of numbers between fp32 and bf16, by the calling thread alone.
#ifndef TT_KERNELS_CPU_BF16_H
#define TT_KERNELS_CPU_BF16_H

#include <stdint.h>

// Rounds to nearest even; too large becomes infinity; NaN becomes a quiet NaN.
void tt_bf16_from_float(int64_t n, uint16_t *out, const float *x);
void tt_float_from_bf16(int64_t n, float *out, const uint16_t *x);

#endif
