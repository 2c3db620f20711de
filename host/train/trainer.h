// One step, shared by all phases, supervised or of preferences: the examples of a global batch are dealt to
// ranks and cut into parts; forward, backward and, beside it, the sum of the gradient over ranks, one update.
//
// What a step computes depends on neither: the loss is divided by the target tokens of the global batch,
// which every rank can count beforehand, and dropout is keyed by (seed, step, example, position).
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

// What makes examples pairs: the target of example i is its chosen text followed by its rejected one.
typedef struct tt_preference_data {
    tt_preference objective;
    const tt_preference_pair *pairs; // [dataset->n]
} tt_preference_data;

// The examples of one step, whatever the number of ranks. All of it is the source's.
typedef struct tt_global_batch {
    const tt_dataset *dataset;
    const int32_t *examples; // [n]
    int n;
    const char *stage;                    // what kind of examples, for metrics
    const tt_preference_data *preference; // NULL: cross-entropy
    const double *scale; // [dataset->n] weight of each target token of an example in the loss; NULL: the same
                         // for all, 1 / target tokens of the batch
} tt_global_batch;

// Where global batches come from: a pure function of the step's number (counted from 0), so that a resumed
// run sees the same ones. The batch is valid until the next call.
typedef struct tt_batch_source {
    void *self;
    tt_status (*at)(void *self, int64_t step, tt_global_batch *out);
} tt_batch_source;

typedef struct tt_trainer {
    tt_model *model; // borrowed
    tt_comm *comm;   // borrowed
    tt_optimizer optimizer;
    tt_schedule schedule;
    int64_t step; // updates made
    uint64_t seed;
    float dropout;
    int parts;
    // working memory, kept from step to step
    tt_pass *pass;
    tt_gradient_sum sum;
    tt_batch batch;
    int32_t *mine, *portion;
    float *logp, *dlogp;
    tt_preference_pair *pairs;
    size_t mine_capacity, portion_capacity, logp_capacity, dlogp_capacity, pairs_capacity;
} tt_trainer;

typedef struct tt_step_report {
    double loss;                         // mean over the target tokens, or the pairs, of the global batch
    bool preferred;                      // the batch was of pairs:
    tt_preference_sums preference;       // what is logged of them
    double rate;                         // learning rate
    double norm;                         // of the gradient, before clipping
    int64_t input_tokens, target_tokens; // of the global batch
    bool interrupted; // some rank was asked to stop: every rank sees it after the same step
} tt_step_report;

// Appends pairs to a packed batch: each prompt once, its chosen and its rejected text as two decoder
// sequences behind it, in this order.
tt_status tt_preference_pack(const tt_dataset *dataset, const tt_preference_pair *pairs,
    const int32_t *examples, int n, tt_batch *batch) TT_MUST_CHECK;

// For `total` steps of a phase from step 0 with zero moments; a resumed run sets step and the optimiser's
// fields afterwards. Errors: TT_ERR_NOMEM, TT_ERR_CONFIG.
tt_status tt_trainer_open(tt_trainer *out, tt_model *model, tt_comm *comm, const tt_training_config *config,
    uint64_t seed, int64_t total) TT_MUST_CHECK;
void tt_trainer_close(tt_trainer *trainer);

// model->g += this rank's share of the gradient of `global`, on its way to being summed over ranks, and
// *share = its share of the loss (and, for pairs, of what is logged).
tt_status tt_trainer_gradient(
    tt_trainer *trainer, const tt_global_batch *global, tt_preference_sums *share) TT_MUST_CHECK;
// One whole step. Errors: TT_ERR_NUMERIC, agreed by the ranks, when the loss or the gradient is not finite:
// the weights are as they were before the step.
tt_status tt_trainer_step(
    tt_trainer *trainer, const tt_global_batch *global, tt_step_report *out) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
