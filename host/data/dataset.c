// Tokenised pairs of one stage.
#include "host/data/dataset.h"

#include "host/base/log.h"
#include "host/base/memory.h"
#include "host/base/philox.h"
#include "host/data/corpus_tokens.h"
#include "host/text/limit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void tt_dataset_close(tt_dataset *d) {
    free(d->ids);
    free(d->offsets);
    *d = (tt_dataset){0};
}

static tt_status append(
    tt_dataset *d, const tt_tokenizer *tokenizer, const char *text, int limit, bool *cut) {
    int32_t *ids = NULL;
    size_t capacity = 0;
    int n;
    tt_status status = tt_limit_encode(tokenizer, text, limit, &ids, &capacity, &n, cut);
    const size_t at = (size_t)d->tokens;
    if (status == TT_OK)
        status = tt_grow(&d->ids, &d->ids_capacity, at + (size_t)n, sizeof *d->ids, "token ids");
    if (status == TT_OK) {
        memcpy(d->ids + at, ids, (size_t)n * sizeof *ids);
        for (int i = 0; i < n; ++i) d->unknown += ids[i] == TT_UNK;
        d->tokens += n;
    }
    free(ids);
    return status;
}

tt_status tt_dataset_add(tt_dataset *d, const tt_tokenizer *tokenizer, const char *input, const char *target,
    int max_input, int max_target) {
    const size_t at = 2 * (size_t)d->n;
    TT_TRY(tt_grow(&d->offsets, &d->offsets_capacity, at + 3, sizeof *d->offsets, "offsets"));
    const int64_t start = d->tokens;
    bool cut_input = false, cut_target = false;
    tt_status status = append(d, tokenizer, input, max_input, &cut_input);
    d->offsets[at + 1] = d->tokens;
    if (status == TT_OK) status = append(d, tokenizer, target, max_target, &cut_target);
    if (status != TT_OK) {
        d->tokens = start; // a pair is there as a whole or not at all
        return status;
    }
    d->offsets[at] = start;
    d->offsets[at + 2] = d->tokens;
    d->cut_inputs += cut_input;
    d->cut_targets += cut_target;
    d->n++;
    return TT_OK;
}

// Hashes of the pairs seen, open addressing; 0 = free.
typedef struct seen {
    uint64_t *slots;
    size_t size;
} seen;

static bool first_time(seen *s, uint64_t hash) {
    if (hash == 0) hash = 1;
    for (size_t i = hash % s->size;; i = (i + 1) % s->size) {
        if (s->slots[i] == hash) return false;
        if (s->slots[i] == 0) {
            s->slots[i] = hash;
            return true;
        }
    }
}

typedef struct builder {
    tt_dataset *dataset;
    const tt_tokenizer *tokenizer;
    int max_input, max_target;
    bool inputs_only; // duplicates are judged by their inputs
    seen seen;
    tt_str block, input, target;
} builder;

static tt_status add_once(builder *b) {
    TT_TRY(tt_str_status(&b->input));
    TT_TRY(tt_str_status(&b->target));
    uint64_t hash = tt_hash(b->input.data, b->input.length);
    if (!b->inputs_only) hash = hash * 0x9E3779B97F4A7C15ull + tt_hash(b->target.data, b->target.length);
    if (!first_time(&b->seen, hash)) return TT_OK;
    return tt_dataset_add(
        b->dataset, b->tokenizer, b->input.data, b->target.data, b->max_input, b->max_target);
}

// Examples of the baselines that answer in one generation.
static tt_status add_single(
    builder *b, const tt_question *q, const tt_reasoning *r, tt_stage_set set, tt_stage stage) {
    if (!r->general && !r->specific)
        return tt_fail(TT_ERR_INPUT, "question %s has no knowledge, which stages: %s needs", q->id,
            tt_stage_set_name(set));
    tt_str_clear(&b->block);
    tt_str_clear(&b->input);
    tt_str_clear(&b->target);
    tt_stage_block(&b->block, q->text, q->options, q->n_options);
    const bool rationale = set == TT_SET_CHAIN_OF_THOUGHT || stage == TT_RECALL;
    if (stage == TT_RECALL)
        tt_stage_rationale_input(&b->input, tt_str_text(&b->block));
    else
        tt_stage_single_input(&b->input, set, tt_str_text(&b->block));
    if (rationale) tt_stage_rationale(&b->target, r->general, r->specific, q->n_options);
    if (set == TT_SET_CHAIN_OF_THOUGHT) tt_str_append(&b->target, " ");
    if (stage == TT_SUMMARIZE) tt_stage_answer(&b->target, r->answer);
    return add_once(b);
}

