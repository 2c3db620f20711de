// The pairs of an iteration of reflection: the student goes through the stages several times for each
// training question; what led to right answers is held against what led to wrong ones (contrast.h).
//
// Recall pairs: recall is sampled, the rest greedy; the texts are recalls. Analyze pairs: for each recall
// pair, given its chosen recall, analyze is sampled; a run's text is the tuple of its analyses, runs without
// a readable answer are left out, the fallback is what came with the chosen recall. Each two of them give a
// pair of analyses of the right option and one of the option that the rejected run fell for, where they
// differ.
//
// All ranks generate; rank 0 keeps runs as they come (recall_runs.jsonl, analyze_runs.jsonl) and writes
// pairs.h5. Stopped at any point, the same call goes on. Which pairs come out does not depend on ranks or
// interruptions.
#ifndef TT_TRAIN_REFLECTION_PAIRS_H
#define TT_TRAIN_REFLECTION_PAIRS_H

#include "host/config/config.h"
#include "host/data/corpus.h"
#include "host/data/dataset.h"
#include "host/data/preferences.h"
#include "host/dist/comm.h"
#include "host/model/checkpoint.h"
#include "host/train/preference.h"

typedef struct tt_reflection_room {
    const tt_config *config;
    const tt_corpus *corpus;
    tt_comm *comm;
    int iteration;      // counted from 1
    const char *folder; // of the iteration; exists
} tt_reflection_room;

// Brings folder/pairs.h5 about, with the log-probabilities of `reference` (whose weights are still those that
// its hash tells of), and loads it on every rank. Where the file is there already nothing is generated.
// Errors: TT_ERR_FORMAT when it belongs to another reference; TT_ERR_INTERRUPTED; TT_ERR_CONFIG when the
// stages leave nothing to reflect on.
tt_status tt_reflection_pairs(
    tt_preferences *out, const tt_reflection_room *room, tt_checkpoint *reference) TT_MUST_CHECK;
// The same for a resumed iteration, whose policy has moved: the file must be there and belong to `hash`.
tt_status tt_reflection_pairs_again(
    tt_preferences *out, const tt_reflection_room *room, uint64_t hash) TT_MUST_CHECK;

// Pairs of a stage as examples: what tt_trainer takes. Zero-initialise.
typedef struct tt_preference_set {
    tt_dataset dataset;
    tt_preference_pair *pairs;
} tt_preference_set;
tt_status tt_preference_set_build(tt_preference_set *out, const tt_preferences *preferences, tt_stage stage,
    const tt_tokenizer *tokenizer, int max_input, int max_target) TT_MUST_CHECK;
void tt_preference_set_close(tt_preference_set *set);

#endif
