#include "host/train/reflection/rules.h"

#include "host/base/str.h"
#include "host/reason/contrast.h"

#include <stdlib.h>
#include <string.h>

// Working memory for one item.
typedef struct sides {
    tt_contrast_run *runs;
    tt_contrast_pair *pairs;
    int *run;          // runs[i] is run run[i] of the item
    const char **pool; // texts from elsewhere
    int *reasoning;    // pool[i] is of reasoning[i] (recalls)
    int n_runs, n_pool, n_pairs;
    tt_arena memory; // of joined texts
} sides;

static tt_status sides_open(sides *s, int samples, int pool) {
    *s = (sides){0};
    TT_TRY(tt_alloc(&s->runs, (size_t)samples, sizeof *s->runs, "pairs"));
    TT_TRY(tt_alloc(&s->pairs, (size_t)samples, sizeof *s->pairs, "pairs"));
    TT_TRY(tt_alloc(&s->run, (size_t)samples, sizeof *s->run, "pairs"));
    TT_TRY(tt_alloc(&s->pool, (size_t)pool, sizeof *s->pool, "pairs"));
    return tt_alloc(&s->reasoning, (size_t)pool, sizeof *s->reasoning, "pairs");
}

static void sides_close(sides *s) {
    free(s->runs);
    free(s->pairs);
    free(s->run);
    free(s->pool);
    free(s->reasoning);
    tt_arena_close(&s->memory);
}

static tt_status contrast(
    sides *s, const tt_reflection_rules *rules, const char *id, tt_stage stage, tt_contrast_rule rule) {
    tt_rng rng;
    tt_rng_open(&rng, rules->seed, TT_FOR_PAIRS, tt_hash(id, strlen(id)),
        (uint32_t)(4 * rules->iteration + (int)stage));
    return tt_contrast(s->runs, s->n_runs, rule, s->n_pool, &rng, s->pairs, &s->n_pairs);
}

static tt_status prompt_of(tt_str *out, const tt_reflection_item *item, tt_stage stage, int option) {
    const tt_question *q = &item->question;
    tt_str block = {0};
    tt_stage_block(&block, q->text, q->options, q->n_options);
    if (stage == TT_RECALL)
        tt_stage_recall_input(out, tt_str_text(&block));
    else
        tt_stage_analyze_input(out, tt_str_text(&block), item->general, option);
    out->failed |= block.failed;
    tt_str_close(&block);
    return tt_str_status(out);
}

// ---- recalls

static tt_status divide_recalls(
    sides *s, const tt_reflection_rules *rules, const tt_reflection_item *item, const tt_chain_run *runs) {
    const tt_corpus *c = rules->corpus;
    const int taught = tt_corpus_reasonings(c, item->index, NULL);
    TT_TRY(sides_open(s, rules->samples, taught));
    s->n_runs = rules->samples;
    for (int r = 0; r < s->n_runs; ++r)
        s->runs[r] = (tt_contrast_run){runs[r].general, runs[r].answer == tt_right_answer(&item->question)};
    tt_corpus_reasonings(c, item->index, s->reasoning);
    for (int i = 0; i < taught; ++i) { // those without general knowledge are passed over
        if (!c->reasoning[s->reasoning[i]].general) continue;
        s->reasoning[s->n_pool] = s->reasoning[i];
        s->pool[s->n_pool++] = c->reasoning[s->reasoning[i]].general;
    }
    return contrast(s, rules, item->question.id, TT_RECALL, TT_ADD_FROM_POOL);
}

static tt_status add_recall(const sides *s, const tt_contrast_pair *p, const tt_reflection_rules *rules,
    const tt_reflection_item *item, const tt_chain_run *runs, const char *prompt, tt_preferences *out) {
    const bool run = p->source == TT_FROM_RUN;
    const char *const *analyses = run ? (const char *const *)runs[p->chosen].specific
                                      : rules->corpus->reasoning[s->reasoning[p->chosen]].specific;
    return tt_preferences_add(out, &(tt_preference_texts){.stage = TT_RECALL,
                                       .question = item->index,
                                       .source = run ? "run" : "teacher",
                                       .chosen_run = p->chosen,
                                       .rejected_run = p->rejected,
                                       .came_with = analyses,
                                       .n_came_with = analyses ? item->question.n_options : 0,
                                       .prompt = prompt,
                                       .chosen = run ? runs[p->chosen].general : s->pool[p->chosen],
                                       .rejected = runs[p->rejected].general});
}

