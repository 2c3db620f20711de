// Values of keys: from text, and as YAML.
#include "host/base/memory.h"
#include "host/base/number.h"
#include "host/config/config_keys.h"
#include "host/config/scalar.h"
#include "host/config/words.h"

#include <stdlib.h>
#include <string.h>

static tt_status check_words(const tt_key *key, const char *text) {
    return key->words ? tt_word_check(TT_ERR_CONFIG, key->path, key->words, text) : TT_OK;
}

static tt_status replace_text(char **slot, const char *text) {
    char *copy;
    TT_TRY(tt_strdup(&copy, text));
    free(*slot);
    *slot = copy;
    return TT_OK;
}

static tt_status set_number(const tt_key *key, void *slot, const char *text) {
    const tt_number_range range = {.low = key->low, .high = key->high, .whole = key->type == TT_KEY_INTEGER};
    double value;
    TT_TRY(tt_number_read(key->path, text, &range, &value));
    if (range.whole)
        *(int64_t *)slot = (int64_t)value;
    else
        *(double *)slot = value;
    return TT_OK;
}

void tt_key_clear(tt_config *config, const tt_key *key) {
    tt_text_list *list = (tt_text_list *)((char *)config + key->offset);
    for (int i = 0; i < list->n; ++i) free(list->items[i]);
    *list = (tt_text_list){0};
}

tt_status tt_key_append(tt_config *config, const tt_key *key, const char *text) {
    tt_text_list *list = (tt_text_list *)((char *)config + key->offset);
    TT_TRY(check_words(key, text));
    if (list->n == TT_MAX_LIST)
        return tt_fail(TT_ERR_CONFIG, "%s: more than %d entries", key->path, TT_MAX_LIST);
    TT_TRY(replace_text(&list->items[list->n], text));
    list->n++;
    return TT_OK;
}

// From "a, b" or "[a, b]".
static tt_status set_list(tt_config *config, const tt_key *key, const char *text) {
    tt_key_clear(config, key);
    const size_t n = strlen(text);
    const bool brackets = n >= 2 && text[0] == '[' && text[n - 1] == ']';
    const char *p = text + brackets, *end = text + n - brackets;
    while (p < end) {
        const char *stop = memchr(p, ',', (size_t)(end - p));
        if (!stop) stop = end;
        const char *from = p + strspn(p, " "), *to = stop;
        while (to > from && to[-1] == ' ') --to;
        if (to > from) {
            char item[4096];
            if ((size_t)(to - from) >= sizeof item)
                return tt_fail(TT_ERR_CONFIG, "%s: an entry is longer than 4095 bytes", key->path);
            memcpy(item, from, (size_t)(to - from));
            item[to - from] = '\0';
            TT_TRY(tt_key_append(config, key, item));
        }
        p = stop + 1;
    }
    return TT_OK;
}

tt_status tt_key_set(tt_config *config, const tt_key *key, const char *text) {
    void *slot = (char *)config + key->offset;
    switch (key->type) {
    case TT_KEY_TEXT:
        TT_TRY(check_words(key, text));
        return replace_text(slot, text);
    case TT_KEY_INTEGER:
    case TT_KEY_REAL:
        return set_number(key, slot, text);
    case TT_KEY_BOOL:
        return tt_bool_read(key->path, text, slot);
    case TT_KEY_LIST:
        return set_list(config, key, text);
    }
    return tt_fail(TT_ERR_INTERNAL, "%s: unknown type of key", key->path);
}

static void append_quoted(tt_str *out, const char *text) {
    tt_str_append(out, "\"");
    for (; *text; ++text) {
        if (*text == '"' || *text == '\\') tt_str_append(out, "\\");
        if (*text == '\n')
            tt_str_append(out, "\\n");
        else if ((unsigned char)*text < ' ' || *text == 0x7f)
            tt_str_format(out, "\\x%02x", (unsigned)*text);
        else
            tt_str_append_n(out, text, 1);
    }
    tt_str_append(out, "\"");
}

static void append_real(tt_str *out, double value) {
    char text[32];
    for (int digits = 6; digits <= 17; ++digits) { // the shortest text that reads back the same
        tt_format(text, sizeof text, "%.*g", digits, value);
        if (tt_parse_double(text, NULL) == value) break;
    }
    tt_str_append(out, text);
}

void tt_key_write(tt_str *out, const tt_config *config, const tt_key *key) {
    const void *slot = (const char *)config + key->offset;
    const tt_text_list *list = slot;
    switch (key->type) {
    case TT_KEY_TEXT:
        append_quoted(out, *(char *const *)slot);
        break;
    case TT_KEY_INTEGER:
        tt_str_format(out, "%lld", (long long)*(const int64_t *)slot);
        break;
    case TT_KEY_REAL:
        append_real(out, *(const double *)slot);
        break;
    case TT_KEY_BOOL:
        tt_str_append(out, *(const bool *)slot ? "true" : "false");
        break;
    case TT_KEY_LIST:
        tt_str_append(out, "[");
        for (int i = 0; i < list->n; ++i) {
            if (i) tt_str_append(out, ", ");
            append_quoted(out, list->items[i]);
        }
        tt_str_append(out, "]");
        break;
    }
}
