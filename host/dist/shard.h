// A flat buffer in device memory whose elements are divided among ranks: each owns one stretch, in the order of ranks.
#ifndef TT_DIST_SHARD_H
#define TT_DIST_SHARD_H

#include "host/dist/comm.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_shard {
    size_t begin, n; // n may be 0
} tt_shard;

// The stretch of rank `rank` of `ranks` in a buffer of `size` elements. All are equally long but the last ones, and begin
// at multiples of 64 elements, so that vectors and the memory of a bf16 copy stay aligned.
tt_shard tt_shard_of(size_t size, int rank, int ranks);
// What the two have in common.
tt_shard tt_shard_common(tt_shard a, tt_shard b);

// Every rank receives the others' stretches of x [size], device memory: by NCCL where the ranks are connected, else through
// host memory in pieces. All ranks call it. Errors: TT_ERR_DIST, TT_ERR_DEVICE, TT_ERR_NOMEM.
tt_status tt_shard_share(tt_comm *comm, tt_device *device, float *x, size_t size) TT_MUST_CHECK;

// Rank 0 receives elements `wanted` of a buffer of `size` elements, of which each rank has its own stretch at `mine` (device
// memory), in out[wanted.n] (host memory; the others' may be NULL). All ranks call it with the same `wanted`. Holds three
// times wanted.n elements on rank 0. Errors: TT_ERR_DIST, TT_ERR_DEVICE, TT_ERR_NOMEM.
tt_status tt_shard_fetch(tt_comm *comm, tt_device *device, const float *mine, size_t size, tt_shard wanted,
    float *out) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
