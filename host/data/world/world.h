// Worlds: hand-written tables of things and facts, and the questions, reasoning and reading tasks that are
// generated from them. datasets/README.md documents the files. Everything is deterministic: what is drawn for
// question i depends on the world's seed, i, and the table alone.
#ifndef TT_DATA_WORLD_WORLD_H
#define TT_DATA_WORLD_WORLD_H

#include "host/base/status.h"

#ifdef __cplusplus
extern "C" {
#endif

// Questions of all splits with the teacher's reasoning, one JSON object a line, written to `out_jsonl`:
//   {"id", "question", "options": [..], "gold": index, "split", "reasoning": [{"general",
//    "specific": [one per option], "answer": index}, ..]}
// No test, validation or control question text is asked in training with the same right answer, and every
// fact that validation or test ask for is stated in training reasoning.
// Errors: TT_ERR_CONFIG as `file:line: key: what is wrong`; TT_ERR_INPUT if the table is too small for the
// number of questions; TT_ERR_IO.
tt_status tt_world_generate(const char *world_yaml, const char *out_jsonl) TT_MUST_CHECK;

// The same straight into a corpus, named after the world's folder (or file).
tt_status tt_world_corpus(const char *world_yaml, const char *out_h5) TT_MUST_CHECK;

// What a student learns to read with before it meets a world. `out_texts`: one document a line, for span
// corruption. `out_pairs`: one {"input", "target"} a line: the three stages over facts that stand in the
// input and are drawn anew for each task. Errors as above.
tt_status tt_reading_generate(
    const char *world_yaml, const char *out_texts, const char *out_pairs) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
