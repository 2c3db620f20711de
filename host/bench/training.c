// The trainer's steps, with random models on random tokens.
#include "host/base/log.h"
#include "host/base/memory.h"
#include "host/bench/parts.h"
#include "host/train/preference.h"
#include "kernels/ops.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Adds sources with one target each, or with the two of a pair.
static tt_status fill_batch(tt_batch *batch, tt_rng *rng, const tt_bench_options *o, int vocab) {
    int32_t ids[TT_BENCH_LONGEST];
    const uint32_t texts = o->work == TT_BENCH_PREFERENCE ? 2 : 1;
    tt_batch_clear(batch);
    while (batch->dec_tokens < o->target_tokens) {
        const uint32_t example = (uint32_t)batch->enc_seqs;
        int n = tt_bench_source_length(rng, o);
        tt_bench_tokens(rng, ids, n, vocab);
        TT_TRY(tt_batch_add_source(batch, ids, n, example));
        for (uint32_t text = 0; text < texts; ++text) {
            n = tt_bench_target_length(rng, o);
            tt_bench_tokens(rng, ids, n, vocab);
            TT_TRY(tt_batch_add_target(batch,
                &(tt_batch_target){
                    .ids = ids, .n = n, .source = batch->enc_seqs - 1, .example = texts * example + text}));
        }
    }
    return TT_OK;
}

// Highest resident memory of the process in bytes since `reset_memory`; 0 if the system does not tell it.
static double highest_memory(void) {
    double kib = 0;
    char line[256];
    FILE *file = fopen("/proc/self/status", "r");
    if (!file) return 0;
    while (fgets(line, sizeof line, file))
        if (strncmp(line, "VmHWM:", 6) == 0) kib = strtod(line + 6, NULL);
    fclose(file);
    return kib * 1024;
}

static double reset_memory(void) {
    FILE *file = fopen("/proc/self/clear_refs", "w");
    if (file) {
        fputs("5\n", file);
        fclose(file);
    }
    return highest_memory();
}

// State of one measurement.
typedef struct bench {
    tt_device *device;
    tt_model *model;
    tt_pass *pass;
    tt_batch *batches; // [n_batches]
    int n_batches, steps;
    float *m, *v;              // Adam's moments
    double *squares;           // device memory: of the gradient
    float *logp, *dlogp;       // [most target tokens]
    double *seconds;           // [steps]
    double *sorted;            // [steps]
    tt_preference_pair *pairs; // [most pairs of a batch]
    size_t pair_capacity;
} bench;

static const tt_batch *batch_of(const bench *b, int step) {
    return &b->batches[step % b->n_batches];
}

static void bench_close(bench *b) {
    for (int i = 0; b->batches && i < b->n_batches; ++i) tt_batch_close(&b->batches[i]);
    free(b->batches);
    free(b->logp);
    free(b->dlogp);
    free(b->seconds);
    free(b->sorted);
    free(b->pairs);
    tt_device_free(b->device, b->m);
    tt_device_free(b->device, b->v);
    tt_device_free(b->device, b->squares);
    tt_pass_close(b->pass);
    tt_model_close(b->model);
}

static tt_status bench_open(bench *b, const tt_bench_options *o) {
    tt_model_config config;
    TT_TRY(tt_bench_shape(&config, o->shape));
    TT_TRY(tt_model_open(&b->model, &config, b->device));
    TT_TRY(tt_model_init(b->model, TT_INIT_T5, o->seed));
    TT_TRY(tt_model_train(b->model));
    TT_TRY(tt_pass_open(&b->pass, b->model));
    TT_TRY(tt_device_alloc(b->device, &b->m, b->model->size, sizeof *b->m, "Adam's first moment"));
    TT_TRY(tt_device_alloc(b->device, &b->v, b->model->size, sizeof *b->v, "Adam's second moment"));
    TT_TRY(tt_device_alloc(b->device, &b->squares, 1, sizeof *b->squares, "squared norm"));
    b->steps = o->steps;
    b->n_batches = o->batches;
    TT_TRY(tt_alloc(&b->batches, (size_t)b->n_batches, sizeof *b->batches, "batches"));
    tt_rng rng;
    tt_rng_open(&rng, o->seed, TT_FOR_TEST, 1, 0);
    int most = 0;
    for (int i = 0; i < b->n_batches; ++i) {
        TT_TRY(fill_batch(&b->batches[i], &rng, o, config.vocab_size));
        if (b->batches[i].dec_tokens > most) most = b->batches[i].dec_tokens;
    }
    TT_TRY(tt_alloc(&b->logp, (size_t)most, sizeof *b->logp, "log-probabilities"));
    TT_TRY(tt_alloc(&b->dlogp, (size_t)most, sizeof *b->dlogp, "weights"));
    TT_TRY(tt_alloc(&b->seconds, (size_t)b->steps, sizeof *b->seconds, "times"));
    return tt_alloc(&b->sorted, (size_t)b->steps, sizeof *b->sorted, "times");
}

