#include "host/teacher/dialect.h"

#include "host/base/python_json.h"
#include "host/teacher/outside.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

// One thing that an error complains about: the name of the parameter and the words; NULL where they are not given.
typedef struct complaint {
    const char *parameter, *message;
} complaint;

enum { COMPLAINTS = 8 };

// FastAPI: {"loc": ["body", "n"], "msg": "Extra inputs are not permitted"}
static complaint read_detail(const json_t *detail) {
    const json_t *place = json_object_get(detail, "loc");
    const size_t depth = json_array_size(place);
    return (complaint){depth ? json_string_value(json_array_get(place, depth - 1)) : NULL,
        json_string_value(json_object_get(detail, "msg"))};
}

// The complaints of a body, their texts borrowed from `root`.
static int read_complaints(const json_t *root, complaint out[COMPLAINTS]) {
    const json_t *error = json_object_get(root, "error");
    if (json_is_array(root)) error = json_object_get(json_array_get(root, 0), "error"); // Gemini
    if (json_is_string(error)) {
        out[0] = (complaint){NULL, json_string_value(error)};
        return 1;
    }
    if (!json_is_object(error)) error = root; // llama.cpp, FastAPI: at the top
    const json_t *message = json_object_get(error, "message"), *detail = json_object_get(error, "detail");
    if (!message) message = detail;
    if (!message) message = json_object_get(error, "msg");
    if (json_is_object(message)) message = json_object_get(message, "detail"); // Mistral
    if (json_is_string(message)) {
        out[0] = (complaint){json_string_value(json_object_get(error, "param")), json_string_value(message)};
        return 1;
    }
    int n = 0;
    for (; n < COMPLAINTS && n < (int)json_array_size(message); ++n)
        out[n] = read_detail(json_array_get(message, (size_t)n));
    return n;
}

void tt_completion_error(const char *body, size_t size, char *out, size_t out_size) {
    json_t *root = tt_json_load(body, size, JSON_DISABLE_EOF_CHECK, NULL);
    complaint list[COMPLAINTS];
    const int n = read_complaints(root, list);
    tt_str text = {0};
    for (int i = 0; i < n; ++i) {
        if (!list[i].message) continue;
        if (text.length) tt_str_append(&text, "; ");
        if (n > 1 || (list[i].parameter && !strstr(list[i].message, list[i].parameter)))
            if (list[i].parameter) tt_str_format(&text, "%s: ", list[i].parameter);
        tt_str_append(&text, list[i].message);
    }
    tt_outside_excerpt(out, out_size < 304 ? out_size : 304, tt_str_text(&text));
    tt_str_close(&text);
    json_decref(root);
}

// By the name of the parameter, or, where none is given, by words of the message.
static bool is_about(const complaint *c, const char *parameter, const char *words) {
    if (c->parameter) return strcmp(c->parameter, parameter) == 0;
    return c->message && strstr(c->message, words);
}

static void learn_complaint(tt_dialect *dialect, const tt_dialect_use *use, const complaint *c) {
    if (is_about(c, "max_tokens", "max_completion_tokens"))
        dialect->max_completion_tokens = true;
    else if (is_about(c, "temperature", "temperature"))
        dialect->no_temperature = true;
    else if (use->n && (is_about(c, "n", "'n'") || is_about(c, "n", "`n`")))
        dialect->no_n = true;
    else if (use->seed && is_about(c, "seed", "seed"))
        dialect->no_seed = true;
    else if (use->schema &&
             (is_about(c, "response_format", "response_format") || is_about(c, "json_schema", "json_schema")))
        dialect->no_schema = true;
}

bool tt_dialect_same(const tt_dialect *a, const tt_dialect *b) {
    const char *word, *meaning;
    return !tt_dialect_change(a, b, &word, &meaning) && !tt_dialect_change(b, a, &word, &meaning);
}

bool tt_dialect_change(
    const tt_dialect *before, const tt_dialect *now, const char **word, const char **meaning) {
#define CHANGE(field, word_, meaning_)                                                                       \
    if (now->field && !before->field) return *word = word_, *meaning = meaning_, true;
    TT_DIALECT_MAP(CHANGE)
#undef CHANGE
    return false;
}

bool tt_dialect_learn(tt_dialect *dialect, const tt_dialect_use *use, const char *body, size_t size) {
    json_t *root = tt_json_load(body, size, 0, NULL);
    complaint list[COMPLAINTS];
    const tt_dialect before = *dialect;
    const int n = read_complaints(root, list);
    for (int i = 0; i < n; ++i) learn_complaint(dialect, use, &list[i]);
    json_decref(root);
    return !tt_dialect_same(&before, dialect);
}
