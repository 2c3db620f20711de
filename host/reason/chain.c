// The three stages for many questions.
//
// A stage is a list of wanted texts, one per question, run (and option). Equal prompts of one question are
// generated from one encoding; greedy ones once for all runs that share them.
#include "host/reason/chain.h"

#include "host/base/log.h"
#include "host/base/str.h"

#include <stdlib.h>
#include <string.h>

typedef struct stage_job {
    tt_chain *chain;
    tt_engine *engine;
    const tt_tokenizer *tokenizer;
    const tt_question *const *questions;
    const tt_chain_options *options;
    tt_stage stage;
    bool greedy;
    tt_prompt *prompts;
    const char ***slots;  // per prompt and run: where the text goes, or NULL
    int n_prompts, width; // width: runs
    size_t prompts_capacity, slots_capacity;
    tt_arena ids;
    tt_progress progress;
    int64_t done;
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
    else
        tt_stage_summarize_input(
            out, tt_str_text(&block), r->general, (const char *const *)r->specific, q->n_options);
    out->failed |= block.failed;
    tt_str_close(&block);
}

static const char **slot_of(const stage_job *j, int question, int run, int option) {
    tt_chain_run *r = run_at(j->chain, question, run);
    return j->stage == TT_RECALL ? &r->general : j->stage == TT_ANALYZE ? &r->specific[option] : &r->summary;
}

// What sampling is keyed by: the question's id, the stage and the option.
static uint64_t example_key(const tt_question *q, tt_stage stage, int option) {
    return tt_hash(q->id, strlen(q->id)) ^ ((uint64_t)stage << 8 | (uint64_t)option) * 0x9E3779B97F4A7C15ull;
}

static tt_status add_prompt(stage_job *j, const char *text, uint64_t example) {
    int32_t *ids = NULL, *kept, *samples;
    size_t capacity = 0;
    int n;
    tt_status status = tt_tokenizer_encode(j->tokenizer, text, true, &ids, &capacity, &n);
    if (status == TT_OK && n > j->options->max_input) {
        n = j->options->max_input;
        ids[n - 1] = TT_EOS;
        j->chain->truncated++;
    }
    if (status == TT_OK)
        status = tt_grow(
            &j->prompts, &j->prompts_capacity, (size_t)j->n_prompts + 1, sizeof *j->prompts, "prompts");
    if (status == TT_OK)
        status = tt_grow(&j->slots, &j->slots_capacity, (size_t)(j->n_prompts + 1) * (size_t)j->width,
            sizeof *j->slots, "prompts");
    if (status != TT_OK) {
        free(ids);
        return status;
    }
    kept = tt_arena_alloc(&j->ids, (size_t)n * sizeof *kept);
    samples = tt_arena_alloc(&j->ids, (size_t)j->width * sizeof *samples);
    if (kept && samples) memcpy(kept, ids, (size_t)n * sizeof *kept);
    free(ids);
    if (!kept || !samples) return TT_ERR_NOMEM;
    j->prompts[j->n_prompts++] = (tt_prompt){.ids = kept, .n = n, .example = example, .samples = samples};
    return TT_OK;
}

// The prompts of one question and option: runs with the same text share one.
static tt_status add_prompts(stage_job *j, int question, int option) {
    const int first = j->n_prompts;
    const uint64_t example = example_key(j->questions[question], j->stage, option);
    char **texts;
    TT_TRY(tt_alloc(&texts, (size_t)j->width, sizeof *texts, "prompts"));
    tt_str text = {0};
    tt_status status = TT_OK;
    for (int run = 0; run < j->width && status == TT_OK; ++run) {
        prompt_text(&text, j, question, run, option);
        TT_TRY_GOTO(status, tt_str_status(&text), done);
        int p = first;
        while (p < j->n_prompts && strcmp(texts[p - first], text.data) != 0) ++p;
        if (p == j->n_prompts) {
            TT_TRY_GOTO(status, tt_strdup(&texts[p - first], text.data), done);
            TT_TRY_GOTO(status, add_prompt(j, text.data, example), done);
        }
        tt_prompt *prompt = &j->prompts[p];
        j->slots[(size_t)p * (size_t)j->width + (size_t)run] = slot_of(j, question, run, option);
        if (!j->greedy || prompt->n_samples == 0) ((int32_t *)prompt->samples)[prompt->n_samples++] = run;
    }
done:
    for (int i = 0; i < j->width; ++i) free(texts[i]);
    free(texts);
    tt_str_close(&text);
    return status;
}

