#include "host/text/normalizer.h"

#include "host/base/memory.h"
#include "host/text/charsmap.h"
#include "host/text/unicode.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_STEPS = 32 };

typedef struct step {
    enum { CHARSMAP, REPLACE, REPLACE_SPACES, STRIP, PREPEND } kind;
    tt_charsmap *map;
    char *what, *with; // of REPLACE; `with` alone of REPLACE_SPACES and PREPEND
    bool left, right;  // of STRIP
} step;

struct tt_normalizer {
    step steps[MOST_STEPS]; // one after the other
    int n;
};

static tt_status damaged(const char *type, const char *what) {
    return tt_fail(TT_ERR_FORMAT, "normalizer %s: %s", type, what);
}

static tt_status read_replace(step *s, const json_t *d) {
    const json_t *pattern = json_object_get(d, "pattern");
    const char *text = json_string_value(json_object_get(pattern, "String")),
               *regex = json_string_value(json_object_get(pattern, "Regex")),
               *content = json_string_value(json_object_get(d, "content"));
    if (!content || (!text && !regex)) return damaged("Replace", "pattern or content is missing");
    if (regex && strcmp(regex, " {2,}") != 0)
        return tt_fail(TT_ERR_UNSUPPORTED,
            "normalizer Replace: the pattern \"%.60s\"; supported are \" {2,}\" and texts", regex);
    if (text && !*text) return damaged("Replace", "its pattern is empty");
    s->kind = regex ? REPLACE_SPACES : REPLACE;
    if (text) TT_TRY(tt_strdup(&s->what, text));
    return tt_strdup(&s->with, content);
}

// Says how to do without: what a step does to a text can be done before, to all texts.
static tt_status refuse_step(const char *type) {
    static const struct {
        const char *type, *python;
    } others[] = {{"NFC", "unicodedata.normalize('NFC', text)"},
        {"NFD", "unicodedata.normalize('NFD', text)"}, {"NFKC", "unicodedata.normalize('NFKC', text)"},
        {"NFKD", "unicodedata.normalize('NFKD', text)"}, {"Lowercase", "text.lower()"},
        {"Nmt", "tokenizers.normalizers.Nmt().normalize_str(text)"},
        {"StripAccents", "tokenizers.normalizers.StripAccents().normalize_str(text)"}};
    for (size_t i = 0; i < sizeof others / sizeof *others; ++i)
        if (strcmp(type, others[i].type) == 0)
            return tt_fail(TT_ERR_UNSUPPORTED,
                "normalizer %s; supported are Precompiled, Replace, Strip, Prepend and a Sequence of these. "
                "Normalise all texts beforehand, in Python: %s, and take this step out of the file",
                type, others[i].python);
    return tt_fail(TT_ERR_UNSUPPORTED,
        "normalizer %.40s; supported are Precompiled, Replace, Strip, Prepend and a Sequence of these", type);
}

static tt_status read_step(tt_normalizer *z, const json_t *d, const char *type) {
    step *s = &z->steps[z->n++];
    if (strcmp(type, "Precompiled") == 0) {
        const char *map = json_string_value(json_object_get(d, "precompiled_charsmap"));
        s->kind = CHARSMAP;
        if (!map || !*map) { // nothing to replace
            z->n--;
            return TT_OK;
        }
        return tt_charsmap_open(&s->map, map);
    }
    if (strcmp(type, "Replace") == 0) return read_replace(s, d);
    if (strcmp(type, "Strip") == 0) {
        s->kind = STRIP;
        s->left = json_is_true(json_object_get(d, "strip_left"));
        s->right = json_is_true(json_object_get(d, "strip_right"));
        return TT_OK;
    }
    if (strcmp(type, "Prepend") == 0) {
        const char *text = json_string_value(json_object_get(d, "prepend"));
        s->kind = PREPEND;
        return text ? tt_strdup(&s->with, text) : damaged("Prepend", "prepend is missing");
    }
    return refuse_step(type);
}

static tt_status read_steps(tt_normalizer *z, const json_t *d, int depth) {
    const char *type = json_string_value(json_object_get(d, "type"));
    if (!type || depth > MOST_STEPS)
        return damaged(type ? type : "?", type ? "nested too deeply" : "type is missing");
    if (strcmp(type, "Sequence") != 0) {
        if (z->n == MOST_STEPS)
            return tt_fail(TT_ERR_UNSUPPORTED, "normalizer: more than %d steps", MOST_STEPS);
        return read_step(z, d, type);
    }
    const json_t *list = json_object_get(d, "normalizers");
    if (!json_is_array(list)) return damaged(type, "normalizers is missing");
    for (size_t i = 0; i < json_array_size(list); ++i)
        TT_TRY(read_steps(z, json_array_get(list, i), depth + 1));
    return TT_OK;
}

tt_status tt_normalizer_open(tt_normalizer **out, const json_t *description) {
    *out = NULL;
    tt_normalizer *z;
    TT_TRY(tt_alloc(&z, 1, sizeof *z, "normalizer"));
    tt_status status = !description || json_is_null(description) ? TT_OK : read_steps(z, description, 0);
    if (status == TT_OK)
        *out = z;
    else
        tt_normalizer_close(z);
    return status;
}

void tt_normalizer_close(tt_normalizer *z) {
    if (!z) return;
    for (int i = 0; i < z->n; ++i) {
        tt_charsmap_close(z->steps[i].map);
        free(z->steps[i].what);
        free(z->steps[i].with);
    }
    free(z);
}

static void replace_text(const char *p, const step *s, tt_str *out) {
    for (const char *hit; (hit = strstr(p, s->what)) != NULL; p = hit + strlen(s->what)) {
        tt_str_append_n(out, p, (size_t)(hit - p));
        tt_str_append(out, s->with);
    }
    tt_str_append(out, p);
}

// Replaces each run of two and more spaces.
static void replace_spaces(const char *p, const step *s, tt_str *out) {
    while (*p) {
        const size_t spaces = strspn(p, " "), others = strcspn(p + spaces, " ");
        if (spaces > 1)
            tt_str_append(out, s->with);
        else
            tt_str_append_n(out, p, spaces);
        tt_str_append_n(out, p + spaces, others);
        p += spaces + others;
    }
}

static void strip(const char *p, size_t n, const step *s, tt_str *out) {
    while (s->left && n && tt_unicode_is_space(tt_utf8_code(p))) {
        const size_t length = (size_t)tt_utf8_length(*p);
        p += length;
        n -= length;
    }
    while (s->right && n) {
        const size_t length = (size_t)tt_utf8_last(p, n);
        if (!tt_unicode_is_space(tt_utf8_code(p + n - length))) break;
        n -= length;
    }
    tt_str_append_n(out, p, n);
}

void tt_normalizer_apply(const tt_normalizer *z, tt_str *text) {
    tt_str next = {0};
    for (int i = 0; i < z->n && !text->failed; ++i) {
        const step *s = &z->steps[i];
        const char *from = tt_str_text(text);
        tt_str_clear(&next);
        tt_str_append(&next, "");
        switch (s->kind) {
        case CHARSMAP:
            tt_charsmap_apply(s->map, from, text->length, &next);
            break;
        case REPLACE:
            replace_text(from, s, &next);
            break;
        case REPLACE_SPACES:
            replace_spaces(from, s, &next);
            break;
        case STRIP:
            strip(from, text->length, s, &next);
            break;
        case PREPEND:
            if (text->length) tt_str_append(&next, s->with);
            tt_str_append_n(&next, from, text->length);
            break;
        }
        const tt_str swapped = *text;
        *text = next;
        next = swapped;
    }
    tt_str_close(&next);
}
