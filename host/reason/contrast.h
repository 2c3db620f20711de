// Which of a question's runs are held against which: right ones are chosen, wrong ones rejected.
#ifndef TT_REASON_CONTRAST_H
#define TT_REASON_CONTRAST_H

#include "host/base/philox.h"
#include "host/base/status.h"

#include <stdbool.h>

typedef struct tt_contrast_run {
    const char *text; // what the run wrote, as one text: what makes two runs the same
    bool right;       // led to the right answer; no readable answer is wrong
} tt_contrast_run;

// The chosen side is a run, or came from elsewhere.
typedef enum tt_contrast_source { TT_FROM_RUN, TT_FROM_TEACHER, TT_FROM_FALLBACK } tt_contrast_source;

typedef struct tt_contrast_pair {
    tt_contrast_source source;
    int chosen, rejected; // indices: of runs, chosen of teacher[] if that is its source
} tt_contrast_pair;

// The pairs of one question:
//   1. of equal texts on one side the first counts; texts that are on both sides count on neither;
//   2. without a wrong run left there are no pairs;
//   3. without a right run left the fallback, if there is one, is the chosen;
//   4. with more chosen than rejected, rejected ones are drawn with replacement, one for each chosen;
//   5. with fewer, chosen ones are added from the teacher's texts (but those that are rejected): drawn
//   without
//      replacement if there are enough, with replacement if there are too few; with none at all, rejected
//      ones beyond the chosen are dropped.
// The i-th chosen meets the i-th rejected, each side in the order of its runs. pairs[n] is the caller's:
// there are never more than runs. *n_pairs receives their number. Errors: TT_ERR_NOMEM.
tt_status tt_contrast(const tt_contrast_run *runs, int n, const char *const *teacher, int n_teacher,
    const char *fallback, tt_rng *rng, tt_contrast_pair *pairs, int *n_pairs) TT_MUST_CHECK;

#endif
