// From questions and reasoning to the (input, target) pairs of a stage.
#include "host/data/stage_dataset.h"

#include "host/base/memory.h"
#include "host/data/corpus_tokens.h"

#include <stdlib.h>

// Hashes of the pairs added so far; open addressing, 0 marks a free slot.
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

// Pairs are tokenised so many at a time, by all threads.
enum { ROUND = 2048 };

typedef struct builder {
    tt_dataset *dataset;
    tt_dataset_encoding encoding;
    tt_str texts;             // input, target, input, ... that wait, each with its NUL
    size_t starts[2 * ROUND]; // where in `texts` they begin
    int waiting;              // pairs
    bool inputs_only;         // pairs with equal inputs are duplicates, whatever their targets
    seen seen;
    tt_str block, input, target;
} builder;

static tt_status tokenise_waiting(builder *b) {
    const char *texts[2 * ROUND];
    TT_TRY(tt_str_status(&b->texts));
    for (int i = 0; i < 2 * b->waiting; ++i) texts[i] = b->texts.data + b->starts[i];
    const tt_status status = tt_dataset_add_all(b->dataset, &b->encoding, texts, b->waiting);
    b->waiting = 0;
    tt_str_clear(&b->texts);
    return status;
}

static void keep_text(builder *b, int place, const tt_str *text) {
    b->starts[place] = b->texts.length;
    tt_str_append_n(&b->texts, tt_str_text(text), text->length + 1);
}

