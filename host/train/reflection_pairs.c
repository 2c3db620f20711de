#include "host/train/reflection_pairs.h"

#include "host/base/fs.h"
#include "host/base/log.h"
#include "host/base/str.h"
#include "host/reason/contrast.h"
#include "host/reason/run_log.h"
#include "host/train/trainer.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { ROUND = 48 }; // items that a rank generates between two lines of the log

// What an iteration works with.
typedef struct work {
    const tt_reflection_room *room;
    tt_checkpoint *reference;
    tt_stage_set set;
    int *questions; // indices in the corpus, of the training split
    int n_questions;
    int *first, *of_question; // reasonings of question q: of_question[first[q]] .. first[q + 1]
    tt_engine *engine;
    tt_arena memory;
} work;

// One thing that runs are made for.
typedef struct item {
    tt_question question;  // with an id of its own: sampling is keyed by it
    int index;             // of the question in the corpus
    const char *general;   // given recall, or NULL
    const char **fallback; // analyses that came with it, or NULL
} item;

// ---- questions and the teacher's reasoning

static tt_status select_questions(work *w) {
    const tt_corpus *c = w->room->corpus;
    const int64_t most = w->room->config->reflection.questions;
    TT_TRY(tt_alloc(&w->questions, c->n_questions, sizeof *w->questions, "questions"));
    for (size_t i = 0; i < c->n_questions; ++i)
        if (c->questions[i].split == TT_TRAIN) w->questions[w->n_questions++] = (int)i;
    if (most > 0 && most < w->n_questions) {
        tt_rng rng;
        tt_rng_open(&rng, (uint64_t)w->room->config->seed, TT_FOR_PAIRS, (uint64_t)w->room->iteration, 0);
        tt_rng_shuffle(&rng, w->questions, w->n_questions);
        w->n_questions = (int)most;
    }
    return w->n_questions ? TT_OK
                          : tt_fail(TT_ERR_INPUT, "reflection: corpus %s has no training questions", c->name);
}

static tt_status index_teacher(work *w) {
    const tt_corpus *c = w->room->corpus;
    TT_TRY(tt_alloc(&w->first, c->n_questions + 2, sizeof *w->first, "teacher's texts"));
    TT_TRY(tt_alloc(&w->of_question, c->n_reasoning, sizeof *w->of_question, "teacher's texts"));
    for (size_t r = 0; r < c->n_reasoning; ++r) w->first[c->reasoning[r].question + 2]++;
    for (size_t q = 0; q < c->n_questions; ++q) w->first[q + 2] += w->first[q + 1];
    for (size_t r = 0; r < c->n_reasoning; ++r)
        w->of_question[w->first[c->reasoning[r].question + 1]++] = (int)r;
    return TT_OK;
}

// ---- generation

static tt_status made_with(const work *w, const char *what, int n, tt_str *out) {
    const tt_config *c = w->room->config;
    tt_str_format(out, "%s: %d items, %lld runs each, iteration %d, seed %lld, stages %s, ", what, n,
        (long long)c->reflection.samples, w->room->iteration, (long long)c->seed, c->stages);
    tt_str_format(out, "temperature %g, top_k %lld, top_p %g, max_length %lld, max_input %lld, ",
        c->reflection.temperature, (long long)c->reflection.top_k, c->reflection.top_p,
        (long long)c->evaluation.max_length, (long long)c->reflection.train.max_input);
    tt_str_format(
        out, "corpus %016" PRIx64 ", student %016" PRIx64, w->room->corpus->hash, w->reference->hash);
    return tt_str_status(out);
}

