// Our own JSONL: questions with reasoning, and reasoning alone.
#include "host/base/str.h"
#include "host/data/import/import.h"
#include "host/data/lookup.h"
#include "host/text/stages.h"

#include <stdlib.h>
#include <string.h>

static const char *const members[] = {
    "id", "question", "options", "gold", "split", "general", "specific", "reasoning", "source"};
static const char *const reasoning_members[] = {"general", "specific", "answer", "source"};
enum {
    MEMBERS = sizeof members / sizeof *members,
    REASONING_MEMBERS = sizeof reasoning_members / sizeof *reasoning_members
};

static tt_status check_members(const json_t *object, const char *where, const char *const *allowed, int n) {
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value) {
        bool known = false;
        for (int i = 0; i < n; ++i) known |= strcmp(key, allowed[i]) == 0;
        if (known) continue;
        const char *nearest = tt_nearest(key, allowed, n);
        return tt_fail(TT_ERR_INPUT, "%s: unknown member \"%s\"%s%s", where, key,
            nearest ? "; did you mean " : "", nearest ? nearest : "");
    }
    return TT_OK;
}

// Reads an array of `expected` strings (any number where negative).
static tt_status read_texts(
    const json_t *array, const char *name, const char *where, int expected, const char **out, int *n) {
    if (!json_is_array(array))
        return tt_fail(
            TT_ERR_INPUT, "%s: \"%s\": expected a list of strings, got %s", where, name, tt_json_kind(array));
    const size_t count = json_array_size(array);
    if (expected >= 0 && count != (size_t)expected)
        return tt_fail(
            TT_ERR_INPUT, "%s: \"%s\" has %zu entries for %d options", where, name, count, expected);
    if (count < TT_MIN_OPTIONS || count > TT_MAX_OPTIONS)
        return tt_fail(TT_ERR_INPUT, "%s: \"%s\" has %zu entries, allowed are %d to %d", where, name, count,
            TT_MIN_OPTIONS, TT_MAX_OPTIONS);
    for (size_t i = 0; i < count; ++i) {
        const json_t *text = json_array_get(array, i);
        if (!(out[i] = json_string_value(text)))
            return tt_fail(TT_ERR_INPUT, "%s: entry %zu of \"%s\": expected a string, got %s", where, i + 1,
                name, tt_json_kind(text));
    }
    *n = (int)count;
    return TT_OK;
}

// The option that a text names: by its own text, or by its letter. Errors: TT_ERR_INPUT where it may mean two.
static tt_status find_option(
    const char *text, const char *name, const char *where, const tt_question *q, int *out) {
    const int letter = text[0] >= 'A' && text[0] < 'A' + q->n_options && text[1] == '\0' ? text[0] - 'A' : -1;
    *out = letter;
    for (int i = 0, n = letter >= 0; i < q->n_options; ++i) {
        if (strcmp(text, q->options[i]) != 0 || i == letter) continue;
        if (n++ > 0)
            return tt_fail(TT_ERR_INPUT,
                "%s: \"%s\": '%s' may mean option %c or option %c; give the option's index, from 0", where,
                name, text, 'A' + *out, 'A' + i);
        *out = i;
    }
    return TT_OK;
}

// An index, a letter, or the text of an option.
static tt_status read_option(
    const json_t *value, const char *name, const char *where, const tt_question *q, int *out) {
    int64_t index;
    *out = -1;
    if (json_is_string(value))
        TT_TRY(find_option(json_string_value(value), name, where, q, out));
    else if (tt_json_whole(value, &index))
        *out = index >= 0 && index < q->n_options ? (int)index : -1;
    else if (!value)
        return tt_fail(TT_ERR_INPUT,
            "%s: \"%s\" is missing; expected the right option's index, letter or text", where, name);
    if (*out >= 0) return TT_OK;
    char *shown = json_dumps(value, JSON_ENCODE_ANY);
    if (json_is_string(value) || json_is_number(value))
        tt_fail(TT_ERR_INPUT,
            "%s: \"%s\": %s is not among the %d options; expected an index from 0, a letter or a text", where,
            name, shown ? shown : "it", q->n_options);
    else
        tt_fail(TT_ERR_INPUT, "%s: \"%s\": expected the option's index, letter or text, got %s", where, name,
            tt_json_kind(value));
    free(shown);
    return TT_ERR_INPUT;
}

