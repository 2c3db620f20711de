#include "host/train/trainer.h"

#include "host/base/log.h"
#include "host/base/memory.h"
#include "host/base/philox.h"
#include "host/config/words.h"
#include "host/train/objective.h"

#include <math.h>
#include <stdlib.h>

tt_status tt_trainer_open(
    tt_trainer *out, tt_model *model, tt_comm *comm, const tt_trainer_options *options) {
    const tt_training_config *config = options->config;
    *out = (tt_trainer){.model = model, .comm = comm, .seed = options->seed};
    if (comm->size > TT_MOST_RANKS)
        return tt_fail(TT_ERR_USAGE, "%d ranks: batches are dealt to %d at most; start fewer", comm->size,
            TT_MOST_RANKS);
    out->dropout = config->dropout < 0 ? model->config.dropout_rate : (float)config->dropout;
    out->parts = config->accumulate > 0 ? (int)config->accumulate : 1;
    const tt_schedule_options schedule = {.kind = config->schedule,
        .peak = config->learning_rate,
        .floor = config->min_learning_rate,
        .warmup = config->warmup,
        .total = options->total};
    TT_TRY(tt_schedule_open(&out->schedule, &schedule));
    out->reduce_bf16 = tt_reduction_bf16(config->reduction);
    const bool sharded = config->zero > 0 && comm->size > 1;
    tt_status status = tt_optimizer_open_sharded(&out->optimizer, model, sharded ? comm : NULL);
    if (status == TT_OK) status = tt_pass_open(&out->pass, model);
    if (status == TT_OK) tt_pass_recompute(out->pass, tt_recompute_layers(config->recompute));
    if (status != TT_OK) {
        tt_trainer_close(out);
        return status;
    }
    out->optimizer.beta1 = config->beta1;
    out->optimizer.beta2 = config->beta2;
    out->optimizer.eps = config->eps;
    out->optimizer.weight_decay = config->weight_decay;
    out->optimizer.clip = config->clip;
    return TT_OK;
}

void tt_trainer_close(tt_trainer *t) {
    tt_gradient_sum_close(&t->sum);
    tt_optimizer_close(&t->optimizer);
    // After an error log-probabilities may still be on their way to memory that is freed here.
    const tt_status arrived = t->unread ? tt_device_wait(t->model->device) : TT_OK;
    (void)arrived; // whoever closes after an error reports that one
    if (t->pass) tt_pass_close(t->pass);
    tt_batch_close(&t->batch);
    free(t->mine);
    free(t->portion);
    free(t->logp);
    free(t->dlogp);
    free(t->pairs);
    *t = (tt_trainer){0};
}

static tt_status reserve_logp(tt_trainer *t, int n) {
    TT_TRY(tt_grow(&t->logp, &t->logp_capacity, (size_t)n, sizeof *t->logp, "log-probabilities"));
    return tt_grow(
        &t->dlogp, &t->dlogp_capacity, (size_t)n, sizeof *t->dlogp, "gradient of log-probabilities");
}

static tt_dropout_key dropout_of(const tt_trainer *t) {
    return (tt_dropout_key){t->dropout, tt_key(t->seed, TT_FOR_DROPOUT, (uint64_t)t->step)};
}

// Forward and backward of one packed part with cross-entropy, whose gradient is known before the forward pass.
// Its loss is added by add_loss, once the log-probabilities are here: at once, or with `later` after the device's
// next download.
static tt_status supervised_part(tt_trainer *t, const tt_global_batch *global, int portion, bool later) {
    const int64_t tokens = tt_dataset_target_tokens(global->dataset, global->examples, global->n);
    TT_TRY(tt_dataset_pack(global->dataset, t->portion, portion, TT_PAD, &t->batch));
    const int n = t->batch.dec_tokens;
    TT_TRY(reserve_logp(t, n));
    tt_cross_entropy_gradient(t->dlogp, n, tokens);
    for (int i = 0; i < portion && global->scale; ++i)
        for (int k = t->batch.dec_offsets[i]; k < t->batch.dec_offsets[i + 1]; ++k)
            t->dlogp[k] = -(float)global->scale[t->portion[i]];
    TT_TRY(tt_forward_backward(t->pass, &t->batch, dropout_of(t), t->dlogp, later ? NULL : t->logp));
    t->unread = n;
    return later ? tt_pass_fetch_logp(t->pass, t->logp) : TT_OK;
}

