// Dropout masks of one row at a time, as factors to multiply by: see tt_dropout in kernels/ops.h.
#ifndef TT_KERNELS_CPU_DROPOUT_H
#define TT_KERNELS_CPU_DROPOUT_H

#include "kernels/cpu/cpu.h"

// factor[i] = 0 where element first + i of row `row` is dropped, else 1 / (1 - p); 0 <= i < n. `first` is a
// multiple of 4. `site` is separate from drop->site, since attention has one per head. p > 0.
void tt_dropout_factors(const tt_dropout *drop, uint32_t site, int64_t row, int first, int n, float *factor);

// out[0..n) = in[0..n) * the factors of row `row`, elements 0..n; a copy if p is 0. `out` may be `in`.
void tt_dropout_row(const tt_dropout *drop, int64_t row, int n, float *out, const float *in);

// Errors: TT_ERR_INPUT for p outside [0, 1) or NaN, and for a missing key or index; the message names `op`.
tt_status tt_dropout_check(const tt_dropout *drop, const char *op) TT_MUST_CHECK;

enum { TT_DROPOUT_TILE = 256 }; // factors that callers keep on the stack at a time

#endif
