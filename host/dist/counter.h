// A counter at rank 0 that every rank can increase at any time, without rank 0's main thread. Private to host/dist.
#ifndef TT_DIST_COUNTER_H
#define TT_DIST_COUNTER_H

#include "host/dist/comm.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_counter tt_counter;

// Connects all ranks of `comm`, which call it together; the caller closes it. *out is a counter on all ranks, or NULL on all where
// one of them could not connect; rank 0 has warned then. Errors: TT_ERR_DIST, TT_ERR_NOMEM.
tt_status tt_counter_open(tt_counter **out, tt_comm *comm) TT_MUST_CHECK;
void tt_counter_close(tt_counter *counter);
// *value receives the count of `work`, which begins at 0, and adds `more` to it. Works are numbered from 1; once one has begun, the
// counts of those before it are INT64_MAX. Errors: TT_ERR_DIST.
tt_status tt_counter_add(tt_counter *counter, uint64_t work, int64_t more, int64_t *value) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
