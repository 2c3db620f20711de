// The sum of a flat gradient over ranks. It begins at the end of the gradient while backward still computes
// the front.
//
// Between GPUs with NCCL, pieces of fixed size are summed during the computation as soon as they are
// complete. Otherwise everything is summed at the end, through host memory, in pieces as well. Sums have the same bits on all
// ranks, and in every run with the same ranks. TT_SUM_PIECE=elements in the environment sets the size of a piece, for tests and
// tuning.
#ifndef TT_DIST_GRADIENT_SUM_H
#define TT_DIST_GRADIENT_SUM_H

#include "host/dist/comm.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_gradient_sum {
    tt_comm *comm;
    tt_device *device;
    float *g; // [n], device memory
    size_t n;
    size_t left; // g[left, n) is being summed
    bool bf16;   // each rank's part is rounded to bf16 and added in it: half the bytes, 8 bits of precision
    // Each rank needs the sum of its own stretch alone (shard.h); elsewhere g becomes undefined.
    bool to_owners;
    // Seconds that this rank, done with its own part, waited for the sums to end. The slowest rank waits least.
    double waited;
} tt_gradient_sum;

// g[from, n) is complete: all operations that add to it have been submitted to the device. Errors:
// TT_ERR_DIST.
tt_status tt_gradient_sum_ready(tt_gradient_sum *sum, size_t from) TT_MUST_CHECK;
// All of g is complete. Operations that follow see the sums. All ranks call it, also those that did not call
// tt_gradient_sum_ready.
// Errors: TT_ERR_DIST.
tt_status tt_gradient_sum_end(tt_gradient_sum *sum) TT_MUST_CHECK;
// Aborts what an error left running, before the device is closed; after tt_gradient_sum_end, or for a `sum` of zeros,
// nothing.
void tt_gradient_sum_close(tt_gradient_sum *sum);

#ifdef __cplusplus
}
#endif

#endif
