// Pretraining: T5's span corruption on plain text, mixed with reading tasks.
#ifndef TT_TRAIN_PRETRAINING_H
#define TT_TRAIN_PRETRAINING_H

#include "host/train/phase.h"

#ifdef __cplusplus
extern "C" {
#endif

// Reads the texts and pairs of config->pretraining and runs the phase on `start` (see tt_phase_run). A slice
// of the pairs (of the windows, where there are no pairs) is held out: 512 of them, or as many as
// validation_questions says, but at most a tenth; validation is its loss.
tt_status tt_pretraining_run(const tt_config *config, const tt_phase_room *room, tt_checkpoint *start,
    bool resume, tt_phase_result *out) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
