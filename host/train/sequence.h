// An endless shuffled sequence over n examples: one permutation after another, addressed by position. What
// stands at a position follows from (seed, stream, position / n); nothing needs saving.
#ifndef TT_TRAIN_SEQUENCE_H
#define TT_TRAIN_SEQUENCE_H

#include "host/base/status.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_sequence {
    uint64_t seed;
    uint32_t stream;
    int n;
    int64_t epoch;  // of the permutation held, -1 = none
    int32_t *order; // [n]
} tt_sequence;

// Of n items; `stream` tells sequences of one seed apart. Errors: TT_ERR_NOMEM.
tt_status tt_sequence_open(tt_sequence *out, int n, uint64_t seed, uint32_t stream) TT_MUST_CHECK;
void tt_sequence_close(tt_sequence *sequence);
// The permutation of an epoch, valid until another epoch is asked for.
const int32_t *tt_sequence_epoch(tt_sequence *sequence, int64_t epoch);
// What stands at `position` of the sequence.
int32_t tt_sequence_at(tt_sequence *sequence, int64_t position);

#ifdef __cplusplus
}
#endif

#endif
