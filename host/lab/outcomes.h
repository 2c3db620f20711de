// Which questions were answered right: what is kept of predictions to compare two sets of answers question by
// question.
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

// Answers to questions, each once. Zero-initialise.
typedef struct tt_outcomes {
    tt_outcome *items;
    size_t n, room;
    int64_t right;
    bool sorted;
} tt_outcomes;

// The letter of the option that counts as right in a line of predictions.jsonl: what was taught where that is
// not the data set's gold (training questions alone).
const json_t *tt_outcomes_right_option(const json_t *prediction);
// Adds a line of predictions.jsonl; one without id or "right" is passed over. Errors: TT_ERR_NOMEM.
tt_status tt_outcomes_add(tt_outcomes *outcomes, const json_t *prediction) TT_MUST_CHECK;
void tt_outcomes_close(tt_outcomes *outcomes);
// Brings the items into the order of their ids' hashes; nothing where they are.
void tt_outcomes_sort(tt_outcomes *outcomes);

typedef struct tt_paired {
    int64_t n, to_right, to_wrong; // questions; wrong before and right after; right before and wrong after
} tt_paired;

enum { TT_PAIRED_WHY = 128 };

// Counts changes from `before` to `after`, both sorted. Questions are matched by their ids, and only where
// both have the same ones, with the same texts and right options: else false, and `why` says so.
bool tt_outcomes_pair(
    const tt_outcomes *before, const tt_outcomes *after, tt_paired *out, char why[TT_PAIRED_WHY]);

#ifdef __cplusplus
}
#endif

#endif
