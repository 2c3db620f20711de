// An endless shuffled order of n examples: one permutation of 0..n-1 after another (an epoch each), addressed by
// position. Each permutation is a function of (seed, stream, epoch), see tt_order: nothing needs saving.
#ifndef TT_TRAIN_SHUFFLE_H
#define TT_TRAIN_SHUFFLE_H

#include "host/base/status.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_shuffle {
    uint64_t seed;
    uint32_t stream;
    int n;
    int64_t epoch;  // whose permutation `order` contains; -1 = none yet
    int32_t *order; // [n]
} tt_shuffle;

// `stream` separates the orders of one run. n = 0 is allowed, but then no position may be asked for. The caller
// closes it. Errors: TT_ERR_NOMEM.
tt_status tt_shuffle_open(tt_shuffle *out, int n, uint64_t seed, uint32_t stream) TT_MUST_CHECK;
void tt_shuffle_close(tt_shuffle *shuffle);
// The permutation [n] of an epoch (counted from 0), valid until another epoch is asked for.
const int32_t *tt_shuffle_epoch(tt_shuffle *shuffle, int64_t epoch);
// The example at `position` (counted from 0), which belongs to epoch position / n.
int32_t tt_shuffle_at(tt_shuffle *shuffle, int64_t position);

#ifdef __cplusplus
}
#endif

#endif
