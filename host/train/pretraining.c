#include "host/train/pretraining.h"

#include "host/base/log.h"
#include "host/base/memory.h"
#include "host/base/str.h"
#include "host/train/held_out.h"
#include "host/train/reading_tasks.h"
#include "host/train/shuffle.h"
#include "host/train/span_corruption.h"
#include "host/train/windows.h"

#include <math.h>
#include <stdlib.h>

// Streams of tt_order within a run; those of acquisition are the numbers of its stages.
enum { STREAM_WINDOWS = 16, STREAM_TASKS, STREAM_HELD_OUT };
enum { HELD_OUT = 512 }; // examples, unless pretraining.validation_questions is set
// Held-out examples that are scored at a time: no more than a step holds, and so few that several ranks have some. Their number
// must not depend on ranks, nor may what is in a chunk, so that the score has the same bits for any ranks.
enum { CHUNK = 32, GPU_CHUNK = 64 };

// Windows or reading tasks, a few of them held out.
typedef struct source {
    int32_t *order;     // a random order of all, the held-out ones first
    int held, rest;     // how many are held out; how many are left to train on
    tt_shuffle shuffle; // of the rest
} source;

typedef struct pretraining {
    const tt_config *config;
    const tt_tokenizer *tokenizer;
    tt_comm *comm;
    uint64_t seed;
    double tasks_share; // of reading tasks among the examples
    tt_span_corruption corruption;
    tt_windows windows;
    tt_dataset tasks; // reading tasks
    tt_dataset step;  // the examples of one step
    tt_dataset held;  // held-out windows, corrupted
    source window_source, task_source;
    int32_t *examples;      // 0, 1, 2, ...: at least [batch_size] and [windows]
    tt_corrupted corrupted; // one window
    tt_held_out held_out;
} pretraining;

static tt_status source_open(source *s, int n, int held, uint64_t seed, uint32_t stream) {
    *s = (source){.held = held, .rest = n - held};
    if (n == 0) return TT_OK;
    TT_TRY(tt_alloc(&s->order, (size_t)n, sizeof *s->order, "order of examples"));
    tt_order(s->order, n, seed, STREAM_HELD_OUT, stream);
    return tt_shuffle_open(&s->shuffle, s->rest, seed, stream);
}

static void source_close(source *s) {
    free(s->order);
    tt_shuffle_close(&s->shuffle);
}

// The window or task at `position` of the endless shuffled order.
static int32_t source_example(source *s, int64_t position) {
    return s->order[s->held + tt_shuffle_at(&s->shuffle, position)];
}

static tt_status add_window(pretraining *p, tt_dataset *to, int32_t window, uint32_t epoch) {
    const int64_t *begin = p->windows.offsets + window;
    tt_corrupted *c = &p->corrupted;
    tt_rng rng;
    tt_rng_open(&rng, p->seed, TT_FOR_SPAN, (uint64_t)window, epoch);
    TT_TRY(tt_span_corrupt(&p->corruption, p->windows.ids + begin[0], (int)(begin[1] - begin[0]), &rng, c));
    return tt_dataset_add_ids(to, c->input, c->n_input, c->target, c->n_target);
}

static tt_status add_task(pretraining *p, int32_t task) {
    const int64_t *begin = p->tasks.offsets + 2 * (int64_t)task; // of input, of target, of the next task
    const int32_t *ids = p->tasks.ids;
    return tt_dataset_add_ids(
        &p->step, ids + begin[0], (int)(begin[1] - begin[0]), ids + begin[1], (int)(begin[2] - begin[1]));
}

