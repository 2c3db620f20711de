#include "host/text/added_tokens.h"

#include "host/text/unicode.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

tt_status tt_added_put(tt_added_tokens *list, const tt_added_token *token) {
    tt_added_token copy = *token;
    const size_t length = strlen(token->content);
    int at = 0;
    for (; at < list->n; ++at)
        if (strcmp(list->items[at].content, token->content) == 0) {
            copy.content = list->items[at].content;
            list->items[at] = copy;
            return TT_OK;
        }
    copy.content = tt_arena_strdup(&list->memory, token->content);
    if (!copy.content) return TT_ERR_NOMEM;
    TT_TRY(tt_grow(&list->items, &list->capacity, (size_t)list->n + 1, sizeof *list->items, "added tokens"));
    for (at = list->n++; at > 0 && strlen(list->items[at - 1].content) < length; --at)
        list->items[at] = list->items[at - 1];
    list->items[at] = copy;
    list->begins[(unsigned char)*copy.content] = true;
    return TT_OK;
}

tt_status tt_added_put_all(tt_added_tokens *list, const json_t *array) {
    enum { MOST_ID = 1 << 24 };
    if (array && !json_is_array(array)) return tt_fail(TT_ERR_FORMAT, "added_tokens is not a list");
    for (size_t i = 0; i < json_array_size(array); ++i) {
        const json_t *entry = json_array_get(array, i), *id = json_object_get(entry, "id"),
                     *normalized = json_object_get(entry, "normalized");
        const char *content = json_string_value(json_object_get(entry, "content"));
        const double value = json_is_number(id) ? json_number_value(id) : -1;
        if (!content || !*content || !(value >= 0 && value <= MOST_ID && value == floor(value)))
            return tt_fail(TT_ERR_FORMAT,
                "added_tokens: entry %zu (\"%.40s\") needs a content and an id from 0 to %d", i,
                content ? content : "", MOST_ID);
        tt_added_token token = {.content = content,
            .id = (int)value,
            .special = json_is_true(json_object_get(entry, "special")),
            .single_word = json_is_true(json_object_get(entry, "single_word")),
            .lstrip = json_is_true(json_object_get(entry, "lstrip")),
            .rstrip = json_is_true(json_object_get(entry, "rstrip"))};
        token.normalized = normalized ? json_is_true(normalized) : !token.special;
        TT_TRY(tt_added_put(list, &token));
    }
    return TT_OK;
}

void tt_added_close(tt_added_tokens *list) {
    free(list->items);
    tt_arena_close(&list->memory);
    *list = (tt_added_tokens){0};
}

const tt_added_token *tt_added_find(const tt_added_tokens *list, const char *text, size_t n) {
    if (!n || !list->begins[(unsigned char)*text]) return NULL;
    for (int i = 0; i < list->n; ++i)
        if (strlen(list->items[i].content) == n && memcmp(list->items[i].content, text, n) == 0)
            return &list->items[i];
    return NULL;
}

// The longest token at the start of text[0..n), or NULL.
static const tt_added_token *token_at(const tt_added_tokens *list, const char *text, size_t n) {
    if (!list->begins[(unsigned char)*text]) return NULL;
    for (int i = 0; i < list->n; ++i) {
        const size_t length = strlen(list->items[i].content);
        if (length <= n && memcmp(list->items[i].content, text, length) == 0) return &list->items[i];
    }
    return NULL;
}

// Bytes of white space at the end and at the start of text[0..n).
static size_t spaces_at_end(const char *text, size_t n) {
    const size_t all = n;
    while (n) {
        const size_t length = (size_t)tt_utf8_last(text, n);
        if (!tt_unicode_is_space(tt_utf8_code(text + n - length))) break;
        n -= length;
    }
    return all - n;
}

static size_t spaces_at_start(const char *text, size_t n) {
    size_t at = 0;
    while (at < n && tt_unicode_is_space(tt_utf8_code(text + at))) at += (size_t)tt_utf8_length(text[at]);
    return at;
}

// ---- transformers' Python tokenizers

// A part of a text, in a copy that may be written to.
typedef struct part {
    char *text;
    size_t n;
} part;

typedef struct parts {
    part *items;
    size_t n, capacity;
} parts;

