// What a teacher wrote about a question: from the text of one choice to knowledge and an answer, or to the reason why
// it cannot be used. Format: method of TinyThinker.
//
//   Key Information: {general}
//   Explanations: A is incorrect. Because {specific}
//   B is correct. Because {specific}
#ifndef TT_TEACHER_ANSWER_H
#define TT_TEACHER_ANSWER_H

#include "host/base/memory.h"
#include "host/base/status.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

// What becomes of a choice: constant, word of reports, explanation. The last three are decided among all choices of a
// question (selection.h).
#define TT_VERDICT_MAP(X)                                                                                    \
    X(TT_CHOICE_KEPT, "kept", "becomes reasoning of the corpus")                                             \
    X(TT_CHOICE_CUT, "cut", "reached the limit of tokens (finish_reason: length)")                           \
    X(TT_CHOICE_REFUSED, "refused", "the endpoint refused to answer or filtered the answer")                 \
    X(TT_CHOICE_EMPTY, "empty", "has no text")                                                               \
    X(TT_CHOICE_ENCODING, "encoding", "has bytes or characters that are not text")                           \
    X(TT_CHOICE_NO_GENERAL, "no key information", "does not begin with Key Information: and a text")         \
    X(TT_CHOICE_NO_EXPLANATIONS, "no explanations", "has no Explanations:")                                  \
    X(TT_CHOICE_BAD_VERDICT, "bad verdict", "a line does not begin like: B is correct. Because")             \
    X(TT_CHOICE_BAD_OPTION, "bad option", "explains an option that is not there, or one twice")              \
    X(TT_CHOICE_NO_ANSWER, "no answer", "calls no option correct")                                           \
    X(TT_CHOICE_TWO_ANSWERS, "two answers", "calls more than one option correct")                            \
    X(TT_CHOICE_BAD_JSON, "bad JSON", "is not the object that the schema asks for")                          \
    X(TT_CHOICE_DISAGREES, "disagrees", "its answer is not the majority's")                                  \
    X(TT_CHOICE_INCOMPLETE, "incomplete", "explains some of the options only")                               \
    X(TT_CHOICE_SURPLUS, "surplus", "the question has enough reasoning without it")

typedef enum tt_verdict {
#define TT_VERDICT_CONSTANT(code, word, meaning) code,
    TT_VERDICT_MAP(TT_VERDICT_CONSTANT)
#undef TT_VERDICT_CONSTANT
        TT_VERDICTS
} tt_verdict;

// The word and the explanation of TT_VERDICT_MAP; static memory.
const char *tt_verdict_word(tt_verdict verdict);
const char *tt_verdict_meaning(tt_verdict verdict);

// One choice, read. Texts live in the arena that it was read into, knowledge trimmed and closed
// (tt_stage_close_knowledge).
typedef struct tt_teacher_choice {
    tt_verdict verdict;    // TT_CHOICE_KEPT: accepted, so far
    const char *general;   // the texts are NULL where nothing was accepted
    const char **specific; // [n_options], NULL for an option that is not explained
    int answer;            // option that is called correct
} tt_teacher_choice;

// How the endpoint delivered a text.
typedef struct tt_teacher_text {
    const char *text; // what the model wrote; NULL = none
    bool cut;         // finish_reason: length
    bool refused;     // a refusal, or finish_reason: content_filter
    bool broken;      // some of it was not text
    bool json;        // written to the JSON schema
} tt_teacher_text;

// Thoughts before the answer, which end by </think>, and a fence of ``` around JSON are passed over. A text of the paper's
// format is read as such, though JSON was asked for: some endpoints have no schema. Errors: TT_ERR_NOMEM; whatever is wrong with the text is
// out->verdict.
tt_status tt_teacher_read(
    tt_teacher_choice *out, const tt_teacher_text *text, int n_options, tt_arena *memory) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
