// How well a model predicts the targets of held-out examples.
#ifndef TT_TRAIN_HELD_OUT_H
#define TT_TRAIN_HELD_OUT_H

#include "host/data/dataset.h"
#include "host/dist/comm.h"
#include "host/model/model.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_held_out {
    const tt_dataset *dataset; // borrowed, like examples
    const int32_t *examples;   // [n] indices of the dataset
    int n;
} tt_held_out;

typedef struct tt_held_out_score {
    double loss;  // mean cross-entropy over target tokens
    double token; // share of target tokens that the model predicts (argmax, given the right tokens before)
    double exact; // share of targets with every token predicted: those that greedy decoding would write
} tt_held_out_score;

// All ranks call it and receive the same score, whatever their number; they take chunks of `chunk` (at least 1) examples as
// they get to them. held->n >= 1. Errors: TT_ERR_NOMEM, TT_ERR_DEVICE; what the collective returns.
tt_status tt_held_out_evaluate(
    const tt_held_out *held, tt_model *model, tt_comm *comm, int chunk, tt_held_out_score *out) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
