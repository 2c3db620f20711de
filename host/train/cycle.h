// Which stage trains at which step. One model learns three datasets by turns: `interval` steps of recall,
// interval x options of analyze, `interval` of summarize, and again, each dataset in its own shuffled order.
// A stage that has no batches left in this epoch is passed over until all are exhausted; then the next epoch
// begins, with recall. (The published implementation lets turn and stage drift apart once a stage is
// exhausted; here they stay together.)
//
// The plan of an epoch is a table, the same for every epoch: what a step does is a pure function of its
// number, and nothing needs saving for a run to resume.
#ifndef TT_TRAIN_CYCLE_H
#define TT_TRAIN_CYCLE_H

#include "host/base/status.h"
#include "host/text/stages.h"

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_cycle {
    int64_t epoch_steps;  // sum of the stages' batches
    int64_t epoch_cycles; // full rounds of turns in an epoch
    struct tt_turn {
        int32_t batch, cycle;
        uint8_t stage;
        bool ends_cycle;
    } * turns; // [epoch_steps]
} tt_cycle;

typedef struct tt_cycle_step {
    tt_stage stage;
    int64_t epoch;
    int batch;       // which batch of the stage in this epoch
    int64_t cycle;   // counted through all epochs
    bool ends_cycle; // the last step of its cycle
} tt_cycle_step;

// batches[s]: batches of stage s in an epoch, 0 for a stage that the ablation leaves out. interval >= 1,
// options >= 1. The caller closes it. Errors: TT_ERR_INPUT when there is no batch at all; TT_ERR_NOMEM.
tt_status tt_cycle_open(
    tt_cycle *out, const int batches[TT_STAGES], int64_t interval, int64_t options) TT_MUST_CHECK;
void tt_cycle_close(tt_cycle *cycle);
// What step `step` of the phase (counted from 0) trains on.
tt_cycle_step tt_cycle_step_of(const tt_cycle *cycle, int64_t step);

#ifdef __cplusplus
}
#endif

#endif
