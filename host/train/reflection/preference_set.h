// Preference pairs as examples: what tt_trainer takes.
#ifndef TT_TRAIN_REFLECTION_PREFERENCE_SET_H
#define TT_TRAIN_REFLECTION_PREFERENCE_SET_H

#include "host/data/dataset.h"
#include "host/data/preferences.h"
#include "host/train/preference.h"

#ifdef __cplusplus
extern "C" {
#endif

// Zero-initialise. dataset.cut_inputs counts prompts that were cut, cut_targets texts.
typedef struct tt_preference_set {
    tt_dataset dataset;
    tt_preference_pair *pairs;
} tt_preference_set;

// The pairs of a stage, prompts of at most max_input tokens, texts of at most max_target.
tt_status tt_preference_set_build(tt_preference_set *out, const tt_preferences *preferences, tt_stage stage,
    const tt_tokenizer *tokenizer, int max_input, int max_target) TT_MUST_CHECK;
void tt_preference_set_close(tt_preference_set *set);

#ifdef __cplusplus
}
#endif

#endif
