// How acquisition and reflection validate: the student answers the validation split through all its stages,
// greedily; the score is its accuracy.
#ifndef TT_TRAIN_STUDENT_VALIDATION_H
#define TT_TRAIN_STUDENT_VALIDATION_H

#include "host/config/config.h"
#include "host/data/corpus.h"
#include "host/text/tokenizer.h"
#include "host/train/phase.h"

#ifdef __cplusplus
extern "C" {
#endif

// All pointers are borrowed.
typedef struct tt_student_validation {
    const tt_config *config;
    const tt_training_config *train; // the phase's: how many questions
    const tt_corpus *corpus;
    const tt_tokenizer *tokenizer;
    tt_comm *comm;
    bool *cuts_warned; // see tt_phase_context
    bool empty;        // the corpus has no validation questions: every score is 0
} tt_student_validation;

// Sets `empty`; the caller has set all other fields.
void tt_student_validation_open(tt_student_validation *validation);
// All ranks call it and receive the same score in 0..1. Errors: those of tt_evaluate.
tt_status tt_student_validate(
    const tt_student_validation *validation, tt_model *model, tt_validation *out) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