// This rank's items of a round, as lines.
static tt_status generate_round(
    work *w, const item *items, const int *mine, int n, tt_stage sampled, tt_str *lines) {
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
        .max_input = (int)c->reflection.train.max_input,
        .decoding = {.temperature = (float)c->reflection.temperature,
            .top_k = (int)c->reflection.top_k,
            .top_p = (float)c->reflection.top_p,
            .max_length = (int)c->evaluation.max_length,
            .seed = tt_key(
                (uint64_t)c->seed, TT_FOR_PAIRS, 4 * (uint64_t)w->room->iteration + (uint64_t)sampled)}};
    options.sampled[sampled] = true;
    tt_chain chain = {0};
    if (n == 0) return TT_OK;
    TT_TRY(tt_chain_generate(&chain, w->engine, w->reference->tokenizer, questions, n, &options));
    tt_status status = TT_OK;
    for (int i = 0; i < n && status == TT_OK; ++i)
        status = tt_run_log_line(lines, mine[i], &chain.runs[(size_t)i * (size_t)chain.runs_each],
            chain.runs_each, questions[i]->n_options);
    tt_chain_close(&chain);
    return status;
}

static tt_status gather_round(work *w, const tt_str *lines, tt_run_log *log) {
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
static tt_status generate_rest(
    work *w, const item *items, const bool *done, int n, tt_stage sampled, tt_run_log *log) {
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
        return tt_context(status, "reflection %d: runs so far are kept, the same command goes on from here",
            w->room->iteration);
    return status;
}

// Runs of all items; rank 0's log has them afterwards.
static tt_status generate(
    work *w, const item *items, int n, tt_stage sampled, const char *name, tt_run_log *log) {
    const tt_config *c = w->room->config;
    tt_comm *comm = w->room->comm;
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
        status = tt_engine_open(
            &w->engine, w->reference->model, (int)c->evaluation.slots, (int)c->evaluation.max_length);
    if (status == TT_OK && n) status = tt_comm_broadcast(comm, done, (size_t)n * sizeof *done, 0);
    if (status == TT_OK) status = generate_rest(w, items, done, n, sampled, log);
    free(done);
    return status;
}

// ---- pairs of recalls (rank 0)

static void prompt_of(tt_str *out, const tt_question *q, tt_stage stage, const char *general, int option) {
    tt_str block = {0};
    tt_str_clear(out);
    tt_stage_block(&block, q->text, q->options, q->n_options);
    if (stage == TT_RECALL)
        tt_stage_recall_input(out, tt_str_text(&block));
    else
        tt_stage_analyze_input(out, tt_str_text(&block), general, option);
    out->failed |= block.failed;
    tt_str_close(&block);
}

// Memory for the texts of one question's sides.
typedef struct sides {
    tt_contrast_run *runs;
    tt_contrast_pair *pairs;
    int *index;           // of runs[i] among the item's runs
    const char **teacher; // texts
    int *reasoning;       // of teacher[i]
    int n_runs, n_teacher, n_pairs;
} sides;

static tt_status sides_open(sides *s, const work *w) {
    size_t most = 1;
    const size_t samples = (size_t)w->room->config->reflection.samples;
    for (size_t q = 0; q < w->room->corpus->n_questions; ++q)
        if ((size_t)(w->first[q + 1] - w->first[q]) > most) most = (size_t)(w->first[q + 1] - w->first[q]);
    *s = (sides){0};
    TT_TRY(tt_alloc(&s->runs, samples, sizeof *s->runs, "pairs"));
    TT_TRY(tt_alloc(&s->pairs, samples, sizeof *s->pairs, "pairs"));
    TT_TRY(tt_alloc(&s->index, samples, sizeof *s->index, "pairs"));
    TT_TRY(tt_alloc(&s->teacher, most, sizeof *s->teacher, "pairs"));
    return tt_alloc(&s->reasoning, most, sizeof *s->reasoning, "pairs");
}

static void sides_close(sides *s) {
    free(s->runs);
    free(s->pairs);
    free(s->index);
    free(s->teacher);
    free(s->reasoning);
}

static tt_status contrast(sides *s, const work *w, const item *it, tt_stage stage, const char *fallback) {
    tt_rng rng;
    const char *id = it->question.id;
    tt_rng_open(&rng, (uint64_t)w->room->config->seed, TT_FOR_PAIRS, tt_hash(id, strlen(id)),
        (uint32_t)(4 * w->room->iteration + (int)stage));
    return tt_contrast(s->runs, s->n_runs, s->teacher, s->n_teacher, fallback, &rng, s->pairs, &s->n_pairs);
}

static tt_status recall_pairs_of(
    work *w, const item *it, const tt_chain_run *runs, sides *s, tt_preferences *out) {
    const tt_corpus *c = w->room->corpus;
    static const char *const sources[] = {"run", "teacher", "fallback"};
    s->n_runs = (int)w->room->config->reflection.samples;
    for (int r = 0; r < s->n_runs; ++r)
        s->runs[r] = (tt_contrast_run){runs[r].general, runs[r].answer == it->question.gold};
    s->n_teacher = 0;
    for (int i = w->first[it->index]; i < w->first[it->index + 1]; ++i) {
        const tt_reasoning *r = &c->reasoning[w->of_question[i]];
        if (!r->general) continue;
        s->reasoning[s->n_teacher] = i - w->first[it->index];
        s->teacher[s->n_teacher++] = r->general;
    }
    TT_TRY(contrast(s, w, it, TT_RECALL, NULL));
    out->without_pairs += s->n_pairs == 0;
    tt_str prompt = {0};
    prompt_of(&prompt, &it->question, TT_RECALL, NULL, 0);
    tt_status status = tt_str_status(&prompt);
    for (int i = 0; i < s->n_pairs && status == TT_OK; ++i) {
        const tt_contrast_pair *p = &s->pairs[i];
        const bool run = p->source == TT_FROM_RUN;
        status = tt_preferences_add(out, &(tt_preference_texts){.stage = TT_RECALL,
                                             .question = it->index,
                                             .source = sources[p->source],
                                             .chosen_run = run ? p->chosen : s->reasoning[p->chosen],
                                             .rejected_run = p->rejected,
                                             .prompt = prompt.data,
                                             .chosen = run ? runs[p->chosen].general : s->teacher[p->chosen],
                                             .rejected = runs[p->rejected].general});
    }
    tt_str_close(&prompt);
    return status;
}

// ---- pairs of analyses (rank 0)

// The analyses as one text.
static const char *joined(work *w, const char *const *specific, int n) {
    tt_str text = {0};
    for (int i = 0; i < n; ++i) tt_str_format(&text, "%s\x1f", specific[i]);
    const char *copy = text.failed ? NULL : tt_arena_strdup(&w->memory, tt_str_text(&text));
    tt_str_close(&text);
    return copy;
}

// The pair of the analyses of one option.
static tt_status add_analysis(const item *it, const tt_contrast_pair *p, const sides *s,
    const char *const *chosen, const char *const *rejected, int option, tt_preferences *out) {
    static const char *const sources[] = {"run", "teacher", "fallback"};
    if (!chosen || !rejected || strcmp(chosen[option], rejected[option]) == 0) return TT_OK;
    tt_str prompt = {0};
    prompt_of(&prompt, &it->question, TT_ANALYZE, it->general, option);
    tt_status status = tt_str_status(&prompt);
    if (status == TT_OK)
        status =
            tt_preferences_add(out, &(tt_preference_texts){.stage = TT_ANALYZE,
                                        .question = it->index,
                                        .option = option,
                                        .source = sources[p->source],
                                        .chosen_run = p->source == TT_FROM_RUN       ? s->index[p->chosen]
                                                      : p->source == TT_FROM_TEACHER ? s->reasoning[p->chosen]
                                                                                     : 0,
                                        .rejected_run = s->index[p->rejected],
                                        .prompt = prompt.data,
                                        .chosen = chosen[option],
                                        .rejected = rejected[option]});
    tt_str_close(&prompt);
    return status;
}

static tt_status analyze_pairs_of(
    work *w, const item *it, const tt_chain_run *runs, sides *s, tt_preferences *out) {
    const tt_corpus *c = w->room->corpus;
    const int samples = (int)w->room->config->reflection.samples, n = it->question.n_options;
    const char *fallback = it->fallback ? joined(w, it->fallback, n) : NULL;
    s->n_runs = s->n_teacher = 0;
    for (int r = 0; r < samples; ++r) {
        if (runs[r].answer == TT_NO_ANSWER || !runs[r].specific) continue;
        s->index[s->n_runs] = r;
        s->runs[s->n_runs] =
            (tt_contrast_run){joined(w, runs[r].specific, n), runs[r].answer == it->question.gold};
        if (!s->runs[s->n_runs++].text) return TT_ERR_NOMEM;
    }
    for (int i = w->first[it->index]; i < w->first[it->index + 1]; ++i) {
        const tt_reasoning *r = &c->reasoning[w->of_question[i]];
        if (!r->specific) continue;
        s->reasoning[s->n_teacher] = i - w->first[it->index];
        if (!(s->teacher[s->n_teacher++] = joined(w, r->specific, n))) return TT_ERR_NOMEM;
    }
    TT_TRY(contrast(s, w, it, TT_ANALYZE, fallback));
    if (!it->general) out->without_pairs += s->n_pairs == 0; // without recall these are the questions' runs
    for (int i = 0; i < s->n_pairs; ++i) {
        const tt_contrast_pair *p = &s->pairs[i];
        const tt_chain_run *rejected = &runs[s->index[p->rejected]];
        const char *const *chosen =
            p->source == TT_FROM_RUN ? runs[s->index[p->chosen]].specific
            : p->source == TT_FROM_TEACHER
                ? c->reasoning[w->of_question[w->first[it->index] + s->reasoning[p->chosen]]].specific
                : it->fallback;
        TT_TRY(
            add_analysis(it, p, s, chosen, (const char *const *)rejected->specific, it->question.gold, out));
        TT_TRY(
            add_analysis(it, p, s, chosen, (const char *const *)rejected->specific, rejected->answer, out));
    }
    return TT_OK;
}

// ---- items

static tt_status recall_items(work *w, item **items) {
    TT_TRY(tt_alloc(items, (size_t)w->n_questions, sizeof **items, "runs"));
    for (int i = 0; i < w->n_questions; ++i)
        (*items)[i] =
            (item){.question = w->room->corpus->questions[w->questions[i]], .index = w->questions[i]};
    return TT_OK;
}

// The analyses that came with a chosen recall: of the run that wrote it, or of the teacher.
static const char **analyses_with(const work *w, const tt_preference_texts *t, const tt_chain_run *runs) {
    if (strcmp(t->source, "run") == 0) return runs[t->chosen_run].specific;
    const tt_reasoning *r =
        &w->room->corpus->reasoning[w->of_question[w->first[t->question] + t->chosen_run]];
    return (const char **)r->specific;
}

// One item for each recall pair. Only rank 0 knows what came with a recall, and needs it. `pairs` are those
// of every rank, `log` and `place` (the item that a question's runs are of) rank 0's.
static tt_status analyze_items(
    work *w, const tt_preferences *pairs, const tt_run_log *log, const int *place, item **items, int *n) {
    *n = tt_preferences_count(pairs, TT_RECALL);
    TT_TRY(tt_alloc(items, (size_t)*n, sizeof **items, "runs"));
    for (int i = 0; i < *n; ++i) { // recall pairs come first
        const tt_preference_texts *t = &pairs->items[i];
        item *it = &(*items)[i];
        char id[32];
        tt_str name = {0};
        *it = (item){
            .question = w->room->corpus->questions[t->question], .index = t->question, .general = t->chosen};
        snprintf(id, sizeof id, "/%d", i);
        tt_str_format(&name, "%s%s", it->question.id, id);
        it->question.id = name.failed ? NULL : tt_arena_strdup(&w->memory, name.data);
        tt_str_close(&name);
        if (!it->question.id) return TT_ERR_NOMEM;
        if (log->runs)
            it->fallback = analyses_with(w, t, &log->runs[(size_t)place[t->question] * (size_t)log->samples]);
    }
    return TT_OK;
}

// ---- the whole

// Rank 0's pairs to every rank: through the file, which all can read.
static tt_status share(const work *w, tt_preferences *pairs, const char *path) {
    tt_comm *comm = w->room->comm;
    TT_TRY(tt_comm_agree(comm, comm->rank == 0 ? tt_preferences_save(pairs, path) : TT_OK));
    if (comm->rank == 0) return tt_comm_agree(comm, TT_OK);
    tt_preferences_close(pairs);
    return tt_comm_agree(comm, tt_preferences_load(pairs, path));
}

static tt_status pairs_of_items(work *w, const item *items, int n, const tt_run_log *log, tt_preferences *out,
    tt_status (*build)(work *, const item *, const tt_chain_run *, sides *, tt_preferences *)) {
    if (w->room->comm->rank != 0 || !items || !log->runs) return TT_OK;
    sides s;
    tt_status status = sides_open(&s, w);
    for (int i = 0; i < n && status == TT_OK; ++i)
        status = build(w, &items[i], &log->runs[(size_t)i * (size_t)log->samples], &s, out);
    sides_close(&s);
    return status;
}

static tt_status place_questions(const work *w, int **place) {
    TT_TRY(tt_alloc(place, w->room->corpus->n_questions, sizeof **place, "questions"));
    for (int i = 0; i < w->n_questions; ++i) (*place)[w->questions[i]] = i;
    return TT_OK;
}

static tt_status build_pairs(work *w, tt_preferences *out, const char *path) {
    const tt_config *c = w->room->config;
    tt_comm *comm = w->room->comm;
    const bool recall = tt_stage_set_has(w->set, TT_RECALL),
               analyze = tt_stage_set_has(w->set, TT_ANALYZE) && strcmp(c->reflection.targets, "recall") != 0;
    item *items = NULL, *second = NULL;
    int *place = NULL, n = w->n_questions;
    tt_run_log recalls = {0}, analyses = {0};
    tt_status status = recall_items(w, &items);
    if (status == TT_OK && recall) {
        status = generate(w, items, n, TT_RECALL, "recall_runs.jsonl", &recalls);
        if (status == TT_OK)
            status = tt_comm_agree(comm, pairs_of_items(w, items, n, &recalls, out, recall_pairs_of));
        if (status == TT_OK && analyze) status = share(w, out, path);
    }
    if (status == TT_OK && analyze) {
        item *of = items;
        if (recall) {
            status = place_questions(w, &place);
            if (status == TT_OK) status = analyze_items(w, out, &recalls, place, &second, &n);
            of = second;
        }
        status = tt_comm_agree(comm, status);
        if (status == TT_OK) status = generate(w, of, n, TT_ANALYZE, "analyze_runs.jsonl", &analyses);
        if (status == TT_OK)
            status = tt_comm_agree(comm, pairs_of_items(w, of, n, &analyses, out, analyze_pairs_of));
    }
    tt_run_log_close(&recalls);
    tt_run_log_close(&analyses);
    free(items);
    free(second);
    free(place);
    return status;
}

// Log-probabilities of both texts of every pair of a stage, each rank a share of them.
static tt_status score_stage(work *w, tt_preferences *pairs, tt_stage stage) {
    const tt_training_config *train = &w->room->config->reflection.train;
    tt_comm *comm = w->room->comm;
    tt_preference_set set = {0};
    tt_pass *pass = NULL;
    tt_batch batch = {0};
    float *logp = NULL;
    double *sums = NULL;
    size_t capacity = 0;
    tt_status status = tt_preference_set_build(
        &set, pairs, stage, w->reference->tokenizer, (int)train->max_input, (int)train->max_target);
    const int n = set.dataset.n, chunk = (int)train->batch_size;
    if (status == TT_OK) status = tt_alloc(&sums, 2 * (size_t)n, sizeof *sums, "reference");
    if (status == TT_OK) status = tt_pass_open(&pass, w->reference->model);
    for (int at = comm->rank * chunk; at < n && status == TT_OK; at += comm->size * chunk) {
        int32_t examples[1024];
        const int count = n - at < chunk ? n - at : chunk;
        for (int first = 0; first < count && status == TT_OK; first += 1024) {
            const int part = count - first < 1024 ? count - first : 1024;
            for (int i = 0; i < part; ++i) examples[i] = at + first + i;
            tt_batch_clear(&batch);
            TT_TRY_GOTO(status, tt_preference_pack(&set.dataset, set.pairs, examples, part, &batch), release);
            TT_TRY_GOTO(status,
                tt_grow(&logp, &capacity, (size_t)batch.dec_tokens, sizeof *logp, "reference"), release);
            TT_TRY_GOTO(status, tt_forward(pass, &batch, (tt_dropout_key){0}, logp), release);
            for (int i = 0; i < 2 * part; ++i)
                for (int t = batch.dec_offsets[i]; t < batch.dec_offsets[i + 1]; ++t)
                    sums[2 * (at + first) + i] += (double)logp[t];
        }
    }
release:
    status = tt_comm_agree(comm, status);
    if (status == TT_OK && n) status = tt_comm_sum_f64(comm, sums, 2 * (size_t)n);
    for (size_t i = 0, k = 0; i < pairs->n && sums && status == TT_OK; ++i) {
        if (pairs->items[i].stage != stage) continue;
        pairs->items[i].reference_chosen = sums[2 * k];
        pairs->items[i].reference_rejected = sums[2 * k + 1];
        k++;
    }
    tt_preference_set_close(&set);
    if (pass) tt_pass_close(pass);
    tt_batch_close(&batch);
    free(logp);
    free(sums);
    return status;
}

static tt_status make(work *w, tt_preferences *out, const char *path) {
    TT_TRY(tt_stage_set_parse(&w->set, w->room->config->stages));
    TT_TRY(select_questions(w));
    TT_TRY(index_teacher(w));
    TT_TRY(build_pairs(w, out, path));
    out->questions = w->n_questions;
    out->reference = w->reference->hash;
    TT_TRY(share(w, out, path));
    for (int stage = TT_RECALL; stage <= TT_ANALYZE; ++stage) TT_TRY(score_stage(w, out, (tt_stage)stage));
    out->scored = true;
    return tt_comm_agree(w->room->comm, w->room->comm->rank == 0 ? tt_preferences_save(out, path) : TT_OK);
}

static tt_status exists(tt_comm *comm, const char *path, bool *out) {
    *out = comm->rank == 0 && tt_file_exists(path);
    return tt_comm_broadcast(comm, out, sizeof *out, 0);
}

// What the file has, if it is complete. Errors: TT_ERR_FORMAT when it is another reference's.
static tt_status load(
    tt_preferences *out, const tt_reflection_room *room, const char *path, uint64_t hash, bool *complete) {
    TT_TRY(tt_comm_agree(room->comm, tt_preferences_load(out, path)));
    *complete = out->scored;
    if (!out->scored || out->reference == hash) return TT_OK;
    const uint64_t found = out->reference;
    tt_preferences_close(out);
    return tt_comm_agree(room->comm,
        tt_fail(TT_ERR_FORMAT,
            "%s: its reference log-probabilities are those of checkpoint %016" PRIx64
            ", the reference of this iteration is %016" PRIx64 "; remove the file to make it anew",
            path, found, hash));
}

tt_status tt_reflection_pairs(tt_preferences *out, const tt_reflection_room *room, tt_checkpoint *reference) {
    char path[TT_PATH_MAX];
    bool there, complete = false;
    TT_TRY(tt_path_join(path, sizeof path, room->folder, "pairs.h5"));
    TT_TRY(exists(room->comm, path, &there));
    if (there) {
        TT_TRY(load(out, room, path, reference->hash, &complete));
        if (complete) return TT_OK;
        tt_preferences_close(out);
    }
    work w = {.room = room, .reference = reference};
    *out = (tt_preferences){0};
    tt_status status = make(&w, out, path);
    tt_engine_close(w.engine);
    free(w.questions);
    free(w.first);
    free(w.of_question);
    tt_arena_close(&w.memory);
    if (status != TT_OK) tt_preferences_close(out);
    return status;
}

tt_status tt_reflection_pairs_again(tt_preferences *out, const tt_reflection_room *room, uint64_t hash) {
    char path[TT_PATH_MAX];
    bool complete;
    TT_TRY(tt_path_join(path, sizeof path, room->folder, "pairs.h5"));
    TT_TRY(load(out, room, path, hash, &complete));
    if (complete) return TT_OK;
    tt_preferences_close(out);
    return tt_fail(TT_ERR_FORMAT, "%s: is not complete, though training on it has begun", path);
}
