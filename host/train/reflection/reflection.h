// Phase 2, reflection: iteration k makes pairs of the student's own texts (reflection_pairs.h), takes the
// best student so far as the frozen reference and as the policy to begin with, and trains it to prefer what
// led to right answers (preference.h). A cycle is one pass over all recall pairs, then one pass over all
// analyze pairs, each in its own shuffled order; after each cycle the student is validated. The best one
// wins, the reference among the candidates: an iteration that helps nobody ends with the student it began
// with.
#ifndef TT_TRAIN_REFLECTION_REFLECTION_H
#define TT_TRAIN_REFLECTION_REFLECTION_H

#include "host/train/phase.h"
#include "host/train/reflection/pairs.h"

#ifdef __cplusplus
extern "C" {
#endif

// Runs one iteration on `start` (see tt_phase_run): the reference, or, with `resume`, what the iteration
// wrote to phase_room->last_path; then `reference_path` tells which reference its pairs must belong to.
// Without any pair the iteration is skipped with a warning: the student stays as it is.
tt_status tt_reflection_run(const tt_reflection_room *room, const tt_phase_room *phase_room,
    tt_checkpoint *start, bool resume, const char *reference_path, tt_phase_result *out) TT_MUST_CHECK;

// The steps of a cycle: ceil(pairs / batch_size) for each kind of pairs that `targets` (recall, analyze or
// both) names.
typedef struct tt_reflection_cycle {
    int64_t recall, analyze;
} tt_reflection_cycle;
// From the numbers of pairs.
tt_reflection_cycle tt_reflection_cycle_of(
    int recall_pairs, int analyze_pairs, int64_t batch_size, const char *targets);
// What step `step` of an iteration (counted from 0) trains on: in cycle `cycle`, the pairs first .. first + n
// of the stage in that cycle's order. The last batch of a pass may be smaller.
typedef struct tt_reflection_step {
    int64_t cycle;
    tt_stage stage;
    int first, n;
} tt_reflection_step;
// cycle: what tt_reflection_cycle_of() returned for the same numbers of pairs.
tt_reflection_step tt_reflection_step_of(
    const tt_reflection_cycle *cycle, int64_t step, int recall_pairs, int analyze_pairs, int64_t batch_size);

#ifdef __cplusplus
}
#endif

#endif
