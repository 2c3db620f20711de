// Phase 2, reflection. An iteration takes the best student so far, as the frozen reference and as the policy to
// begin with; makes preference pairs of its own texts (pairs.h); and trains it to prefer texts that led to right
// answers (host/train/preference.h). A cycle is one pass over all recall pairs, then one pass over all analyze
// pairs, each in its own shuffled order. The student is validated before the first cycle and after every
// reflection.validate_every cycles, and the best one is kept: an iteration that does not help ends with the
// student it began with.
#ifndef TT_TRAIN_REFLECTION_REFLECTION_H
#define TT_TRAIN_REFLECTION_REFLECTION_H

#include "host/train/phase.h"
#include "host/train/reflection/pairs.h"

#ifdef __cplusplus
extern "C" {
#endif

// Runs one iteration on `start`, on all ranks (see tt_phase_run, also for errors): the reference, or, with
// `resume`, what the iteration wrote to phase_context->last_path; then its pairs must belong to the checkpoint
// context->reference_path. Without any pair the iteration is skipped with a warning and the student stays as it
// is. Further errors: TT_ERR_CONFIG where reflection.targets names a stage that the student does not write;
// those of tt_reflection_pairs_build.
tt_status tt_reflection_run(const tt_reflection_context *context, const tt_phase_context *phase_context,
    tt_checkpoint *start, bool resume, tt_phase_result *out) TT_MUST_CHECK;

// Steps of a cycle.
typedef struct tt_reflection_cycle {
    int64_t recall, analyze;
} tt_reflection_cycle;
// ceil(pairs / batch_size) steps for each kind of pairs that `targets` (recall, analyze or both) names, none for the
// others.
tt_reflection_cycle tt_reflection_cycle_of(
    int recall_pairs, int analyze_pairs, int64_t batch_size, const char *targets);

// What a step trains on: the pairs first .. first + n - 1 of the stage, in the order of cycle `cycle`.
typedef struct tt_reflection_step {
    int64_t cycle; // counted from 0
    tt_stage stage;
    int first, n;
} tt_reflection_step;
// Step `step` (counted from 0) of an iteration; `cycle` is tt_reflection_cycle_of the same numbers. The last batch of
// a pass over the pairs may be smaller than batch_size.
tt_reflection_step tt_reflection_step_of(
    const tt_reflection_cycle *cycle, int64_t step, int recall_pairs, int analyze_pairs, int64_t batch_size);

#ifdef __cplusplus
}
#endif

#endif
