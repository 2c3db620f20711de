// Generates the runs that pairs are made of: the student goes through its stages several times for each item,
// with one stage sampled and the others greedy. All ranks generate; rank 0 logs runs as they come (run_log.h).
// Stopped at any point, the same call resumes.
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

// What an iteration works with; everything is borrowed.
typedef struct tt_reflection_context {
    const tt_config *config;
    const tt_corpus *corpus;
    tt_comm *comm;
    int iteration;              // counted from 1
    const char *folder;         // of the iteration; it exists
    const char *reference_path; // checkpoint of the reference; read where an iteration is resumed
    bool *cuts_warned;          // see tt_phase_context
} tt_reflection_context;

typedef struct tt_reflection_runs {
    const tt_reflection_context *context;
    tt_checkpoint *student; // borrowed
    tt_stage_set set;
    tt_engine *engine; // opened by the first call, closed by the caller
    // Of this rank: prompts; those longer than the limit; texts that runs have; texts written for them.
    int64_t prompts, cut, asked, texts;
} tt_reflection_runs;

// Generates reflection.samples runs of each item with the stage `sampled`, logged in the file `name` of the
// iteration's folder. Called on all ranks; afterwards rank 0's log has all runs, and the caller closes the log
// on every rank. Errors: TT_ERR_INTERRUPTED, with the runs so far saved; TT_ERR_IO, TT_ERR_FORMAT for the log;
// TT_ERR_NOMEM.
tt_status tt_reflection_generate(tt_reflection_runs *runs, const tt_reflection_items *items, tt_stage sampled,
    const char *name, tt_run_log *log) TT_MUST_CHECK;
// Generates the largest piece of what tt_reflection_generate would, on this rank alone, and keeps nothing: for planning. Errors:
// TT_ERR_NOMEM, TT_ERR_DEVICE.
tt_status tt_reflection_generate_piece(
    tt_reflection_runs *runs, const tt_reflection_items *items, tt_stage sampled) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
