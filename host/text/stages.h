// The three stages as text: inputs, targets, and reading an answer. Formats: method of TinyThinker, exact.
#ifndef TT_TEXT_STAGES_H
#define TT_TEXT_STAGES_H

#include "host/base/status.h"
#include "host/base/str.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum tt_stage { TT_RECALL, TT_ANALYZE, TT_SUMMARIZE, TT_STAGES } tt_stage;

// Which stages a student goes through (the ablations of the paper); or a baseline, which answers in one
// generation as summarize_only does.
typedef enum tt_stage_set {
    TT_SET_ALL,
    TT_SET_NO_RECALL,
    TT_SET_NO_ANALYZE,
    TT_SET_SUMMARIZE_ONLY,   // answers alone
    TT_SET_CHAIN_OF_THOUGHT, // rationale, then answer, in one text
    TT_SET_STEP_BY_STEP      // Distilling step-by-step (Hsieh et al. 2023): answer or rationale, by prefix
} tt_stage_set;

enum { TT_MIN_OPTIONS = 2, TT_MAX_OPTIONS = 26, TT_NO_ANSWER = -1 };

const char *tt_stage_name(tt_stage stage); // "recall", "analyze", "summarize"
// "all", "no_recall", "no_analyze", "summarize_only", "chain_of_thought", "step_by_step"
const char *tt_stage_set_name(tt_stage_set set);
tt_status tt_stage_set_parse(tt_stage_set *out, const char *name) TT_MUST_CHECK;
// Whether the student goes through the stage when it answers.
bool tt_stage_set_has(tt_stage_set set, tt_stage stage);
// Whether it is trained on examples of the stage: for step_by_step also on rationales, which stand for
// recall.
bool tt_stage_set_trains(tt_stage_set set, tt_stage stage);

// Inputs are appended to `out`. `general` is NULL where the set has no recall; `specific` (one per option)
// where it has no analyze. Knowledge has gone through tt_stage_close_knowledge, wherever it came from.
//   block      {question}\n(A) {a} (B) {b} ...
//   recall     {block}\nRecall:
//   analyze    {block}\nRecall: {general}\nAnalyze: For option X,
//   summarize  {block}\nRecall: {general}\nAnalyze: For option A, {..} For option B, {..}\nSummarize:
//   single     {block}\nReason: for chain_of_thought, [label] {block} for step_by_step
//   rationale  {general} For option A, {..} For option B, {..}: what the teacher knew, as one text
void tt_stage_block(tt_str *out, const char *question, const char *const *options, int n_options);
void tt_stage_recall_input(tt_str *out, const char *block);
void tt_stage_analyze_input(tt_str *out, const char *block, const char *general, int option);
void tt_stage_summarize_input(
    tt_str *out, const char *block, const char *general, const char *const *specific, int n_options);
void tt_stage_single_input(tt_str *out, tt_stage_set set, const char *block);
void tt_stage_rationale_input(tt_str *out, const char *block); // [rationale] {block}
void tt_stage_rationale(tt_str *out, const char *general, const char *const *specific, int n_options);
void tt_stage_answer(tt_str *out, int option); // So the answer is option X.

// Knowledge as all stages read it, generated, imported or made: trimmed of white space; what then ends in
// none of . " ' gets a "."
void tt_stage_close_knowledge(tt_str *knowledge);
// Option that `the answer is option ([A-Z])\.` finds in the text (its first match), or TT_NO_ANSWER. A letter
// beyond the options is the caller's to judge.
int tt_stage_read_answer(const char *text);

#ifdef __cplusplus
}
#endif

#endif