tt_status tt_reflection_recall_pairs(const tt_reflection_rules *rules, const tt_reflection_item *item,
    const tt_chain_run *runs, tt_preferences *out) {
    sides s;
    tt_str prompt = {0};
    tt_status status = divide_recalls(&s, rules, item, runs);
    if (status == TT_OK) status = prompt_of(&prompt, item, TT_RECALL, 0);
    for (int i = 0; i < s.n_pairs && status == TT_OK; ++i)
        status = add_recall(&s, &s.pairs[i], rules, item, runs, tt_str_text(&prompt), out);
    out->without_pairs += s.n_pairs == 0;
    tt_str_close(&prompt);
    sides_close(&s);
    return status;
}

// ---- analyses

// A tuple as one text.
static const char *joined(sides *s, const char *const *specific, int n) {
    tt_str text = {0};
    for (int i = 0; i < n; ++i) tt_str_format(&text, "%s\x1f", specific[i]);
    const char *copy = text.failed ? NULL : tt_arena_strdup(&s->memory, tt_str_text(&text));
    tt_str_close(&text);
    return copy;
}

static tt_status divide_analyses(
    sides *s, const tt_reflection_rules *rules, const tt_reflection_item *item, const tt_chain_run *runs) {
    const int n = item->question.n_options;
    TT_TRY(sides_open(s, rules->samples, item->n_came_with));
    for (int r = 0; r < rules->samples; ++r) {
        if (runs[r].answer == TT_NO_ANSWER || !runs[r].specific) continue;
        s->run[s->n_runs] = r;
        s->runs[s->n_runs] = (tt_contrast_run){joined(s, (const char *const *)runs[r].specific, n),
            runs[r].answer == tt_right_answer(&item->question)};
        if (!s->runs[s->n_runs++].text) return TT_ERR_NOMEM;
    }
    for (int i = 0; i < item->n_came_with; ++i)
        if (!(s->pool[s->n_pool++] = joined(s, item->came_with[i], n))) return TT_ERR_NOMEM;
    return contrast(s, rules, item->question.id, TT_ANALYZE, TT_DRAW_AGAIN);
}

// The pair of the analyses of one option.
static tt_status add_analysis(const sides *s, const tt_contrast_pair *p, const tt_reflection_item *item,
    const tt_chain_run *runs, int option, tt_preferences *out) {
    const bool run = p->source == TT_FROM_RUN;
    const int chosen = run ? s->run[p->chosen] : p->chosen, rejected = s->run[p->rejected];
    tt_str prompt = {0};
    tt_status status = prompt_of(&prompt, item, TT_ANALYZE, option);
    if (status == TT_OK)
        status = tt_preferences_add(
            out, &(tt_preference_texts){.stage = TT_ANALYZE,
                     .question = item->index,
                     .option = option,
                     .source = run ? "run" : "came_with",
                     .chosen_run = chosen,
                     .rejected_run = rejected,
                     .prompt = tt_str_text(&prompt),
                     .chosen = run ? runs[chosen].specific[option] : item->came_with[chosen][option],
                     .rejected = runs[rejected].specific[option]});
    tt_str_close(&prompt);
    return status;
}

tt_status tt_reflection_analyze_pairs(const tt_reflection_rules *rules, const tt_reflection_item *item,
    const tt_chain_run *runs, tt_preferences *out) {
    sides s;
    tt_status status = divide_analyses(&s, rules, item, runs);
    for (int i = 0; i < s.n_pairs && status == TT_OK; ++i) {
        const tt_contrast_pair *p = &s.pairs[i];
        status = add_analysis(&s, p, item, runs, tt_right_answer(&item->question), out);
        if (status == TT_OK) status = add_analysis(&s, p, item, runs, runs[s.run[p->rejected]].answer, out);
    }
    if (!item->general) out->without_pairs += s.n_pairs == 0; // without recall these are the questions' runs
    sides_close(&s);
    return status;
}
