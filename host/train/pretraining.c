#include "host/train/pretraining.h"

#include "host/base/log.h"
#include "host/base/memory.h"
#include "host/train/held_out.h"
#include "host/train/reading_tasks.h"
#include "host/train/sequence.h"
#include "host/train/span.h"
#include "host/train/windows.h"

#include <math.h>
#include <stdlib.h>

// Streams of tt_order within a run; acquisition's are the numbers of its stages.
enum { STREAM_WINDOWS = 16, STREAM_PAIRS, STREAM_HELD_OUT };
enum { HELD_OUT = 512 };

// Things to learn from, a few of them held out. `order` is a random order of all: held-out ones first.
typedef struct stock {
    int32_t *order;
    int held, rest;
    tt_sequence sequence; // over the rest
} stock;

typedef struct pretraining {
    const tt_config *config;
    const tt_tokenizer *tokenizer;
    tt_comm *comm;
    uint64_t seed;
    double share; // of pairs among examples
    tt_span span;
    tt_windows windows;
    tt_dataset pairs, step, held; // `step`: the examples of one step; `held`: of held-out windows
    stock window_stock, pair_stock;
    int32_t *examples;       // 0, 1, 2, ... [batch_size]
    int32_t *input, *target; // one corrupted window
    tt_held_out held_out;
} pretraining;

static tt_status stock_open(stock *s, int n, int held, uint64_t seed, uint32_t stream) {
    *s = (stock){.held = held, .rest = n - held};
    if (n == 0) return TT_OK;
    TT_TRY(tt_alloc(&s->order, (size_t)n, sizeof *s->order, "order of examples"));
    tt_order(s->order, n, seed, STREAM_HELD_OUT, stream);
    return tt_sequence_open(&s->sequence, s->rest, seed, stream);
}

static void stock_close(stock *s) {
    free(s->order);
    tt_sequence_close(&s->sequence);
}

// What stands at `position` of the endless shuffled sequence, and in which epoch.
static int32_t stock_at(stock *s, int64_t position) {
    return s->order[s->held + tt_sequence_at(&s->sequence, position)];
}

static tt_status add_window(pretraining *p, tt_dataset *to, int32_t window, uint32_t epoch) {
    const int64_t *at = p->windows.offsets + window;
    tt_rng rng;
    int n_input, n_target;
    tt_rng_open(&rng, p->seed, TT_FOR_SPAN, (uint64_t)window, epoch);
    TT_TRY(tt_span_corrupt(&p->span, p->windows.ids + at[0], (int)(at[1] - at[0]), &rng, p->input, &n_input,
        p->target, &n_target));
    return tt_pairs_add_ids(to, p->input, n_input, p->target, n_target);
}

static tt_status add_pair(pretraining *p, int32_t pair) {
    const int64_t *at = p->pairs.offsets + 2 * (int64_t)pair;
    const int32_t *ids = p->pairs.ids;
    return tt_pairs_add_ids(&p->step, ids + at[0], (int)(at[1] - at[0]), ids + at[1], (int)(at[2] - at[1]));
}

// Of the first k examples of the phase, floor(k x share) are pairs: so any step can be made from its number.
static tt_status batch_at(void *self, int64_t step, tt_global_batch *out) {
    pretraining *p = self;
    const int64_t size = p->config->pretraining.train.batch_size;
    p->step.n = 0;
    p->step.first_example = (uint32_t)(step * size);
    int64_t pairs = (int64_t)floor((double)(step * size) * p->share);
    for (int64_t k = step * size; k < (step + 1) * size; ++k) {
        const int64_t then = (int64_t)floor((double)(k + 1) * p->share);
        if (then > pairs) {
            TT_TRY(add_pair(p, stock_at(&p->pair_stock, pairs)));
        } else {
            int32_t window = stock_at(&p->window_stock, k - pairs);
            TT_TRY(add_window(p, &p->step, window, (uint32_t)p->window_stock.sequence.epoch + 1));
        }
        pairs = then;
    }
    *out = (tt_global_batch){.dataset = &p->step,
        .examples = p->examples,
        .n = (int)size,
        .stage = p->share <= 0   ? "spans"
                 : p->share >= 1 ? "pairs"
                                 : "mixed"};
    return TT_OK;
}

static bool due(void *self, int64_t step) {
    const pretraining *p = self;
    const int64_t every = p->config->pretraining.train.validate_every;
    return every > 0 && step % every == 0;
}

static tt_status validate(void *self, tt_model *model, tt_validation *out) {
    pretraining *p = self;
    tt_held_out_score score;
    const int chunk =
        (int)(p->config->pretraining.train.batch_size / p->config->pretraining.train.accumulate);
    TT_TRY(tt_held_out_evaluate(&p->held_out, model, p->comm, chunk > 0 ? chunk : 1, &score));
    if (!isfinite(score.loss)) return tt_fail(TT_ERR_NUMERIC, "the held-out loss is %g", score.loss);
    out->score = -score.loss;
    tt_str_format(&out->json, "\"loss\": %.9g, \"token_accuracy\": %.6f, \"exact\": %.6f, \"n\": %d",
        score.loss, score.token, score.exact, p->held_out.n);
    tt_str_format(&out->text, "held-out loss %.4f, tokens right %.1f %%, whole targets right %.1f %% of %d",
        score.loss, 100 * score.token, 100 * score.exact, p->held_out.n);
    return tt_str_status(&out->json);
}

