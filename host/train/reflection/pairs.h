// The pairs of an iteration of reflection: puts together what its neighbours do, one after another.
//   questions.h    which questions, and which recalls, runs are made for
//   runs.h         generates the runs
//   rules.h        decides which pairs they give
//   reference.h    scores the pairs with the reference model
//   pairs_file.h   writes and reads pairs.h5 in the iteration's folder
// Recall runs of all questions come first; analyze runs follow for each distinct recall that their pairs chose.
// Stopped at any point, the same call resumes. The pairs do not depend on interruptions or on the number of ranks.
#ifndef TT_TRAIN_REFLECTION_PAIRS_H
#define TT_TRAIN_REFLECTION_PAIRS_H

#include "host/train/reflection/runs.h"

#ifdef __cplusplus
extern "C" {
#endif

// Builds pairs.h5 in the iteration's folder, resuming where it stopped, with the log-probabilities of
// `reference` (whose weights must still be those that its hash belongs to), and loads it on every rank. A
// complete file is loaded without generating anything. Called on all ranks. Errors: TT_ERR_FORMAT when the file
// belongs to another reference; TT_ERR_INPUT without a question to make runs for; TT_ERR_INTERRUPTED; TT_ERR_IO;
// TT_ERR_NOMEM.
tt_status tt_reflection_pairs_build(
    tt_preferences *out, const tt_reflection_context *context, tt_checkpoint *reference) TT_MUST_CHECK;
// Loads pairs.h5 for a resumed iteration, whose policy no longer is the reference: the file must be complete and
// belong to the reference with the hash `reference`. Errors: TT_ERR_FORMAT, TT_ERR_IO.
tt_status tt_reflection_pairs_load(
    tt_preferences *out, const tt_reflection_context *context, uint64_t reference) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
