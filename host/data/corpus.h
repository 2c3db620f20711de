// Questions and the teacher's reasoning: in memory, and as an HDF5 file.
#ifndef TT_DATA_CORPUS_H
#define TT_DATA_CORPUS_H

#include "host/base/memory.h"
#include "host/base/status.h"
#include "host/config/words.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum tt_split { TT_SPLIT_MAP(TT_WORD_CODE) TT_SPLITS } tt_split;
const char *tt_split_name(tt_split split); // a word of TT_SPLIT_MAP
// Errors: TT_ERR_INPUT for any other word, naming those allowed.
tt_status tt_split_parse(tt_split *out, const char *name) TT_MUST_CHECK;

typedef struct tt_question {
    const char *id, *text;
    const char
        *place; // where it was read, for messages: "file:line" or "file: entry N"; NULL: unknown. Not saved
    const char *const *options; // [n_options]
    int n_options, gold;        // gold: index of the option that is right by the data set
    tt_split split;
    int taught; // the option of most of the teacher's answers, gold where it gave none; set by the corpus
} tt_question;

// The right answer of a question: `taught` for a training question, since that is what acquisition teaches, the data
// set's gold for all others. Training, pairs, scores and reports all call this function.
int tt_right_answer(const tt_question *question);

// One accepted answer of the teacher. general is NULL in a corpus without recall, specific in one without analyze.
typedef struct tt_reasoning {
    int question; // index
    const char *general;
    const char *const *specific; // [n_options of the question] or NULL
    int answer;
    const char *source; // "everyday", "human facts", "gpt-..."
} tt_reasoning;

// Zero-initialise; tt_corpus_close releases everything. `memory` owns the texts of questions and reasoning.
typedef struct tt_corpus {
    tt_question *questions;
    size_t n_questions, questions_capacity;
    tt_reasoning *reasoning;
    size_t n_reasoning, reasoning_capacity;
    const char *name;                // "everyday", "csqa", ...
    const char *provenance;          // JSON text: sources, seeds, options of the import
    uint64_t hash;                   // of its content; load and save set it
    struct tt_corpus_tokens *tokens; // the training split, tokenised (corpus_tokens.h), or NULL
    int *latest;                     // [n_questions]: index of the question's latest reasoning, or -1
    int *earlier; // [n_reasoning]: index of the next earlier reasoning of the same question, or -1
    size_t latest_capacity, earlier_capacity;
    tt_arena memory;
} tt_corpus;

// Releases everything and makes the corpus empty.
void tt_corpus_close(tt_corpus *corpus);
// Appends a copy. Errors: TT_ERR_INPUT naming the question's id: empty id, text or option, fewer than 2 or more than
// 26 options, gold out of range, invalid UTF-8. (tt_corpus_check looks for repeated ids.)
tt_status tt_corpus_add_question(tt_corpus *corpus, const tt_question *question) TT_MUST_CHECK;
// Appends a copy, its knowledge trimmed and closed (tt_stage_close_knowledge), and counts its answer for `taught`: a
// tie between options goes to gold if it is among them, else to the option seen first. Errors: TT_ERR_INPUT naming
// the question's id.
tt_status tt_corpus_add_reasoning(tt_corpus *corpus, const tt_reasoning *reasoning) TT_MUST_CHECK;
// The same, but only where the question has no reasoning yet with this answer and these texts; *added receives whether it
// was new.
tt_status tt_corpus_add_new_reasoning(
    tt_corpus *corpus, const tt_reasoning *reasoning, bool *added) TT_MUST_CHECK;
// Whether an earlier reasoning of the same question has the same answer and texts as corpus->reasoning[index].
bool tt_reasoning_repeats(const tt_corpus *corpus, size_t index);
// Puts all reasoning into the order of the questions, that of one question in the order in which it was added: the order
// that importers give. Drops the corpus's tokens, which follow the order. Errors: TT_ERR_NOMEM.
tt_status tt_corpus_group_reasoning(tt_corpus *corpus) TT_MUST_CHECK;
// Whether it leads to its question's right answer. Others stay in the corpus, but nothing is learned from them.
bool tt_reasoning_agrees(const tt_corpus *corpus, const tt_reasoning *reasoning);

// Writes the indices of the question's reasonings that agree to `out`, in their order (NULL: counts only), and returns
// their number.
int tt_corpus_reasonings(const tt_corpus *corpus, int question, int *out);

// What the teacher answered to the training questions.
typedef struct tt_teacher_counts {
    int64_t questions; // questions that it answered
    int64_t differing; // of these, questions where `taught` is not gold
    int64_t left_out;  // answers that do not lead to the right answer, so that nothing is learned from them
} tt_teacher_counts;
// Counts over the training questions.
tt_teacher_counts tt_corpus_count_teacher(const tt_corpus *corpus);
// Errors: TT_ERR_INPUT for a corpus without questions, or with an id that occurs twice, naming the places of both questions.
tt_status tt_corpus_check(const tt_corpus *corpus) TT_MUST_CHECK;

// As an HDF5 file (layout: corpus_file.c). Errors: TT_ERR_IO; TT_ERR_FORMAT for a damaged or foreign file.
tt_status tt_corpus_load(tt_corpus *out, const char *path) TT_MUST_CHECK;
tt_status tt_corpus_save(tt_corpus *corpus, const char *path) TT_MUST_CHECK;
// Prints, for people, what the corpus was made from, counts by split, options, reasoning, and the first `examples` questions
// in full.
void tt_corpus_show(const tt_corpus *corpus, int examples, FILE *out);

#ifdef __cplusplus
}
#endif

#endif
