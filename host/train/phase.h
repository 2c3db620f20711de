// A phase from its first step to its last: steps, metrics, validation, the best checkpoint, saving and
// resuming. Pretraining, acquisition and the iterations of reflection differ in where batches come from
// and how they are validated.
//
// A phase can stop after any step, and a resumed phase comes to the same bits: what a step does follows from its
// number, and the checkpoint contains weights, moments, counters and the length of metrics.jsonl.
#ifndef TT_TRAIN_PHASE_H
#define TT_TRAIN_PHASE_H

#include "host/model/checkpoint.h"
#include "host/train/metrics.h"
#include "host/train/trainer.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_validation {
    double score; // higher is better
    tt_str json;  // for metrics.jsonl: members of an object, without braces
    tt_str text;  // for the log
} tt_validation;

// What all phases of a run share; everything is borrowed.
typedef struct tt_phase_context {
    const tt_config *config;
    tt_comm *comm;
    tt_metrics *metrics;
    const char *last_path;   // checkpoint to resume from, replaced at each save
    int earlier;             // versions of it that stay (host/base/versions.h)
    const char *best_path;   // checkpoint with the best validation
    const char *tokens_path; // where tokenised examples are kept (token_cache.h)
    uint64_t seed;
    double began; // tt_seconds() when the run began, moved forward by the time during which it was stopped
    bool *cuts_warned; // whether the warning that generation cuts prompts was given: once for all phases
    struct tt_rehearsal *rehearsal; // go through the phase without training (rehearsal.h); NULL: train
} tt_phase_context;

typedef struct tt_phase {
    const char *name; // in metrics, checkpoints and messages
    const tt_training_config *config;
    int64_t total; // steps
    tt_batch_source source;
    void *self; // first argument of the two functions below
    // Whether to validate after `step` updates; after the last one the phase always does.
    bool (*due)(void *self, int64_t step);
    // Called on all ranks; must return the same score on all.
    tt_status (*validate)(void *self, tt_model *model, tt_validation *out);
    // The weights that the phase begins with are validated too, and stay the best (best_step 0) unless a later
    // step does better.
    bool start_competes;
    // Hash of what batches are made of, which must be the same where the phase resumes; 0: something else checks it.
    uint64_t data;
    const char *data_name; // for messages: "the texts of pretraining.text"
} tt_phase;

typedef struct tt_phase_result {
    int64_t steps;     // steps made, those that were skipped included
    int64_t skipped;   // of these, steps whose loss or gradient was not finite
    int64_t best_step; // -1 = nothing was validated yet
    double best_score;
    double tokens;  // input and target tokens trained on
    double seconds; // time in steps, without validation
    double wall;    // seconds since the run began, when this was saved
} tt_phase_result;

// Runs the phase on start->model, on all ranks. With `resume`, `start` is the checkpoint that the phase wrote to
// context->last_path; the phase reads its share of the moments and closes the file (start->has_moments is false
// afterwards). On return the model
// has the last step's weights; the best are in context->best_path.
// Errors: TT_ERR_INTERRUPTED after Ctrl-C, with everything saved; TT_ERR_NUMERIC where the loss or the gradient
// is not finite in too many steps in a row, naming the last good checkpoint; TT_ERR_FORMAT where `start` is not of this phase;
// TT_ERR_CONFIG where phase->data has changed since `start` was saved; TT_ERR_IO; TT_ERR_NOMEM.
tt_status tt_phase_run(const tt_phase *phase, const tt_phase_context *context, tt_checkpoint *start,
    bool resume, tt_phase_result *out) TT_MUST_CHECK;

// For a phase that has nothing to train: writes `start` as its best and its last checkpoint, with no steps.
// Errors: TT_ERR_IO.
tt_status tt_phase_skip(const char *name, const tt_phase_context *context, const tt_checkpoint *start,
    tt_phase_result *out) TT_MUST_CHECK;

// What a checkpoint says about the phase that wrote it.
typedef struct tt_phase_state {
    tt_phase_result result;
    int64_t total;         // steps of the phase
    int64_t validated;     // the last step that was followed by a validation, -1 = none
    int64_t metrics_bytes; // length of metrics.jsonl when the checkpoint was written
    int64_t stale;         // validations since the best one
    int64_t skipped_in_row;
    bool finished; // nothing is left to do
    char data[20]; // hash of what it was trained on; "" = not noted
} tt_phase_state;

// Reads tt_checkpoint.state (NULL = none). Errors: TT_ERR_FORMAT when it was not written by phase `name`.
tt_status tt_phase_read(tt_phase_state *out, const char *state, const char *name) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
