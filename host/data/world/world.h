// Worlds: hand-written tables of things and facts, from which questions, reasoning and reading tasks are generated.
// datasets/README.md documents the files. Everything is deterministic: what is drawn for question i depends on the
// world's seed, i, and the table alone.
#ifndef TT_DATA_WORLD_WORLD_H
#define TT_DATA_WORLD_WORLD_H

#include "host/base/status.h"

#ifdef __cplusplus
extern "C" {
#endif

// Writes the questions of all splits with the teacher's reasoning to `out_jsonl`, one JSON object a line:
//   {"id", "question", "options": [..], "gold": index, "split", "reasoning": [{"general",
//    "specific": [one per option], "answer": index}, ..]}
// No question text of test, validation or control is also asked in training with the same right answer, and every fact
// that validation or test asks for is stated in training reasoning.
// Errors: TT_ERR_CONFIG as `file:line: key: what is wrong`; TT_ERR_INPUT where the table is too small for the number of
// questions; TT_ERR_IO.
tt_status tt_world_generate(const char *world_yaml, const char *out_jsonl) TT_MUST_CHECK;

// The same, as a corpus file, named after the world's folder (or file). Errors as above.
tt_status tt_world_corpus(const char *world_yaml, const char *out_h5) TT_MUST_CHECK;

// Writes what a student learns to read from before it meets a world. `out_texts`: one document a line, for span
// corruption. `out_pairs`: reading tasks, one {"input", "target"} a line: the three stages over facts that are part of
// the input and are drawn again for each task. Errors as above.
tt_status tt_reading_generate(
    const char *world_yaml, const char *out_texts, const char *out_pairs) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
