// Looks up what reflection makes runs for: training questions, and the recalls chosen for them.
#ifndef TT_TRAIN_REFLECTION_QUESTIONS_H
#define TT_TRAIN_REFLECTION_QUESTIONS_H

#include "host/data/corpus.h"
#include "host/data/preferences.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_reflection_item {
    tt_question question; // its id names the item: sampling and draws are keyed by it
    int index;            // of the question in the corpus
    const char *general;  // the recall that runs begin with, or NULL
    // Tuples of analyses, one analysis for each option: those that came with the recall, or, where the student
    // writes no recall, the teacher's.
    const char *const **came_with; // [n_came_with]
    int n_came_with;
} tt_reflection_item;

// Zero-initialise; tt_reflection_items_close releases it, also after an error. Texts belong to the corpus and to
// the pairs.
typedef struct tt_reflection_items {
    tt_reflection_item *items;
    int n;
    tt_arena memory;
} tt_reflection_items;

// The distinct training questions (by text and options) that have reasoning, in the corpus's order; with `most`
// (0 = all) only that many of them, drawn by seed and iteration. Errors: TT_ERR_INPUT without any; TT_ERR_NOMEM.
tt_status tt_reflection_questions(tt_reflection_items *out, const tt_corpus *corpus, int64_t most,
    uint64_t seed, int iteration) TT_MUST_CHECK;
// The distinct chosen recalls of the recall pairs, in order of first occurrence, each with all tuples of analyses
// that came with one of its pairs. An item's id is that of the question with a hash of the recall, so that it
// does not depend on other pairs. Errors: TT_ERR_FORMAT for pairs of another corpus; TT_ERR_NOMEM.
tt_status tt_reflection_recalls(
    tt_reflection_items *out, const tt_corpus *corpus, const tt_preferences *pairs) TT_MUST_CHECK;
void tt_reflection_items_close(tt_reflection_items *items);

#ifdef __cplusplus
}
#endif

#endif
