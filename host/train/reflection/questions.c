#include "host/train/reflection/questions.h"

#include "host/base/philox.h"
#include "host/base/str.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void tt_reflection_items_close(tt_reflection_items *items) {
    free(items->items);
    tt_arena_close(&items->memory);
    *items = (tt_reflection_items){0};
}

static tt_status append_block(tt_str *out, const tt_question *q) {
    tt_str_clear(out);
    tt_stage_block(out, q->text, q->options, q->n_options);
    return tt_str_status(out);
}

typedef struct named_block {
    char *block;
    int index;
} named_block;

static int by_block(const void *a, const void *b) {
    const named_block *x = a, *y = b;
    const int order = strcmp(x->block, y->block);
    return order ? order : (x->index > y->index) - (x->index < y->index);
}

// first[i]: whether questions[i] is the first one with its text and options.
static tt_status mark_distinct(const tt_corpus *c, const int32_t *questions, int n, bool *first) {
    named_block *all;
    tt_str block = {0};
    TT_TRY(tt_alloc(&all, (size_t)n, sizeof *all, "questions"));
    tt_status status = TT_OK;
    for (int i = 0; i < n && status == TT_OK; ++i) {
        all[i].index = i;
        status = append_block(&block, &c->questions[questions[i]]);
        if (status == TT_OK) status = tt_strdup(&all[i].block, tt_str_text(&block));
    }
    if (status == TT_OK) {
        qsort(all, (size_t)n, sizeof *all, by_block);
        for (int i = 0; i < n; ++i)
            first[all[i].index] = i == 0 || strcmp(all[i - 1].block, all[i].block) != 0;
    }
    for (int i = 0; i < n; ++i) free(all[i].block);
    free(all);
    tt_str_close(&block);
    return status;
}

// Adds the teacher's analyses that lead to the right answer.
static tt_status add_taught_analyses(tt_reflection_items *to, tt_reflection_item *item, const tt_corpus *c) {
    const int n = tt_corpus_reasonings(c, item->index, NULL);
    int *reasonings;
    item->came_with = tt_arena_alloc(&to->memory, (size_t)n * sizeof *item->came_with);
    if (n && !item->came_with) return TT_ERR_NOMEM;
    TT_TRY(tt_alloc(&reasonings, (size_t)n, sizeof *reasonings, "teacher's texts"));
    tt_corpus_reasonings(c, item->index, reasonings);
    for (int i = 0; i < n; ++i)
        if (c->reasoning[reasonings[i]].specific)
            item->came_with[item->n_came_with++] = c->reasoning[reasonings[i]].specific;
    free(reasonings);
    return TT_OK;
}

// Training questions that have reasoning; of equal ones (text and options) the first.
static tt_status list_questions(const tt_corpus *c, int32_t *questions, int *n) {
    bool *first;
    int candidates = 0;
    *n = 0;
    TT_TRY(tt_alloc(&first, c->n_questions, sizeof *first, "questions"));
    for (size_t i = 0; i < c->n_questions; ++i)
        if (c->questions[i].split == TT_TRAIN && tt_corpus_reasonings(c, (int)i, NULL) > 0)
            questions[candidates++] = (int32_t)i;
    tt_status status = mark_distinct(c, questions, candidates, first);
    for (int i = 0; i < candidates && status == TT_OK; ++i)
        if (first[i]) questions[(*n)++] = questions[i];
    free(first);
    return status;
}

tt_status tt_reflection_questions(
    tt_reflection_items *out, const tt_corpus *c, int64_t most, uint64_t seed, int iteration) {
    int32_t *questions;
    int n = 0;
    TT_TRY(tt_alloc(&questions, c->n_questions, sizeof *questions, "questions"));
    tt_status status = list_questions(c, questions, &n);
    if (status == TT_OK && n == 0)
        status = tt_fail(TT_ERR_INPUT,
            "reflection: corpus %s has no training question with a teacher's reasoning", c->name);
    if (most > 0 && most < n) {
        tt_rng rng;
        tt_rng_open(&rng, seed, TT_FOR_PAIRS, (uint64_t)iteration, 0);
        tt_rng_shuffle(&rng, questions, n);
        n = (int)most;
    }
    if (status == TT_OK) status = tt_alloc(&out->items, (size_t)n, sizeof *out->items, "questions");
    for (int i = 0; i < n && status == TT_OK; ++i) {
        out->items[i] = (tt_reflection_item){.question = c->questions[questions[i]], .index = questions[i]};
        out->n++;
        status = add_taught_analyses(out, &out->items[i], c);
    }
    free(questions);
    return status;
}

// ---- recalls

static tt_status name_recall(tt_reflection_items *to, tt_reflection_item *item) {
    tt_str name = {0};
    tt_str_format(&name, "%s/%016" PRIx64, item->question.id, tt_hash(item->general, strlen(item->general)));
    item->question.id = name.failed ? NULL : tt_arena_strdup(&to->memory, tt_str_text(&name));
    tt_str_close(&name);
    return item->question.id ? TT_OK : TT_ERR_NOMEM;
}

// Pairs of a question are adjacent: if their recall occurred before, it is one of the items from `first` on.
// `most`: pairs of the question that are left, at most so many tuples come with the recall.
static tt_status add_recall(
    tt_reflection_items *to, const tt_corpus *c, const tt_preference_texts *t, int first, size_t most) {
    int i = first;
    while (i < to->n && strcmp(to->items[i].general, t->chosen) != 0) ++i;
    tt_reflection_item *item = &to->items[i];
    if (i == to->n) {
        *item = (tt_reflection_item){
            .question = c->questions[t->question], .index = t->question, .general = t->chosen};
        item->came_with = tt_arena_alloc(&to->memory, most * sizeof *item->came_with);
        if (!item->came_with) return TT_ERR_NOMEM;
        TT_TRY(name_recall(to, item));
        to->n++;
    }
    if (t->n_came_with) item->came_with[item->n_came_with++] = t->came_with;
    return TT_OK;
}

tt_status tt_reflection_recalls(tt_reflection_items *out, const tt_corpus *c, const tt_preferences *pairs) {
    TT_TRY(tt_alloc(&out->items, pairs->n, sizeof *out->items, "chosen recalls"));
    int first = 0, question = -1;
    for (size_t i = 0; i < pairs->n; ++i) {
        const tt_preference_texts *t = &pairs->items[i];
        if (t->stage != TT_RECALL) continue;
        if (t->question < 0 || (size_t)t->question >= c->n_questions ||
            (t->n_came_with && t->n_came_with != c->questions[t->question].n_options))
            return tt_fail(TT_ERR_FORMAT, "recall pair %zu does not belong to corpus %s", i, c->name);
        if (t->question != question) first = out->n;
        question = t->question;
        size_t most = 0;
        for (size_t k = i; k < pairs->n && pairs->items[k].question == question; ++k) ++most;
        TT_TRY(add_recall(out, c, t, first, most));
    }
    return TT_OK;
}
