// Which questions were answered right: the part of predictions that is needed to compare two sets of answers
// question by question.
#ifndef TT_LAB_OUTCOMES_H
#define TT_LAB_OUTCOMES_H

#include "host/base/status.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_outcome {
    uint64_t id, content; // hashes of the question's id; of its text, options and right option
    bool right;           // an unreadable answer is wrong
} tt_outcome;

// Answers to questions, each id once. Zero-initialise; tt_outcomes_close frees the items.
typedef struct tt_outcomes {
    tt_outcome *items;
    size_t n, capacity;
    int64_t right;
    bool sorted;
} tt_outcomes;

// The letter of the option that counts as right in a line of predictions.jsonl: "taught" where the teacher's
// answer differs from the data set's gold (only training questions have that), else "gold". Borrowed from the
// line.
const json_t *tt_outcomes_right_option(const json_t *prediction);
// Adds a line of predictions.jsonl; a line without id or "right" is ignored. Errors: TT_ERR_NOMEM.
tt_status tt_outcomes_add(tt_outcomes *outcomes, const json_t *prediction) TT_MUST_CHECK;
void tt_outcomes_close(tt_outcomes *outcomes);
// Sorts the items by the hashes of their ids, unless they are sorted.
void tt_outcomes_sort(tt_outcomes *outcomes);

typedef struct tt_paired {
    int64_t n;        // questions
    int64_t to_right; // wrong before, right after
    int64_t to_wrong; // right before, wrong after
} tt_paired;

enum { TT_PAIRED_WHY = 128 };

// Counts changes from `before` to `after`, both sorted. Questions are matched by their ids. Returns false,
// with the reason in `why`, unless both have the same ids, each once, with the same texts, options and right
// options. A question that a data set has under several ids is several questions here, as in the accuracies.
// Its answers are mostly the same, so that intervals over questions are then too narrow.
bool tt_outcomes_pair(
    const tt_outcomes *before, const tt_outcomes *after, tt_paired *out, char why[TT_PAIRED_WHY]);

#ifdef __cplusplus
}
#endif

#endif
