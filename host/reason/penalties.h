// min_length and repetition_penalty for the rows of a decoding step: collects the ids that each row contains so
// far, then applies one tt_penalise to all rows.
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

// Whether `d` sets any of them.
static inline bool tt_penalties_wanted(const tt_decoding *d) {
    return d->min_length > 0 || (d->repetition_penalty > 0 && d->repetition_penalty != 1);
}

// For up to `rows` rows of max_length tokens, the start token counted. Zero-initialise; opening it again does
// nothing. The caller closes it. Errors: TT_ERR_NOMEM, TT_ERR_DEVICE.
tt_status tt_penalties_open(tt_penalties *p, tt_device *device, int rows, int max_length) TT_MUST_CHECK;
void tt_penalties_close(tt_penalties *p);
// Sets row `row` of the next step, which has generated ids[0..n) so far. Errors: TT_ERR_INTERNAL out of range.
tt_status tt_penalties_add(
    tt_penalties *p, const tt_decoding *decoding, int row, const int32_t *ids, int n) TT_MUST_CHECK;
// scores: device memory [rows, vocab], fp32, changed in place. Errors: TT_ERR_DEVICE.
tt_status tt_penalties_apply(
    tt_penalties *p, const tt_decoding *decoding, int rows, int vocab, float *scores) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