// out->question is set by the caller; texts belong to `object`.
static tt_status read_reasoning(const json_t *object, const char *where, const tt_question *q,
    const char *specific[TT_MAX_OPTIONS], tt_reasoning *out) {
    int n = 0;
    tt_reasoning r = {.question = out->question, .answer = q->gold};
    const json_t *texts = json_object_get(object, "specific"), *answer = json_object_get(object, "answer");
    if (json_object_get(object, "general")) TT_TRY(tt_json_text(object, "general", where, &r.general));
    if (json_object_get(object, "source")) TT_TRY(tt_json_text(object, "source", where, &r.source));
    if (texts) {
        TT_TRY(read_texts(texts, "specific", where, q->n_options, specific, &n));
        r.specific = specific;
    }
    if (answer) TT_TRY(read_option(answer, "answer", where, q, &r.answer));
    *out = r;
    return TT_OK;
}

static tt_status check_reasoning(const tt_reasoning *r, const char *where) {
    if (r->general || r->specific) return TT_OK;
    return tt_fail(TT_ERR_INPUT, "%s: has neither \"general\" nor \"specific\"", where);
}

static tt_status add_reasoning(
    tt_corpus *corpus, const json_t *object, const char *where, const tt_question *q) {
    const char *specific[TT_MAX_OPTIONS];
    tt_reasoning r = {.question = (int)corpus->n_questions - 1};
    TT_TRY(read_reasoning(object, where, q, specific, &r));
    TT_TRY(check_reasoning(&r, where));
    return tt_corpus_add_reasoning(corpus, &r);
}

// The short form (general, specific beside the question) or a list of answers.
static tt_status add_all_reasoning(
    tt_corpus *corpus, const json_t *object, const char *where, const tt_question *q) {
    if (json_object_get(object, "general") || json_object_get(object, "specific"))
        TT_TRY(add_reasoning(corpus, object, where, q));
    const json_t *list = json_object_get(object, "reasoning");
    if (list && !json_is_array(list))
        return tt_fail(TT_ERR_INPUT, "%s: \"reasoning\": expected a list [{...}, ...], got %s", where,
            tt_json_kind(list));
    size_t i;
    json_t *one;
    json_array_foreach(list, i, one) {
        char entry[TT_PATH_MAX + 256];
        snprintf(entry, sizeof entry, "%s: entry %zu of \"reasoning\"", where, i + 1);
        if (!json_is_object(one))
            return tt_fail(TT_ERR_INPUT, "%s: expected an object {...}, got %s", entry, tt_json_kind(one));
        TT_TRY(check_members(one, entry, reasoning_members, REASONING_MEMBERS));
        TT_TRY(add_reasoning(corpus, one, entry, q));
    }
    return TT_OK;
}

static tt_status add_line(void *context, const json_t *object, const char *file_line) {
    tt_corpus *corpus = context;
    const char *options[TT_MAX_OPTIONS];
    char id[64], where[TT_PATH_MAX + 160];
    tt_question q = {.place = file_line, .options = options, .split = TT_TRAIN};
    if (json_object_get(object, "id")) {
        TT_TRY(tt_json_text(object, "id", file_line, &q.id));
    } else {
        snprintf(id, sizeof id, "question-%zu", corpus->n_questions + 1);
        q.id = id;
    }
    snprintf(where, sizeof where, "%s: question %.100s", file_line, q.id);
    TT_TRY(check_members(object, where, members, MEMBERS));
    TT_TRY(tt_json_text(object, "question", where, &q.text));
    TT_TRY(read_texts(json_object_get(object, "options"), "options", where, -1, options, &q.n_options));
    TT_TRY(read_option(json_object_get(object, "gold"), "gold", where, &q, &q.gold));
    if (json_object_get(object, "split")) {
        const char *split;
        TT_TRY(tt_json_text(object, "split", where, &split));
        tt_status status = tt_split_parse(&q.split, split);
        if (status != TT_OK) return tt_context(status, "%s", where);
    }
    tt_status status = tt_corpus_add_question(corpus, &q);
    if (status == TT_OK) status = add_all_reasoning(corpus, object, where, &q);
    // Errors of the corpus name the question, but not the line.
    if (status != TT_OK && !tt_starts_with(tt_error_message(), file_line))
        tt_context(status, "%s", file_line);
    return status;
}

tt_status tt_import_jsonl(tt_corpus *corpus, const char *path) {
    return tt_read_jsonl(path, add_line, corpus);
}

// Adding reasoning to the questions of a corpus.
typedef struct answers {
    tt_corpus *corpus;
    tt_lookup ids;
    tt_added *report;
} answers;