// Of the first k examples of the phase, floor(k x tasks_share) are reading tasks: so the batch of any step
// follows from its number.
static tt_status batch_at(void *self, int64_t step, tt_global_batch *out) {
    pretraining *p = self;
    const int64_t size = p->config->pretraining.train.batch_size;
    p->step.n = 0;
    p->step.first_example = (uint32_t)(step * size);
    int64_t tasks = (int64_t)floor((double)(step * size) * p->tasks_share); // before example k
    for (int64_t k = step * size; k < (step + 1) * size; ++k) {
        const int64_t tasks_after = (int64_t)floor((double)(k + 1) * p->tasks_share);
        if (tasks_after > tasks) {
            TT_TRY(add_task(p, source_example(&p->task_source, tasks)));
        } else {
            int32_t window = source_example(&p->window_source, k - tasks);
            TT_TRY(add_window(p, &p->step, window, (uint32_t)p->window_source.shuffle.epoch + 1));
        }
        tasks = tasks_after;
    }
    *out = (tt_global_batch){.dataset = &p->step,
        .examples = p->examples,
        .n = (int)size,
        .stage = p->tasks_share <= 0   ? "spans"
                 : p->tasks_share >= 1 ? "pairs"
                                       : "mixed"};
    return TT_OK;
}

static bool validation_due(void *self, int64_t step) {
    const pretraining *p = self;
    const int64_t every = p->config->pretraining.train.validate_every;
    return every > 0 && step % every == 0;
}

