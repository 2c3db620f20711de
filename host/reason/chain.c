// The three stages for many questions.
//
// A stage is a list of texts to write: one for each question, run and, for analyze, option. Equal prompts of one
// question are encoded once; greedy texts are generated once for all runs that share the prompt.
#include "host/reason/chain.h"

#include "host/base/log.h"
#include "host/base/str.h"
#include "host/text/limit.h"

#include <stdlib.h>
#include <string.h>

// What the texts of a prompt are used for. Greedy: one text for all runs; sampled: one for each.
typedef struct prompt_use {
    int question, option, n_runs;
    int32_t *runs;
} prompt_use;

typedef struct stage_job {
    tt_chain *chain;
    const tt_question *const *questions;
    const tt_chain_options *options;
    tt_stage stage;
    bool greedy;
    int max_length;
    tt_prompt *prompts;
    prompt_use *uses;
    int n_prompts;
    size_t prompts_capacity, uses_capacity;
    tt_arena memory; // of prompts
    tt_ids ids;      // of the tokenizer
    tt_progress progress;
} stage_job;

static tt_chain_run *run_at(const tt_chain *chain, int question, int run) {
    return &chain->runs[(size_t)question * (size_t)chain->runs_each + (size_t)run];
}

static void prompt_text(tt_str *out, const stage_job *j, int question, int run, int option) {
    const tt_question *q = j->questions[question];
    const tt_chain_run *r = run_at(j->chain, question, run);
    tt_str block = {0};
    tt_str_clear(out);
    tt_stage_block(&block, q->text, q->options, q->n_options);
    if (j->stage == TT_RECALL)
        tt_stage_recall_input(out, tt_str_text(&block));
    else if (j->stage == TT_ANALYZE)
        tt_stage_analyze_input(out, tt_str_text(&block), r->general, option);
    else if (j->options->set == TT_SET_CHAIN_OF_THOUGHT || j->options->set == TT_SET_STEP_BY_STEP)
        tt_stage_single_input(out, j->options->set, tt_str_text(&block));
    else
        tt_stage_summarize_input(
            out, tt_str_text(&block), r->general, (const char *const *)r->specific, q->n_options);
    out->failed |= block.failed;
    tt_str_close(&block);
}

static const char **text_place(const stage_job *j, int question, int run, int option) {
    tt_chain_run *r = run_at(j->chain, question, run);
    return j->stage == TT_RECALL ? &r->general : j->stage == TT_ANALYZE ? &r->specific[option] : &r->summary;
}

// What sampling is keyed by: the question's id, the stage and the option.
static uint64_t example_key(const tt_question *q, tt_stage stage, int option) {
    return tt_hash(q->id, strlen(q->id)) ^ ((uint64_t)stage << 8 | (uint64_t)option) * 0x9E3779B97F4A7C15ull;
}

static tt_status add_prompt(stage_job *j, const char *text, int question, int option) {
    bool cut;
    TT_TRY(tt_limit_encode(j->options->tokenizer, text, j->options->max_input, &j->ids, &cut));
    const int n = j->ids.n;
    j->chain->prompts++;
    j->chain->cut += cut;
    const size_t need = (size_t)j->n_prompts + 1;
    TT_TRY(tt_grow(&j->prompts, &j->prompts_capacity, need, sizeof *j->prompts, "prompts"));
    TT_TRY(tt_grow(&j->uses, &j->uses_capacity, need, sizeof *j->uses, "prompts"));
    int32_t *ids = tt_arena_alloc(&j->memory, (size_t)n * sizeof *ids);
    int32_t *runs = tt_arena_alloc(&j->memory, (size_t)j->chain->runs_each * sizeof *runs);
    if (!ids || !runs) return TT_ERR_NOMEM;
    memcpy(ids, j->ids.items, (size_t)n * sizeof *ids);
    j->prompts[j->n_prompts] = (tt_prompt){.ids = ids,
        .n = n,
        .example = example_key(j->questions[question], j->stage, option),
        .samples = runs};
    j->uses[j->n_prompts++] = (prompt_use){.question = question, .option = option, .runs = runs};
    return TT_OK;
}

// The prompts of one question and option: runs with the same text share one.
static tt_status add_prompts(stage_job *j, int question, int option) {
    const int first = j->n_prompts, runs = j->chain->runs_each;
    char **texts;
    j->chain->counts[j->stage].asked += runs;
    TT_TRY(tt_alloc(&texts, (size_t)runs, sizeof *texts, "prompts"));
    tt_str text = {0};
    tt_status status = TT_OK;
    for (int run = 0; run < runs && status == TT_OK; ++run) {
        prompt_text(&text, j, question, run, option);
        TT_TRY_GOTO(status, tt_str_status(&text), done);
        int p = first;
        while (p < j->n_prompts && strcmp(texts[p - first], text.data) != 0) ++p;
        if (p == j->n_prompts) {
            TT_TRY_GOTO(status, tt_strdup(&texts[p - first], text.data), done);
            TT_TRY_GOTO(status, add_prompt(j, text.data, question, option), done);
        }
        prompt_use *use = &j->uses[p];
        use->runs[use->n_runs++] = run;
        j->prompts[p].n_samples = j->greedy ? 1 : use->n_runs;
    }
done:
    for (int i = 0; i < runs; ++i) free(texts[i]);
    free(texts);
    tt_str_close(&text);
    return status;
}

// Appends the text of ids; if it has ended, as the next stage reads it.
static tt_status read_text(const stage_job *j, const int32_t *ids, int n, bool ended, tt_str *out) {
    char *text;
    TT_TRY(tt_tokenizer_decode(j->options->tokenizer, ids, n, &text));
    tt_str_append(out, text);
    free(text);
    if (ended && j->stage != TT_SUMMARIZE) tt_stage_close_knowledge(out);
    return tt_str_status(out);
}

