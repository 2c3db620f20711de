// StrategyQA: a JSON list of yes/no questions with human-written facts.
#include "host/base/fs.h"
#include "host/base/philox.h"
#include "host/base/str.h"
#include "host/data/import/import.h"
#include "host/text/stages.h"

#include <stdlib.h>
#include <string.h>

static const char *const options[] = {"yes", "no"};

// Appends a fact, closed as all knowledge is. A fact of white space alone is left out.
static void append_fact(tt_str *general, const char *text) {
    size_t n = strlen(text);
    tt_str fact = {0};
    tt_trim(&text, &n);
    if (n == 0) return;
    tt_str_append_n(&fact, text, n);
    tt_stage_close_knowledge(&fact);
    tt_str_format(general, "%s%s", general->length ? " " : "", tt_str_text(&fact));
    general->failed |= fact.failed;
    tt_str_close(&fact);
}

static tt_status join_facts(tt_str *general, const json_t *facts, const tt_question *q) {
    size_t i;
    json_t *fact;
    if (json_is_string(facts)) append_fact(general, json_string_value(facts));
    if (facts && !json_is_null(facts) && !json_is_array(facts) && !json_is_string(facts))
        return tt_fail(TT_ERR_INPUT, "question %s: \"facts\": expected a list of strings", q->id);
    json_array_foreach(facts, i, fact) {
        if (!json_is_string(fact))
            return tt_fail(TT_ERR_INPUT, "question %s: fact %zu: expected a string", q->id, i + 1);
        append_fact(general, json_string_value(fact));
    }
    return TT_OK;
}

static tt_status add_facts(tt_corpus *corpus, const json_t *facts, const tt_question *q) {
    tt_str general = {0};
    tt_status status = join_facts(&general, facts, q);
    if (status == TT_OK) status = tt_str_status(&general);
    if (status == TT_OK && general.length)
        status = tt_corpus_add_reasoning(corpus, &(tt_reasoning){.question = (int)corpus->n_questions - 1,
                                                     .general = general.data,
                                                     .answer = q->gold,
                                                     .source = "human facts"});
    tt_str_close(&general);
    return status;
}

static tt_status add_question(
    tt_corpus *corpus, const json_t *object, const char *where, bool facts_as_recall) {
    tt_question q = {.options = options, .n_options = 2, .split = TT_TRAIN};
    TT_TRY(tt_json_text(object, "qid", where, &q.id));
    TT_TRY(tt_json_text(object, "question", where, &q.text));
    const json_t *answer = json_object_get(object, "answer");
    if (!json_is_boolean(answer))
        return tt_fail(TT_ERR_INPUT, "question %s: \"answer\": expected true or false", q.id);
    q.gold = json_is_true(answer) ? 0 : 1;
    TT_TRY(tt_corpus_add_question(corpus, &q));
    return facts_as_recall ? add_facts(corpus, json_object_get(object, "facts"), &q) : TT_OK;
}

static tt_status read_list(tt_corpus *corpus, const char *path, bool facts_as_recall) {
    json_error_t error;
    char *data;
    size_t size;
    TT_TRY(tt_read_file(path, 0, &data, &size));
    json_t *list = json_loadb(data, size, JSON_REJECT_DUPLICATES, &error);
    free(data);
    if (!list) return tt_fail(TT_ERR_INPUT, "%s:%d: not JSON: %s", path, error.line, error.text);
    tt_status status =
        json_is_array(list) ? TT_OK : tt_fail(TT_ERR_INPUT, "%s: expected a list [...] of questions", path);
    size_t i;
    json_t *object;
    json_array_foreach(list, i, object) {
        if (status != TT_OK) break;
        char where[TT_PATH_MAX + 32];
        snprintf(where, sizeof where, "%s: entry %zu", path, i + 1);
        status = add_question(corpus, object, where, facts_as_recall);
        if (status != TT_OK && !tt_starts_with(tt_error_message(), where)) tt_context(status, "%s", where);
    }
    json_decref(list);
    return status;
}

tt_status tt_import_strategyqa(
    tt_corpus *corpus, const char *const *paths, int n_paths, bool facts_as_recall, uint64_t seed) {
    const size_t first = corpus->n_questions;
    for (int i = 0; i < n_paths; ++i) TT_TRY(read_list(corpus, paths[i], facts_as_recall));
    const int n = (int)(corpus->n_questions - first), tenth = n / 10;
    int32_t *order;
    TT_TRY(tt_alloc(&order, (size_t)n, sizeof *order, "order"));
    for (int i = 0; i < n; ++i) order[i] = i;
    tt_rng rng;
    tt_rng_open(&rng, seed, TT_FOR_SPLIT, 0, 0);
    tt_rng_shuffle(&rng, order, n);
    for (int i = 0; i < 2 * tenth; ++i)
        corpus->questions[first + (size_t)order[i]].split = i < tenth ? TT_VALIDATION : TT_TEST;
    free(order);
    corpus->name = "strategyqa";
    return TT_OK;
}