static tt_status score_held_out(void *self, tt_model *model, tt_validation *out) {
    pretraining *p = self;
    tt_held_out_score score;
    const int most = tt_device_records(model->device) ? GPU_CHUNK : CHUNK;
    int chunk = (int)(p->config->pretraining.train.batch_size / p->config->pretraining.train.accumulate);
    chunk = chunk < 1 ? 1 : chunk < most ? chunk : most;
    TT_TRY(tt_held_out_evaluate(&p->held_out, model, p->comm, chunk, &score));
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
        TT_TRY(tt_reading_tasks_add_file(&p->tasks, c->pretraining.pairs.items[i], p->tokenizer,
            (int)c->pretraining.train.max_input, (int)c->pretraining.train.max_target));
    if (p->windows.n == 0 && p->tasks.n == 0)
        return tt_fail(TT_ERR_CONFIG,
            "pretraining is enabled, but there is nothing to read: name files in pretraining.text or "
            "pretraining.pairs");
    if (p->windows.n > 0 && tt_tokenizer_extra_ids(p->tokenizer) < 1)
        return tt_fail(TT_ERR_CONFIG, "span corruption needs sentinels: set model.extra_ids (100 in T5)");
    p->tasks.name = "reading tasks";
    tt_dataset_warn(&p->tasks, &(tt_dataset_limits){.phase = "pretraining",
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

// Hash of the tokens that are trained on, and of where windows and tasks begin.
static uint64_t hash_data(const pretraining *p) {
    const tt_windows *w = &p->windows;
    const tt_dataset *t = &p->tasks;
    const uint64_t parts[] = {(uint64_t)w->n, (uint64_t)t->n,
        w->n ? tt_hash(w->ids, (size_t)w->offsets[w->n] * sizeof *w->ids) : 0,
        w->n ? tt_hash(w->offsets, ((size_t)w->n + 1) * sizeof *w->offsets) : 0,
        t->n ? tt_hash(t->ids, (size_t)t->offsets[2 * (size_t)t->n] * sizeof *t->ids) : 0,
        t->n ? tt_hash(t->offsets, (2 * (size_t)t->n + 1) * sizeof *t->offsets) : 0};
    return tt_hash(parts, sizeof parts);
}

static int held_out_size(const tt_config *config, int n) {
    int wanted = config->pretraining.train.validation_questions > 0
                     ? (int)config->pretraining.train.validation_questions
                     : HELD_OUT;
    int most = n / 10 > 0 ? n / 10 : n > 1;
    return wanted < most ? wanted : most;
}

static tt_status hold_out(pretraining *p) {
    const tt_config *c = p->config;
    const int tasks = p->tasks.n, windows = p->windows.n;
    const bool hold_tasks = tasks > 1;
    TT_TRY(
        source_open(&p->task_source, tasks, hold_tasks ? held_out_size(c, tasks) : 0, p->seed, STREAM_TASKS));
    TT_TRY(source_open(
        &p->window_source, windows, hold_tasks ? 0 : held_out_size(c, windows), p->seed, STREAM_WINDOWS));
    p->held_out = (tt_held_out){&p->tasks, p->task_source.order, p->task_source.held};
    if (hold_tasks) return TT_OK;
    // Held-out windows are corrupted once, with epoch 0, which training does not use.
    for (int i = 0; i < p->window_source.held; ++i)
        TT_TRY(add_window(p, &p->held, p->window_source.order[i], 0));
    p->held_out = (tt_held_out){&p->held, p->examples, p->held.n};
    if (p->held.n == 0)
        return tt_fail(TT_ERR_INPUT,
            "pretraining: too little data; expected at least two reading tasks or two windows of text");
    return TT_OK;
}

static tt_status open_data(pretraining *p) {
    const tt_config *c = p->config;
    TT_TRY(read_sources(p));
    p->tasks_share = p->tasks.n == 0 ? 0 : p->windows.n == 0 ? 1 : c->pretraining.pairs_share;
    p->corruption = (tt_span_corruption){.noise_density = c->pretraining.noise_density,
        .mean_span = c->pretraining.mean_span,
        .first_sentinel = tt_tokenizer_first_sentinel(p->tokenizer),
        .sentinels = tt_tokenizer_extra_ids(p->tokenizer)};
    const size_t capacity = 2 * (size_t)c->pretraining.window + 2;
    TT_TRY(tt_alloc(&p->corrupted.input, 2 * capacity, sizeof(int32_t), "corrupted window"));
    p->corrupted.target = p->corrupted.input + capacity;
    size_t most = (size_t)c->pretraining.train.batch_size;
    if (most < (size_t)p->windows.n) most = (size_t)p->windows.n;
    TT_TRY(tt_alloc(&p->examples, most, sizeof *p->examples, "examples of a step"));
    for (size_t i = 0; i < most; ++i) p->examples[i] = (int32_t)i;
    return hold_out(p);
}

static void close_data(pretraining *p) {
    tt_windows_close(&p->windows);
    tt_dataset_close(&p->tasks);
    tt_dataset_close(&p->step);
    tt_dataset_close(&p->held);
    source_close(&p->window_source);
    source_close(&p->task_source);
    free(p->examples);
    free(p->corrupted.input);
}

tt_status tt_pretraining_run(
    const tt_phase_context *context, tt_checkpoint *start, bool resume, tt_phase_result *out) {
    const tt_config *config = context->config;
    const tt_training_config *train = &config->pretraining.train;
    pretraining p = {
        .config = config, .tokenizer = start->tokenizer, .comm = context->comm, .seed = context->seed};
    tt_status status = tt_comm_agree(context->comm, open_data(&p));
    if (status == TT_OK) {
        int64_t examples = p.window_source.rest + p.task_source.rest;
        int64_t total = train->steps > 0
                            ? train->steps
                            : llround(train->epochs * (double)examples / (double)train->batch_size);
        tt_info("pretraining: %d windows of text (%lld tokens), %d reading tasks, %d of them held out; "
                "%lld steps of %lld examples",
            p.windows.n, (long long)p.windows.tokens, p.tasks.n, p.held_out.n, (long long)total,
            (long long)train->batch_size);
        const tt_phase phase = {.name = "pretraining",
            .config = train,
            .total = total > 0 ? total : 1,
            .source = {&p, batch_at},
            .self = &p,
            .due = validation_due,
            .validate = score_held_out,
            .data = hash_data(&p),
            .data_name = "the texts of pretraining.text and pretraining.pairs"};
        status = tt_phase_run(&phase, context, start, resume, out);
    }
    close_data(&p);
    return status;
}
