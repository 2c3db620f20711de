// Runs for reflection: the student goes through its stages several times for each item, one stage sampled,
// the others greedy. All ranks generate; rank 0 keeps runs as they come (run_log.h). Stopped at any point,
// the same call goes on.
#ifndef TT_TRAIN_REFLECTION_RUNS_H
#define TT_TRAIN_REFLECTION_RUNS_H

#include "host/config/config.h"
#include "host/dist/comm.h"
#include "host/model/checkpoint.h"
#include "host/reason/engine.h"
#include "host/reason/run_log.h"
#include "host/train/reflection/questions.h"

#ifdef __cplusplus
extern "C" {
#endif

// What an iteration works with; all of it is borrowed.
typedef struct tt_reflection_room {
    const tt_config *config;
    const tt_corpus *corpus;
    tt_comm *comm;
    int iteration;      // counted from 1
    const char *folder; // of the iteration; exists
    bool *told_of_cuts; // see tt_phase_room
} tt_reflection_room;

typedef struct tt_reflection_runs {
    const tt_reflection_room *room;
    tt_checkpoint *student;
    tt_stage_set set;
    tt_engine *engine;    // opened by the first call, closed by the caller
    int64_t prompts, cut; // of this rank: how many there were, how many were longer than the limit
} tt_reflection_runs;

// Runs of all items with the stage `sampled`, kept in the file `name` of the iteration's folder. Rank 0's log
// has them afterwards; the caller closes it on every rank. Errors: TT_ERR_INTERRUPTED; TT_ERR_IO.
tt_status tt_reflection_generate(tt_reflection_runs *runs, const tt_reflection_items *items, tt_stage sampled,
    const char *name, tt_run_log *log) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
