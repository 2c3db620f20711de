#include "host/train/reflection/reference.h"

#include "host/base/memory.h"
#include "host/dist/pieces.h"
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

static tt_status score_batch(scoring *s, int begin, int n) {
    tt_status status = TT_OK;
    for (int done = 0; done < n && status == TT_OK; done += MOST)
        status = score_part(s, begin + done, n - done < MOST ? n - done : MOST);
    return status;
}

// The batches that this rank takes.
static tt_status score_share(scoring *s, int batch_size, tt_pieces *batches, tt_model *model) {
    const int n = s->set->dataset.n;
    tt_status status = tt_pass_open(&s->pass, model);
    if (status == TT_OK) tt_pass_score_only(s->pass);
    for (int64_t batch;
         status == TT_OK && (status = tt_pieces_take(batches, &batch)) == TT_OK && batch >= 0;) {
        const int64_t begin = batch * batch_size;
        status = score_batch(s, (int)begin, (int)(n - begin < batch_size ? n - begin : batch_size));
    }
    if (status != TT_OK) tt_pieces_stop(batches);
    if (s->pass) tt_pass_close(s->pass);
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
    tt_pieces batches;
    if (status == TT_OK) status = tt_alloc(&s.sums, 2 * n, sizeof *s.sums, "reference");
    status = tt_comm_agree(comm, status);
    if (status == TT_OK)
        status =
            tt_pieces_open(&batches, comm, (int64_t)(n + (size_t)train->batch_size - 1) / train->batch_size);
    if (status == TT_OK)
        status = tt_comm_agree(comm, score_share(&s, (int)train->batch_size, &batches, reference->model));
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