static tt_status take(void *context, int prompt, int sample, const int32_t *ids, int n) {
    stage_job *j = context;
    char *text;
    TT_TRY(tt_tokenizer_decode(j->tokenizer, ids, n, &text));
    tt_str closed = {0};
    tt_str_append(&closed, text);
    if (j->stage != TT_SUMMARIZE) tt_stage_close_sentence(&closed);
    free(text);
    tt_status status = tt_str_status(&closed);
    const char *kept = status == TT_OK ? tt_arena_strdup(&j->chain->memory, closed.data) : NULL;
    tt_str_close(&closed);
    if (!kept) return status == TT_OK ? TT_ERR_NOMEM : status;
    const char ***slots = j->slots + (size_t)prompt * (size_t)j->width;
    for (int run = 0; run < j->width; ++run)
        if (slots[run] && (j->greedy || run == sample)) *slots[run] = kept;
    if (j->options->label) tt_progress_update(&j->progress, ++j->done, "%s", tt_stage_name(j->stage));
    return TT_OK;
}

static tt_status generate_stage(tt_chain *chain, tt_engine *engine, const tt_tokenizer *tokenizer,
    const tt_question *const *questions, const tt_chain_options *options, tt_stage stage) {
    stage_job j = {.chain = chain,
        .engine = engine,
        .tokenizer = tokenizer,
        .questions = questions,
        .options = options,
        .stage = stage,
        .greedy = options->samples == 0 || stage == TT_SUMMARIZE,
        .width = chain->runs_each};
    tt_status status = TT_OK;
    for (int q = 0; q < chain->n && status == TT_OK; ++q)
        for (int o = 0; o < (stage == TT_ANALYZE ? questions[q]->n_options : 1) && status == TT_OK; ++o)
            status = add_prompts(&j, q, o);
    tt_decoding decoding = options->decoding;
    if (j.greedy) decoding.temperature = 0, decoding.top_p = 1;
    int64_t total = 0;
    for (int p = 0; p < j.n_prompts; ++p) total += j.prompts[p].n_samples;
    if (options->label) tt_progress_open(&j.progress, options->label, "texts", total, 0);
    if (status == TT_OK) status = tt_engine_generate(engine, j.prompts, j.n_prompts, &decoding, take, &j);
    if (options->label) tt_progress_close(&j.progress);
    tt_arena_close(&j.ids);
    free(j.prompts);
    free(j.slots);
    return status;
}

static tt_status make_runs(
    tt_chain *chain, const tt_question *const *questions, const tt_chain_options *options) {
    TT_TRY(tt_alloc(&chain->runs, (size_t)chain->n * (size_t)chain->runs_each, sizeof *chain->runs, "runs"));
    for (int q = 0; q < chain->n && tt_stage_set_has(options->set, TT_ANALYZE); ++q)
        for (int r = 0; r < chain->runs_each; ++r) {
            const size_t bytes = (size_t)questions[q]->n_options * sizeof(char *);
            const char **specific = tt_arena_alloc(&chain->memory, bytes);
            if (!specific) return TT_ERR_NOMEM;
            memset(specific, 0, bytes);
            run_at(chain, q, r)->specific = specific;
        }
    return TT_OK;
}

tt_status tt_chain_generate(tt_chain *out, tt_engine *engine, const tt_tokenizer *tokenizer,
    const tt_question *const *questions, int n, const tt_chain_options *options) {
    *out = (tt_chain){.n = n, .runs_each = options->samples > 0 ? options->samples : 1};
    tt_status status = make_runs(out, questions, options);
    for (int stage = 0; stage < TT_STAGES && status == TT_OK; ++stage)
        if (tt_stage_set_has(options->set, (tt_stage)stage))
            status = generate_stage(out, engine, tokenizer, questions, options, (tt_stage)stage);
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