static tt_status add_once(builder *b) {
    TT_TRY(tt_str_status(&b->input));
    TT_TRY(tt_str_status(&b->target));
    uint64_t hash = tt_hash(b->input.data, b->input.length);
    if (!b->inputs_only) hash = hash * 0x9E3779B97F4A7C15ull + tt_hash(b->target.data, b->target.length);
    if (!first_time(&b->seen, hash)) return TT_OK;
    keep_text(b, 2 * b->waiting, &b->input);
    keep_text(b, 2 * b->waiting + 1, &b->target);
    return ++b->waiting == ROUND ? tokenise_waiting(b) : TT_OK;
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

// With answers alone: every question of the split, with or without reasoning.
static tt_status add_answer(builder *b, const tt_question *q) {
    tt_str_clear(&b->block);
    tt_str_clear(&b->input);
    tt_str_clear(&b->target);
    tt_stage_block(&b->block, q->text, q->options, q->n_options);
    tt_stage_summarize_input(&b->input, tt_str_text(&b->block), NULL, NULL, q->n_options);
    tt_stage_answer(&b->target, tt_right_answer(q));
    return add_once(b);
}

// used: [n_questions], zero; receives how many reasonings of each question were added.
static tt_status add_reasonings(builder *b, const tt_corpus *corpus, const tt_stage_options *o, int *used) {
    for (size_t i = 0; i < corpus->n_reasoning; ++i) {
        const tt_reasoning *r = &corpus->reasoning[i];
        const tt_question *q = &corpus->questions[r->question];
        if (q->split != o->split || !tt_reasoning_agrees(corpus, r)) continue;
        if (o->reasonings > 0 && used[r->question] == o->reasonings) continue;
        used[r->question]++;
        TT_TRY(add_reasoning(b, q, r, o->set, o->stage));
    }
    return TT_OK;
}

static tt_status add_all(builder *b, const tt_corpus *corpus, const tt_stage_options *o) {
    if (o->set == TT_SET_SUMMARIZE_ONLY) {
        for (size_t i = 0; i < corpus->n_questions; ++i)
            if (corpus->questions[i].split == o->split) TT_TRY(add_answer(b, &corpus->questions[i]));
        return TT_OK;
    }
    int *used;
    TT_TRY(tt_alloc(&used, corpus->n_questions, sizeof *used, "dataset"));
    tt_status status = add_reasonings(b, corpus, o, used);
    free(used);
    return status;
}

// Whether o->reasonings leaves out some of the split's reasonings, so that the corpus's tokens are of too many.
static bool leaves_out(const tt_corpus *corpus, const tt_stage_options *o) {
    if (o->reasonings == 0 || o->set == TT_SET_SUMMARIZE_ONLY) return false;
    for (size_t i = 0; i < corpus->n_questions; ++i)
        if (corpus->questions[i].split == o->split &&
            tt_corpus_reasonings(corpus, (int)i, NULL) > o->reasonings)
            return true;
    return false;
}

bool tt_dataset_is_built(const tt_corpus *corpus, const tt_stage_options *o) {
    return tt_corpus_tokens_fit(corpus, o) && !leaves_out(corpus, o);
}

tt_status tt_dataset_build(tt_dataset *dataset, const tt_corpus *corpus, const tt_stage_options *o) {
    dataset->name = tt_stage_name(o->stage);
    bool lent = false;
    if (!leaves_out(corpus, o)) TT_TRY(tt_corpus_tokens_lend(dataset, corpus, o, &lent));
    if (lent) return TT_OK;
    builder b = {.dataset = dataset,
        .encoding = {.tokenizer = o->tokenizer, .max_input = o->max_input, .max_target = o->max_target},
        .inputs_only =
            o->set == TT_SET_SUMMARIZE_ONLY || (o->set == TT_SET_STEP_BY_STEP && o->stage == TT_SUMMARIZE)};
    b.seen.size = 2 * (corpus->n_reasoning * TT_MAX_OPTIONS + corpus->n_questions) + 1;
    TT_TRY(tt_alloc(&b.seen.slots, b.seen.size, sizeof *b.seen.slots, "dataset"));
    tt_status status = add_all(&b, corpus, o);
    if (status == TT_OK && b.waiting > 0) status = tokenise_waiting(&b);
    free(b.seen.slots);
    tt_str_close(&b.texts);
    tt_str_close(&b.block);
    tt_str_close(&b.input);
    tt_str_close(&b.target);
    if (status == TT_OK && dataset->n == 0)
        status = tt_fail(TT_ERR_INPUT,
            o->set == TT_SET_SUMMARIZE_ONLY
                ? "corpus %s has no questions in split %s (stage %s)"
                : "corpus %s has no reasoning of a teacher for split %s, stage %s; training on answers alone "
                  "needs none (stages: summarize_only)",
            corpus->name, tt_split_name(o->split), dataset->name);
    return status;
}

static tt_stage_set largest_set(const tt_corpus *corpus) {
    bool general = true, specific = true;
    if (corpus->n_reasoning == 0) return TT_SET_SUMMARIZE_ONLY;
    for (size_t i = 0; i < corpus->n_reasoning; ++i) {
        general = general && corpus->reasoning[i].general;
        specific = specific && corpus->reasoning[i].specific;
    }
    if (general && specific) return TT_SET_ALL;
    return general ? TT_SET_NO_ANALYZE : specific ? TT_SET_NO_RECALL : TT_SET_SUMMARIZE_ONLY;
}

tt_status tt_corpus_tokenise(
    tt_corpus *corpus, const tt_tokenizer *tokenizer, int max_input, int max_target) {
    tt_corpus_tokens_close(corpus);
    struct tt_corpus_tokens *tokens;
    TT_TRY(tt_alloc(&tokens, 1, sizeof *tokens, "tokens"));
    tokens->set = largest_set(corpus);
    tokens->tokenizer = tt_tokenizer_hash(tokenizer);
    tokens->max_input = max_input;
    tokens->max_target = max_target;
    tt_status status = TT_OK;
    for (int s = 0; s < TT_STAGES && status == TT_OK; ++s)
        if (tt_stage_set_has(tokens->set, (tt_stage)s))
            status = tt_dataset_build(&tokens->stages[s], corpus,
                &(tt_stage_options){.split = TT_TRAIN,
                    .set = tokens->set,
                    .stage = (tt_stage)s,
                    .tokenizer = tokenizer,
                    .max_input = max_input,
                    .max_target = max_target});
    for (int s = 0; s < TT_STAGES && status == TT_OK; ++s)
        tt_dataset_warn(&tokens->stages[s], &(tt_dataset_limits){.phase = "tokenised",
                                                .input_key = "max_input",
                                                .max_input = max_input,
                                                .target_key = "max_target",
                                                .max_target = max_target});
    corpus->tokens = tokens;
    if (status != TT_OK) tt_corpus_tokens_close(corpus);
    return status;
}
