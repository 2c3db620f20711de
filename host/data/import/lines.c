// Files with one JSON object a line.
#include "host/base/fs.h"
#include "host/base/str.h"
#include "host/data/import/import.h"

#include <stdlib.h>
#include <string.h>

static tt_status parse_line(
    const char *path, int number, const char *line, size_t length, tt_take_json take, void *context) {
    char where[TT_PATH_MAX + 32];
    snprintf(where, sizeof where, "%s:%d", path, number);
    size_t bad = 0;
    if (!tt_utf8_valid(line, length, &bad))
        return tt_fail(TT_ERR_INPUT, "%s: invalid UTF-8 at byte %zu", where, bad + 1);
    json_error_t error;
    json_t *object = json_loadb(line, length, JSON_REJECT_DUPLICATES, &error);
    if (!object)
        return tt_fail(TT_ERR_INPUT, "%s: not JSON: %s (column %d)", where, error.text, error.column);
    tt_status status = json_is_object(object) ? take(context, object, where)
                                              : tt_fail(TT_ERR_INPUT, "%s: expected an object {...}", where);
    json_decref(object);
    return status;
}

tt_status tt_read_jsonl(const char *path, tt_take_json take, void *context) {
    char *data;
    size_t size;
    TT_TRY(tt_read_file(path, 0, &data, &size));
    tt_status status = TT_OK;
    const char *end = data + size;
    int number = 0;
    for (const char *line = data; line < end && status == TT_OK;) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        if (!stop) stop = end;
        size_t length = (size_t)(stop - line);
        ++number;
        while (length && (line[length - 1] == '\r' || line[length - 1] == ' ')) --length;
        if (length) status = parse_line(path, number, line, length, take, context);
        line = stop + 1;
    }
    free(data);
    if (status == TT_OK && number == 0) status = tt_fail(TT_ERR_INPUT, "%s: the file is empty", path);
    return status;
}

tt_status tt_json_text(const json_t *object, const char *name, const char *where, const char **out) {
    const json_t *value = json_object_get(object, name);
    *out = json_string_value(value);
    if (*out) return TT_OK;
    return tt_fail(TT_ERR_INPUT, "%s: \"%s\" %s", where, name,
        value ? "has another type; expected a string" : "is missing; expected a string");
}
