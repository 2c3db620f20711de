// The phases of a run, in their order.
#ifndef TT_LAB_PHASES_H
#define TT_LAB_PHASES_H

#include "host/config/config.h"
#include "host/data/corpus.h"
#include "host/lab/result.h"
#include "host/reason/evaluate.h"

#ifdef __cplusplus
extern "C" {
#endif

// Appends the phases that the configuration enables to result->phases. Errors: TT_ERR_CONFIG where a phase lacks the
// student or the corpus that it needs.
tt_status tt_phases_add(tt_result *result, const tt_config *config, bool has_corpus) TT_MUST_CHECK;

// How the final evaluation scores a split: greedy, or with `samples` runs that vote. Predictions, label and cuts_warned
// are left to the caller. Errors: TT_ERR_CONFIG.
tt_status tt_scoring_of(tt_evaluate_options *out, const tt_config *config, const tt_corpus *corpus,
    tt_split split, int samples) TT_MUST_CHECK;
bool tt_split_is_empty(const tt_corpus *corpus, tt_split split);

#ifdef __cplusplus
}
#endif

#endif
