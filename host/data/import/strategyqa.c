// StrategyQA: yes/no questions with human-written facts.
#include "host/base/log.h"
#include "host/base/python_json.h"
#include "host/data/import/import.h"
#include "host/text/stages.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

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

// What the import of several files keeps.
typedef struct facts_report {
    tt_corpus *corpus;
    bool facts_as_recall;
    int64_t without;                         // questions that have no facts
    int64_t unfit;                           // whose facts are neither a text nor a list of texts
    char first[TT_PATH_MAX + 160], kind[96]; // the first of these, and what its facts are
} facts_report;

// Whether a text is a list that a table, such as CSV, flattened: ["a", "b"], ['a', 'b'] or ['a' 'b'].
static bool is_flat_list(const json_t *facts) {
    const char *text = json_string_value(facts);
    size_t n = json_string_length(facts);
    if (!text) return false;
    tt_trim(&text, &n);
    return n > 1 && text[0] == '[' && text[n - 1] == ']';
}

// Joins facts, a list of texts or one text. False where they are something else.
static bool join_facts(tt_str *general, const json_t *facts) {
    size_t i;
    json_t *fact;
    if (is_flat_list(facts)) {
        json_t *list = tt_json_load(json_string_value(facts), json_string_length(facts), 0, NULL);
        const bool fits = json_is_array(list) && join_facts(general, list);
        json_decref(list);
        return fits;
    }
    if (json_is_string(facts)) append_fact(general, json_string_value(facts));
    json_array_foreach(facts, i, fact) {
        if (json_is_string(fact) ? !join_facts(general, fact) : !json_is_null(fact)) return false;
    }
    return !facts || json_is_string(facts) || json_is_array(facts);
}

static tt_status add_facts(
    facts_report *report, const json_t *facts, const char *where, const tt_question *q) {
    tt_str general = {0};
    const bool fits = join_facts(&general, facts);
    tt_status status = tt_str_status(&general);
    if (status == TT_OK && !fits && report->unfit++ == 0) {
        snprintf(report->first, sizeof report->first, "%s", where);
        snprintf(report->kind, sizeof report->kind, "%s",
            is_flat_list(facts)    ? "a text in brackets that is not a JSON list of strings"
            : json_is_array(facts) ? "a list of other things"
                                   : tt_json_kind(facts));
    }
    if (status == TT_OK && fits && !general.length) report->without++;
    if (status == TT_OK && fits && general.length)
        status = tt_corpus_add_reasoning(
            report->corpus, &(tt_reasoning){.question = (int)report->corpus->n_questions - 1,
                                .general = general.data,
                                .answer = q->gold,
                                .source = "human facts"});
    tt_str_close(&general);
    return status;
}

// true and false; exports also write them as "yes" and "no" or as texts.
static tt_status read_answer(const json_t *answer, const char *where, int *gold) {
    static const char *const words[][2] = {{"yes", "no"}, {"true", "false"}};
    const char *text = json_string_value(answer);
    *gold = json_is_true(answer) ? 0 : json_is_false(answer) ? 1 : -1;
    for (int w = 0; w < 2 && text; ++w)
        for (int i = 0; i < 2; ++i)
            if (strcasecmp(text, words[w][i]) == 0) *gold = i;
    if (*gold >= 0) return TT_OK;
    if (text) return tt_fail(TT_ERR_INPUT, "%s: \"answer\": expected true or false, got \"%s\"", where, text);
    return tt_fail(
        TT_ERR_INPUT, "%s: \"answer\": expected true or false, got %s", where, tt_json_kind(answer));
}

static tt_status add_question(void *context, const json_t *object, const char *place) {
    facts_report *report = context;
    char where[TT_PATH_MAX + 160];
    tt_question q = {.place = place, .options = options, .n_options = 2, .split = TT_TRAIN};
    TT_TRY(tt_json_text(object, json_object_get(object, "qid") ? "qid" : "id", place, &q.id));
    snprintf(where, sizeof where, "%s: question %.100s", place, q.id);
    TT_TRY(tt_json_text(object, "question", where, &q.text));
    TT_TRY(read_answer(json_object_get(object, "answer"), where, &q.gold));
    tt_status status = tt_corpus_add_question(report->corpus, &q);
    if (status == TT_OK && report->facts_as_recall)
        status = add_facts(report, json_object_get(object, "facts"), where, &q);
    return status == TT_OK ? TT_OK : tt_context(status, "%s", place);
}

static tt_status check_facts(const facts_report *report, int64_t n) {
    if (report->unfit)
        return tt_fail(TT_ERR_INPUT,
            "%s: \"facts\": expected a list of strings or a string, got %s; %lld of %lld questions have such "
            "facts",
            report->first, report->kind, (long long)report->unfit, (long long)n);
    if (report->without == n)
        return tt_fail(TT_ERR_INPUT,
            "none of the %lld questions has \"facts\"; import them without --facts-as-recall, or from files "
            "that "
            "have facts",
            (long long)n);
    if (report->without)
        tt_warn("%lld of %lld questions have no facts and get no general knowledge",
            (long long)report->without, (long long)n);
    return TT_OK;
}

tt_status tt_import_strategyqa(
    tt_corpus *corpus, const char *const *paths, int n_paths, bool facts_as_recall, uint64_t seed) {
    const size_t first = corpus->n_questions;
    facts_report report = {.corpus = corpus, .facts_as_recall = facts_as_recall};
    for (int i = 0; i < n_paths; ++i) TT_TRY(tt_read_jsonl(paths[i], add_question, &report));
    const int n = (int)(corpus->n_questions - first), tenth = n / 10;
    if (facts_as_recall) TT_TRY(check_facts(&report, n));
    int32_t *order;
    TT_TRY(tt_split_order(&order, n, seed));
    for (int i = 0; i < 2 * tenth; ++i)
        corpus->questions[first + (size_t)order[i]].split = i < tenth ? TT_VALIDATION : TT_TEST;
    free(order);
    corpus->name = "strategyqa";
    return TT_OK;
}