// Adds the loss of the last supervised part to *share, unless that is done.
static void add_loss(tt_trainer *t, const tt_global_batch *global, tt_preference_sums *share) {
    const int n = t->unread;
    const int64_t tokens = n ? tt_dataset_target_tokens(global->dataset, global->examples, global->n) : 0;
    if (n && !global->scale) share->loss += tt_cross_entropy_loss(t->logp, n, tokens);
    for (int k = 0; k < n && global->scale; ++k) share->loss += (double)t->dlogp[k] * (double)t->logp[k];
    t->unread = 0;
}

// The same for preference pairs: both texts share one encoder sequence, and the gradient depends on the
// log-probabilities. `tokens`: chosen tokens of the global batch.
static tt_status preference_part(
    tt_trainer *t, const tt_global_batch *global, int portion, int64_t tokens, tt_preference_sums *share) {
    const tt_preference_data *p = global->preference;
    TT_TRY(tt_grow(&t->pairs, &t->pairs_capacity, (size_t)portion, sizeof *t->pairs, "pairs of a part"));
    TT_TRY(tt_preference_pack(global->dataset, p->pairs, t->portion, portion, &t->batch));
    for (int i = 0; i < portion; ++i) t->pairs[i] = p->pairs[t->portion[i]];
    TT_TRY(reserve_logp(t, t->batch.dec_tokens));
    TT_TRY(tt_forward(t->pass, &t->batch, dropout_of(t), t->logp));
    const tt_preference_part part = {
        .logp = t->logp, .pairs = t->pairs, .n = portion, .batch_pairs = global->n, .batch_tokens = tokens};
    tt_preference_gradient(&p->objective, &part, t->dlogp, share);
    return tt_backward(t->pass, &t->batch, t->dlogp);
}

tt_status tt_preference_pack(const tt_dataset *dataset, const tt_preference_pair *pairs,
    const int32_t *examples, int n, tt_batch *batch) {
    for (int i = 0; i < n; ++i) {
        const int64_t *begin = dataset->offsets + 2 * (int64_t)examples[i]; // of prompt, then of chosen text
        const uint32_t example = dataset->first_example + (uint32_t)examples[i];
        const tt_preference_pair *p = &pairs[examples[i]];
        const int32_t *chosen = dataset->ids + begin[1];
        TT_TRY(tt_batch_add_source(batch, dataset->ids + begin[0], (int)(begin[1] - begin[0]), example));
        const int source = batch->enc_seqs - 1;
        TT_TRY(tt_batch_add_target(
            batch, &(tt_batch_target){
                       .ids = chosen, .n = p->chosen_tokens, .source = source, .example = 2 * example}));
        TT_TRY(tt_batch_add_target(batch, &(tt_batch_target){.ids = chosen + p->chosen_tokens,
                                              .n = p->rejected_tokens,
                                              .source = source,
                                              .example = 2 * example + 1}));
    }
    return TT_OK;
}

static tt_status sum_ready(void *context, size_t from) {
    return tt_gradient_sum_ready(context, from);
}

// Chosen tokens of all pairs of the batch.
static int64_t chosen_tokens(const tt_global_batch *global) {
    int64_t tokens = 0;
    for (int i = 0; i < global->n; ++i)
        tokens += global->preference->pairs[global->examples[i]].chosen_tokens;
    return tokens;
}

