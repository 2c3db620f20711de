#include "host/lab/outcomes.h"

#include "host/base/memory.h"
#include "host/base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void append_text(tt_str *out, const json_t *text) {
    if (json_is_string(text)) tt_str_append(out, json_string_value(text));
    tt_str_append_n(out, "\n", 1);
}

const json_t *tt_outcomes_right_option(const json_t *prediction) {
    const json_t *taught = json_object_get(prediction, "taught");
    return taught ? taught : json_object_get(prediction, "gold");
}

static tt_status content_of(const json_t *prediction, uint64_t *out) {
    tt_str text = {0};
    size_t i;
    const json_t *option;
    append_text(&text, json_object_get(prediction, "question"));
    append_text(&text, tt_outcomes_right_option(prediction));
    json_array_foreach(json_object_get(prediction, "options"), i, option) append_text(&text, option);
    *out = tt_hash(tt_str_text(&text), text.length);
    tt_status status = tt_str_status(&text);
    tt_str_close(&text);
    return status;
}

tt_status tt_outcomes_add(tt_outcomes *o, const json_t *prediction) {
    const char *id = json_string_value(json_object_get(prediction, "id"));
    const json_t *right = json_object_get(prediction, "right");
    if (!id || !json_is_boolean(right)) return TT_OK;
    tt_outcome one = {.id = tt_hash(id, strlen(id)), .right = json_is_true(right)};
    TT_TRY(content_of(prediction, &one.content));
    TT_TRY(tt_grow(&o->items, &o->capacity, o->n + 1, sizeof *o->items, "answers"));
    o->items[o->n++] = one;
    o->right += one.right;
    o->sorted = false;
    return TT_OK;
}

void tt_outcomes_close(tt_outcomes *o) {
    free(o->items);
    *o = (tt_outcomes){0};
}

static int by_id(const void *a, const void *b) {
    const uint64_t x = ((const tt_outcome *)a)->id, y = ((const tt_outcome *)b)->id;
    return (x > y) - (x < y);
}

void tt_outcomes_sort(tt_outcomes *o) {
    if (!o->sorted && o->n > 0) qsort(o->items, o->n, sizeof *o->items, by_id);
    o->sorted = true;
}

static bool repeats_ids(const tt_outcomes *o) {
    for (size_t i = 1; i < o->n; ++i)
        if (o->items[i].id == o->items[i - 1].id) return true;
    return false;
}

bool tt_outcomes_pair(
    const tt_outcomes *before, const tt_outcomes *after, tt_paired *out, char why[TT_PAIRED_WHY]) {
    *out = (tt_paired){0};
    *why = '\0';
    if (before->n == 0 || after->n == 0) {
        snprintf(why, TT_PAIRED_WHY, "answers are not stored");
        return false;
    }
    if (repeats_ids(before) || repeats_ids(after)) {
        snprintf(why, TT_PAIRED_WHY, "question ids are repeated");
        return false;
    }
    size_t matched = 0, differ = 0;
    for (size_t i = 0, k = 0; i < before->n && k < after->n;) {
        const tt_outcome *x = &before->items[i], *y = &after->items[k];
        i += x->id <= y->id;
        k += y->id <= x->id;
        if (x->id != y->id) continue;
        matched++;
        differ += x->content != y->content;
        out->to_right += !x->right && y->right;
        out->to_wrong += x->right && !y->right;
    }
    out->n = (int64_t)matched;
    if (matched < before->n || matched < after->n)
        snprintf(why, TT_PAIRED_WHY, "other questions: %zu in common of %zu and %zu", matched, before->n,
            after->n);
    else if (differ > 0)
        snprintf(why, TT_PAIRED_WHY, "%zu of %zu questions with the same ids differ", differ, matched);
    return !*why;
}
