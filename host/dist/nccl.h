// Sums and broadcasts in GPU memory by NCCL, on a stream beside the device's own. Private to host/dist. A build
// without CUDA or NCCL has nccl_none.c instead, whose tt_nccl_open returns NULL.
#ifndef TT_DIST_NCCL_H
#define TT_DIST_NCCL_H

#include "host/dist/comm.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_nccl tt_nccl;

// All ranks of `comm` call it after each has chosen a GPU of its own; the id is sent by the ranks' transport.
// *out is NULL in a build without NCCL. Errors: TT_ERR_DIST.
tt_status tt_nccl_open(tt_nccl **out, tt_comm *comm) TT_MUST_CHECK;
// With `failed`, running sums are aborted; without it, they must have ended.
void tt_nccl_close(tt_nccl *nccl, bool failed);

// A sum over ranks.
typedef struct tt_nccl_work {
    float *x; // [n], device memory
    size_t n;
    int root;  // the rank that receives the sum, where the others' x becomes undefined; or TT_ALL_RANKS
    bool bf16; // x is rounded to bf16, added in it, and widened again
} tt_nccl_work;
// Starts x = sum over ranks after all operations submitted so far. Operations submitted afterwards run concurrently and must
// not touch x. All ranks make the same calls in the same order. Errors: TT_ERR_DIST, TT_ERR_DEVICE.
tt_status tt_nccl_sum(tt_nccl *nccl, tt_device *device, const tt_nccl_work *work) TT_MUST_CHECK;
// Starts x[0..n) = that of rank `root`, under the same rules.
tt_status tt_nccl_broadcast(tt_nccl *nccl, tt_device *device, float *x, size_t n, int root) TT_MUST_CHECK;
// Operations submitted from now on run after all sums. Waits for the sums on the host, since only the host
// notices a rank that is gone. Errors: TT_ERR_DIST with NCCL's message, or if they take longer than
// `seconds`.
tt_status tt_nccl_finish(tt_nccl *nccl, tt_device *device, double seconds) TT_MUST_CHECK;
// Seconds that the last tt_nccl_finish waited after this rank's GPU had reached the last sum: for the other ranks, and
// for the sums themselves. A GPU that is slow itself waits less than the others.
double tt_nccl_waited(const tt_nccl *nccl);
// Aborts sums that were started and that no tt_nccl_finish has awaited: while one runs, whoever closes the device may
// wait for it for ever. Without such sums it does nothing; after an abort every call fails but tt_nccl_close.
void tt_nccl_abandon(tt_nccl *nccl);

#ifdef __cplusplus
}
#endif

#endif
