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

typedef struct tt_student_validation {
    const tt_config *config;
    const tt_training_config *train; // the phase's: how many questions
    const tt_corpus *corpus;
    const tt_tokenizer *tokenizer;
    tt_comm *comm;
    bool *told; // that prompts are cut; borrowed
    bool empty; // the corpus has no validation questions: every score is 0
} tt_student_validation;

// Borrows all of it. Nothing is to be released.
void tt_student_validation_open(tt_student_validation *out, const tt_config *config,
    const tt_training_config *train, const tt_corpus *corpus, const tt_tokenizer *tokenizer, tt_comm *comm,
    bool *told);
// All ranks; the same on all.
tt_status tt_student_validate(
    const tt_student_validation *validation, tt_model *model, tt_validation *out) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