static tt_status show_text(const stage_job *j, const prompt_use *use, const char *text, bool ended) {
    return j->options->watch(j->options->watch_context, &(tt_chain_text){.question = use->question,
                                                            .stage = j->stage,
                                                            .option = use->option,
                                                            .text = text,
                                                            .ended = ended});
}

static tt_status watch_sample(void *context, int prompt, int sample, const int32_t *ids, int n) {
    (void)sample;
    const stage_job *j = context;
    tt_str text = {0};
    tt_status status = read_text(j, ids, n, false, &text);
    if (status == TT_OK) status = show_text(j, &j->uses[prompt], tt_str_text(&text), false);
    tt_str_close(&text);
    return status;
}

static tt_status take_sample(void *context, int prompt, int sample, const int32_t *ids, int n) {
    stage_job *j = context;
    const prompt_use *use = &j->uses[prompt];
    tt_str text = {0};
    tt_status status = read_text(j, ids, n, true, &text);
    const char *kept = NULL;
    if (status == TT_OK && !(kept = tt_arena_strdup(&j->chain->memory, tt_str_text(&text))))
        status = TT_ERR_NOMEM;
    tt_str_close(&text);
    if (status != TT_OK) return status;
    for (int i = 0; i < use->n_runs; ++i)
        if (j->greedy || use->runs[i] == sample)
            *text_place(j, use->question, use->runs[i], use->option) = kept;
    tt_stage_counts *counts = &j->chain->counts[j->stage];
    counts->texts++;
    counts->tokens += n;
    counts->unended += n == j->max_length - 1;
    if (j->options->label) tt_progress_update(&j->progress, counts->texts, "%s", tt_stage_name(j->stage));
    return j->options->watch ? show_text(j, use, kept, true) : TT_OK;
}

static tt_status generate_stage(tt_chain *chain, tt_engine *engine, const tt_question *const *questions,
    const tt_chain_options *options, tt_stage stage) {
    stage_job j = {.chain = chain,
        .questions = questions,
        .options = options,
        .stage = stage,
        .greedy = options->samples == 0 || !options->sampled[stage],
        .max_length = options->decoding.max_length};
    tt_status status = TT_OK;
    for (int q = 0; q < chain->n && status == TT_OK; ++q)
        for (int o = 0; o < (stage == TT_ANALYZE ? questions[q]->n_options : 1) && status == TT_OK; ++o)
            status = add_prompts(&j, q, o);
    tt_decoding decoding = options->decoding;
    if (j.greedy)
        decoding.temperature = 0, decoding.top_p = 1;
    else
        decoding.beams = 0;
    int64_t total = 0;
    for (int p = 0; p < j.n_prompts; ++p) total += j.prompts[p].n_samples;
    if (options->label) tt_progress_open(&j.progress, options->label, "texts", total, 0);
    tt_engine_watch(engine, options->watch ? watch_sample : NULL, &j);
    const tt_generation request = {
        .prompts = j.prompts, .n = j.n_prompts, .decoding = &decoding, .take = take_sample, .context = &j};
    if (status == TT_OK) status = tt_engine_generate(engine, &request);
    tt_engine_watch(engine, NULL, NULL);
    if (options->label) tt_progress_close(&j.progress);
    tt_arena_close(&j.memory);
    free(j.prompts);
    free(j.uses);
    free(j.ids.items);
    return status;
}

static tt_status make_runs(
    tt_chain *chain, const tt_question *const *questions, const tt_chain_options *options) {
    TT_TRY(tt_alloc(&chain->runs, (size_t)chain->n * (size_t)chain->runs_each, sizeof *chain->runs, "runs"));
    for (int q = 0; q < chain->n && options->general; ++q)
        for (int r = 0; r < chain->runs_each; ++r) run_at(chain, q, r)->general = options->general[q];
    for (int q = 0; q < chain->n && tt_stage_set_has(options->set, TT_ANALYZE); ++q)
        for (int r = 0; r < chain->runs_each; ++r) {
            const size_t bytes = (size_t)questions[q]->n_options * sizeof(char *);
            const char **specific = tt_arena_alloc(&chain->memory, bytes);
            if (!specific) return TT_ERR_NOMEM;
            if (options->specific)
                memcpy(specific, options->specific[q], bytes);
            else
                memset(specific, 0, bytes);
            run_at(chain, q, r)->specific = specific;
        }
    return TT_OK;
}

static bool is_given(const tt_chain_options *options, tt_stage stage) {
    return (stage == TT_RECALL && options->general) || (stage == TT_ANALYZE && options->specific);
}

tt_status tt_chain_generate(tt_chain *out, tt_engine *engine, const tt_question *const *questions, int n,
    const tt_chain_options *options) {
    *out = (tt_chain){.n = n, .runs_each = options->samples > 0 ? options->samples : 1};
    tt_status status = make_runs(out, questions, options);
    for (int stage = 0; stage < TT_STAGES && status == TT_OK; ++stage)
        if (tt_stage_set_has(options->set, (tt_stage)stage) && !is_given(options, (tt_stage)stage))
            status = generate_stage(out, engine, questions, options, (tt_stage)stage);
    for (int q = 0; q < n && status == TT_OK; ++q)
        for (int r = 0; r < out->runs_each; ++r) {
            tt_chain_run *run = run_at(out, q, r);
            run->answer = tt_stage_read_answer(run->summary);
            if (run->answer >= questions[q]->n_options) run->answer = TT_NO_ANSWER;
        }
    if (status != TT_OK) tt_chain_close(out);
    return status;
}

void tt_chain_close(tt_chain *chain) {
    free(chain->runs);
    tt_arena_close(&chain->memory);
    *chain = (tt_chain){0};
}
