#include "host/train/reflection/runs.h"

#include "host/base/fs.h"
#include "host/base/log.h"
#include "host/base/philox.h"
#include "host/base/str.h"
#include "host/dist/pieces.h"
#include "host/reason/portions.h"
#include "host/text/limit.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

// Between two synchronised lines of the log each rank generates so many pieces.
enum { ROUND = 6 };
// One rank has nobody to share with: where slots that are idle at the end of a piece cost time, so many pieces are one, and as many
// more as make so many questions.
enum { JOINED = 6, JOINED_ITEMS = 48 };

// One call of tt_reflection_generate.
typedef struct generation {
    tt_reflection_runs *runs;
    const tt_reflection_items *items;
    tt_stage sampled;
    tt_run_log *log; // of rank 0
    bool *done;      // [items->n]
    tt_portions portions;
    int round; // pieces of a round
} generation;

// The pieces of a round, and what this rank wrote for them.
typedef struct round_of_pieces {
    int *pieces; // [n]
    int n, items;
    int64_t *sizes; // [n]: bytes of the lines of a piece that this rank has
    tt_str lines;
} round_of_pieces;

// Everything that the runs depend on: a log whose header says something else is not resumed.
static tt_status describe_runs(const generation *g, tt_str *out) {
    const tt_reflection_context *context = g->runs->context;
    const tt_config *c = context->config;
    uint64_t student;
    TT_TRY(tt_checkpoint_hash(g->runs->student, &student));
    tt_str_format(out, "%s: %d items, %lld runs each, iteration %d, seed %lld, stages %s, ",
        tt_stage_name(g->sampled), g->items->n, (long long)c->reflection.samples, context->iteration,
        (long long)c->seed, c->stages);
    tt_str_format(out, "temperature %g, top_k %lld, top_p %g, max_length %lld, max_input %d, rules %d, ",
        c->reflection.temperature, (long long)c->reflection.top_k, c->reflection.top_p,
        (long long)c->evaluation.max_length, tt_prompt_limit_of(c), TT_PREFERENCE_RULES);
    tt_str_format(out, "corpus %016" PRIx64 ", student %016" PRIx64, context->corpus->hash, student);
    return tt_str_status(out);
}

// Appends the runs of n items, given by their numbers, as lines of the log.
static tt_status generate_items(const generation *g, const int *numbers, int n, tt_str *lines) {
    tt_reflection_runs *w = g->runs;
    const tt_config *c = w->context->config;
    const tt_question **questions;
    const char **general;
    TT_TRY(tt_alloc(&questions, 2 * (size_t)n, sizeof(void *), "questions"));
    general = (const char **)(void *)(questions + n);
    for (int i = 0; i < n; ++i) {
        questions[i] = &g->items->items[numbers[i]].question;
        general[i] = g->items->items[numbers[i]].general;
    }
    tt_chain_options options = {.tokenizer = w->student->tokenizer,
        .set = w->set,
        .samples = (int)c->reflection.samples,
        .general = general[0] ? general : NULL,
        .max_input = tt_prompt_limit_of(c),
        .decoding = {.temperature = (float)c->reflection.temperature,
            .top_k = (int)c->reflection.top_k,
            .top_p = (float)c->reflection.top_p,
            .max_length = (int)c->evaluation.max_length,
            .seed = tt_key((uint64_t)c->seed, TT_FOR_PAIRS,
                4 * (uint64_t)w->context->iteration + (uint64_t)g->sampled)}};
    options.sampled[g->sampled] = true;
    tt_chain chain = {0};
    tt_status status = tt_chain_generate(&chain, w->engine, questions, n, &options);
    w->prompts += chain.prompts;
    w->cut += chain.cut;
    for (int stage = 0; stage < TT_STAGES; ++stage) {
        w->asked += chain.counts[stage].asked;
        w->texts += chain.counts[stage].texts;
    }
    for (int i = 0; i < n && status == TT_OK; ++i)
        status = tt_run_log_line(lines, numbers[i], &chain.runs[(size_t)i * (size_t)chain.runs_each],
            chain.runs_each, questions[i]->n_options);
    if (status == TT_OK) tt_chain_close(&chain);
    free(questions);
    return status;
}

// Appends the items of a piece that are not done to numbers[n]. Returns how many there are then.
static int add_items(const generation *g, int piece, int *numbers, int n) {
    for (int i = tt_portion_begin(&g->portions, piece); i < g->portions.ends[piece]; ++i)
        if (!g->done[i]) numbers[n++] = i;
    return n;
}

static tt_status generate_pieces(const generation *g, tt_pieces *pieces, round_of_pieces *r) {
    int *numbers;
    tt_status status = tt_alloc(&numbers, (size_t)g->items->n, sizeof *numbers, "runs");
    for (int64_t at; status == TT_OK && (status = tt_pieces_take(pieces, &at)) == TT_OK && at >= 0;) {
        const size_t before = r->lines.length;
        status = generate_items(g, numbers, add_items(g, r->pieces[at], numbers, 0), &r->lines);
        if (status == TT_OK) r->sizes[at] = (int64_t)(r->lines.length - before);
    }
    if (status != TT_OK) tt_pieces_stop(pieces);
    free(numbers);
    return status;
}

