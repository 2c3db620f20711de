// Phase 2, reflection: iteration k makes pairs of the student's own texts (reflection_pairs.h), takes the
// best student so far as the frozen reference and as the policy to begin with, and trains it to prefer what
// led to right answers (preference.h). With n_r and n_a pairs and batches of B, a cycle is R = n_r / B + 1
// steps of recall, then (n_a / n_r + 1) R of analyze, in whole numbers; after each cycle the student is
// validated, the best one wins.
#ifndef TT_TRAIN_REFLECTION_H
#define TT_TRAIN_REFLECTION_H

#include "host/train/phase.h"
#include "host/train/reflection_pairs.h"

// Runs one iteration on `start` (see tt_phase_run): the reference, or, with `resume`, what the iteration
// wrote to phase_room->last_path; then `reference_path` tells which reference its pairs must belong to.
// Without any pair the iteration is skipped with a warning: the student stays as it is.
tt_status tt_reflection_run(const tt_reflection_room *room, const tt_phase_room *phase_room,
    tt_checkpoint *start, bool resume, const char *reference_path, tt_phase_result *out) TT_MUST_CHECK;

// Steps of a cycle.
typedef struct tt_reflection_cycle {
    int64_t recall, analyze;
} tt_reflection_cycle;
// targets: recall, analyze or both. Without recall pairs analyze is cut by itself: n_a / B + 1.
tt_reflection_cycle tt_reflection_cycle_of(
    int recall_pairs, int analyze_pairs, int64_t batch_size, const char *targets);

#endif
