#include "host/train/reflection/runs.h"

#include "host/base/fs.h"
#include "host/base/log.h"
#include "host/base/philox.h"
#include "host/base/str.h"
#include "host/text/limit.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { ROUND = 48 }; // items that a rank generates between two lines of the log

// What decides the runs: a log made with anything else is begun anew.
static tt_status made_with(const tt_reflection_runs *w, const char *what, int n, tt_str *out) {
    const tt_config *c = w->room->config;
    tt_str_format(out, "%s: %d items, %lld runs each, iteration %d, seed %lld, stages %s, ", what, n,
        (long long)c->reflection.samples, w->room->iteration, (long long)c->seed, c->stages);
    tt_str_format(out, "temperature %g, top_k %lld, top_p %g, max_length %lld, max_input %d, rules %d, ",
        c->reflection.temperature, (long long)c->reflection.top_k, c->reflection.top_p,
        (long long)c->evaluation.max_length, tt_prompt_limit_of(c), TT_PREFERENCE_RULES);
    tt_str_format(out, "corpus %016" PRIx64 ", student %016" PRIx64, w->room->corpus->hash, w->student->hash);
    return tt_str_status(out);
}

// This rank's items of a round, as lines.
static tt_status generate_round(tt_reflection_runs *w, const tt_reflection_item *items, const int *mine,
    int n, tt_stage sampled, tt_str *lines) {
    const tt_config *c = w->room->config;
    const tt_question *questions[ROUND];
    const char *general[ROUND] = {0};
    for (int i = 0; i < n; ++i) {
        questions[i] = &items[mine[i]].question;
        general[i] = items[mine[i]].general;
    }
    tt_chain_options options = {.set = w->set,
        .samples = (int)c->reflection.samples,
        .general = general[0] ? general : NULL,
        .max_input = tt_prompt_limit_of(c),
        .decoding = {.temperature = (float)c->reflection.temperature,
            .top_k = (int)c->reflection.top_k,
            .top_p = (float)c->reflection.top_p,
            .max_length = (int)c->evaluation.max_length,
            .seed = tt_key(
                (uint64_t)c->seed, TT_FOR_PAIRS, 4 * (uint64_t)w->room->iteration + (uint64_t)sampled)}};
    options.sampled[sampled] = true;
    tt_chain chain = {0};
    if (n == 0) return TT_OK;
    TT_TRY(tt_chain_generate(&chain, w->engine, w->student->tokenizer, questions, n, &options));
    w->prompts += chain.prompts;
    w->cut += chain.cut;
    tt_status status = TT_OK;
    for (int i = 0; i < n && status == TT_OK; ++i)
        status = tt_run_log_line(lines, mine[i], &chain.runs[(size_t)i * (size_t)chain.runs_each],
            chain.runs_each, questions[i]->n_options);
    tt_chain_close(&chain);
    return status;
}

static tt_status gather_round(tt_reflection_runs *w, const tt_str *lines, tt_run_log *log) {
    char *all = NULL;
    size_t *sizes, bytes = 0;
    TT_TRY(tt_alloc(&sizes, (size_t)w->room->comm->size, sizeof *sizes, "runs"));
    tt_status status = tt_comm_gather(w->room->comm, tt_str_text(lines), lines->length, &all, sizes);
    if (status == TT_OK && w->room->comm->rank == 0) {
        for (int r = 0; r < w->room->comm->size; ++r) bytes += sizes[r];
        status = tt_run_log_add(log, all, bytes);
    }
    free(all);
    free(sizes);
    return tt_comm_agree(w->room->comm, status);
}

// What is left to do, in rounds of ROUND items a rank.
static tt_status generate_rest(tt_reflection_runs *w, const tt_reflection_item *items, const bool *done,
    int n, tt_stage sampled, tt_run_log *log) {
    tt_comm *comm = w->room->comm;
    tt_progress progress;
    char label[64];
    int finished = 0, next = 0;
    for (int i = 0; i < n; ++i) finished += done[i];
    snprintf(label, sizeof label, "reflection %d, %s runs", w->room->iteration, tt_stage_name(sampled));
    tt_progress_open(&progress, label, sampled == TT_RECALL ? "questions" : "recalls", n, finished);
    tt_status status = TT_OK;
    while (next < n && status == TT_OK) {
        int mine[ROUND], count = 0, seen = 0;
        for (; next < n && seen < ROUND * comm->size; ++next) {
            if (done[next]) continue;
            if (seen++ % comm->size == comm->rank) mine[count++] = next;
        }
        if (seen == 0) break;
        tt_str lines = {0};
        status = tt_comm_agree(comm, generate_round(w, items, mine, count, sampled, &lines));
        if (status == TT_OK) status = gather_round(w, &lines, log);
        tt_str_close(&lines);
        finished += seen;
        tt_progress_update(&progress, finished, "%lld tokens", (long long)tt_engine_tokens(w->engine));
    }
    tt_progress_close(&progress);
    if (status == TT_ERR_INTERRUPTED)
        return tt_context(status,
            "reflection %d: the runs so far are saved; run the same command again to resume",
            w->room->iteration);
    return status;
}

// Told once, for the prompts of all ranks.
static tt_status tell_of_cuts(tt_reflection_runs *w) {
    double counts[2] = {(double)w->cut, (double)w->prompts};
    char where[64];
    TT_TRY(tt_comm_sum_f64(w->room->comm, counts, 2));
    if (counts[0] > 0 && !*w->room->told_of_cuts) {
        snprintf(where, sizeof where, "reflection %d, runs", w->room->iteration);
        tt_limit_warn_prompts(where, (int64_t)counts[0], (int64_t)counts[1],
            tt_prompt_limit_of(w->room->config), "evaluation.max_input");
        *w->room->told_of_cuts = true;
    }
    return TT_OK;
}

tt_status tt_reflection_generate(tt_reflection_runs *w, const tt_reflection_items *items, tt_stage sampled,
    const char *name, tt_run_log *log) {
    const tt_config *c = w->room->config;
    tt_comm *comm = w->room->comm;
    const int n = items->n;
    char path[TT_PATH_MAX];
    bool *done;
    tt_status status = TT_OK;
    TT_TRY(tt_path_join(path, sizeof path, w->room->folder, name));
    TT_TRY(tt_alloc(&done, (size_t)n, sizeof *done, "runs"));
    if (comm->rank == 0) {
        tt_str with = {0};
        status = made_with(w, tt_stage_name(sampled), n, &with);
        if (status == TT_OK)
            status = tt_run_log_open(log, path, tt_str_text(&with), n, (int)c->reflection.samples);
        if (status == TT_OK) memcpy(done, log->done, (size_t)n * sizeof *done);
        tt_str_close(&with);
    }
    status = tt_comm_agree(comm, status);
    if (status == TT_OK && !w->engine)
        status = tt_comm_agree(comm, tt_engine_open(&w->engine, w->student->model, (int)c->evaluation.slots,
                                         (int)c->evaluation.max_length));
    if (status == TT_OK && n) status = tt_comm_broadcast(comm, done, (size_t)n * sizeof *done, 0);
    if (status == TT_OK) status = generate_rest(w, items->items, done, n, sampled, log);
    free(done);
    return status == TT_OK ? tell_of_cuts(w) : status;
}
