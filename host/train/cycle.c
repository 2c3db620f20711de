#include "host/train/cycle.h"

#include "host/base/memory.h"

#include <stdlib.h>

tt_status tt_cycle_open(tt_cycle *out, const int batches[TT_STAGES], int64_t interval, int64_t options) {
    *out = (tt_cycle){0};
    if (interval < 1 || options < 1)
        return tt_fail(TT_ERR_INPUT, "interval %lld and options %lld must be at least 1", (long long)interval,
            (long long)options);
    for (int s = 0; s < TT_STAGES; ++s) out->epoch_steps += batches[s];
    if (out->epoch_steps < 1)
        return tt_fail(TT_ERR_INPUT, "no training examples for any stage; does the corpus have reasoning "
                                     "for its training split?");
    TT_TRY(tt_alloc(&out->turns, (size_t)out->epoch_steps, sizeof *out->turns, "stage plan"));
    int used[TT_STAGES] = {0};
    for (int64_t step = 0; step < out->epoch_steps; ++out->epoch_cycles) {
        for (int s = 0; s < TT_STAGES; ++s) {
            int64_t turn = s == TT_ANALYZE ? interval * options : interval;
            for (; turn > 0 && used[s] < batches[s]; --turn)
                out->turns[step++] = (struct tt_turn){
                    .stage = (uint8_t)s, .batch = used[s]++, .cycle = (int32_t)out->epoch_cycles};
        }
        out->turns[step - 1].ends_cycle = true;
    }
    return TT_OK;
}

void tt_cycle_close(tt_cycle *cycle) {
    free(cycle->turns);
    *cycle = (tt_cycle){0};
}

tt_cycle_step tt_cycle_step_of(const tt_cycle *cycle, int64_t step) {
    const int64_t epoch = step / cycle->epoch_steps;
    const struct tt_turn *turn = &cycle->turns[step % cycle->epoch_steps];
    return (tt_cycle_step){.stage = (tt_stage)turn->stage,
        .epoch = epoch,
        .batch = turn->batch,
        .cycle = epoch * cycle->epoch_cycles + turn->cycle,
        .ends_cycle = turn->ends_cycle};
}
