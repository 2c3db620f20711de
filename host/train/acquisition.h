// Phase 1, acquisition: one model learns the teacher's recall, analyze and summarize by turns (cycle.h). After
// every acquisition.validate_every cycles it answers the validation split through all its stages; the best
// checkpoint is kept. The baselines are trained here too: chain_of_thought as one stage, step_by_step with both
// tasks in every step (joint.h).
#ifndef TT_TRAIN_ACQUISITION_H
#define TT_TRAIN_ACQUISITION_H

#include "host/data/corpus.h"
#include "host/train/phase.h"

#ifdef __cplusplus
extern "C" {
#endif

// Runs the phase on `start` (see tt_phase_run, also for errors and what it returns). Steps in all:
// context->config->acquisition.steps, or, if that is 0, epochs x the sum of the stages' batches. Without validation
// questions in the corpus the last step's weights are kept as the best.
tt_status tt_acquisition_run(const tt_phase_context *context, const tt_corpus *corpus, tt_checkpoint *start,
    bool resume, tt_phase_result *out) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
