// Scoring a split of a corpus: every question goes through the student's stages, answers are counted.
#ifndef TT_REASON_EVALUATE_H
#define TT_REASON_EVALUATE_H

#include "host/data/corpus.h"
#include "host/dist/comm.h"
#include "host/model/model.h"
#include "host/reason/engine.h"
#include "host/text/stages.h"
#include "host/text/tokenizer.h"

#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_evaluate_options {
    tt_stage_set set;
    tt_split split;
    int64_t questions;      // the first so many of the split; 0 = all
    int samples;            // 0 = greedy; else self-consistency: runs per question that vote
    tt_decoding decoding;   // temperature, top_k and top_p of sampled stages, beams of the others; seed
    int max_input, slots;   // tokens of a prompt; sequences decoded at a time
    const char *limit_name; // what sets max_input, for the warning; NULL = evaluation.max_input
    bool *told; // that prompts are cut: the first call that cuts one warns and sets it; NULL = each warns
    FILE *predictions; // every stage's text as JSON lines, written by rank 0; NULL = none
    const char *label; // of the progress bar
} tt_evaluate_options;

typedef struct tt_evaluation {
    int n, right, unanswered;
    double accuracy, low, high; // with its 95 % interval
    double tokens, seconds;     // generated
    double length[TT_STAGES];   // mean tokens of a stage's text; 0 for stages left out
    double unended[TT_STAGES];  // share of a stage's texts that max_length cut
} tt_evaluation;

// All ranks call it; each takes its share of the questions, all receive the same counts. Errors: TT_ERR_INPUT
// where the split is empty; what generation and writing return.
tt_status tt_evaluate(tt_model *model, const tt_tokenizer *tokenizer, tt_comm *comm, const tt_corpus *corpus,
    const tt_evaluate_options *options, tt_evaluation *out) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
