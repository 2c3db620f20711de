// Sums over ranks in GPU memory by NCCL, on a stream beside the device's own. Private to host/dist. A build
// without CUDA or NCCL has nccl_none.c instead, whose tt_nccl_open gives none.
#ifndef TT_DIST_NCCL_H
#define TT_DIST_NCCL_H

#include "host/dist/comm.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_nccl tt_nccl;

// All ranks of `comm` call it, each with a GPU of its own chosen; the id travels by the ranks' transport.
// *out is NULL in a build without NCCL. Errors: TT_ERR_DIST.
tt_status tt_nccl_open(tt_nccl **out, tt_comm *comm) TT_MUST_CHECK;
// With `failed`, sums under way are given up, else they have ended.
void tt_nccl_close(tt_nccl *nccl, bool failed);

// Begins x[0..n) = sum over ranks (device memory, fp32), after what the device was told to do so far; what it
// is told afterwards runs beside it and must not touch x. Same calls in the same order on all ranks.
tt_status tt_nccl_sum(tt_nccl *nccl, tt_device *device, float *x, size_t n) TT_MUST_CHECK;
// What the device is told from now on comes after all sums. Waits for them on the host, since only the host
// notices a rank that is gone. Errors: TT_ERR_DIST with NCCL's words, or where they take longer than
// `seconds`.
tt_status tt_nccl_finish(tt_nccl *nccl, tt_device *device, double seconds) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