static tt_status add_reasoning(
    builder *b, const tt_question *q, const tt_reasoning *r, tt_stage_set set, tt_stage stage) {
    const char *general = tt_stage_set_has(set, TT_RECALL) ? r->general : NULL;
    const char *const *specific = tt_stage_set_has(set, TT_ANALYZE) ? r->specific : NULL;
    if (tt_stage_set_has(set, TT_RECALL) && !general)
        return tt_fail(TT_ERR_INPUT, "question %s has no general knowledge, which stages: %s needs", q->id,
            tt_stage_set_name(set));
    if (tt_stage_set_has(set, TT_ANALYZE) && !specific)
        return tt_fail(TT_ERR_INPUT,
            "question %s has no specific knowledge of its options, which stages: %s needs; "
            "try stages: no_analyze",
            q->id, tt_stage_set_name(set));
    if (set == TT_SET_CHAIN_OF_THOUGHT || set == TT_SET_STEP_BY_STEP) return add_single(b, q, r, set, stage);
    tt_str_clear(&b->block);
    tt_stage_block(&b->block, q->text, q->options, q->n_options);
    for (int o = 0; o < (stage == TT_ANALYZE ? q->n_options : 1); ++o) {
        tt_str_clear(&b->input);
        tt_str_clear(&b->target);
        if (stage == TT_RECALL) {
            tt_stage_recall_input(&b->input, b->block.data);
            tt_str_append(&b->target, general);
        } else if (stage == TT_ANALYZE && specific) {
            tt_stage_analyze_input(&b->input, b->block.data, general, o);
            tt_str_append(&b->target, specific[o]);
        } else {
            tt_stage_summarize_input(&b->input, b->block.data, general, specific, q->n_options);
            tt_stage_answer(&b->target, r->answer);
        }
        TT_TRY(add_once(b));
    }
    return TT_OK;
}

// Answers alone: every question of the split, with or without reasoning.
static tt_status add_answer(builder *b, const tt_question *q) {
    tt_str_clear(&b->block);
    tt_str_clear(&b->input);
    tt_str_clear(&b->target);
    tt_stage_block(&b->block, q->text, q->options, q->n_options);
    tt_stage_summarize_input(&b->input, tt_str_text(&b->block), NULL, NULL, q->n_options);
    tt_stage_answer(&b->target, tt_right_answer(q));
    return add_once(b);
}

static tt_status add_all(
    builder *b, const tt_corpus *corpus, tt_split split, tt_stage_set set, tt_stage stage) {
    if (set == TT_SET_SUMMARIZE_ONLY) {
        for (size_t i = 0; i < corpus->n_questions; ++i)
            if (corpus->questions[i].split == split) TT_TRY(add_answer(b, &corpus->questions[i]));
        return TT_OK;
    }
    for (size_t i = 0; i < corpus->n_reasoning; ++i) {
        const tt_reasoning *r = &corpus->reasoning[i];
        const tt_question *q = &corpus->questions[r->question];
        if (q->split == split && tt_reasoning_agrees(corpus, r)) TT_TRY(add_reasoning(b, q, r, set, stage));
    }
    return TT_OK;
}

tt_status tt_dataset_build(tt_dataset *dataset, const tt_corpus *corpus, tt_split split, tt_stage_set set,
    tt_stage stage, const tt_tokenizer *tokenizer, int max_input, int max_target) {
    dataset->name = tt_stage_name(stage);
    bool taken;
    TT_TRY(
        tt_corpus_tokens_take(dataset, corpus, split, set, stage, tokenizer, max_input, max_target, &taken));
    if (taken) return TT_OK;
    builder b = {.dataset = dataset,
        .tokenizer = tokenizer,
        .max_input = max_input,
        .max_target = max_target,
        .inputs_only = set == TT_SET_SUMMARIZE_ONLY || (set == TT_SET_STEP_BY_STEP && stage == TT_SUMMARIZE)};
    b.seen.size = 2 * (corpus->n_reasoning * TT_MAX_OPTIONS + corpus->n_questions) + 1;
    TT_TRY(tt_alloc(&b.seen.slots, b.seen.size, sizeof *b.seen.slots, "dataset"));
    tt_status status = add_all(&b, corpus, split, set, stage);
    free(b.seen.slots);
    tt_str_close(&b.block);
    tt_str_close(&b.input);
    tt_str_close(&b.target);
    if (status == TT_OK && dataset->n == 0)
        status = tt_fail(TT_ERR_INPUT,
            set == TT_SET_SUMMARIZE_ONLY
                ? "corpus %s has no questions in split %s (stage %s)"
                : "corpus %s has no reasoning of a teacher for split %s, stage %s; answers alone need none "
                  "(stages: summarize_only)",
            corpus->name, tt_split_name(split), dataset->name);
    return status;
}

