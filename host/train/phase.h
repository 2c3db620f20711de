// A phase from its first step to its last: steps, metrics, validation, the best checkpoint, saving and
// resuming. Pretraining, acquisition and the iterations of reflection differ in where batches come from
// and how they are validated.
//
// A phase stops where it is and goes on bit-identically: what a step does follows from its number, and the
// checkpoint holds weights, moments, counters and the length of metrics.jsonl.
#ifndef TT_TRAIN_PHASE_H
#define TT_TRAIN_PHASE_H

#include "host/model/checkpoint.h"
#include "host/train/metrics.h"
#include "host/train/trainer.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_validation {
    double score;      // higher is better
    tt_str json, text; // what to write into metrics.jsonl (members of an object) and what to tell people
} tt_validation;

// What an experiment gives to a phase; all of it is borrowed.
typedef struct tt_phase_room {
    tt_comm *comm;
    tt_metrics *metrics;
    const char *last_path; // checkpoint to resume from, replaced at each save
    const char *best_path; // checkpoint with the best validation
    uint64_t seed;
    double began;       // tt_seconds() of the run's beginning, moved forward by the time between its starts
    bool *told_of_cuts; // whether people know that generation cuts prompts: once for all phases
} tt_phase_room;

typedef struct tt_phase {
    const char *name;
    const tt_training_config *config;
    int64_t total; // steps
    tt_batch_source source;
    void *self;                            // for the two below
    bool (*due)(void *self, int64_t step); // validate after `step` updates? (always at the end)
    tt_status (*validate)(void *self, tt_model *model, tt_validation *out); // all ranks; same score on all
    bool start_competes; // the weights that the phase begins with are validated too and win unless a later
                         // step does better: then best_step is 0
} tt_phase;

typedef struct tt_phase_result {
    int64_t steps, best_step; // best_step: -1 = nothing was validated yet
    double best_score;
    double tokens, seconds; // input and target tokens trained on; time in steps, without validation
    double wall;            // seconds of the whole run when it was saved
} tt_phase_result;

// Runs the phase on start->model. With `resume`, `start` is the checkpoint that the phase wrote to
// room->last_path; its moments become the phase's own (start->m and v are NULL afterwards). On return the
// model holds the last step's weights; the best are in room->best_path.
// Errors: TT_ERR_INTERRUPTED after Ctrl-C, with everything saved; TT_ERR_NUMERIC; TT_ERR_IO.
tt_status tt_phase_run(const tt_phase *phase, const tt_phase_room *room, tt_checkpoint *start, bool resume,
    tt_phase_result *out) TT_MUST_CHECK;

// The phase has nothing to train: `start` becomes its best and its last checkpoint, with no steps.
tt_status tt_phase_skip(const char *name, const tt_phase_room *room, const tt_checkpoint *start,
    tt_phase_result *out) TT_MUST_CHECK;

// What a checkpoint says of the phase that wrote it.
typedef struct tt_phase_state {
    tt_phase_result result;
    int64_t total, validated; // steps of the phase; the last one after which was validated, -1 = none
    int64_t metrics_bytes;    // length of metrics.jsonl then
    int64_t stale;            // validations since the best one
    bool finished;            // nothing is left to do
} tt_phase_state;

// Errors: TT_ERR_FORMAT when `state` is no state of phase `name`.
tt_status tt_phase_read(tt_phase_state *out, const char *state, const char *name) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
