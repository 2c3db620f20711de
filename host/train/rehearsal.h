// Goes through a phase on a counting device (kernels/counting.h), to learn what training it takes: of its steps, those whose
// batches make the device's memory grow are made, in their order, as each rank makes them whose share is larger than those before;
// then the phase validates. No file is written.
#ifndef TT_TRAIN_REHEARSAL_H
#define TT_TRAIN_REHEARSAL_H

#include "kernels/tally.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_rehearsal {
    int64_t looks; // how many steps' batches are looked at, at most; they are spread evenly over the phase
    double recall_pairs, analyze_pairs; // that a question gives in reflection, on average
    // The device's memory at its peak: while reflection makes its pairs, in steps, in validations after steps.
    tt_memory_use pairs, steps_use, validation;
    int64_t steps;      // of the phase
    double tokens;      // input and target tokens of all its steps
    int64_t n_examples; // of the largest global batch
} tt_rehearsal;

struct tt_phase;
struct tt_phase_context;
struct tt_model;

// Called by tt_phase_run where the context has a rehearsal. Errors: as the trainer's and the phase's own.
tt_status tt_rehearse(const struct tt_phase *phase, const struct tt_phase_context *context,
    struct tt_model *model) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
