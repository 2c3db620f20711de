// The three stages as text: inputs, targets, and reading an answer. Formats: method of TinyThinker, exact.
#ifndef TT_TEXT_STAGES_H
#define TT_TEXT_STAGES_H

#include "host/base/status.h"
#include "host/base/str.h"

#include <stdbool.h>

typedef enum tt_stage { TT_RECALL, TT_ANALYZE, TT_SUMMARIZE, TT_STAGES } tt_stage;

// Which stages a student goes through (the ablations of the paper).
typedef enum tt_stage_set {
    TT_SET_ALL,
    TT_SET_NO_RECALL,
    TT_SET_NO_ANALYZE,
    TT_SET_SUMMARIZE_ONLY
} tt_stage_set;

enum { TT_MIN_OPTIONS = 2, TT_MAX_OPTIONS = 26, TT_NO_ANSWER = -1 };

const char *tt_stage_name(tt_stage stage); // "recall", "analyze", "summarize"
// "all", "no_recall", "no_analyze", "summarize_only"
const char *tt_stage_set_name(tt_stage_set set);
tt_status tt_stage_set_parse(tt_stage_set *out, const char *name) TT_MUST_CHECK;
bool tt_stage_set_has(tt_stage_set set, tt_stage stage);

// Inputs are appended to `out`. `general` is NULL where the set has no recall; `specific` (one per option)
// where it has no analyze. Generated knowledge goes through tt_stage_close_sentence first.
//   block      {question}\n(A) {a} (B) {b} ...
//   recall     {block}\nRecall:
//   analyze    {block}\nRecall: {general}\nAnalyze: For option X,
//   summarize  {block}\nRecall: {general}\nAnalyze: For option A, {..} For option B, {..}\nSummarize:
void tt_stage_block(tt_str *out, const char *question, const char *const *options, int n_options);
void tt_stage_recall_input(tt_str *out, const char *block);
void tt_stage_analyze_input(tt_str *out, const char *block, const char *general, int option);
void tt_stage_summarize_input(
    tt_str *out, const char *block, const char *general, const char *const *specific, int n_options);
void tt_stage_answer(tt_str *out, int option); // So the answer is option X.

// Appends "." to knowledge that ends in none of . " '
void tt_stage_close_sentence(tt_str *knowledge);
// Option that `the answer is option ([A-Z])\.` finds in the text (its first match), or TT_NO_ANSWER. A letter
// beyond the options is the caller's to judge.
int tt_stage_read_answer(const char *text);

#endif
