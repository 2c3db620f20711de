#include "host/train/reflection/reference.h"

#include "host/base/memory.h"
#include "host/train/reflection/preference_set.h"
#include "host/train/trainer.h"

#include <stdlib.h>

enum { MOST = 1024 }; // pairs of one forward pass

typedef struct scoring {
    const tt_preference_set *set;
    double *sums; // [2 pairs]: of the chosen and of the rejected text
    tt_pass *pass;
    tt_batch batch;
    float *logp; // [batch.dec_tokens]
    size_t capacity;
} scoring;

// A forward pass over pairs first, first + 1, ...
static tt_status score_part(scoring *s, int first, int n) {
    int32_t examples[MOST];
    for (int i = 0; i < n; ++i) examples[i] = first + i;
    tt_batch_clear(&s->batch);
    TT_TRY(tt_preference_pack(&s->set->dataset, s->set->pairs, examples, n, &s->batch));
    TT_TRY(tt_grow(&s->logp, &s->capacity, (size_t)s->batch.dec_tokens, sizeof *s->logp, "reference"));
    TT_TRY(tt_forward(s->pass, &s->batch, (tt_dropout_key){0}, s->logp));
    for (int i = 0; i < 2 * n; ++i)
        for (int t = s->batch.dec_offsets[i]; t < s->batch.dec_offsets[i + 1]; ++t)
            s->sums[2 * first + i] += (double)s->logp[t];
    return TT_OK;
}

// This rank's share: batches rank, rank + size, ...
static tt_status score_share(scoring *s, int batch_size, const tt_comm *comm, tt_model *model) {
    const int n = s->set->dataset.n;
    TT_TRY(tt_pass_open(&s->pass, model));
    tt_status status = TT_OK;
    for (int64_t begin = (int64_t)comm->rank * batch_size; begin < n && status == TT_OK;
         begin += (int64_t)comm->size * batch_size) {
        const int end = (int)(n - begin < batch_size ? n : begin + batch_size);
        for (int first = (int)begin; first < end && status == TT_OK; first += MOST)
            status = score_part(s, first, end - first < MOST ? end - first : MOST);
    }
    tt_pass_close(s->pass);
    tt_batch_close(&s->batch);
    free(s->logp);
    return status;
}

tt_status tt_reflection_score(
    tt_preferences *pairs, tt_stage stage, const tt_config *config, tt_comm *comm, tt_checkpoint *reference) {
    const tt_training_config *train = &config->reflection.train;
    tt_preference_set set = {0};
    scoring s = {.set = &set};
    tt_status status = tt_preference_set_build(&set, pairs, stage, reference->tokenizer, train);
    const size_t n = (size_t)set.dataset.n;
    if (status == TT_OK) status = tt_alloc(&s.sums, 2 * n, sizeof *s.sums, "reference");
    if (status == TT_OK) status = score_share(&s, (int)train->batch_size, comm, reference->model);
    status = tt_comm_agree(comm, status);
    if (status == TT_OK && n) status = tt_comm_sum_f64(comm, s.sums, 2 * n);
    for (size_t i = 0, k = 0; i < pairs->n && s.sums && status == TT_OK; ++i) {
        if (pairs->items[i].stage != stage) continue;
        pairs->items[i].reference_chosen = s.sums[2 * k];
        pairs->items[i].reference_rejected = s.sums[2 * k + 1];
        k++;
    }
    tt_preference_set_close(&set);
    free(s.sums);
    return status;
}
