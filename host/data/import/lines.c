// Files with one JSON object a line, or with a list of objects.
#include "host/base/str.h"
#include "host/base/text_file.h"
#include "host/data/import/import.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static tt_status take_value(const json_t *value, const char *where, tt_take_json take, void *context) {
    if (json_is_object(value)) return take(context, value, where);
    return tt_fail(TT_ERR_INPUT, "%s: expected an object {...}, got %s", where, tt_json_kind(value));
}

// Appends what to do to the message of an error.
static tt_status advise(tt_status status, const char *what) {
    tt_str message = {0};
    tt_str_append(&message, tt_error_message());
    tt_fail(status, "%s; %s", tt_str_text(&message), what);
    tt_str_close(&message);
    return status;
}

// Says what to do about a line that is not JSON: an object that goes on in the next line, or has a comma behind it, or was cut.
static tt_status explain_line(const tt_lines *lines, tt_status status) {
    const char *text = lines->line;
    size_t n = lines->length;
    tt_trim(&text, &n);
    if (status != TT_ERR_INPUT || n == 0 || text[0] != '{' || text[n - 1] == '}') return status;
    if (n > 1 && text[n - 1] == ',' && text[n - 2] == '}')
        return advise(status, "remove the comma behind each object: sed 's/,[[:space:]]*$//' OLD > NEW");
    if (lines->at >= lines->end && lines->number > 1)
        return advise(status, "this is the last line: the file seems to be cut off here");
    return advise(status, "expected a whole object in each line: jq -c . OLD > NEW writes such lines");
}

// Says where the objects are if they lie in a list of this one, which the hub's viewer wraps once more.
static tt_status explain_object(const json_t *object, tt_status status) {
    const char *key;
    json_t *value;
    if (status != TT_ERR_INPUT || json_object_get(object, "question") || json_object_get(object, "id"))
        return status;
    json_object_foreach((json_t *)object, key, value) {
        char what[200];
        const json_t *first = json_array_get(value, 0);
        if (!json_is_object(first)) continue;
        snprintf(what, sizeof what,
            "the objects lie in its list \"%.40s\": jq -c '.\"%.40s\"[]%s' OLD > NEW writes them one a line",
            key, key, json_is_object(json_object_get(first, "row")) ? ".row" : "");
        return advise(status, what);
    }
    return status;
}

static tt_status take_lines(const char *path, tt_lines lines, tt_take_json take, void *context) {
    bool any = false;
    while (tt_lines_next(&lines)) {
        char where[TT_PATH_MAX + 32];
        json_t *object;
        if (tt_text_blank(lines.line, lines.length)) continue;
        any = true;
        snprintf(where, sizeof where, "%s:%d", path, lines.number);
        tt_status status = tt_json_parse(&object, path, lines.number, lines.line, lines.length);
        if (status != TT_OK) return explain_line(&lines, status);
        status = explain_object(object, take_value(object, where, take, context));
        json_decref(object);
        TT_TRY(status);
    }
    return any ? TT_OK : tt_fail(TT_ERR_INPUT, "%s: the file is empty", path);
}

static tt_status take_list(const char *path, const tt_lines *text, tt_take_json take, void *context) {
    json_t *list;
    TT_TRY(tt_json_parse(&list, path, 1, text->at, (size_t)(text->end - text->at)));
    const size_t n = json_array_size(list);
    tt_status status = n ? TT_OK : tt_fail(TT_ERR_INPUT, "%s: the list is empty", path);
    for (size_t i = 0; i < n && status == TT_OK; ++i) {
        char where[TT_PATH_MAX + 32];
        snprintf(where, sizeof where, "%s: entry %zu", path, i + 1);
        status = take_value(json_array_get(list, i), where, take, context);
    }
    json_decref(list);
    return status;
}

tt_status tt_read_jsonl(const char *path, tt_take_json take, void *context) {
    char *text;
    size_t size;
    TT_TRY(tt_text_read(path, 0, &text, &size));
    const tt_lines all = {.at = text, .end = text + size};
    const bool list = text[strspn(text, " \t\r\n")] == '[';
    tt_status status = list ? take_list(path, &all, take, context) : take_lines(path, all, take, context);
    free(text);
    return status;
}
