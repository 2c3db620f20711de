#include "host/train/reflection/runs.h"

#include "host/base/fs.h"
#include "host/base/log.h"
#include "host/base/philox.h"
#include "host/base/str.h"
#include "host/text/limit.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { ROUND = 48 }; // items that each rank generates between two synchronised lines of the log

// One call of tt_reflection_generate.
typedef struct generation {
    tt_reflection_runs *runs;
    const tt_reflection_items *items;
    tt_stage sampled;
    tt_run_log *log; // of rank 0
} generation;

// Everything that the runs depend on: a log whose header says something else is not resumed.
static tt_status describe_runs(const generation *g, tt_str *out) {
    const tt_reflection_context *context = g->runs->context;
    const tt_config *c = context->config;
    tt_str_format(out, "%s: %d items, %lld runs each, iteration %d, seed %lld, stages %s, ",
        tt_stage_name(g->sampled), g->items->n, (long long)c->reflection.samples, context->iteration,
        (long long)c->seed, c->stages);
    tt_str_format(out, "temperature %g, top_k %lld, top_p %g, max_length %lld, max_input %d, rules %d, ",
        c->reflection.temperature, (long long)c->reflection.top_k, c->reflection.top_p,
        (long long)c->evaluation.max_length, tt_prompt_limit_of(c), TT_PREFERENCE_RULES);
    tt_str_format(
        out, "corpus %016" PRIx64 ", student %016" PRIx64, context->corpus->hash, g->runs->student->hash);
    return tt_str_status(out);
}

// Appends the runs of this rank's items of a round, mine[0..n), as lines of the log.
static tt_status generate_round(const generation *g, const int *mine, int n, tt_str *lines) {
    tt_reflection_runs *w = g->runs;
    const tt_config *c = w->context->config;
    const tt_question *questions[ROUND];
    const char *general[ROUND] = {0};
    if (n == 0) return TT_OK;
    for (int i = 0; i < n; ++i) {
        questions[i] = &g->items->items[mine[i]].question;
        general[i] = g->items->items[mine[i]].general;
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
    TT_TRY(tt_chain_generate(&chain, w->engine, questions, n, &options));
    w->prompts += chain.prompts;
    w->cut += chain.cut;
    tt_status status = TT_OK;
    for (int i = 0; i < n && status == TT_OK; ++i)
        status = tt_run_log_line(lines, mine[i], &chain.runs[(size_t)i * (size_t)chain.runs_each],
            chain.runs_each, questions[i]->n_options);
    tt_chain_close(&chain);
    return status;
}

// Adds the lines of all ranks to rank 0's log.
static tt_status gather_round(const generation *g, const tt_str *lines) {
    tt_comm *comm = g->runs->context->comm;
    char *all = NULL;
    size_t *sizes, bytes = 0;
    TT_TRY(tt_alloc(&sizes, (size_t)comm->size, sizeof *sizes, "runs"));
    tt_status status = tt_comm_gather(comm, tt_str_text(lines), lines->length, &all, sizes);
    if (status == TT_OK && comm->rank == 0) {
        for (int r = 0; r < comm->size; ++r) bytes += sizes[r];
        status = tt_run_log_add(g->log, all, bytes);
    }
    free(all);
    free(sizes);
    return tt_comm_agree(comm, status);
}

// Generates the items that are not done yet, in rounds of ROUND items per rank.
static tt_status generate_rest(const generation *g, const bool *done) {
    const tt_reflection_context *context = g->runs->context;
    tt_comm *comm = context->comm;
    const int n = g->items->n;
    tt_progress progress;
    char label[64];
    int finished = 0, next = 0;
    for (int i = 0; i < n; ++i) finished += done[i];
    snprintf(label, sizeof label, "reflection %d, %s runs", context->iteration, tt_stage_name(g->sampled));
    tt_progress_open(&progress, label, g->sampled == TT_RECALL ? "questions" : "recalls", n, finished);
    tt_status status = TT_OK;
    while (next < n && status == TT_OK) {
        int mine[ROUND], count = 0, seen = 0;
        for (; next < n && seen < ROUND * comm->size; ++next) {
            if (done[next]) continue;
            if (seen++ % comm->size == comm->rank) mine[count++] = next;
        }
        if (seen == 0) break;
        tt_str lines = {0};
        status = tt_comm_agree(comm, generate_round(g, mine, count, &lines));
        if (status == TT_OK) status = gather_round(g, &lines);
        tt_str_close(&lines);
        finished += seen;
        tt_progress_update(&progress, finished, "%lld tokens", (long long)tt_engine_tokens(g->runs->engine));
    }
    tt_progress_close(&progress);
    if (status == TT_ERR_INTERRUPTED)
        return tt_context(status,
            "reflection %d: the runs so far are saved; run the same command again to resume",
            context->iteration);
    return status;
}

// Warns once, about the prompts of all ranks.
static tt_status warn_of_cuts(const tt_reflection_runs *w) {
    const tt_reflection_context *context = w->context;
    double counts[2] = {(double)w->cut, (double)w->prompts};
    char where[64];
    TT_TRY(tt_comm_sum_f64(context->comm, counts, 2));
    if (counts[0] > 0 && !*context->cuts_warned) {
        snprintf(where, sizeof where, "reflection %d, runs", context->iteration);
        tt_limit_warn_prompts(where, (int64_t)counts[0], (int64_t)counts[1],
            tt_prompt_limit_of(context->config), "evaluation.max_input");
        *context->cuts_warned = true;
    }
    return TT_OK;
}

static tt_status open_log(const generation *g, const char *path, bool *done) {
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
    if (status == TT_OK) memcpy(done, g->log->done, (size_t)n * sizeof *done);
    tt_str_close(&made_with);
    return status;
}

tt_status tt_reflection_generate(tt_reflection_runs *w, const tt_reflection_items *items, tt_stage sampled,
    const char *name, tt_run_log *log) {
    const tt_config *c = w->context->config;
    tt_comm *comm = w->context->comm;
    const generation g = {.runs = w, .items = items, .sampled = sampled, .log = log};
    char path[TT_PATH_MAX];
    bool *done;
    TT_TRY(tt_path_join(path, sizeof path, w->context->folder, name));
    TT_TRY(tt_alloc(&done, (size_t)items->n, sizeof *done, "runs"));
    tt_status status = tt_comm_agree(comm, comm->rank == 0 ? open_log(&g, path, done) : TT_OK);
    if (status == TT_OK && !w->engine)
        status = tt_comm_agree(comm, tt_engine_open(&w->engine, w->student->model, (int)c->evaluation.slots,
                                         (int)c->evaluation.max_length));
    if (status == TT_OK && items->n)
        status = tt_comm_broadcast(comm, done, (size_t)items->n * sizeof *done, 0);
    if (status == TT_OK) status = generate_rest(&g, done);
    free(done);
    return status == TT_OK ? warn_of_cuts(w) : status;
}