// As tt_trainer_gradient; with `later` the loss of the last part may be missing until add_loss.
static tt_status gradient(
    tt_trainer *t, const tt_global_batch *global, tt_preference_sums *share, bool later) {
    const size_t n = (size_t)global->n;
    TT_TRY(tt_grow(&t->mine, &t->mine_capacity, n, sizeof *t->mine, "examples of this rank"));
    TT_TRY(tt_grow(&t->portion, &t->portion_capacity, n, sizeof *t->portion, "examples of a part"));
    const tt_dataset *dataset = global->dataset;
    const int mine =
        tt_deal(dataset, global->examples, global->n, (tt_share){t->comm->rank, t->comm->size}, t->mine);
    *share = (tt_preference_sums){0};
    const tt_trained trained = tt_model_trained(t->model);
    t->sum = (tt_gradient_sum){.comm = t->comm,
        .device = t->model->device,
        .g = trained.g,
        .n = trained.size,
        .left = trained.size,
        .bf16 = t->reduce_bf16,
        .to_owners = t->optimizer.comm != NULL};
    for (int part = 0; part < t->parts; ++part) {
        int portion = tt_deal(dataset, t->mine, mine, (tt_share){part, t->parts}, t->portion);
        if (portion == 0) continue;
        const bool last = part == t->parts - 1, sums = last && t->comm->nccl; // during backward
        tt_pass_watch(t->pass, sums ? (tt_gradient_watch){sum_ready, &t->sum} : (tt_gradient_watch){0});
        tt_batch_clear(&t->batch);
        if (global->preference) {
            TT_TRY(preference_part(t, global, portion, chosen_tokens(global), share));
        } else {
            TT_TRY(supervised_part(t, global, portion, later && last));
            if (!(later && last)) add_loss(t, global, share);
        }
    }
    return TT_OK;
}

tt_status tt_trainer_gradient(tt_trainer *t, const tt_global_batch *global, tt_preference_sums *share) {
    return gradient(t, global, share, false);
}

static void count_tokens(const tt_global_batch *global, tt_step_report *out) {
    const int64_t *offsets = global->dataset->offsets;
    out->input_tokens = 0;
    for (int i = 0; i < global->n; ++i) {
        const int64_t *begin = offsets + 2 * (int64_t)global->examples[i];
        out->input_tokens += begin[1] - begin[0];
    }
    out->target_tokens = tt_dataset_target_tokens(global->dataset, global->examples, global->n);
}

tt_status tt_trainer_step(tt_trainer *t, const tt_global_batch *global, tt_step_report *out) {
    // Ctrl-C and failures on any rank are summed together with the loss, so that every rank stops after the same step.
    struct {
        tt_preference_sums share;
        double interrupted, failed;
    } sums = {.interrupted = 0};
    tt_status status = gradient(t, global, &sums.share, true);
    const double arrived = tt_seconds();
    TT_TRY(
        tt_comm_agree(t->comm, status)); // else the sums of the others would wait for a rank that has failed
    t->waited += tt_seconds() - arrived;
    TT_TRY(tt_gradient_sum_end(&t->sum));
    t->waited += t->sum.waited;
    // The update comes before the loss is known, so that the host waits for the device once. What makes a loss
    // infinite or NaN makes the gradient so, too, and then nothing is updated.
    out->rate = tt_schedule_rate(&t->schedule, t->step);
    out->norm = NAN;
    status = tt_optimizer_update(&t->optimizer, out->rate, &out->norm);
    if (status == TT_OK) add_loss(t, global, &sums.share); // else the log-probabilities may still come
    sums.interrupted = tt_interrupted();
    sums.failed = status != TT_OK;
    TT_TRY(tt_comm_sum_f64(t->comm, (double *)&sums, TT_PREFERENCE_SUMS + 2));
    count_tokens(global, out);
    out->loss = sums.share.loss;
    out->preferred = global->preference != NULL;
    out->preference = sums.share;
    out->interrupted = sums.interrupted > 0;
    const bool impossible =
        isfinite(out->norm) && !isfinite(out->loss); // a probability of 0 has a finite gradient
    if (status == TT_OK && impossible)
        status = tt_fail(TT_ERR_NUMERIC, "the loss is %g at step %lld (%s), though the gradient is finite",
            out->loss, (long long)t->step + 1, global->stage);
    // All ranks have the same sums and norm, so that they ask each other together.
    if (sums.failed > 0 || impossible) TT_TRY(tt_comm_agree(t->comm, status));
    out->skipped = !isfinite(out->norm);
    t->skipped += out->skipped;
    t->skipped_in_row = out->skipped ? t->skipped_in_row + 1 : 0;
    t->step++;
    return TT_OK;
}
