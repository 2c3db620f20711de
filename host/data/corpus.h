// Questions and the teacher's reasoning: in memory, and as an HDF5 file.
#ifndef TT_DATA_CORPUS_H
#define TT_DATA_CORPUS_H

#include "host/base/memory.h"
#include "host/base/status.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum tt_split { TT_TRAIN, TT_VALIDATION, TT_TEST, TT_CONTROL, TT_SPLITS } tt_split;
const char *tt_split_name(tt_split split); // "train", "validation", "test", "control"
// Errors: TT_ERR_INPUT naming the word and the allowed ones.
tt_status tt_split_parse(tt_split *out, const char *name) TT_MUST_CHECK;

typedef struct tt_question {
    const char *id, *text;
    const char *const *options; // [n_options]
    int n_options, gold;        // gold: index of the option that the data set calls right
    tt_split split;
    int taught; // what most of the teacher's answers say, gold without any; kept by tt_corpus_add_reasoning
} tt_question;

// The right answer of a question: of a training question what acquisition teaches, `taught`; of all others
// the data set's gold. Training, pairs, scores and reports all ask this function.
int tt_right_answer(const tt_question *question);

// One accepted answer of the teacher. A corpus without recall has general NULL; without analyze, specific
// NULL.
typedef struct tt_reasoning {
    int question; // index
    const char *general;
    const char *const *specific; // [n_options of the question] or NULL
    int answer;
    const char *source; // "everyday", "human facts", "gpt-..."
} tt_reasoning;

// Texts live in `memory`; zero-initialise; tt_corpus_close releases everything.
typedef struct tt_corpus {
    tt_question *questions;
    size_t n_questions, questions_capacity;
    tt_reasoning *reasoning;
    size_t n_reasoning, reasoning_capacity;
    const char *name;                // "everyday", "csqa", ...
    const char *provenance;          // JSON text: sources, seeds, options of the import
    uint64_t hash;                   // of its content, set by load and save
    struct tt_corpus_tokens *tokens; // the training split, tokenised (corpus_tokens.h), or NULL
    int *latest, *earlier; // of a question and of a reasoning: its latest, its next earlier reasoning, or -1
    size_t latest_capacity, earlier_capacity;
    tt_arena memory;
} tt_corpus;

// Releases all that the corpus owns.
void tt_corpus_close(tt_corpus *corpus);
// Appends a copy. Errors: TT_ERR_INPUT naming the question's id: empty question, fewer than 2 or more than 26
// options, empty or repeated options, gold out of range, invalid UTF-8, repeated id is checked by
// tt_corpus_check.
tt_status tt_corpus_add_question(tt_corpus *corpus, const tt_question *question) TT_MUST_CHECK;
// Appends a copy, its knowledge trimmed and closed (tt_stage_close_knowledge), and counts its answer: a tie
// between options goes to gold if it is among them, else to the option seen first.
tt_status tt_corpus_add_reasoning(tt_corpus *corpus, const tt_reasoning *reasoning) TT_MUST_CHECK;
// Whether it leads to its question's right answer: others are kept, but nothing is learned from them.
bool tt_reasoning_agrees(const tt_corpus *corpus, const tt_reasoning *reasoning);

// Indices of the question's reasonings that agree, in their order, are written to out (NULL: only counted);
// their number.
int tt_corpus_reasonings(const tt_corpus *corpus, int question, int *out);

// The teacher on the training questions.
typedef struct tt_teacher_counts {
    int64_t questions; // that it answered
    int64_t differing; // of these: it differs from the data set's gold
    int64_t left_out;  // of its answers: those that do not lead to the right one
} tt_teacher_counts;
// Counts over the training questions.
tt_teacher_counts tt_corpus_count_teacher(const tt_corpus *corpus);
tt_status tt_corpus_check(const tt_corpus *corpus) TT_MUST_CHECK; // ids are distinct, indices in range

// The whole file (.h5); the caller closes the corpus. Errors: TT_ERR_IO (missing), TT_ERR_FORMAT (not a corpus, damaged).
// Saving checks the corpus first and replaces the file as a whole.
tt_status tt_corpus_load(tt_corpus *out, const char *path) TT_MUST_CHECK;
tt_status tt_corpus_save(tt_corpus *corpus, const char *path) TT_MUST_CHECK;
// For people: counts by split, options, lengths, reasoning, and the first `examples` questions in full.
void tt_corpus_show(const tt_corpus *corpus, int examples, FILE *out);

#ifdef __cplusplus
}
#endif

#endif