void tt_dataset_warn(const tt_dataset *d, const char *phase, const char *input_key, int64_t max_input,
    const char *target_key, int64_t max_target) {
    char where[64];
    snprintf(where, sizeof where, "%s%s%s", phase, d->name ? ", " : "", d->name ? d->name : "");
    tt_limit_warn_prompts(where, d->cut_inputs, d->n, max_input, input_key);
    // The targets of summarize, a chain of thought among them, end with the answer.
    if (d->name && strcmp(d->name, tt_stage_name(TT_SUMMARIZE)) == 0)
        tt_limit_warn_answers(where, d->cut_targets, d->n, max_target, target_key);
    else
        tt_limit_warn_targets(where, d->cut_targets, d->n, max_target, target_key);
    if (d->unknown > 0)
        tt_warn("%s: %lld of %lld tokens (%.2f %%) are unknown to the tokenizer", where,
            (long long)d->unknown, (long long)d->tokens, 100.0 * (double)d->unknown / (double)d->tokens);
}

void tt_order(int32_t *order, int n, uint64_t seed, uint32_t stream, uint32_t epoch) {
    tt_rng rng;
    tt_rng_open(&rng, seed, TT_FOR_ORDER, epoch, stream);
    for (int i = 0; i < n; ++i) order[i] = i;
    tt_rng_shuffle(&rng, order, n);
}

static int64_t example_tokens(const tt_dataset *d, int32_t i) {
    return d->offsets[2 * i + 2] - d->offsets[2 * i];
}

int tt_deal(const tt_dataset *dataset, const int32_t *order, int n, int rank, int ranks, int32_t *mine) {
    // n is a batch: selecting the next longest by looking at all is cheap enough and needs no memory.
    enum { MAX_RANKS = 4096 };
    int64_t load[MAX_RANKS] = {0};
    if (ranks == 1) {
        memcpy(mine, order, (size_t)n * sizeof *mine);
        return n;
    }
    if (ranks > MAX_RANKS) return -1;
    int count = 0;
    int64_t previous = INT64_MAX;
    int previous_at = -1;
    for (int step = 0; step < n; ++step) {
        int best = -1; // the next in (tokens descending, position ascending) after the previous one
        int64_t best_tokens = -1;
        for (int i = 0; i < n; ++i) {
            const int64_t tokens = example_tokens(dataset, order[i]);
            const bool after = tokens < previous || (tokens == previous && i > previous_at);
            if (after && tokens > best_tokens) {
                best = i;
                best_tokens = tokens;
            }
        }
        int lightest = 0;
        for (int r = 1; r < ranks; ++r)
            if (load[r] < load[lightest]) lightest = r;
        load[lightest] += best_tokens;
        if (lightest == rank) mine[count++] = order[best];
        previous = best_tokens;
        previous_at = best;
    }
    return count;
}

tt_status tt_dataset_pack(
    const tt_dataset *d, const int32_t *examples, int n, int32_t start, tt_batch *batch) {
    for (int k = 0; k < n; ++k) {
        const int32_t i = examples[k];
        const int64_t *at = d->offsets + 2 * (int64_t)i;
        const uint32_t example = d->first_example + (uint32_t)i;
        TT_TRY(tt_batch_add_source(batch, d->ids + at[0], (int)(at[1] - at[0]), example));
        TT_TRY(tt_batch_add_target(
            batch, d->ids + at[1], (int)(at[2] - at[1]), batch->enc_seqs - 1, start, example));
    }
    return TT_OK;
}

int64_t tt_dataset_target_tokens(const tt_dataset *d, const int32_t *examples, int n) {
    int64_t tokens = 0;
    for (int k = 0; k < n; ++k) tokens += d->offsets[2 * examples[k] + 2] - d->offsets[2 * examples[k] + 1];
    return tokens;
}
