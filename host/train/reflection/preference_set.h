// Preference pairs as training examples.
#ifndef TT_TRAIN_REFLECTION_PREFERENCE_SET_H
#define TT_TRAIN_REFLECTION_PREFERENCE_SET_H

#include "host/config/config.h"
#include "host/data/dataset.h"
#include "host/data/preferences.h"
#include "host/train/preference.h"

#ifdef __cplusplus
extern "C" {
#endif

// Zero-initialise. Example i of the dataset is pair i: its prompt as the input; its chosen text, followed by its
// rejected one, as the target. dataset.cut_inputs counts prompts that were cut, cut_targets pairs with a text
// that was cut.
typedef struct tt_preference_set {
    tt_dataset dataset;
    tt_preference_pair *pairs; // [dataset.n]
} tt_preference_set;

// The pairs of a stage, tokenised: prompts of at most limits->max_input tokens, texts of at most
// limits->max_target, `</s>` included. The caller closes it, also after an error. Errors: TT_ERR_NOMEM.
tt_status tt_preference_set_build(tt_preference_set *out, const tt_preferences *preferences, tt_stage stage,
    const tt_tokenizer *tokenizer, const tt_training_config *limits) TT_MUST_CHECK;
void tt_preference_set_close(tt_preference_set *set);

#ifdef __cplusplus
}
#endif

#endif