// Adds the lines of all ranks to rank 0's log.
static tt_status gather_lines(const generation *g, const tt_pieces *pieces, round_of_pieces *r) {
    char *all;
    size_t bytes;
    tt_status status = tt_pieces_gather(pieces, &r->lines, r->sizes, &all, &bytes);
    if (status == TT_OK && all) status = tt_run_log_add(g->log, all, bytes);
    free(all);
    return tt_comm_agree(pieces->comm, status);
}

// Interrupted, the pieces that are finished are saved, too.
static tt_status generate_round(const generation *g, round_of_pieces *r) {
    tt_comm *comm = g->runs->context->comm;
    tt_pieces pieces;
    TT_TRY(tt_pieces_open(&pieces, comm, r->n));
    const tt_status status = tt_comm_agree(comm, generate_pieces(g, &pieces, r));
    if (status != TT_OK && status != TT_ERR_INTERRUPTED) return status;
    TT_TRY(gather_lines(g, &pieces, r));
    return status == TT_OK ? status : tt_fail(status, "interrupted while generating");
}

// The next pieces that are not done, from *next on.
static void fill_round(const generation *g, int *next, round_of_pieces *r) {
    r->n = r->items = 0;
    tt_str_clear(&r->lines);
    for (; *next < g->portions.n && r->n < g->round; ++*next) {
        int left = 0;
        for (int i = tt_portion_begin(&g->portions, *next); i < g->portions.ends[*next]; ++i)
            left += !g->done[i];
        if (left == 0) continue;
        r->sizes[r->n] = 0;
        r->pieces[r->n++] = *next;
        r->items += left;
    }
}

static tt_status open_round(const generation *g, round_of_pieces *r) {
    const size_t n = (size_t)g->portions.n + 1;
    TT_TRY(tt_alloc(&r->pieces, n, sizeof *r->pieces, "runs"));
    return tt_alloc(&r->sizes, n, sizeof *r->sizes, "runs");
}

static void close_round(round_of_pieces *r) {
    free(r->pieces);
    free(r->sizes);
    tt_str_close(&r->lines);
}

static tt_status generate_rest(const generation *g) {
    const tt_reflection_context *context = g->runs->context;
    const int n = g->items->n;
    tt_progress progress;
    char label[64];
    int finished = 0, next = 0;
    for (int i = 0; i < n; ++i) finished += g->done[i];
    snprintf(label, sizeof label, "reflection %d, %s runs", context->iteration, tt_stage_name(g->sampled));
    round_of_pieces r = {0};
    tt_status status = tt_comm_agree(context->comm, open_round(g, &r));
    tt_progress_open(&progress, label, g->sampled == TT_RECALL ? "questions" : "recalls", n, finished);
    while (status == TT_OK) {
        fill_round(g, &next, &r);
        if (r.n == 0) break;
        status = generate_round(g, &r);
        finished += r.items;
        tt_progress_update(&progress, finished, "%lld tokens", (long long)tt_engine_tokens(g->runs->engine));
    }
    tt_progress_close(&progress);
    close_round(&r);
    if (status == TT_ERR_INTERRUPTED)
        return tt_context(
            status, "reflection %d: the runs so far are saved; %s", context->iteration, tt_how_to_resume());
    return status;
}

static tt_status cut_items(generation *g) {
    const tt_reflection_runs *w = g->runs;
    const tt_device *device = w->student->model->device;
    const bool alone = w->context->comm->size == 1;
    const tt_config *c = w->context->config;
    int *texts;
    if (g->items->n == 0) return TT_OK;
    TT_TRY(tt_alloc(&texts, (size_t)g->items->n, sizeof *texts, "runs"));
    for (int i = 0; i < g->items->n; ++i)
        texts[i] = tt_widest_stage(w->set, (int)c->reflection.samples, &g->items->items[i].question);
    const tt_status status =
        tt_portions_cut(&g->portions, texts, g->items->n, device, (int)c->evaluation.slots);
    free(texts);
    g->round = ROUND * w->context->comm->size;
    if (status == TT_OK && alone && tt_device_records(device)) {
        tt_portions_join(&g->portions, JOINED, JOINED_ITEMS);
        g->round = 1;
    }
    return status;
}

