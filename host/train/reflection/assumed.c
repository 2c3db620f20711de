#include "host/train/reflection/assumed.h"

#include "host/train/reflection/questions.h"
#include "host/train/reflection/reference.h"

#include <stdlib.h>

// The first reasoning of the item's question that pairs could choose from, or NULL.
static const tt_reasoning *reasoning_of(const tt_corpus *c, const tt_reflection_item *item) {
    int *indices;
    const int n = tt_corpus_reasonings(c, item->index, NULL);
    const tt_reasoning *found = NULL;
    if (n == 0 || tt_alloc(&indices, (size_t)n, sizeof *indices, "reasonings") != TT_OK) return NULL;
    tt_corpus_reasonings(c, item->index, indices);
    found = &c->reasoning[indices[0]];
    free(indices);
    return found;
}

static tt_status add_pair(tt_preferences *out, const tt_reflection_item *item, tt_stage stage,
    const char *general, const char *const *texts, int option) {
    const tt_question *q = &item->question;
    tt_str block = {0}, prompt = {0};
    tt_stage_block(&block, q->text, q->options, q->n_options);
    if (stage == TT_RECALL)
        tt_stage_recall_input(&prompt, tt_str_text(&block));
    else
        tt_stage_analyze_input(&prompt, tt_str_text(&block), general, option);
    tt_status status = tt_str_status(&prompt);
    if (status == TT_OK)
        status = tt_preferences_add(out, &(tt_preference_texts){.stage = stage,
                                             .question = item->index,
                                             .option = option,
                                             .source = TT_PAIR_FROM_TEACHER,
                                             .prompt = tt_str_text(&prompt),
                                             .chosen = texts[0],
                                             .rejected = texts[1]});
    tt_str_close(&block);
    tt_str_close(&prompt);
    return status;
}

// How many of `each` a question fall to number i, so that all together have as many as they should.
static int64_t count_of(double each, int i) {
    const double rounding = 1e-6;
    return (int64_t)(each * (i + 1) + rounding) - (int64_t)(each * i + rounding);
}

static tt_status add_pairs(tt_preferences *out, const tt_corpus *corpus, tt_stage_set set,
    const tt_reflection_items *items, const tt_rehearsal *rehearsal) {
    const bool recall = tt_stage_set_has(set, TT_RECALL);
    for (int i = 0; i < items->n; ++i) {
        const tt_reflection_item *item = &items->items[i];
        const tt_reasoning *own = reasoning_of(corpus, item),
                           *other = reasoning_of(corpus, &items->items[(i + 1) % items->n]);
        if (!own || !other) continue;
        for (int64_t k = count_of(rehearsal->recall_pairs, i); k > 0 && own->general && other->general; --k)
            TT_TRY(
                add_pair(out, item, TT_RECALL, NULL, (const char *const[]){own->general, other->general}, 0));
        for (int64_t k = count_of(rehearsal->analyze_pairs, i); k > 0 && own->specific; --k)
            TT_TRY(add_pair(out, item, TT_ANALYZE, recall ? own->general : NULL,
                (const char *const[]){own->specific[k % 2], own->specific[1 - k % 2]}, (int)(k % 2)));
    }
    return TT_OK;
}

// What making the runs of the questions takes. A rank's engine keeps the memory of its largest piece.
static tt_status write_texts(const tt_reflection_context *context, tt_stage_set set, tt_checkpoint *reference,
    const tt_reflection_items *questions) {
    tt_reflection_runs runs = {.context = context, .student = reference, .set = set};
    const tt_stage first = tt_stage_set_has(set, TT_RECALL) ? TT_RECALL : TT_ANALYZE;
    const tt_status status = tt_reflection_generate_piece(&runs, questions, first);
    if (runs.engine) tt_engine_close(runs.engine);
    return status;
}

tt_status tt_reflection_pairs_assume(tt_preferences *out, const tt_reflection_context *context,
    tt_checkpoint *reference, tt_rehearsal *rehearsal) {
    const tt_config *c = context->config;
    tt_tally *tally = &reference->model->device->tally;
    tt_reflection_items questions = {0};
    tt_stage_set set;
    *out = (tt_preferences){.rules = TT_PREFERENCE_RULES, .scored = true};
    TT_TRY(tt_stage_set_parse(&set, c->stages));
    tt_tally_restart(tally);
    tt_status status = tt_reflection_questions(
        &questions, context->corpus, c->reflection.questions, (uint64_t)c->seed, context->iteration);
    if (status == TT_OK) status = add_pairs(out, context->corpus, set, &questions, rehearsal);
    if (status == TT_OK) status = write_texts(context, set, reference, &questions);
    for (int stage = TT_RECALL; stage <= TT_ANALYZE && status == TT_OK; ++stage)
        status = tt_reflection_score(out, (tt_stage)stage, c, context->comm, reference);
    rehearsal->pairs = tally->peak;
    tt_reflection_items_close(&questions);
    if (status != TT_OK) tt_preferences_close(out);
    return status;
}
