// What runs are made for in reflection: training questions, and the recalls chosen for them.
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
    // Analyses that follow from this item's prompt, one for each option: those that came with the recall;
    // where the student writes no recall, the teacher's.
    const char *const **came_with; // [n_came_with]
    int n_came_with;
} tt_reflection_item;

// Zero-initialise; tt_reflection_items_close releases it. Texts are the corpus's and the pairs'.
typedef struct tt_reflection_items {
    tt_reflection_item *items;
    int n;
    tt_arena memory;
} tt_reflection_items;

// The distinct training questions (by question and options) that have reasoning, in the corpus's order; or
// `most` of them (0 = all), drawn from the seed for each iteration anew. Errors: TT_ERR_INPUT without any.
tt_status tt_reflection_questions(tt_reflection_items *out, const tt_corpus *corpus, int64_t most,
    uint64_t seed, int iteration) TT_MUST_CHECK;
// The distinct chosen recalls of the recall pairs, in the order in which they occur first, with all that came
// with any pair of theirs. The id is the question's with a hash of the recall: the same whatever other pairs
// there are.
tt_status tt_reflection_recalls(
    tt_reflection_items *out, const tt_corpus *corpus, const tt_preferences *pairs) TT_MUST_CHECK;
void tt_reflection_items_close(tt_reflection_items *items);

#ifdef __cplusplus
}
#endif

#endif