static tt_status add_part(parts *p, char *text, size_t n) {
    if (!n) return TT_OK;
    TT_TRY(tt_grow(&p->items, &p->capacity, p->n + 1, sizeof *p->items, "parts of a text"));
    p->items[p->n++] = (part){text, n};
    return TT_OK;
}

static tt_status find_parts(const tt_added_tokens *list, char *text, size_t n, parts *out) {
    size_t from = 0;
    for (size_t at = 0; at < n;) {
        const tt_added_token *token = token_at(list, text + at, n - at);
        if (!token) {
            ++at;
            continue;
        }
        const size_t length = strlen(token->content);
        TT_TRY(add_part(out, text + from, at - from));
        TT_TRY(add_part(out, text + at, length));
        from = at += length;
    }
    return add_part(out, text + from, n - from);
}

// The part `at` is a token: lets it take white space from its neighbours, or makes it a part of one whose word it is in,
// which the neighbours as they were before decide.
static void apply_flags(parts *p, size_t at, const tt_added_token *token) {
    part *self = &p->items[at], *left = at > 0 && p->items[at - 1].n ? self - 1 : NULL,
         *right = at + 1 < p->n && p->items[at + 1].n ? self + 1 : NULL;
    const char last = left ? left->text[left->n - 1] : '\0', first = right ? right->text[0] : '\0';
    if (token->rstrip && right) {
        const size_t spaces = spaces_at_start(right->text, right->n);
        right->text += spaces;
        right->n -= spaces;
    }
    if (token->lstrip && left) left->n -= spaces_at_end(left->text, left->n);
    if (token->single_word && left && last != ' ') {
        memmove(left->text + left->n, self->text, self->n);
        left->n += self->n;
        self->n = 0;
    } else if (token->single_word && right && first != ' ') {
        memmove(right->text - self->n, self->text, self->n);
        right->text -= self->n;
        right->n += self->n;
        self->n = 0;
    }
}

static tt_status give_parts(const tt_added_tokens *list, const parts *p, const tt_added_sink *sink) {
    for (size_t i = 0; i < p->n; ++i) {
        const part *one = &p->items[i];
        if (!one->n) continue;
        const tt_added_token *token = tt_added_find(list, one->text, one->n);
        TT_TRY(
            token ? sink->token(sink->context, token) : sink->text(sink->context, one->text, one->n, i == 0));
    }
    return TT_OK;
}

tt_status tt_added_cut(const tt_added_tokens *list, const char *text, size_t n, const tt_added_sink *sink) {
    parts p = {0};
    char *copy;
    TT_TRY(tt_strdup(&copy, text));
    tt_status status = find_parts(list, copy, n, &p);
    for (size_t i = 0; i < p.n && status == TT_OK; ++i) {
        const tt_added_token *token = tt_added_find(list, p.items[i].text, p.items[i].n);
        if (token) apply_flags(&p, i, token);
    }
    if (status == TT_OK) status = give_parts(list, &p, sink);
    free(p.items);
    free(copy);
    return status;
}

// ---- the `tokenizers` package

static bool is_part_of_a_word(const char *text, size_t n, size_t from, size_t to) {
    return (from > 0 && tt_unicode_is_word(tt_utf8_code(text + from - (size_t)tt_utf8_last(text, from)))) ||
           (to < n && tt_unicode_is_word(tt_utf8_code(text + to)));
}

tt_status tt_added_cut_fast(
    const tt_added_tokens *list, const char *text, size_t n, bool at_start, const tt_added_sink *sink) {
    size_t given = 0; // what the sink has, or a token took
    for (size_t at = 0; at < n;) {
        const tt_added_token *token = token_at(list, text + at, n - at);
        if (!token) {
            ++at;
            continue;
        }
        size_t from = at, to = at + strlen(token->content);
        at = to;
        if (token->single_word && is_part_of_a_word(text, n, from, to)) continue;
        if (token->lstrip) from -= spaces_at_end(text, from);
        if (token->lstrip && from < given) from = given;
        if (token->rstrip) to += spaces_at_start(text + to, n - to);
        if (given < from)
            TT_TRY(sink->text(sink->context, text + given, from - given, at_start && given == 0));
        TT_TRY(sink->token(sink->context, token));
        given = to;
    }
    if (given >= n) return TT_OK;
    return sink->text(sink->context, text + given, n - given, at_start && given == 0);
}
