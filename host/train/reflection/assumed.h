// Stands in for the pairs of an iteration where the student is not there to write texts (rehearsal.h): as many pairs of a
// question as the rehearsal says, all of the teacher's texts.
#ifndef TT_TRAIN_REFLECTION_ASSUMED_H
#define TT_TRAIN_REFLECTION_ASSUMED_H

#include "host/train/reflection/runs.h"
#include "host/train/rehearsal.h"

#ifdef __cplusplus
extern "C" {
#endif

// Makes the pairs and has `reference`, on a counting device, write and score texts as tt_reflection_pairs_build would;
// rehearsal->pairs receives the peak. The caller closes *out. Errors: as tt_reflection_pairs_build.
tt_status tt_reflection_pairs_assume(tt_preferences *out, const tt_reflection_context *context,
    tt_checkpoint *reference, tt_rehearsal *rehearsal) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
