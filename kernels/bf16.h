// Conversion between fp32 and bf16 in host memory, by the calling thread alone: for files, and for the CPU
// device's kernels.
#ifndef TT_KERNELS_BF16_H
#define TT_KERNELS_BF16_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// out[0..n): rounds to nearest, ties to even; too large becomes infinity; NaN becomes a quiet NaN.
void tt_bf16_from_float(int64_t n, uint16_t *out, const float *x);
// out[0..n): exact.
void tt_float_from_bf16(int64_t n, float *out, const uint16_t *x);

#ifdef __cplusplus
}
#endif

#endif
