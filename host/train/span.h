// T5's span corruption (Raffel et al. 2020, section 3.1.4; the random segmentation is that of its code,
// random_spans_noise_mask): spans of a text are replaced by sentinels, and the target spells them out.
//
//   text    the cat sat on the mat          input   the cat <extra_id_0> the <extra_id_1> </s>
//                                           target  <extra_id_0> sat on <extra_id_1> mat </s>
#ifndef TT_TRAIN_SPAN_H
#define TT_TRAIN_SPAN_H

#include "host/base/philox.h"
#include "host/base/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_span {
    double noise_density;   // share of tokens that are replaced, 0.15
    double mean_span;       // mean length of a replaced span, 3
    int32_t first_sentinel; // id of <extra_id_0>; the following ones count down
    int sentinels;
} tt_span;

// Noise tokens: round(n x noise_density), at least 1 and at most n - 1. Spans: round(noise / mean_span), at
// least 1, at most as many as there are sentinels, noise tokens and tokens left.
void tt_span_counts(const tt_span *span, int n, int *noise, int *spans);

// Corrupts ids[0..n), which do not end with </s>; both results do. `input` has room for n - noise + spans + 1
// ids and `target` for noise + spans + 1. The text starts with kept tokens and ends with a span. `rng` is
// used up as far as needed. Errors: TT_ERR_INPUT for n < 2 or without sentinels.
tt_status tt_span_corrupt(const tt_span *span, const int32_t *ids, int n, tt_rng *rng, int32_t *input,
    int *n_input, int32_t *target, int *n_target) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
