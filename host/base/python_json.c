#include "host/base/python_json.h"

#include "host/base/fs.h"
#include "host/base/json.h"
#include "host/base/number.h"
#include "host/base/text_file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_DIGITS = 18 }; // that a 64-bit integer always holds

// An object with one member of this name, which no program gives, stands for a number that JSON does not have.
#define MARK "\x01"

static void append_unusual(tt_str *out, const char *word, size_t n) {
    tt_str_format(out, "{\"\\u0001\": \"%.*s\"}", (int)n, word);
}

const char *tt_json_unusual(const json_t *value) {
    return json_object_size(value) == 1 ? json_string_value(json_object_get(value, MARK)) : NULL;
}

// The end of the string that starts at `p`, a quotation mark.
static const char *end_of_string(const char *p, const char *end) {
    for (++p; p < end && *p != '"'; ++p)
        if (*p == '\\' && p + 1 < end) ++p;
    return p < end ? p + 1 : end;
}

// Copies a number, or writes what stands for one that the parser cannot hold; returns its end.
static const char *copy_number(tt_str *out, const char *p, const char *end) {
    const char *from = p;
    bool integer = true;
    for (; p < end && strchr("+-.0123456789eE", *p) && *p; ++p) integer &= !strchr(".eE", *p);
    const size_t n = (size_t)(p - from), digits = n - (*from == '-');
    char text[512];
    if (n < sizeof text) {
        memcpy(text, from, n);
        text[n] = '\0';
    }
    if (n >= sizeof text || isinf(tt_parse_double(text, NULL))) {
        append_unusual(out, *from == '-' ? "-Infinity" : "Infinity", *from == '-' ? 9 : 8);
    } else {
        tt_str_append_n(out, from, n);
        if (integer && digits > MOST_DIGITS) tt_str_append(out, "e0");
    }
    return p;
}

static void to_strict_json(tt_str *out, const char *p, const char *end) {
    static const char *const words[] = {"NaN", "Infinity", "-Infinity"};
    while (p < end) {
        size_t word = 0;
        for (int i = 0; i < 3 && !word; ++i)
            if ((size_t)(end - p) >= strlen(words[i]) && memcmp(p, words[i], strlen(words[i])) == 0)
                word = strlen(words[i]);
        const char *from = p;
        if (*p == '"') {
            p = end_of_string(p, end);
            tt_str_append_n(out, from, (size_t)(p - from));
        } else if (word) {
            p += word;
            append_unusual(out, from, word);
        } else if (*p == '-' || (*p >= '0' && *p <= '9')) {
            p = copy_number(out, p, end);
        } else {
            while (p < end && !strchr("\"-0123456789NI", *p)) ++p; // to where one of the above may begin
            if (p == from) ++p;
            tt_str_append_n(out, from, (size_t)(p - from));
        }
    }
}

json_t *tt_json_load(const char *text, size_t n, size_t flags, json_error_t *error) {
    const size_t mark = tt_text_mark(text, n);
    text += mark;
    n -= mark;
    json_t *root = json_loadb(text, n, flags, error);
    if (root) return root;
    tt_str strict = {0};
    tt_str_append(&strict, "");
    to_strict_json(&strict, text, text + n);
    if (!strict.failed && (strict.length != n || memcmp(strict.data, text, n) != 0))
        root = json_loadb(strict.data, strict.length, flags, error);
    tt_str_close(&strict);
    if (!root && error && strstr(error->text, "JSON_ALLOW_NUL")) // the library's word for its callers
        snprintf(
            error->text, sizeof error->text, "\\u0000 stands for a NUL character, which no text may have");
    return root;
}

tt_status tt_python_json_parse(json_t **out, const char *name, const char *text, size_t n) {
    json_error_t error;
    *out = NULL;
    TT_TRY(tt_text_check(name, text, n));
    json_t *root = tt_json_load(text, n, JSON_REJECT_DUPLICATES, &error);
    if (!root) return tt_fail(TT_ERR_FORMAT, "%s:%d: %s", name, error.line, error.text);
    if (!json_is_object(root)) {
        json_decref(root);
        return tt_fail(TT_ERR_FORMAT, "%s: expected a JSON object", name);
    }
    *out = root;
    return TT_OK;
}

tt_status tt_python_json_read(json_t **out, const char *path) {
    char *text;
    size_t bytes;
    *out = NULL;
    TT_TRY(tt_read_file(path, (size_t)256 << 20, &text, &bytes));
    tt_status status = tt_python_json_parse(out, path, text, bytes);
    free(text);
    return status;
}
