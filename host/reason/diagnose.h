// Where a wrong answer was decided: the student answers again with the teacher's text in place of its own, first
// the recall, then the analyses too. The first replacement that makes the answer right names the stage.
#ifndef TT_REASON_DIAGNOSE_H
#define TT_REASON_DIAGNOSE_H

#include "host/reason/chain.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_diagnosis {
    const tt_reasoning
        *teacher;      // whose texts were used; NULL where the corpus has none that lead to the right answer
    int with_recall;   // answer with the teacher's recall: an option, or TT_NO_ANSWER
    int with_analyses; // with the teacher's recall and analyses
    tt_stage stage;    // that decided a wrong answer; says nothing about a right one
} tt_diagnosis;

// For questions [n], indices into corpus->questions; out[n]. The student goes through all three stages (set is
// ignored), greedily. The teacher's reasoning of a question is the first that agrees with its right answer
// (tt_right_answer). Errors: those of generation; TT_ERR_NOMEM.
tt_status tt_diagnose(tt_diagnosis *out, tt_engine *engine, const tt_tokenizer *tokenizer,
    const tt_corpus *corpus, const int *questions, int n, const tt_chain_options *options) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
