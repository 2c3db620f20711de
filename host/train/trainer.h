// One training step, supervised or on preference pairs, shared by all phases: the examples of a global batch are
// dealt to ranks, each rank divides its share into parts (`accumulate` in the configuration) and runs forward
// and backward on each; the gradient is summed over ranks during the last backward pass; then one update.
//
// What a step computes does not depend on the number of ranks or parts, but for rounding: the loss is divided by
// the target tokens of the global batch, which every rank counts beforehand, and dropout is keyed by (seed,
// step, example, position).
#ifndef TT_TRAIN_TRAINER_H
#define TT_TRAIN_TRAINER_H

#include "host/config/config.h"
#include "host/data/dataset.h"
#include "host/dist/gradient_sum.h"
#include "host/train/optimizer.h"
#include "host/train/preference.h"
#include "host/train/schedule.h"

#ifdef __cplusplus
extern "C" {
#endif

// Makes preference pairs of a dataset's examples: the target of example i is its chosen text followed by its
// rejected one.
typedef struct tt_preference_data {
    tt_preference objective;
    const tt_preference_pair *pairs; // [dataset->n]
} tt_preference_data;

// The examples of one step, whatever the number of ranks. Everything belongs to the tt_batch_source.
typedef struct tt_global_batch {
    const tt_dataset *dataset;
    const int32_t *examples; // [n]
    int n;
    const char *stage;                    // what kind of examples, for metrics
    const tt_preference_data *preference; // NULL: cross-entropy
    // [dataset->n] weight of each target token of an example in the cross-entropy; NULL: the same for all,
    // 1 / target tokens of the batch.
    const double *scale;
} tt_global_batch;

// Where global batches come from. The batch must be a function of the step's number (counted from 0) alone, so
// that a resumed run sees the same ones; it is valid until the next call.
typedef struct tt_batch_source {
    void *self;
    tt_status (*batch)(void *self, int64_t step, tt_global_batch *out);
} tt_batch_source;

typedef struct tt_trainer_options {
    const tt_training_config *config;
    uint64_t seed;
    int64_t total; // steps of the phase, for the schedule
} tt_trainer_options;

typedef struct tt_trainer {
    tt_model *model; // borrowed
    tt_comm *comm;   // borrowed
    tt_optimizer optimizer;
    tt_schedule schedule;
    int64_t step;           // steps made, those that were skipped included
    int64_t skipped;        // of these, steps whose loss or gradient was not finite: they changed no weight
    int64_t skipped_in_row; // of these, the last ones without another between them
    double waited;          // seconds that this rank waited for the others in steps of this process
    uint64_t seed;
    float dropout;
    bool reduce_bf16; // see tt_gradient_sum
    int parts;        // that a rank's share of a batch is divided into
    // Working memory, kept from step to step.
    tt_pass *pass;
    tt_gradient_sum sum;
    tt_batch batch;
    int32_t *mine, *portion;
    float *logp, *dlogp;
    tt_preference_pair *pairs;
    int unread; // log-probabilities whose loss add_loss has still to add
    size_t mine_capacity, portion_capacity, logp_capacity, dlogp_capacity, pairs_capacity;
} tt_trainer;

typedef struct tt_step_report {
    double loss;                         // mean over the target tokens, or the pairs, of the global batch
    bool preferred;                      // the batch was of preference pairs
    tt_preference_sums preference;       // if so: what is logged about them
    double rate;                         // learning rate
    double norm;                         // of the gradient, before clipping
    bool skipped;                        // the norm is not finite; the same on all ranks
    int64_t input_tokens, target_tokens; // of the global batch
    bool interrupted;                    // some rank was asked to stop; all ranks receive the same value
} tt_step_report;

// Appends preference pairs examples[0..n) of the dataset to a packed batch: each prompt as one encoder sequence,
// its chosen and then its rejected text as two decoder sequences. pairs [dataset->n]. Errors: TT_ERR_NOMEM.
tt_status tt_preference_pack(const tt_dataset *dataset, const tt_preference_pair *pairs,
    const int32_t *examples, int n, tt_batch *batch) TT_MUST_CHECK;

// Starts at step 0 with zero moments; a resumed run sets `step` and the optimiser's fields afterwards. The caller
// closes it. Errors: TT_ERR_NOMEM, TT_ERR_DEVICE; TT_ERR_CONFIG for an unknown schedule.
tt_status tt_trainer_open(
    tt_trainer *out, tt_model *model, tt_comm *comm, const tt_trainer_options *options) TT_MUST_CHECK;
void tt_trainer_close(tt_trainer *trainer);

// Adds this rank's share of the gradient of `global` to that of what is trained and begins its sum over ranks (the caller ends
// it with tt_gradient_sum_end). *share receives this rank's share of the loss and, for pairs, of what is
// logged.
tt_status tt_trainer_gradient(
    tt_trainer *trainer, const tt_global_batch *global, tt_preference_sums *share) TT_MUST_CHECK;
// One whole step. Where the gradient is not finite, as it is wherever the loss is not, it counts as a step and is skipped:
// weights, moments and the bias correction stay as they were. All ranks skip the same steps, since they have the same sums.
tt_status tt_trainer_step(
    tt_trainer *trainer, const tt_global_batch *global, tt_step_report *out) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
