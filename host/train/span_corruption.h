// T5's span corruption (Raffel et al. 2020, section 3.1.4; the random segmentation is that of its code,
// random_spans_noise_mask): spans of a text are replaced by sentinels, and the target spells them out.
//
//   text    the cat sat on the mat          input   the cat <extra_id_0> the <extra_id_1> </s>
//                                           target  <extra_id_0> sat on <extra_id_1> mat </s>
#ifndef TT_TRAIN_SPAN_CORRUPTION_H
#define TT_TRAIN_SPAN_CORRUPTION_H

#include "host/base/philox.h"
#include "host/base/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_span_corruption {
    double noise_density;   // share of tokens that are replaced; 0.15 in T5
    double mean_span;       // mean length of a replaced span, in tokens; 3 in T5
    int32_t first_sentinel; // id of <extra_id_0>; the ids of the following sentinels count down
    int sentinels;          // how many there are
} tt_span_corruption;

// Noise tokens: round(n x noise_density), at least 1 and at most n - 1. Spans: round(noise / mean_span), at
// least 1, at most as many as there are sentinels, noise tokens and tokens left. n >= 2.
void tt_span_corruption_counts(const tt_span_corruption *corruption, int n, int *noise, int *spans);

// A corrupted text. Buffers are the caller's; both texts end with </s>.
typedef struct tt_corrupted {
    int32_t *input;  // capacity: n - noise + spans + 1 ids
    int32_t *target; // capacity: noise + spans + 1 ids
    int n_input, n_target;
} tt_corrupted;

// Corrupts ids[0..n), which do not end with </s>. The input starts with kept tokens and ends with a sentinel
// before </s>. `rng` is advanced as far as needed. Errors: TT_ERR_INPUT for n < 2 or without sentinels.
tt_status tt_span_corrupt(const tt_span_corruption *corruption, const int32_t *ids, int n, tt_rng *rng,
    tt_corrupted *out) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
