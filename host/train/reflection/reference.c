#include "host/train/reflection/reference.h"

#include "host/base/memory.h"
#include "host/train/reflection/preference_set.h"
#include "host/train/trainer.h"

#include <stdlib.h>

enum { MOST = 1024 }; // pairs of one forward pass

// A forward pass over pairs at, at + 1, ... of the set: sums of both texts' log-probabilities.
static tt_status score_part(const tt_preference_set *set, int at, int n, tt_pass *pass, tt_batch *batch,
    float **logp, size_t *capacity, double *sums) {
    int32_t examples[MOST];
    for (int i = 0; i < n; ++i) examples[i] = at + i;
    tt_batch_clear(batch);
    TT_TRY(tt_preference_pack(&set->dataset, set->pairs, examples, n, batch));
    TT_TRY(tt_grow(logp, capacity, (size_t)batch->dec_tokens, sizeof **logp, "reference"));
    TT_TRY(tt_forward(pass, batch, (tt_dropout_key){0}, *logp));
    for (int i = 0; i < 2 * n; ++i)
        for (int t = batch->dec_offsets[i]; t < batch->dec_offsets[i + 1]; ++t)
            sums[2 * at + i] += (double)(*logp)[t];
    return TT_OK;
}

// This rank's share: batches rank, rank + size, ...
static tt_status score_share(
    const tt_preference_set *set, int batch_size, const tt_comm *comm, tt_model *model, double *sums) {
    tt_pass *pass;
    tt_batch batch = {0};
    float *logp = NULL;
    size_t capacity = 0;
    const int n = set->dataset.n;
    TT_TRY(tt_pass_open(&pass, model));
    tt_status status = TT_OK;
    for (int64_t at = (int64_t)comm->rank * batch_size; at < n && status == TT_OK;
         at += (int64_t)comm->size * batch_size) {
        const int end = (int)(n - at < batch_size ? n : at + batch_size);
        for (int first = (int)at; first < end && status == TT_OK; first += MOST)
            status = score_part(
                set, first, end - first < MOST ? end - first : MOST, pass, &batch, &logp, &capacity, sums);
    }
    tt_pass_close(pass);
    tt_batch_close(&batch);
    free(logp);
    return status;
}

tt_status tt_reflection_score(
    tt_preferences *pairs, tt_stage stage, const tt_config *config, tt_comm *comm, tt_checkpoint *reference) {
    const tt_training_config *train = &config->reflection.train;
    tt_preference_set set = {0};
    double *sums = NULL;
    tt_status status = tt_preference_set_build(
        &set, pairs, stage, reference->tokenizer, (int)train->max_input, (int)train->max_target);
    const size_t n = (size_t)set.dataset.n;
    if (status == TT_OK) status = tt_alloc(&sums, 2 * n, sizeof *sums, "reference");
    if (status == TT_OK) status = score_share(&set, (int)train->batch_size, comm, reference->model, sums);
    status = tt_comm_agree(comm, status);
    if (status == TT_OK && n) status = tt_comm_sum_f64(comm, sums, 2 * n);
    for (size_t i = 0, k = 0; i < pairs->n && sums && status == TT_OK; ++i) {
        if (pairs->items[i].stage != stage) continue;
        pairs->items[i].reference_chosen = sums[2 * k];
        pairs->items[i].reference_rejected = sums[2 * k + 1];
        k++;
    }
    tt_preference_set_close(&set);
    free(sums);
    return status;
}
