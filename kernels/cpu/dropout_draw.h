// The inner part of tt_dropout_factors, private to the files dropout*.c.
#ifndef TT_KERNELS_CPU_DROPOUT_DRAW_H
#define TT_KERNELS_CPU_DROPOUT_DRAW_H

#include <stdint.h>

enum { TT_DRAW_UNIT = 32 }; // elements per unit: 8 Philox blocks of 4

typedef struct tt_draw {
    uint32_t key[2];
    uint32_t block, site, position, example; // the first block's counter
    uint32_t threshold;                      // a word below it drops its element
    float kept;                              // the factor of the others
} tt_draw;

// Writes units * TT_DRAW_UNIT factors: 0 where an element is dropped, else `kept`.
typedef void tt_draw_function(const tt_draw *draw, int units, float *factor);

tt_draw_function tt_draw_portable;
#if defined(__x86_64__)
tt_draw_function tt_draw_avx2, tt_draw_avx512;
#endif

#endif
