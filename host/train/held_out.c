#include "host/train/held_out.h"

#include "host/base/memory.h"
#include "host/dist/pieces.h"
#include "host/model/decoder.h"
#include "host/train/objective.h"
#include "kernels/ops.h"

#include <stdlib.h>
#include <string.h>

// Working memory for chunks of examples.
typedef struct chunk_work {
    tt_model *model;
    tt_pass *pass;
    tt_decoder *decoder;
    tt_batch batch;
    int chunk;
    float *logp; // [batch.dec_tokens]
    size_t logp_capacity;
    int32_t *slot, *token, *position, *start, *length; // [chunk]
    int32_t *predicted, *picked;                       // [chunk], host and device
    double loss, right, exact, tokens;
} chunk_work;

static void chunk_work_close(chunk_work *w) {
    if (w->pass) tt_pass_close(w->pass);
    if (w->decoder) tt_decoder_close(w->decoder);
    tt_batch_close(&w->batch);
    free(w->logp);
    free(w->slot);
    if (w->picked) tt_device_free(w->model->device, w->picked);
}

static tt_status chunk_work_open(chunk_work *w, tt_model *model, const tt_held_out *held, int chunk) {
    *w = (chunk_work){.model = model, .chunk = chunk};
    int64_t input = 1, target = 1; // longest
    for (int i = 0; i < held->n; ++i) {
        const int64_t *begin = held->dataset->offsets + 2 * (int64_t)held->examples[i];
        if (begin[1] - begin[0] > input) input = begin[1] - begin[0];
        if (begin[2] - begin[1] > target) target = begin[2] - begin[1];
    }
    TT_TRY(tt_pass_open(&w->pass, model));
    tt_pass_score_only(w->pass);
    TT_TRY(tt_decoder_open(&w->decoder, model, chunk, (int)target, (int)input * chunk));
    TT_TRY(tt_alloc(&w->slot, 6 * (size_t)chunk, sizeof *w->slot, "held-out slots"));
    w->token = w->slot + chunk;
    w->position = w->token + chunk;
    w->start = w->position + chunk;
    w->length = w->start + chunk;
    w->predicted = w->length + chunk;
    return tt_device_alloc(model->device, &w->picked, (size_t)chunk, sizeof *w->picked, "held-out slots");
}

// What the model predicts at position `t` of every target longer than t, given the right tokens before it:
// w->predicted[0..*n) for the sequences w->slot[0..*n).
static tt_status predict_tokens(chunk_work *w, int t, int *n) {
    const tt_batch *b = &w->batch;
    *n = 0;
    for (int i = 0; i < b->dec_seqs; ++i) {
        if (t >= b->dec_offsets[i + 1] - b->dec_offsets[i]) continue;
        w->slot[*n] = i;
        w->token[*n] = b->dec_ids[b->dec_offsets[i] + t];
        w->position[*n] = t;
        w->start[*n] = b->enc_offsets[i];
        w->length[*n] = b->enc_offsets[i + 1] - b->enc_offsets[i];
        ++*n;
    }
    if (*n == 0) return TT_OK;
    tt_device *device = w->model->device;
    float *logits;
    TT_TRY(tt_decoder_step(w->decoder,
        &(tt_decoder_slots){.n = *n,
            .slot = w->slot,
            .token = w->token,
            .position = w->position,
            .source_start = w->start,
            .source_length = w->length},
        &logits));
    const tt_sample pick = {
        .rows = *n, .vocab = w->model->config.vocab_size, .logits = logits, .top_p = 1, .token = w->picked};
    TT_TRY(device->ops->sample(device, &pick));
    return tt_device_download(device, w->predicted, w->picked, (size_t)*n * sizeof *w->picked);
}

static tt_status score_chunk(chunk_work *w) {
    const tt_batch *b = &w->batch;
    TT_TRY(tt_grow(&w->logp, &w->logp_capacity, (size_t)b->dec_tokens, sizeof *w->logp, "log-probabilities"));
    TT_TRY(tt_forward(w->pass, b, (tt_dropout_key){0}, w->logp));
    w->loss += tt_cross_entropy_loss(w->logp, b->dec_tokens, 1);
    w->tokens += b->dec_tokens;
    TT_TRY(tt_decoder_encode(w->decoder, b, 0));
    int wrong = 0;
    bool *missed;
    TT_TRY(tt_alloc(&missed, (size_t)b->dec_seqs, sizeof *missed, "held-out slots"));
    for (int t = 0, n = 1; n > 0; ++t) {
        tt_status status = predict_tokens(w, t, &n);
        if (status != TT_OK) {
            free(missed);
            return status;
        }
        for (int i = 0; i < n; ++i) {
            bool right = w->predicted[i] == b->dec_targets[b->dec_offsets[w->slot[i]] + t];
            w->right += right;
            if (!right) missed[w->slot[i]] = true;
        }
    }
    for (int i = 0; i < b->dec_seqs; ++i) wrong += missed[i];
    w->exact += b->dec_seqs - wrong;
    free(missed);
    return TT_OK;
}

enum { SUMS = 4 }; // loss, tokens predicted, targets predicted, tokens

// sums[chunks x SUMS] receives those of the chunks that this rank takes.
static tt_status score_chunks(chunk_work *w, const tt_held_out *held, tt_pieces *chunks, double *sums) {
    for (int64_t piece;;) {
        TT_TRY(tt_pieces_take(chunks, &piece));
        if (piece < 0) return TT_OK;
        const int first = (int)piece * w->chunk, n = held->n - first < w->chunk ? held->n - first : w->chunk;
        w->loss = w->right = w->exact = w->tokens = 0;
        tt_batch_clear(&w->batch);
        TT_TRY(tt_dataset_pack(held->dataset, held->examples + first, n, TT_PAD, &w->batch));
        TT_TRY(score_chunk(w));
        memcpy(
            sums + piece * SUMS, (double[SUMS]){w->loss, w->right, w->exact, w->tokens}, SUMS * sizeof *sums);
    }
}

tt_status tt_held_out_evaluate(
    const tt_held_out *held, tt_model *model, tt_comm *comm, int chunk, tt_held_out_score *out) {
    chunk_work w = {0};
    tt_pieces chunks;
    double *sums = NULL, all[SUMS] = {0};
    if (chunk > held->n) chunk = held->n;
    const int n = (held->n + chunk - 1) / chunk;
    TT_TRY(tt_pieces_open(&chunks, comm, n));
    tt_status status = tt_alloc(&sums, (size_t)n * SUMS, sizeof *sums, "held-out examples");
    if (status == TT_OK) status = chunk_work_open(&w, model, held, chunk);
    if (status == TT_OK) status = score_chunks(&w, held, &chunks, sums);
    if (status != TT_OK) tt_pieces_stop(&chunks);
    status = tt_comm_agree(comm, status);
    // Each sum comes from one rank; they are added in the order of chunks, so that they have the same bits for any ranks.
    if (status == TT_OK) status = tt_comm_sum_f64(comm, sums, (size_t)n * SUMS);
    for (int i = 0; i < n * SUMS && status == TT_OK; ++i) all[i % SUMS] += sums[i];
    *out = (tt_held_out_score){.loss = all[0] / all[3], .token = all[1] / all[3], .exact = all[2] / held->n};
    chunk_work_close(&w);
    free(sums);
    return status;
}
