// Phase 1, acquisition: one model learns the teacher's recall, analyze and summarize by turns (cycle.h), and
// answers the validation split through all its stages after cycles; the best checkpoint wins. The baselines
// are trained here as well: chain_of_thought as one stage, step_by_step with both tasks in every step
// (joint.h).
#ifndef TT_TRAIN_ACQUISITION_H
#define TT_TRAIN_ACQUISITION_H

#include "host/data/corpus.h"
#include "host/train/phase.h"

#ifdef __cplusplus
extern "C" {
#endif

// Runs the phase on `start` (see tt_phase_run). total steps = config->acquisition.steps, or epochs x the sum
// of the stages' batches. A corpus without validation questions keeps the last step's weights as the best.
tt_status tt_acquisition_run(const tt_config *config, const tt_corpus *corpus, const tt_phase_room *room,
    tt_checkpoint *start, bool resume, tt_phase_result *out) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
