// Worlds: hand-written tables of things and facts, from which questions, reasoning and reading tasks are generated.
// datasets/README.md documents the files. Everything is deterministic: what is drawn for question i depends on the
// world's seed, i, and the table alone.
#ifndef TT_DATA_WORLD_WORLD_H
#define TT_DATA_WORLD_WORLD_H

#include "host/base/fs.h"
#include "host/data/corpus.h"

#ifdef __cplusplus
extern "C" {
#endif

// Builds the questions of all splits with the teacher's reasoning: an empty corpus ({0}) receives them, named after the
// world's folder (or file), with its provenance. The caller closes it in any case.
// No question text of test, validation or control is also asked in training with the same right answer, and every fact
// that validation or test asks for is stated in training reasoning.
// Errors: TT_ERR_CONFIG as `file:line: key: what is wrong`; TT_ERR_INPUT where the table is too small for the number of
// questions; TT_ERR_IO.
tt_status tt_world_corpus(tt_corpus *corpus, const char *world_yaml) TT_MUST_CHECK;

// Writes what a student learns to read from before it meets a world. `out_texts`: one document a line, for span
// corruption. `out_pairs`: reading tasks, one {"input", "target"} a line: the three stages over facts that are part of
// the input and are drawn again for each task. Both are made before either is written. Errors as above; TT_ERR_CONFIG, too,
// for a world that does not say how many of them there are to be, or that has too little to draw from: tasks need five
// objects and two values of each property, texts one value of each, in the world and in its vocabulary, which share no
// object.
tt_status tt_reading_generate(
    const char *world_yaml, const char *out_texts, const char *out_pairs) TT_MUST_CHECK;

// The files that a world names: its table of objects, the world of its vocabulary, and the table of that one.
enum { TT_WORLD_INPUTS = 3 };
typedef struct tt_world_input {
    const char *key; // that names the file, for messages
    char path[TT_PATH_MAX];
} tt_world_input;
// Reads no more than these names; *n receives their number. Errors: TT_ERR_IO, also where the world is no regular file, beside
// which they could lie; TT_ERR_CONFIG.
tt_status tt_world_inputs(const char *world_yaml, tt_world_input out[TT_WORLD_INPUTS], int *n) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
