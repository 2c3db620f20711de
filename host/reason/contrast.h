// Pairs the runs of one question: runs with the right answer are chosen, the others rejected.
#ifndef TT_REASON_CONTRAST_H
#define TT_REASON_CONTRAST_H

#include "host/base/philox.h"
#include "host/base/status.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_contrast_run {
    const char *text; // what the run wrote, as one text; two runs with equal texts are the same
    bool right;       // led to the right answer; false for an unreadable answer
} tt_contrast_run;

// What happens where fewer runs are chosen than rejected. The pool contains texts from elsewhere.
typedef enum tt_contrast_rule {
    TT_ADD_FROM_POOL, // recalls: texts of the pool are added, each once if there are enough, else drawn with
                      // replacement
    TT_DRAW_AGAIN     // analyses: the chosen runs are drawn again, with replacement; where no run is right,
                      // texts of the pool are drawn with replacement
} tt_contrast_rule;

typedef enum tt_contrast_source { TT_FROM_RUN, TT_FROM_POOL } tt_contrast_source;

typedef struct tt_contrast_pair {
    tt_contrast_source source; // of the chosen
    int chosen, rejected;      // indices: chosen of a run or of the pool, rejected of a run
} tt_contrast_pair;

typedef struct tt_contrast_case {
    const tt_contrast_run *runs; // [n], borrowed
    int n;
    tt_contrast_rule rule;
    int n_pool; // texts in the pool
} tt_contrast_case;

// The pairs of one question:
//   1. of equal texts on one side only the first counts; texts that are on both sides count on neither;
//   2. without a rejected run left there are no pairs;
//   3. with more chosen than rejected, rejected ones are drawn with replacement, one for each chosen;
//   4. with fewer, chosen ones are added by `rule`, even a text of the pool that a rejected run wrote too; where
//      the pool is empty, rejected ones beyond the chosen are dropped.
// The i-th chosen is paired with the i-th rejected, each side in the order of its runs. pairs[n] belongs to the
// caller: there are never more pairs than runs. *n_pairs receives their number. Errors: TT_ERR_NOMEM.
tt_status tt_contrast(
    const tt_contrast_case *question, tt_rng *rng, tt_contrast_pair *pairs, int *n_pairs) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