static tt_status read_sources(pretraining *p) {
    const tt_config *c = p->config;
    for (int i = 0; i < c->pretraining.text.n; ++i)
        TT_TRY(tt_windows_add_file(
            &p->windows, c->pretraining.text.items[i], p->tokenizer, (int)c->pretraining.window));
    for (int i = 0; i < c->pretraining.pairs.n; ++i)
        TT_TRY(tt_pairs_add_file(&p->pairs, c->pretraining.pairs.items[i], p->tokenizer,
            (int)c->pretraining.train.max_input, (int)c->pretraining.train.max_target));
    if (p->windows.n == 0 && p->pairs.n == 0)
        return tt_fail(
            TT_ERR_CONFIG, "pretraining is enabled, but pretraining.text and pretraining.pairs name no data");
    if (p->windows.n > 0 && tt_tokenizer_extra_ids(p->tokenizer) < 1)
        return tt_fail(TT_ERR_CONFIG, "span corruption needs sentinels: set model.extra_ids (100 in T5)");
    p->pairs.name = "pairs";
    tt_dataset_warn(&p->pairs, &(tt_dataset_limits){.phase = "pretraining",
                                   .input_key = "pretraining.max_input",
                                   .target_key = "pretraining.max_target",
                                   .max_input = c->pretraining.train.max_input,
                                   .max_target = c->pretraining.train.max_target});
    if (p->windows.unknown > 0)
        tt_warn("pretraining, text: %lld of %lld tokens (%.2f %%) are unknown to the tokenizer",
            (long long)p->windows.unknown, (long long)p->windows.tokens,
            100.0 * (double)p->windows.unknown / (double)p->windows.tokens);
    return TT_OK;
}

static int held_of(const tt_config *config, int n) {
    int wanted = config->pretraining.train.validation_questions > 0
                     ? (int)config->pretraining.train.validation_questions
                     : HELD_OUT;
    int most = n / 10 > 0 ? n / 10 : n > 1;
    return wanted < most ? wanted : most;
}

static tt_status hold_out(pretraining *p) {
    const int pairs = p->pairs.n, windows = p->windows.n;
    const bool of_pairs = pairs > 1;
    TT_TRY(
        stock_open(&p->pair_stock, pairs, of_pairs ? held_of(p->config, pairs) : 0, p->seed, STREAM_PAIRS));
    TT_TRY(stock_open(
        &p->window_stock, windows, of_pairs ? 0 : held_of(p->config, windows), p->seed, STREAM_WINDOWS));
    p->held_out = (tt_held_out){&p->pairs, p->pair_stock.order, p->pair_stock.held};
    if (of_pairs) return TT_OK;
    // Held-out windows are corrupted once, as in no epoch of training.
    for (int i = 0; i < p->window_stock.held; ++i)
        TT_TRY(add_window(p, &p->held, p->window_stock.order[i], 0));
    p->held_out = (tt_held_out){&p->held, p->examples, p->held.n};
    if (p->held.n == 0)
        return tt_fail(TT_ERR_INPUT, "too little data: at least two pairs or windows are needed");
    return TT_OK;
}

static tt_status open_data(pretraining *p) {
    const tt_config *c = p->config;
    TT_TRY(read_sources(p));
    p->share = p->pairs.n == 0 ? 0 : p->windows.n == 0 ? 1 : c->pretraining.pairs_share;
    p->span = (tt_span){c->pretraining.noise_density, c->pretraining.mean_span,
        tt_tokenizer_size(p->tokenizer) - 1, tt_tokenizer_extra_ids(p->tokenizer)};
    const size_t room = 2 * (size_t)c->pretraining.window + 2;
    TT_TRY(tt_alloc(&p->input, 2 * room, sizeof *p->input, "corrupted window"));
    p->target = p->input + room;
    size_t most = (size_t)c->pretraining.train.batch_size;
    if (most < (size_t)p->windows.n) most = (size_t)p->windows.n;
    TT_TRY(tt_alloc(&p->examples, most, sizeof *p->examples, "examples of a step"));
    for (size_t i = 0; i < most; ++i) p->examples[i] = (int32_t)i;
    return hold_out(p);
}

static void close_data(pretraining *p) {
    tt_windows_close(&p->windows);
    tt_dataset_close(&p->pairs);
    tt_dataset_close(&p->step);
    tt_dataset_close(&p->held);
    stock_close(&p->window_stock);
    stock_close(&p->pair_stock);
    free(p->examples);
    free(p->input);
}

tt_status tt_pretraining_run(const tt_config *config, const tt_phase_room *room, tt_checkpoint *start,
    bool resume, tt_phase_result *out) {
    const tt_training_config *train = &config->pretraining.train;
    pretraining p = {.config = config, .tokenizer = start->tokenizer, .comm = room->comm, .seed = room->seed};
    tt_status status = tt_comm_agree(room->comm, open_data(&p));
    if (status == TT_OK) {
        int64_t examples = p.window_stock.rest + p.pair_stock.rest;
        int64_t total = train->steps > 0
                            ? train->steps
                            : llround(train->epochs * (double)examples / (double)train->batch_size);
        tt_info("pretraining: %d windows of text (%lld tokens), %d pairs, %d of them held out; %lld steps of "
                "%lld",
            p.windows.n, (long long)p.windows.tokens, p.pairs.n, p.held_out.n, (long long)total,
            (long long)train->batch_size);
        const tt_phase phase = {.name = "pretraining",
            .config = train,
            .total = total > 0 ? total : 1,
            .source = {&p, batch_at},
            .self = &p,
            .due = due,
            .validate = validate};
        status = tt_phase_run(&phase, room, start, resume, out);
    }
    close_data(&p);
    return status;
}
