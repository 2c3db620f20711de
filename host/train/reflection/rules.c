#include "host/train/reflection/rules.h"

#include "host/base/str.h"
#include "host/reason/contrast.h"

#include <stdlib.h>
#include <string.h>

// One item, and working memory for the decision about it.
typedef struct item_sides {
    const tt_reflection_rules *rules;
    const tt_reflection_item *item;
    const tt_chain_run *item_runs; // [rules->samples]
    tt_contrast_run *runs;
    tt_contrast_pair *pairs;
    int *run;          // runs[i] is run run[i] of the item (analyses)
    const char **pool; // texts from elsewhere
    int *reasoning;    // pool[i] is the recall of reasoning[i] (recalls)
    int n_runs, n_pool, n_pairs;
    tt_arena memory; // of joined texts
} item_sides;

static tt_status sides_open(item_sides *s, int pool) {
    const size_t samples = (size_t)s->rules->samples;
    TT_TRY(tt_alloc(&s->runs, samples, sizeof *s->runs, "pairs"));
    TT_TRY(tt_alloc(&s->pairs, samples, sizeof *s->pairs, "pairs"));
    TT_TRY(tt_alloc(&s->run, samples, sizeof *s->run, "pairs"));
    TT_TRY(tt_alloc(&s->pool, (size_t)pool, sizeof *s->pool, "pairs"));
    return tt_alloc(&s->reasoning, (size_t)pool, sizeof *s->reasoning, "pairs");
}

static void sides_close(item_sides *s) {
    free(s->runs);
    free(s->pairs);
    free(s->run);
    free(s->pool);
    free(s->reasoning);
    tt_arena_close(&s->memory);
}

static tt_status contrast_sides(item_sides *s, tt_stage stage, tt_contrast_rule rule) {
    const char *id = s->item->question.id;
    tt_rng rng;
    tt_rng_open(&rng, s->rules->seed, TT_FOR_PAIRS, tt_hash(id, strlen(id)),
        (uint32_t)(4 * s->rules->iteration + (int)stage));
    const tt_contrast_case c = {.runs = s->runs, .n = s->n_runs, .rule = rule, .n_pool = s->n_pool};
    return tt_contrast(&c, &rng, s->pairs, &s->n_pairs);
}

