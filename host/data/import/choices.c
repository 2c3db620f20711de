// CommonsenseQA and OpenBookQA, one question an object, in their authors' layout:
//   {"id", "question": {"stem", "choices": [{"label", "text"}, ..]}, "answerKey"}
// or in that of the Hugging Face hub:
//   {"id", "question" or "question_stem", "choices": {"label": [..], "text": [..]}, "answerKey"}
#include "host/base/fs.h"
#include "host/data/import/import.h"
#include "host/text/stages.h"

#include <stdlib.h>
#include <string.h>

// Where a file's questions go.
typedef struct target {
    tt_corpus *corpus;
    tt_split split;
} target;

// What one question consists of.
typedef struct choices {
    const char *options[TT_MAX_OPTIONS], *labels[TT_MAX_OPTIONS];
    int n;
} choices;

static tt_status read_stem(const json_t *object, const char *where, const char **out) {
    const json_t *question = json_object_get(object, "question");
    if (json_is_object(question)) return tt_json_text(question, "stem", where, out);
    if (question || !json_object_get(object, "question_stem"))
        return tt_json_text(object, "question", where, out);
    return tt_json_text(object, "question_stem", where, out);
}

static tt_status check_count(size_t n, const char *where) {
    if (n >= TT_MIN_OPTIONS && n <= TT_MAX_OPTIONS) return TT_OK;
    return tt_fail(
        TT_ERR_INPUT, "%s: has %zu options, allowed are %d to %d", where, n, TT_MIN_OPTIONS, TT_MAX_OPTIONS);
}

// The hub's: a list of labels, and one of texts.
static tt_status read_columns(const json_t *columns, const char *where, choices *out) {
    const json_t *texts = json_object_get(columns, "text"), *labels = json_object_get(columns, "label");
    const size_t n = json_array_size(texts);
    if (!json_is_array(texts) || !json_is_array(labels) || json_array_size(labels) != n)
        return tt_fail(TT_ERR_INPUT,
            "%s: \"choices\": expected {\"label\": [..], \"text\": [..]} with as many labels as texts",
            where);
    TT_TRY(check_count(n, where));
    for (size_t i = 0; i < n; ++i) {
        out->options[i] = json_string_value(json_array_get(texts, i));
        out->labels[i] = json_string_value(json_array_get(labels, i));
        if (!out->options[i] || !out->labels[i])
            return tt_fail(TT_ERR_INPUT, "%s: choice %zu: expected strings as label and text", where, i + 1);
    }
    out->n = (int)n;
    return TT_OK;
}

static tt_status read_list(const json_t *list, const char *where, choices *out) {
    const size_t n = json_array_size(list);
    TT_TRY(check_count(n, where));
    for (size_t i = 0; i < n; ++i) {
        const json_t *choice = json_array_get(list, i);
        TT_TRY(tt_json_text(choice, "text", where, &out->options[i]));
        TT_TRY(tt_json_text(choice, "label", where, &out->labels[i]));
    }
    out->n = (int)n;
    return TT_OK;
}

static tt_status read_choices(const json_t *object, const char *where, choices *out) {
    const json_t *found = json_object_get(json_object_get(object, "question"), "choices");
    if (!found) found = json_object_get(object, "choices");
    if (json_is_object(found)) return read_columns(found, where, out);
    if (json_is_array(found)) return read_list(found, where, out);
    return tt_fail(TT_ERR_INPUT,
        "%s: \"choices\": expected [{\"label\", \"text\"}, ..] or {\"label\": [..], \"text\": [..]}, got %s",
        where, tt_json_kind(found));
}

static tt_status find_gold(const choices *c, const char *key, const char *where, int *gold) {
    if (!*key)
        return tt_fail(TT_ERR_INPUT,
            "%s: \"answerKey\" is empty; test splits without answers cannot be imported, use the validation "
            "split",
            where);
    *gold = -1;
    for (int i = 0; i < c->n; ++i) {
        if (strcmp(c->labels[i], key) != 0) continue;
        if (*gold >= 0) return tt_fail(TT_ERR_INPUT, "%s: two choices have the label '%s'", where, key);
        *gold = i;
    }
    if (*gold >= 0) return TT_OK;
    return tt_fail(TT_ERR_INPUT, "%s: gold answer '%s' is not among the labels of its options", where, key);
}

static tt_status add_choices(void *context, const json_t *object, const char *file_line) {
    const target *to = context;
    const char *key;
    char where[TT_PATH_MAX + 160];
    choices c;
    tt_question q = {.place = file_line, .options = c.options, .split = to->split};
    TT_TRY(tt_json_text(object, "id", file_line, &q.id));
    snprintf(where, sizeof where, "%s: question %.100s", file_line, q.id);
    TT_TRY(read_stem(object, where, &q.text));
    TT_TRY(read_choices(object, where, &c));
    TT_TRY(tt_json_text(object, "answerKey", where, &key));
    TT_TRY(find_gold(&c, key, where, &q.gold));
    q.n_options = c.n;
    tt_status status = tt_corpus_add_question(to->corpus, &q);
    return status == TT_OK ? TT_OK : tt_context(status, "%s", file_line);
}
tt_status tt_import_csqa(tt_corpus *corpus, const char *train, const char *dev, uint64_t seed) {
    const size_t first = corpus->n_questions;
    TT_TRY(tt_read_jsonl(train, add_choices, &(target){.corpus = corpus, .split = TT_TRAIN}));
    const int n = (int)(corpus->n_questions - first);
    TT_TRY(tt_read_jsonl(dev, add_choices, &(target){.corpus = corpus, .split = TT_TEST}));
    const int held = (int)(corpus->n_questions - first) - n;
    if (held >= n)
        return tt_fail(TT_ERR_INPUT,
            "%s: has %d questions, but validation needs %d of them, as many as %s has", train, n, held, dev);
    int32_t *order;
    TT_TRY(tt_split_order(&order, n, seed));
    for (int i = 0; i < held; ++i) corpus->questions[first + (size_t)order[i]].split = TT_VALIDATION;
    free(order);
    corpus->name = "csqa";
    return TT_OK;
}

tt_status tt_import_obqa(tt_corpus *corpus, const char *train, const char *dev, const char *test) {
    TT_TRY(tt_read_jsonl(train, add_choices, &(target){.corpus = corpus, .split = TT_TRAIN}));
    TT_TRY(tt_read_jsonl(dev, add_choices, &(target){.corpus = corpus, .split = TT_VALIDATION}));
    TT_TRY(tt_read_jsonl(test, add_choices, &(target){.corpus = corpus, .split = TT_TEST}));
    corpus->name = "obqa";
    return TT_OK;
}