// Cross-entropy. The log-probabilities are there after the next download, as in training.
static tt_status supervised_step(bench *b, const tt_batch *batch, tt_dropout_key dropout) {
    for (int t = 0; t < batch->dec_tokens; ++t) b->dlogp[t] = -1 / (float)batch->dec_tokens;
    TT_TRY(tt_forward_backward(b->pass, batch, dropout, b->dlogp, NULL));
    return tt_pass_fetch_logp(b->pass, b->logp);
}

// DPO with the NLL term. The reference's log-probabilities are invented here; in training they are read from a file.
static tt_status preference_step(bench *b, const tt_batch *batch, tt_dropout_key dropout, double *loss) {
    const int n = batch->dec_seqs / 2;
    const tt_preference dpo = {.kind = TT_PREFER_SIGMOID, .beta = 0.1, .nll_weight = 0.5};
    TT_TRY(tt_grow(&b->pairs, &b->pair_capacity, (size_t)n, sizeof *b->pairs, "pairs"));
    for (int i = 0; i < n; ++i) {
        const int32_t *offsets = batch->dec_offsets + 2 * i;
        b->pairs[i] = (tt_preference_pair){.chosen_tokens = offsets[1] - offsets[0],
            .rejected_tokens = offsets[2] - offsets[1],
            .reference_chosen = -10.0 * i,
            .reference_rejected = -10.0 * i - 1};
    }
    tt_preference_sums sums = {0};
    TT_TRY(tt_forward(b->pass, batch, dropout, b->logp));
    const tt_preference_part part = {
        .logp = b->logp, .pairs = b->pairs, .n = n, .batch_pairs = n, .batch_tokens = batch->dec_tokens};
    tt_preference_gradient(&dpo, &part, b->dlogp, &sums);
    *loss = sums.loss;
    return tt_backward(b->pass, batch, b->dlogp);
}

static tt_status train_step(bench *b, const tt_bench_options *o, const tt_batch *batch, int64_t step) {
    const tt_ops *ops = b->device->ops;
    const tt_dropout_key dropout = {(float)o->dropout, tt_key(o->seed, TT_FOR_DROPOUT, (uint64_t)step)};
    double squares, loss = 0;
    TT_TRY(tt_device_zero(b->device, b->model->g, b->model->size * sizeof(float)));
    TT_TRY(o->work == TT_BENCH_PREFERENCE ? preference_step(b, batch, dropout, &loss)
                                          : supervised_step(b, batch, dropout));
    TT_TRY(ops->square_sum(b->device, b->squares, b->model->g, (int64_t)b->model->size));
    const tt_adamw update = {.n = (int64_t)b->model->size,
        .w = b->model->w,
        .m = b->m,
        .v = b->v,
        .g = b->model->g,
        .copy = b->model->operands == b->model->w ? NULL : b->model->operands,
        .squares = b->squares,
        .clip = 1,
        .lr = 1e-4f,
        .beta1 = 0.9f,
        .beta2 = 0.999f,
        .eps = 1e-8f,
        .step = step};
    TT_TRY(ops->adamw(b->device, &update));
    TT_TRY(tt_device_download(b->device, &squares, b->squares, sizeof squares));
    for (int t = 0; o->work != TT_BENCH_PREFERENCE && t < batch->dec_tokens; ++t)
        loss -= (double)b->logp[t] / batch->dec_tokens;
    if (!isfinite(loss) || !isfinite(squares))
        return tt_fail(TT_ERR_NUMERIC,
            "bench: the loss is %g and the gradient's squared norm %g after update %lld; expected finite "
            "numbers",
            loss, squares, (long long)step);
    return TT_OK;
}

// Spread of amount / seconds over the steps, or of the seconds if `per` returns 0; both times `scale`.
static tt_bench_spread spread_of(
    const bench *b, double (*per)(const bench *, const tt_batch *), double scale) {
    for (int i = 0; i < b->steps; ++i) {
        const double amount = per(b, batch_of(b, i));
        b->sorted[i] = (amount > 0 ? amount / b->seconds[i] : b->seconds[i]) * scale;
    }
    return tt_bench_spread_of(b->sorted, b->steps);
}

