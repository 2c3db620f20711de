// The pairs of an iteration of reflection, from runs (reflection_runs.h) by rules (reflection_rules.h), with
// what the reference thinks of them (reflection_reference.h): pairs.h5 in the iteration's folder.
//
// Recall runs of all questions come first; behind each distinct recall that their pairs chose come the
// analyze runs. Stopped at any point, the same call goes on. Which pairs come out does not depend on
// interruptions; between numbers of ranks only rounding may tell sampled texts apart.
#ifndef TT_TRAIN_REFLECTION_PAIRS_H
#define TT_TRAIN_REFLECTION_PAIRS_H

#include "host/train/reflection/runs.h"

#ifdef __cplusplus
extern "C" {
#endif

// Builds pairs.h5 in the iteration's folder, resuming where it stopped, with the log-probabilities of
// `reference` (whose weights are still those that its hash tells of), and loads it on every rank. Where the
// file is there already nothing is generated. Errors: TT_ERR_FORMAT when it belongs to another reference;
// TT_ERR_INTERRUPTED.
tt_status tt_reflection_pairs(
    tt_preferences *out, const tt_reflection_room *room, tt_checkpoint *reference) TT_MUST_CHECK;
// The same for a resumed iteration, whose policy has moved: the file must be there and belong to `hash`.
tt_status tt_reflection_pairs_again(
    tt_preferences *out, const tt_reflection_room *room, uint64_t hash) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
