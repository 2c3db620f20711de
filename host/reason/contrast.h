// Which of a question's runs are held against which: right ones are chosen, wrong ones rejected.
#ifndef TT_REASON_CONTRAST_H
#define TT_REASON_CONTRAST_H

#include "host/base/philox.h"
#include "host/base/status.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_contrast_run {
    const char *text; // what the run wrote, as one text: what makes two runs the same
    bool right;       // led to the right answer; no readable answer is wrong
} tt_contrast_run;

// What is done where fewer are chosen than rejected. The pool is of n_pool texts from elsewhere.
typedef enum tt_contrast_rule {
    TT_ADD_FROM_POOL, // recalls: texts of the pool are added, each once if there are enough, else drawn with
                      // replacement
    TT_DRAW_AGAIN     // analyses: the chosen runs are drawn again, with replacement; only where no run is
                      // right all come from the pool, with replacement
} tt_contrast_rule;

typedef enum tt_contrast_source { TT_FROM_RUN, TT_FROM_POOL } tt_contrast_source;

typedef struct tt_contrast_pair {
    tt_contrast_source source; // of the chosen
    int chosen, rejected;      // indices: chosen of a run or of the pool, rejected of a run
} tt_contrast_pair;

// The pairs of one question:
//   1. of equal texts on one side the first counts; texts that are on both sides count on neither;
//   2. without a wrong run left there are no pairs;
//   3. with more chosen than rejected, rejected ones are drawn with replacement, one for each chosen;
//   4. with fewer, chosen ones are added as `rule` says, also a text of the pool that a wrong run wrote as
//   well;
//      where the pool has nothing left, rejected ones beyond the chosen are dropped.
// The i-th chosen meets the i-th rejected, each side in the order of its runs. pairs[n] is the caller's:
// there are never more than runs. *n_pairs receives their number. Errors: TT_ERR_NOMEM.
tt_status tt_contrast(const tt_contrast_run *runs, int n, tt_contrast_rule rule, int n_pool, tt_rng *rng,
    tt_contrast_pair *pairs, int *n_pairs) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
