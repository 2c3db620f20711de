// The cut that top k and top p make among logits: by a threshold, and among equal logits by id.
#ifndef TT_KERNELS_CPU_CUT_H
#define TT_KERNELS_CPU_CUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// A row of logits x[n] with weight[i] = exp((x[i] - top) * factor), or 0 where the id is out already; `top` is the
// largest logit, and there is no NaN.
typedef struct tt_cut_row {
    int n;
    const float *x;
    float *weight;
    float top, factor;
    void *memory; // tt_cut_bytes(n)
} tt_cut_row;

size_t tt_cut_bytes(int n);

// Keeps the smallest set of the largest logits among those of positive weight whose measure (their number if `count`,
// else their weight) reaches `goal`, of equals those with the lower ids; the others' weights become 0.
void tt_cut_weights(const tt_cut_row *row, bool count, double goal);

#endif
