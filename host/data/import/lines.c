// Files with one JSON object a line, or with a list of objects.
#include "host/base/str.h"
#include "host/base/text_file.h"
#include "host/data/import/import.h"

#include <stdlib.h>
#include <string.h>

static tt_status take_value(const json_t *value, const char *where, tt_take_json take, void *context) {
    if (json_is_object(value)) return take(context, value, where);
    return tt_fail(TT_ERR_INPUT, "%s: expected an object {...}, got %s", where, tt_json_kind(value));
}

// Says what to do about an object that goes on in the next line.
static tt_status explain_line(const tt_lines *lines, tt_status status) {
    const char *text = lines->line;
    size_t n = lines->length;
    tt_trim(&text, &n);
    if (status != TT_ERR_INPUT || n == 0 || text[0] != '{' || text[n - 1] == '}') return status;
    tt_str message = {0};
    tt_str_append(&message, tt_error_message());
    tt_fail(TT_ERR_INPUT, "%s; expected a whole object in each line: jq -c . OLD > NEW writes such lines",
        tt_str_text(&message));
    tt_str_close(&message);
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
        status = take_value(object, where, take, context);
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
