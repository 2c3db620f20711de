// min_length and repetition_penalty for the rows of a decoding step: gathers what each row has seen, then one
// tt_penalise for all.
#ifndef TT_REASON_PENALTIES_H
#define TT_REASON_PENALTIES_H

#include "host/reason/engine.h"
#include "kernels/ops.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_penalties {
    tt_device *device;
    int rows, max_length;
    int32_t *seen, *n_seen, *forbid;       // host: [rows, max_length], [rows], [rows]
    int32_t *d_seen, *d_n_seen, *d_forbid; // device
} tt_penalties;

static inline bool tt_penalties_wanted(const tt_decoding *d) {
    return d->min_length > 0 || (d->repetition_penalty > 0 && d->repetition_penalty != 1);
}

// Zero-initialise; opening what is open does nothing.
tt_status tt_penalties_open(tt_penalties *p, tt_device *device, int rows, int max_length) TT_MUST_CHECK;
void tt_penalties_close(tt_penalties *p);
// Row `row` of the coming step has generated ids[0..n) so far.
tt_status tt_penalties_add(
    tt_penalties *p, const tt_decoding *decoding, int row, const int32_t *ids, int n) TT_MUST_CHECK;
// scores: device memory [rows, vocab], changed in place.
tt_status tt_penalties_apply(
    tt_penalties *p, const tt_decoding *decoding, int rows, int vocab, float *scores) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
