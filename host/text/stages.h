// The three stages as text: inputs, targets, and reading an answer. The formats are those of the TinyThinker method, to
// the character.
#ifndef TT_TEXT_STAGES_H
#define TT_TEXT_STAGES_H

#include "host/base/status.h"
#include "host/base/str.h"
#include "host/config/words.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum tt_stage { TT_STAGE_MAP(TT_WORD_CODE) TT_STAGES } tt_stage;

// Which stages a student goes through (the ablations of the paper), or a baseline, which answers in one generation as
// summarize_only does.
typedef enum tt_stage_set { TT_STAGE_SET_MAP(TT_WORD_CODE) TT_STAGE_SETS } tt_stage_set;

enum { TT_MIN_OPTIONS = 2, TT_MAX_OPTIONS = 26, TT_NO_ANSWER = -1 };

const char *tt_stage_name(tt_stage stage);       // a word of TT_STAGE_MAP
const char *tt_stage_set_name(tt_stage_set set); // a word of TT_STAGE_SET_MAP
// Errors: TT_ERR_CONFIG for any other word, naming those allowed.
tt_status tt_stage_set_parse(tt_stage_set *out, const char *name) TT_MUST_CHECK;
// Whether the student goes through the stage when it answers.
bool tt_stage_set_has(tt_stage_set set, tt_stage stage);
// Whether it is trained on examples of the stage. For step_by_step that is also so for recall, in whose place are its
// rationales.
bool tt_stage_set_trains(tt_stage_set set, tt_stage stage);

// All functions append to `out`. `general` is NULL where the set has no recall, `specific` (one text per option) where it
// has no analyze. The caller passes knowledge that has gone through tt_stage_close_knowledge.
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

// Brings knowledge, whether generated, imported or made, into the form that all stages read: trims white space and
// appends a "." unless the text then ends in one of . " '
void tt_stage_close_knowledge(tt_str *knowledge);
// The option in the first match of `the answer is option ([A-Z])\.` (A = 0), or TT_NO_ANSWER. The caller checks that the
// question has this option.
int tt_stage_read_answer(const char *text);

#ifdef __cplusplus
}
#endif

#endif
