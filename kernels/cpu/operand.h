// Operands (kernels/ops.h) of the CPU device are fp32, or with precision bf16 `narrow`: bf16. Operations compute in fp32 by
// these functions: where operands are fp32 they work on the operand's own memory, else in `space`, which has room for n
// numbers. All by the calling thread alone.
#ifndef TT_KERNELS_CPU_OPERAND_H
#define TT_KERNELS_CPU_OPERAND_H

#include "kernels/bf16.h"
#include "kernels/cpu/cpu.h"

TT_INLINE bool tt_narrow(const tt_device *device) {
    return device->operand_size != sizeof(float);
}

// Elements at .. at + n - 1 of x.
TT_INLINE const float *tt_load(bool narrow, const tt_operand *x, size_t at, int n, float *space) {
    if (!narrow) return tt_in(x) + at;
    tt_float_from_bf16(n, space, (const uint16_t *)x + at);
    return space;
}

// Where to write what becomes elements from `at` on of x.
TT_INLINE float *tt_target(bool narrow, tt_operand *x, size_t at, float *space) {
    return narrow ? space : tt_out(x) + at;
}

// Puts n numbers, which were written to tt_target, into x.
TT_INLINE void tt_store(bool narrow, tt_operand *x, size_t at, int n, const float *space) {
    if (narrow) tt_bf16_from_float(n, (uint16_t *)x + at, space);
}

#endif
