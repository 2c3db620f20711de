// The sum of a flat gradient over ranks, begun at its end while backward still works on its front.
//
// On GPUs that have NCCL between them, pieces of fixed size are summed beside the computation as soon as they
// are complete; else all of it at the end, in the device's memory or by way of the host's. Sums are the same
// bits on all ranks, and from run to run with the same ranks. TT_SUM_PIECE=elements sets the size, for tests
// and tuning.
#ifndef TT_DIST_GRADIENT_SUM_H
#define TT_DIST_GRADIENT_SUM_H

#include "host/dist/comm.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_gradient_sum {
    tt_comm *comm;
    tt_device *device;
    float *g;    // [n], the device's memory
    size_t left; // g[left, n) is being summed
} tt_gradient_sum;

// g[from, n) is complete: the device has been told everything that adds to it.
tt_status tt_gradient_sum_ready(tt_gradient_sum *sum, size_t from) TT_MUST_CHECK;
// All of g is. Afterwards the device sees sums. All ranks call it; those that did not call the former, too.
// Errors: TT_ERR_DIST.
tt_status tt_gradient_sum_end(tt_gradient_sum *sum) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
