#include "host/base/json.h"

#include "host/base/python_json.h"
#include "host/base/text_file.h"

#include <math.h>
#include <stdlib.h>

// The parser has bounded the depth.
static void drop_null_members(json_t *value) {
    size_t i;
    json_t *item;
    const char *key;
    void *next;
    json_array_foreach(value, i, item) drop_null_members(item);
    json_object_foreach_safe(value, next, key, item) {
        if (json_is_null(item))
            json_object_del(value, key);
        else
            drop_null_members(item);
    }
}

tt_status tt_json_parse(json_t **out, const char *path, int line, const char *text, size_t n) {
    json_error_t error;
    *out = tt_json_load(text, n, JSON_REJECT_DUPLICATES, &error);
    if (!*out)
        return tt_fail(TT_ERR_INPUT, "%s:%d: not JSON: %s (column %d)", path,
            line + (error.line > 0 ? error.line - 1 : 0), error.text, error.column);
    drop_null_members(*out);
    return TT_OK;
}

tt_status tt_json_read(json_t **out, const char *path, size_t limit) {
    char *text;
    size_t size;
    *out = NULL;
    TT_TRY(tt_text_read(path, limit, &text, &size));
    tt_status status = tt_text_blank(text, size) ? tt_fail(TT_ERR_INPUT, "%s: the file is empty", path)
                                                 : tt_json_parse(out, path, 1, text, size);
    free(text);
    return status;
}

tt_status tt_json_text(const json_t *object, const char *name, const char *where, const char **out) {
    const json_t *value = json_object_get(object, name);
    *out = json_string_value(value);
    if (*out) return TT_OK;
    if (!value) return tt_fail(TT_ERR_INPUT, "%s: \"%s\" is missing; expected a string", where, name);
    return tt_fail(TT_ERR_INPUT, "%s: \"%s\": expected a string, got %s", where, name, tt_json_kind(value));
}

bool tt_json_whole(const json_t *value, int64_t *out) {
    if (json_is_integer(value)) {
        *out = json_integer_value(value);
        return true;
    }
    const double number = json_is_real(value) ? json_real_value(value) : NAN;
    if (!(fabs(number) <= 9007199254740992.0) || number != floor(number)) return false; // 2^53
    *out = (int64_t)number;
    return true;
}

const char *tt_json_kind(const json_t *value) {
    if (!value) return "nothing";
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return tt_json_unusual(value) ? tt_json_unusual(value) : "an object";
    case JSON_ARRAY:
        return "a list";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
    case JSON_REAL:
        return "a number";
    case JSON_TRUE:
    case JSON_FALSE:
        return "true or false";
    case JSON_NULL:
        break;
    }
    return "null";
}

void tt_json_show(tt_str *out, const json_t *value) {
    if (json_is_string(value))
        tt_str_format(out, "the string \"%.60s\"", json_string_value(value));
    else if (json_is_integer(value))
        tt_str_format(out, "%lld", (long long)json_integer_value(value));
    else if (json_is_real(value))
        tt_str_format(out, "%g", json_real_value(value));
    else if (json_is_boolean(value))
        tt_str_append(out, json_is_true(value) ? "true" : "false");
    else
        tt_str_append(out, tt_json_kind(value));
}
