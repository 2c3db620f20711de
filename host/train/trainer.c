#include "host/train/trainer.h"

#include "host/base/log.h"
#include "host/base/memory.h"
#include "host/base/philox.h"
#include "host/train/objective.h"

#include <math.h>
#include <stdlib.h>

tt_status tt_trainer_open(tt_trainer *out, tt_model *model, tt_comm *comm, const tt_training_config *config,
    uint64_t seed, int64_t total) {
    *out = (tt_trainer){.model = model, .comm = comm, .seed = seed};
    out->dropout = config->dropout < 0 ? model->config.dropout_rate : (float)config->dropout;
    out->parts = config->accumulate > 0 ? (int)config->accumulate : 1;
    TT_TRY(tt_schedule_open(&out->schedule, config->schedule, config->learning_rate,
        config->min_learning_rate, config->warmup, total));
    tt_status status = tt_optimizer_open(&out->optimizer, model);
    if (status == TT_OK) status = tt_pass_open(&out->pass, model);
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
    tt_optimizer_close(&t->optimizer);
    if (t->pass) tt_pass_close(t->pass);
    tt_batch_close(&t->batch);
    free(t->mine);
    free(t->portion);
    free(t->logp);
    free(t->dlogp);
    *t = (tt_trainer){0};
}

// Forward and backward of one packed part.
static tt_status part_gradient(tt_trainer *t, int64_t tokens, double *loss) {
    const int n = t->batch.dec_tokens;
    TT_TRY(tt_grow(&t->logp, &t->logp_capacity, (size_t)n, sizeof *t->logp, "log-probabilities"));
    TT_TRY(
        tt_grow(&t->dlogp, &t->dlogp_capacity, (size_t)n, sizeof *t->dlogp, "gradient of log-probabilities"));
    const tt_dropout_key dropout = {t->dropout, tt_key(t->seed, TT_FOR_DROPOUT, (uint64_t)t->step)};
    tt_cross_entropy_gradient(t->dlogp, n, tokens);
    TT_TRY(tt_forward_backward(t->pass, &t->batch, dropout, t->dlogp, t->logp));
    *loss += tt_cross_entropy_loss(t->logp, n, tokens);
    return TT_OK;
}

tt_status tt_trainer_gradient(tt_trainer *t, const tt_global_batch *global, double *loss) {
    const size_t n = (size_t)global->n;
    TT_TRY(tt_grow(&t->mine, &t->mine_capacity, n, sizeof *t->mine, "examples of this rank"));
    TT_TRY(tt_grow(&t->portion, &t->portion_capacity, n, sizeof *t->portion, "examples of a part"));
    const tt_dataset *dataset = global->dataset;
    const int64_t tokens = tt_dataset_target_tokens(dataset, global->examples, global->n);
    const int mine = tt_deal(dataset, global->examples, global->n, t->comm->rank, t->comm->size, t->mine);
    *loss = 0;
    for (int part = 0; part < t->parts; ++part) {
        int portion = tt_deal(dataset, t->mine, mine, part, t->parts, t->portion);
        if (portion == 0) continue;
        tt_batch_clear(&t->batch);
        TT_TRY(tt_dataset_pack(dataset, t->portion, portion, TT_PAD, &t->batch));
        TT_TRY(part_gradient(t, tokens, loss));
    }
    return TT_OK;
}

static void count_tokens(const tt_global_batch *global, tt_step_report *out) {
    const int64_t *offsets = global->dataset->offsets;
    out->input_tokens = 0;
    for (int i = 0; i < global->n; ++i) {
        const int64_t *at = offsets + 2 * (int64_t)global->examples[i];
        out->input_tokens += at[1] - at[0];
    }
    out->target_tokens = tt_dataset_target_tokens(global->dataset, global->examples, global->n);
}

tt_status tt_trainer_step(tt_trainer *t, const tt_global_batch *global, tt_step_report *out) {
    double loss;
    TT_TRY(tt_trainer_gradient(t, global, &loss));
    // The wish to stop travels with the loss: every rank stops after the same step.
    double sums[2] = {loss, tt_interrupted()};
    TT_TRY(tt_comm_sum_f64(t->comm, sums, 2));
    TT_TRY(tt_comm_sum_f32(t->comm, t->model->g, t->model->size));
    count_tokens(global, out);
    out->loss = sums[0];
    out->interrupted = sums[1] > 0;
    out->rate = tt_schedule_rate(&t->schedule, t->step);
    tt_status status = TT_OK;
    if (!isfinite(out->loss))
        status = tt_fail(TT_ERR_NUMERIC,
            "the loss is %g at step %lld (%s); what was saved before is intact. Try a "
            "lower learning_rate, a longer warmup or a smaller clip",
            out->loss, (long long)t->step + 1, global->stage);
    else
        status = tt_optimizer_update(&t->optimizer, out->rate, &out->norm);
    TT_TRY(tt_comm_agree(t->comm, status));
    t->step++;
    return TT_OK;
}
