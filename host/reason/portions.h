// How questions are cut into the pieces that several ranks take. A piece is generated for itself, from an idle engine, so that its
// texts have the same bits whoever generates it, whenever. So the cuts depend on the questions and the engine alone. A piece
// costs: at the end of each of its stages slots are idle. One rank shares nothing and does not pay: its evaluations are one
// piece; what it generates for pairs (runs.c) is cut all the same, since it is saved by pieces, but into larger ones where idle
// slots cost.
//
// The rule for several ranks: a piece has enough texts in its widest stage to keep the engine's slots busy. Where a step takes
// as long for few sequences as for many (devices that record steps), that is a 32nd of all texts, but at least four and at most
// eight times as many as slots; elsewhere 64 texts, each of which takes as long as each of more. Fewer are one piece. All
// pieces of a list have about as many texts.
#ifndef TT_REASON_PORTIONS_H
#define TT_REASON_PORTIONS_H

#include "host/data/corpus.h"
#include "host/text/stages.h"
#include "kernels/device.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_portions {
    int n;
    int *ends; // [n], ascending: piece i has questions ends[i - 1] (0 for the first) to ends[i] - 1
} tt_portions;

// How many of `all` texts of the widest stage a piece has for an engine with so many slots.
int64_t tt_portion_texts(const tt_device *device, int slots, int64_t all);
// The most texts that a stage has for a question of which `runs` are made.
int tt_widest_stage(tt_stage_set set, int runs, const tt_question *question);
// Cuts n questions (n > 0) of texts[i] > 0 texts each. The caller closes the result. Errors: TT_ERR_NOMEM.
tt_status tt_portions_cut(
    tt_portions *out, const int *texts, int n, const tt_device *device, int slots) TT_MUST_CHECK;
// n questions (n > 0) as one piece. Errors: TT_ERR_NOMEM.
tt_status tt_portions_whole(tt_portions *out, int n) TT_MUST_CHECK;
// Makes one piece of so many that follow each other, or of more, until it has so many questions; the last has what is left.
void tt_portions_join(tt_portions *portions, int pieces, int questions);
void tt_portions_close(tt_portions *portions);
// The first question of a piece.
int tt_portion_begin(const tt_portions *portions, int64_t piece);

#ifdef __cplusplus
}
#endif

#endif