tt_status tt_reflection_generate_piece(
    tt_reflection_runs *w, const tt_reflection_items *items, tt_stage sampled) {
    const tt_config *c = w->context->config;
    generation g = {.runs = w, .items = items, .sampled = sampled};
    int *numbers, largest = 0;
    tt_str lines = {0};
    if (items->n == 0) return TT_OK;
    TT_TRY(tt_alloc(&numbers, (size_t)items->n, sizeof *numbers, "runs"));
    tt_status status = tt_alloc(&g.done, (size_t)items->n, sizeof *g.done, "runs");
    if (status == TT_OK) status = cut_items(&g);
    if (status == TT_OK && !w->engine)
        status = tt_engine_open(
            &w->engine, w->student->model, (int)c->evaluation.slots, (int)c->evaluation.max_length);
    for (int i = 1; i < g.portions.n && status == TT_OK; ++i)
        if (g.portions.ends[i] - tt_portion_begin(&g.portions, i) >
            g.portions.ends[largest] - tt_portion_begin(&g.portions, largest))
            largest = i;
    if (status == TT_OK) status = generate_items(&g, numbers, add_items(&g, largest, numbers, 0), &lines);
    tt_str_close(&lines);
    tt_portions_close(&g.portions);
    free(g.done);
    free(numbers);
    return status;
}

// What a rank has done, to be added up; CUT and PROMPTS are of all calls, those from ASKED on of this one.
enum { CUT, PROMPTS, ASKED, TEXTS, TOKENS, SHARED, COUNTS };

static void count_work(const tt_reflection_runs *w, double counts[COUNTS]) {
    counts[CUT] = (double)w->cut;
    counts[PROMPTS] = (double)w->prompts;
    counts[ASKED] = (double)w->asked;
    counts[TEXTS] = (double)w->texts;
    counts[TOKENS] = (double)tt_engine_tokens(w->engine);
    counts[SHARED] = (double)tt_engine_shared(w->engine);
}

// Says what runs shared since all ranks had done `before`, and warns, once, of prompts that were cut.
static tt_status report_work(const generation *g, const double before[COUNTS]) {
    const tt_reflection_runs *w = g->runs;
    const tt_reflection_context *context = w->context;
    double counts[COUNTS];
    char where[64];
    count_work(w, counts);
    for (int i = ASKED; i < COUNTS; ++i) counts[i] -= before[i];
    TT_TRY(tt_comm_sum_f64(context->comm, counts, COUNTS));
    if (counts[TEXTS] > 0)
        tt_info("reflection %d, %s runs: %.0f of %.0f texts were written, since equal prompts share one; "
                "%.0f tokens, %.0f of them computed together with those of another sample",
            context->iteration, tt_stage_name(g->sampled), counts[TEXTS], counts[ASKED], counts[TOKENS],
            counts[SHARED]);
    if (counts[CUT] > 0 && !*context->cuts_warned) {
        snprintf(where, sizeof where, "reflection %d, runs", context->iteration);
        tt_limit_warn_prompts(where, (int64_t)counts[CUT], (int64_t)counts[PROMPTS],
            tt_prompt_limit_of(context->config), "evaluation.max_input");
        *context->cuts_warned = true;
    }
    return TT_OK;
}

static tt_status open_log(const generation *g, const char *path) {
    const int n = g->items->n;
    tt_str made_with = {0};
    int *n_options;
    TT_TRY(tt_alloc(&n_options, (size_t)n, sizeof *n_options, "runs"));
    for (int i = 0; i < n; ++i) n_options[i] = g->items->items[i].question.n_options;
    const tt_run_log_items items = {
        .n_items = n, .samples = (int)g->runs->context->config->reflection.samples, .n_options = n_options};
    tt_status status = describe_runs(g, &made_with);
    if (status == TT_OK) status = tt_run_log_open(g->log, path, tt_str_text(&made_with), &items);
    free(n_options);
    if (status == TT_OK) memcpy(g->done, g->log->done, (size_t)n * sizeof *g->done);
    tt_str_close(&made_with);
    return status;
}

tt_status tt_reflection_generate(tt_reflection_runs *w, const tt_reflection_items *items, tt_stage sampled,
    const char *name, tt_run_log *log) {
    const tt_config *c = w->context->config;
    tt_comm *comm = w->context->comm;
    generation g = {.runs = w, .items = items, .sampled = sampled, .log = log};
    const size_t n = (size_t)items->n;
    char path[TT_PATH_MAX];
    TT_TRY(tt_path_join(path, sizeof path, w->context->folder, name));
    TT_TRY(tt_alloc(&g.done, n, sizeof *g.done, "runs"));
    tt_status status = cut_items(&g);
    if (status == TT_OK && comm->rank == 0) status = open_log(&g, path);
    status = tt_comm_agree(comm, status);
    if (status == TT_OK && !w->engine)
        status = tt_comm_agree(comm, tt_engine_open(&w->engine, w->student->model, (int)c->evaluation.slots,
                                         (int)c->evaluation.max_length));
    if (status == TT_OK && n) status = tt_comm_broadcast(comm, g.done, n * sizeof *g.done, 0);
    double before[COUNTS];
    if (status == TT_OK) count_work(w, before);
    if (status == TT_OK) status = generate_rest(&g);
    if (status == TT_OK) status = report_work(&g, before);
    tt_portions_close(&g.portions);
    free(g.done);
    return status;
}
