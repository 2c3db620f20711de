// A supervised phase from its first step to its last: steps, metrics, validation, the best checkpoint, saving
// and resuming. Acquisition and pretraining differ in where batches come from and how they are validated.
//
// A phase stops where it is and goes on bit-identically: what a step does follows from its number, and the
// checkpoint holds weights, moments, counters and the length of metrics.jsonl.
#ifndef TT_TRAIN_PHASE_H
#define TT_TRAIN_PHASE_H

#include "host/model/checkpoint.h"
#include "host/train/metrics.h"
#include "host/train/trainer.h"

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
} tt_phase_room;

typedef struct tt_phase {
    const char *name;
    const tt_training_config *config;
    int64_t total; // steps
    tt_batch_source source;
    void *self;                            // for the two below
    bool (*due)(void *self, int64_t step); // validate after `step` updates? (always at the end)
    tt_status (*validate)(void *self, tt_model *model, tt_validation *out); // all ranks; same score on all
} tt_phase;

typedef struct tt_phase_result {
    int64_t steps, best_step;
    double best_score;
    double tokens, seconds; // input and target tokens trained on; time in steps, without validation
} tt_phase_result;

// Runs the phase on start->model. With `resume`, `start` is the checkpoint that the phase wrote to
// room->last_path; its moments become the phase's own (start->m and v are NULL afterwards). On return the
// model holds the last step's weights; the best are in room->best_path.
// Errors: TT_ERR_INTERRUPTED after Ctrl-C, with everything saved; TT_ERR_NUMERIC; TT_ERR_IO.
tt_status tt_phase_run(const tt_phase *phase, const tt_phase_room *room, tt_checkpoint *start, bool resume,
    tt_phase_result *out) TT_MUST_CHECK;

// What a checkpoint's state says of phase `name`: TT_OK and the counters, or TT_ERR_FORMAT when it is no
// state of that phase. *finished: all steps were made and validated. *metrics_bytes: length of metrics.jsonl
// then.
tt_status tt_phase_read(const char *state, const char *name, tt_phase_result *out, bool *finished,
    int64_t *metrics_bytes) TT_MUST_CHECK;

#endif