static double no_amount(const bench *b, const tt_batch *batch) {
    return (void)b, (void)batch, 0;
}
static double target_tokens(const bench *b, const tt_batch *batch) {
    return (void)b, batch->dec_tokens;
}
static double all_tokens(const bench *b, const tt_batch *batch) {
    return (void)b, batch->dec_tokens + batch->enc_tokens;
}
static double step_flops(const bench *b, const tt_batch *batch) {
    return tt_model_flops(b->model, batch);
}

static tt_status measure_steps(bench *b, const tt_bench_options *o, tt_bench_result *out) {
    // Memory reaches its final size after the batch with most source tokens, the one with most target tokens,
    // and the first again, since an arena merges its chunks when it is reset.
    int sources = 0, longest = 0;
    for (int i = 1; i < b->n_batches; ++i) {
        if (b->batches[i].enc_tokens > b->batches[sources].enc_tokens) sources = i;
        if (b->batches[i].dec_tokens > b->batches[longest].dec_tokens) longest = i;
    }
    int64_t step = 1;
    TT_TRY(train_step(b, o, &b->batches[sources], step++));
    if (longest != sources) TT_TRY(train_step(b, o, &b->batches[longest], step++));
    TT_TRY(train_step(b, o, &b->batches[sources], step++));
    const long allocations = tt_alloc_count();
    double kinds[TT_OP_KINDS];
    tt_timed_ops_take(kinds);
    double all = 0;
    for (int i = 0; i < b->steps; ++i) {
        const tt_batch *batch = batch_of(b, i);
        const double started = tt_seconds();
        TT_TRY(train_step(b, o, batch, step++));
        b->seconds[i] = tt_seconds() - started;
        all += b->seconds[i];
        out->source_tokens += (double)batch->enc_tokens / b->steps;
        out->target_tokens += (double)batch->dec_tokens / b->steps;
        out->flops += tt_model_flops(b->model, batch) / b->steps;
    }
    out->allocations = tt_alloc_count() - allocations;
    int timed = b->steps;
    if (tt_bench_apart(b->device)) { // in a step of their own, since waiting for each operation takes time
        timed = 1;
        tt_timed_ops_open(b->device);
        const double started = tt_seconds();
        const tt_status status = train_step(b, o, &b->batches[0], step);
        all = tt_seconds() - started;
        tt_timed_ops_close(b->device);
        TT_TRY(status);
    }
    tt_timed_ops_take(kinds);
    double inside = 0;
    for (int k = 0; k < TT_OP_KINDS; ++k) {
        out->kind_seconds[k] = kinds[k] / timed;
        inside += kinds[k];
    }
    out->other_seconds = (all - inside) / timed;
    return TT_OK;
}

tt_status tt_bench_training(
    tt_bench_result *out, tt_device *device, const tt_bench_options *options, double *peak) {
    bench b = {.device = device};
    *out = (tt_bench_result){.shape = options->shape};
    tt_status status;
    if (!options->peak_given) TT_TRY(tt_bench_peak(device, 3, peak));
    const double before = reset_memory();
    const bool timed = !tt_bench_apart(device);
    if (timed) tt_timed_ops_open(device);
    TT_TRY_GOTO(status, bench_open(&b, options), done);
    TT_TRY_GOTO(status, measure_steps(&b, options, out), done);
    for (int i = 0; i < b.n_batches; ++i) tt_bench_write_texts(options, &b.batches[i]);
    out->parameters = (int64_t)b.model->size;
    out->parameter_bytes = 16.0 * (double)b.model->size;
    out->activation_bytes = (double)tt_pass_bytes(b.pass);
    if (!tt_bench_apart(device)) out->peak_bytes = highest_memory() - before;
    out->seconds = spread_of(&b, no_amount, 1);
    out->target_rate = spread_of(&b, target_tokens, 1);
    out->token_rate = spread_of(&b, all_tokens, 1);
    out->flop_rate = spread_of(&b, step_flops, 1);
    if (!options->peak_given) TT_TRY_GOTO(status, tt_bench_peak(device, 3, peak), done);
    out->peak = *peak;
    out->share = spread_of(&b, step_flops, 1 / *peak);
done:
    if (timed) tt_timed_ops_close(device);
    bench_close(&b);
    return status;
}