// What stands beside the reasoning must be the question's own. Errors: TT_ERR_INPUT, naming the member.
static tt_status check_question(const json_t *object, const char *where, const tt_question *q) {
    const char *options[TT_MAX_OPTIONS], *text;
    int n = q->n_options, gold;
    bool same = true;
    if (json_object_get(object, "question")) {
        TT_TRY(tt_json_text(object, "question", where, &text));
        if (strcmp(text, q->text) != 0)
            return tt_fail(TT_ERR_INPUT, "%s: the corpus has another text for this question", where);
    }
    if (json_object_get(object, "options"))
        TT_TRY(read_texts(json_object_get(object, "options"), "options", where, q->n_options, options, &n));
    else
        for (int o = 0; o < n; ++o) options[o] = q->options[o];
    for (int o = 0; o < n; ++o) same = same && strcmp(options[o], q->options[o]) == 0;
    if (!same) return tt_fail(TT_ERR_INPUT, "%s: the corpus has other options for this question", where);
    if (!json_object_get(object, "gold")) return TT_OK;
    TT_TRY(read_option(json_object_get(object, "gold"), "gold", where, q, &gold));
    if (gold != q->gold)
        return tt_fail(TT_ERR_INPUT, "%s: the corpus has another gold answer for this question", where);
    return TT_OK;
}

// What does not fit is reported and left out.
static tt_status left_out(answers *a, tt_status status) {
    if (status != TT_ERR_INPUT) return status;
    tt_added_note(a->report, TT_ADDED_UNFIT, "%s", tt_error_message());
    return TT_OK;
}

static tt_status take_reasoning(answers *a, const json_t *object, const char *where, int question) {
    const char *specific[TT_MAX_OPTIONS];
    tt_reasoning r = {.question = question};
    bool added = false;
    tt_status status = read_reasoning(object, where, &a->corpus->questions[question], specific, &r);
    if (status == TT_OK) status = check_reasoning(&r, where);
    if (status == TT_OK) {
        status = tt_corpus_add_new_reasoning(a->corpus, &r, &added);
        if (status == TT_ERR_INPUT) tt_context(status, "%s", where);
    }
    if (status != TT_OK) return left_out(a, status);
    if (added)
        a->report->added++;
    else
        tt_added_note(a->report, TT_ADDED_REPEATED, "%s: the question already has this reasoning", where);
    return TT_OK;
}

static tt_status take_list(answers *a, const json_t *list, const char *where, int question) {
    size_t i;
    json_t *one;
    if (!json_is_array(list))
        return tt_fail(TT_ERR_INPUT, "%s: \"reasoning\": expected a list [{...}, ...], got %s", where,
            tt_json_kind(list));
    json_array_foreach(list, i, one) {
        char entry[TT_PATH_MAX + 256];
        snprintf(entry, sizeof entry, "%s: entry %zu of \"reasoning\"", where, i + 1);
        if (!json_is_object(one))
            return tt_fail(TT_ERR_INPUT, "%s: expected an object {...}, got %s", entry, tt_json_kind(one));
        TT_TRY(check_members(one, entry, reasoning_members, REASONING_MEMBERS));
        TT_TRY(take_reasoning(a, one, entry, question));
    }
    return TT_OK;
}

static tt_status take_answers(void *context, const json_t *object, const char *file_line) {
    static const char *const allowed[] = {
        "id", "question", "options", "gold", "split", "reasoning", "general", "specific", "answer", "source"};
    answers *a = context;
    const char *id;
    char where[TT_PATH_MAX + 160];
    TT_TRY(tt_json_text(object, "id", file_line, &id));
    snprintf(where, sizeof where, "%s: question %.100s", file_line, id);
    TT_TRY(check_members(object, where, allowed, sizeof allowed / sizeof *allowed));
    const json_t *list = json_object_get(object, "reasoning");
    const bool alone = json_object_get(object, "general") || json_object_get(object, "specific");
    a->report->records++;
    const int question = tt_lookup_find(&a->ids, id, NULL);
    if (question < 0) {
        tt_added_note(a->report, TT_ADDED_UNKNOWN, "%s is not in the corpus", where);
        return TT_OK;
    }
    if (!alone && json_array_size(list) == 0 && (!list || json_is_array(list))) {
        a->report->left_out[TT_ADDED_EMPTY]++;
        return TT_OK;
    }
    tt_status status = check_question(object, where, &a->corpus->questions[question]);
    if (status != TT_OK) return left_out(a, status);
    if (alone) TT_TRY(take_reasoning(a, object, where, question));
    return list ? take_list(a, list, where, question) : TT_OK;
}

tt_status tt_add_answers(tt_corpus *corpus, const char *path, tt_added *report) {
    answers a = {.corpus = corpus, .report = report};
    tt_status status = TT_OK;
    for (size_t i = 0; i < corpus->n_questions && status == TT_OK; ++i)
        status = tt_lookup_add(&a.ids, corpus->questions[i].id, (int)i);
    tt_lookup_sort(&a.ids);
    if (status == TT_OK) status = tt_read_jsonl(path, take_answers, &a);
    tt_lookup_close(&a.ids);
    if (status == TT_OK) status = tt_corpus_group_reasoning(corpus);
    return status;
}
