// Pretraining: T5's span corruption on plain text, mixed with reading tasks.
#ifndef TT_TRAIN_PRETRAINING_H
#define TT_TRAIN_PRETRAINING_H

#include "host/train/phase.h"

#ifdef __cplusplus
extern "C" {
#endif

// Reads the texts and reading tasks that context->config->pretraining names (keys text and pairs) and runs the phase on
// `start` (see tt_phase_run, also for further errors). Some of the reading tasks, or of the windows of text where
// there are fewer than two tasks, are held out: 512, or as many as validation_questions says, but at most a
// tenth; their loss is the validation. Errors: TT_ERR_IO, TT_ERR_INPUT, TT_ERR_CONFIG without usable data, or where it resumes
// and the data has changed.
tt_status tt_pretraining_run(
    const tt_phase_context *context, tt_checkpoint *start, bool resume, tt_phase_result *out) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
