// Finds the stage in which a wrong answer was decided: the student answers again with the teacher's texts in place
// of its own, first with the teacher's recall, then with its recall and analyses. The first replacement that makes
// the answer right names the stage.
#ifndef TT_REASON_DIAGNOSE_H
#define TT_REASON_DIAGNOSE_H

#include "host/reason/chain.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_diagnosis {
    // The reasoning whose texts were used; NULL where the corpus has none that leads to the right answer.
    const tt_reasoning *teacher;
    int with_recall;   // answer with the teacher's recall: an option, or TT_NO_ANSWER
    int with_analyses; // answer with the teacher's recall and analyses
    tt_stage stage;    // that decided a wrong answer; meaningless for a right one
} tt_diagnosis;

// All pointers are borrowed for the call.
typedef struct tt_diagnosis_request {
    const tt_corpus *corpus;
    const int *questions; // [n] indices into corpus->questions
    int n;
    const tt_chain_options *options; // set and samples are ignored: all three stages are written, greedily
} tt_diagnosis_request;

// out[request->n] receives the diagnoses. The teacher's reasoning of a question is the first one that leads to its
// right answer (tt_right_answer) and has both texts. Errors: those of tt_chain_generate; TT_ERR_NOMEM.
tt_status tt_diagnose(
    tt_diagnosis *out, tt_engine *engine, const tt_diagnosis_request *request) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