static tt_status append_prompt(tt_str *out, const tt_reflection_item *item, tt_stage stage, int option) {
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

static tt_status divide_recalls(item_sides *s) {
    const tt_corpus *c = s->rules->corpus;
    const int right = tt_right_answer(&s->item->question);
    const int taught = tt_corpus_reasonings(c, s->item->index, NULL);
    TT_TRY(sides_open(s, taught));
    s->n_runs = s->rules->samples;
    for (int r = 0; r < s->n_runs; ++r)
        s->runs[r] = (tt_contrast_run){s->item_runs[r].general, s->item_runs[r].answer == right};
    tt_corpus_reasonings(c, s->item->index, s->reasoning);
    for (int i = 0; i < taught; ++i) { // reasonings without general knowledge are skipped
        if (!c->reasoning[s->reasoning[i]].general) continue;
        s->reasoning[s->n_pool] = s->reasoning[i];
        s->pool[s->n_pool++] = c->reasoning[s->reasoning[i]].general;
    }
    return contrast_sides(s, TT_RECALL, TT_ADD_FROM_POOL);
}

static tt_status add_recall(
    const item_sides *s, const tt_contrast_pair *p, const char *prompt, tt_preferences *out) {
    const bool run = p->source == TT_FROM_RUN;
    const char *const *analyses = run ? (const char *const *)s->item_runs[p->chosen].specific
                                      : s->rules->corpus->reasoning[s->reasoning[p->chosen]].specific;
    return tt_preferences_add(out, &(tt_preference_texts){.stage = TT_RECALL,
                                       .question = s->item->index,
                                       .source = run ? TT_PAIR_FROM_RUN : TT_PAIR_FROM_TEACHER,
                                       .chosen_run = p->chosen,
                                       .rejected_run = p->rejected,
                                       .came_with = analyses,
                                       .n_came_with = analyses ? s->item->question.n_options : 0,
                                       .prompt = prompt,
                                       .chosen = run ? s->item_runs[p->chosen].general : s->pool[p->chosen],
                                       .rejected = s->item_runs[p->rejected].general});
}

tt_status tt_reflection_recall_pairs(const tt_reflection_rules *rules, const tt_reflection_item *item,
    const tt_chain_run *runs, tt_preferences *out) {
    item_sides s = {.rules = rules, .item = item, .item_runs = runs};
    tt_str prompt = {0};
    tt_status status = divide_recalls(&s);
    if (status == TT_OK) status = append_prompt(&prompt, item, TT_RECALL, 0);
    for (int i = 0; i < s.n_pairs && status == TT_OK; ++i)
        status = add_recall(&s, &s.pairs[i], tt_str_text(&prompt), out);
    out->without_pairs += s.n_pairs == 0;
    tt_str_close(&prompt);
    sides_close(&s);
    return status;
}

// ---- analyses

// A tuple of analyses as one text; NULL without memory.
static const char *join_analyses(item_sides *s, const char *const *specific, int n) {
    tt_str text = {0};
    for (int i = 0; i < n; ++i) tt_str_format(&text, "%s\x1f", specific[i]);
    const char *copy = text.failed ? NULL : tt_arena_strdup(&s->memory, tt_str_text(&text));
    tt_str_close(&text);
    return copy;
}

static tt_status divide_analyses(item_sides *s) {
    const tt_reflection_item *item = s->item;
    const int n = item->question.n_options, right = tt_right_answer(&item->question);
    TT_TRY(sides_open(s, item->n_came_with));
    for (int r = 0; r < s->rules->samples; ++r) {
        const tt_chain_run *run = &s->item_runs[r];
        if (run->answer == TT_NO_ANSWER || !run->specific) continue;
        s->run[s->n_runs] = r;
        s->runs[s->n_runs] =
            (tt_contrast_run){join_analyses(s, (const char *const *)run->specific, n), run->answer == right};
        if (!s->runs[s->n_runs++].text) return TT_ERR_NOMEM;
    }
    for (int i = 0; i < item->n_came_with; ++i)
        if (!(s->pool[s->n_pool++] = join_analyses(s, item->came_with[i], n))) return TT_ERR_NOMEM;
    return contrast_sides(s, TT_ANALYZE, TT_DRAW_AGAIN);
}

// The pair of the analyses of one option.
static tt_status add_analysis(
    const item_sides *s, const tt_contrast_pair *p, int option, tt_preferences *out) {
    const tt_reflection_item *item = s->item;
    const bool run = p->source == TT_FROM_RUN;
    const int chosen = run ? s->run[p->chosen] : p->chosen, rejected = s->run[p->rejected];
    tt_str prompt = {0};
    tt_status status = append_prompt(&prompt, item, TT_ANALYZE, option);
    if (status == TT_OK)
        status = tt_preferences_add(
            out, &(tt_preference_texts){.stage = TT_ANALYZE,
                     .question = item->index,
                     .option = option,
                     .source = run ? TT_PAIR_FROM_RUN : TT_PAIR_CAME_WITH,
                     .chosen_run = chosen,
                     .rejected_run = rejected,
                     .prompt = tt_str_text(&prompt),
                     .chosen = run ? s->item_runs[chosen].specific[option] : item->came_with[chosen][option],
                     .rejected = s->item_runs[rejected].specific[option]});
    tt_str_close(&prompt);
    return status;
}

tt_status tt_reflection_analyze_pairs(const tt_reflection_rules *rules, const tt_reflection_item *item,
    const tt_chain_run *runs, tt_preferences *out) {
    item_sides s = {.rules = rules, .item = item, .item_runs = runs};
    const int right = tt_right_answer(&item->question);
    tt_status status = divide_analyses(&s);
    for (int i = 0; i < s.n_pairs && status == TT_OK; ++i) {
        const int fell_for = runs[s.run[s.pairs[i].rejected]].answer;
        status = add_analysis(&s, &s.pairs[i], right, out);
        if (status == TT_OK) status = add_analysis(&s, &s.pairs[i], fell_for, out);
    }
    // Items without a recall are the questions themselves, which no recall pairs have counted yet.
    if (!item->general) out->without_pairs += s.n_pairs == 0;
    sides_close(&s);
    return status;
}
