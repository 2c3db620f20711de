// The difference between two checkpoints, to see whether a resumed run, another number of ranks or another
// machine gave the same weights.
#ifndef TT_MODEL_DIFFERENCE_H
#define TT_MODEL_DIFFERENCE_H

#include "host/model/checkpoint.h"

#ifdef __cplusplus
extern "C" {
#endif

// Two flat buffers of the same layout. Relative: the largest difference over the largest value.
typedef struct tt_difference {
    int64_t elements, unequal; // compared elements; those whose bits differ
    double largest, relative;  // NaN in either buffer makes them infinite
    char worst[96];            // parameter that holds the largest difference
} tt_difference;

// Both buffers [a->size], laid out as a's parameters.
tt_status tt_compare_buffers(
    tt_difference *out, const tt_model *a, const float *x, const float *y) TT_MUST_CHECK;

typedef struct tt_comparison {
    tt_difference weights;
    bool has_moments; // both files have them
    tt_difference m, v;
} tt_comparison;

// Errors: those of loading; TT_ERR_INPUT when the models have different shapes.
tt_status tt_compare_checkpoints(tt_comparison *out, const char *path_a, const char *path_b) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
