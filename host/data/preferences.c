#include "host/data/preferences.h"

#include "host/base/number.h"
#include "host/data/hdf5_file.h"
#include "host/data/renew.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char kind[] = "preferences";
enum { FORMAT = 2 };

// Columns and their members; the column `source` is written beside them.
#define TEXTS(X)                                                                                             \
    X(prompt)                                                                                                \
    X(chosen)                                                                                                \
    X(rejected)
#define INTEGERS(X)                                                                                          \
    X(stage)                                                                                                 \
    X(question)                                                                                              \
    X(option)                                                                                                \
    X(chosen_run)                                                                                            \
    X(rejected_run)
#define REALS(X)                                                                                             \
    X(reference_chosen)                                                                                      \
    X(reference_rejected)

static const struct {
    const char *word, *description;
} sources[TT_PAIR_SOURCES] = {
#define X(source, word, description) [source] = {word, description},
    TT_PAIR_SOURCE_MAP(X)
#undef X
};

const char *tt_pair_source_name(tt_pair_source source) {
    return sources[source].word;
}

static tt_status keep_came_with(tt_preferences *p, tt_preference_texts *to, const char *const *texts, int n) {
    const char **copy = n ? tt_arena_alloc(&p->memory, (size_t)n * sizeof *copy) : NULL;
    if (n && !copy) return TT_ERR_NOMEM;
    for (int i = 0; i < n; ++i)
        if (!(copy[i] = tt_arena_strdup(&p->memory, texts[i]))) return TT_ERR_NOMEM;
    to->came_with = copy;
    to->n_came_with = n;
    return TT_OK;
}

tt_status tt_preferences_add(tt_preferences *p, const tt_preference_texts *texts) {
    TT_TRY(tt_grow(&p->items, &p->capacity, p->n + 1, sizeof *p->items, "preference pairs"));
    tt_preference_texts *to = &p->items[p->n];
    *to = *texts;
#define COPY(name)                                                                                           \
    if (!(to->name = tt_arena_strdup(&p->memory, texts->name))) return TT_ERR_NOMEM;
    TEXTS(COPY)
#undef COPY
    TT_TRY(keep_came_with(p, to, texts->came_with, texts->n_came_with));
    p->n++;
    return TT_OK;
}

void tt_preferences_close(tt_preferences *p) {
    free(p->items);
    tt_arena_close(&p->memory);
    *p = (tt_preferences){0};
}

int tt_preferences_count(const tt_preferences *p, tt_stage stage) {
    int n = 0;
    for (size_t i = 0; i < p->n; ++i) n += p->items[i].stage == stage;
    return n;
}

// Texts of all pairs back to back, those of pair i at offsets[i]..offsets[i+1].
static tt_status put_came_with(const tt_h5 *h, const tt_preferences *p) {
    size_t total = 0, at = 0;
    for (size_t i = 0; i < p->n; ++i) total += (size_t)p->items[i].n_came_with;
    const char **texts = NULL;
    int64_t *offsets = NULL;
    tt_status status = tt_alloc(&offsets, p->n + 1, sizeof *offsets, "preference pairs");
    if (status == TT_OK) status = tt_alloc(&texts, total, sizeof *texts, "preference pairs");
    for (size_t i = 0; i < p->n && status == TT_OK; ++i) {
        for (int k = 0; k < p->items[i].n_came_with; ++k) texts[at++] = p->items[i].came_with[k];
        offsets[i + 1] = (int64_t)at;
    }
    if (status == TT_OK && total) status = tt_h5_write_texts(h, "/pairs/came_with", texts, total);
    if (status == TT_OK)
        status = tt_h5_write(
            h, "/pairs/came_with_offsets", (tt_h5_layout){H5T_NATIVE_INT64, p->n + 1, 0}, offsets);
    free(texts);
    free(offsets);
    return status;
}

static tt_status put_all(const tt_h5 *h, const tt_preferences *p) {
    TT_TRY(tt_h5_put_i64(h, "/", "format", FORMAT));
    TT_TRY(tt_h5_group(h, "/pairs"));
    TT_TRY(tt_h5_put_i64(h, "/pairs", "n", (int64_t)p->n));
    TT_TRY(tt_h5_put_i64(h, "/pairs", "questions", p->questions));
    TT_TRY(tt_h5_put_i64(h, "/pairs", "without_pairs", p->without_pairs));
    TT_TRY(tt_h5_put_i64(h, "/pairs", "rules", p->rules));
    TT_TRY(tt_h5_put_i64(h, "/pairs", "scored", p->scored));
    TT_TRY(tt_h5_put_i64(h, "/pairs", "reference", (int64_t)p->reference));
    if (p->n == 0) return TT_OK;
    union {
        const char *text;
        int32_t integer;
        double real;
    } * column;
    TT_TRY(tt_alloc(&column, p->n, sizeof *column, "preference pairs"));
    tt_status status = TT_OK;
    const char **texts = (const char **)column;
    int32_t *integers = (int32_t *)column;
    double *reals = (double *)column;
    for (size_t i = 0; i < p->n; ++i) texts[i] = tt_pair_source_name(p->items[i].source);
    status = tt_h5_write_texts(h, "/pairs/source", texts, p->n);
#define PUT(name)                                                                                            \
    for (size_t i = 0; i < p->n; ++i) texts[i] = p->items[i].name;                                           \
    if (status == TT_OK) status = tt_h5_write_texts(h, "/pairs/" #name, texts, p->n);
    TEXTS(PUT)
#undef PUT
#define PUT(name)                                                                                            \
    for (size_t i = 0; i < p->n; ++i) integers[i] = (int32_t)p->items[i].name;                               \
    if (status == TT_OK)                                                                                     \
        status = tt_h5_write(h, "/pairs/" #name, (tt_h5_layout){H5T_NATIVE_INT32, p->n, 0}, integers);
    INTEGERS(PUT)
#undef PUT
#define PUT(name)                                                                                            \
    for (size_t i = 0; i < p->n; ++i) reals[i] = p->items[i].name;                                           \
    if (status == TT_OK)                                                                                     \
        status = tt_h5_write(h, "/pairs/" #name, (tt_h5_layout){H5T_NATIVE_DOUBLE, p->n, 0}, reals);
    REALS(PUT)
#undef PUT
    free(column);
    return status == TT_OK ? put_came_with(h, p) : status;
}

tt_status tt_preferences_save(const tt_preferences *p, const char *path) {
    tt_h5 h;
    TT_TRY(tt_h5_create(&h, path, kind));
    tt_status status = put_all(&h, p);
    if (status == TT_OK) status = tt_h5_commit(&h);
    tt_h5_close(&h);
    return status;
}

static tt_status get_texts(const tt_h5 *h, const char *name, tt_preferences *p, size_t member) {
    char **texts;
    size_t n;
    TT_TRY(tt_h5_read_texts(h, name, &texts, &n));
    tt_status status = TT_OK;
    if (n != p->n) status = tt_fail(TT_ERR_FORMAT, "%s: %s has %zu texts of %zu", h->path, name, n, p->n);
    for (size_t i = 0; i < p->n && status == TT_OK; ++i) {
        const char *copy = tt_arena_strdup(&p->memory, texts[i]);
        if (!copy) status = TT_ERR_NOMEM;
        memcpy((char *)&p->items[i] + member, &copy, sizeof copy);
    }
    free(texts);
    return status;
}

static tt_status get_sources(const tt_h5 *h, tt_preferences *p) {
    char **words;
    size_t n;
    TT_TRY(tt_h5_read_texts(h, "/pairs/source", &words, &n));
    tt_status status = TT_OK;
    if (n != p->n)
        status = tt_fail(TT_ERR_FORMAT,
            "%s: damaged: /pairs/source has %zu texts, expected %zu, one for each pair", h->path, n, p->n);
    for (size_t i = 0; i < p->n && status == TT_OK; ++i) {
        int source = 0;
        while (source < TT_PAIR_SOURCES && strcmp(words[i], sources[source].word) != 0) ++source;
        p->items[i].source = (tt_pair_source)source;
        if (source == TT_PAIR_SOURCES)
            status = tt_fail(TT_ERR_FORMAT, "%s: pair %zu has the unknown source '%s'", h->path, i, words[i]);
    }
    free(words);
    return status;
}

static tt_status share_out_came_with(
    const tt_h5 *h, tt_preferences *p, const int64_t *offsets, char *const *texts, size_t total) {
    for (size_t i = 0; i < p->n; ++i) {
        const int64_t n = offsets[i + 1] - offsets[i];
        if (offsets[0] != 0 || n < 0 || n > TT_MAX_OPTIONS || offsets[i + 1] > (int64_t)total)
            return tt_fail(TT_ERR_FORMAT, "%s: /pairs/came_with_offsets is damaged", h->path);
        if (n > 0) TT_TRY(keep_came_with(p, &p->items[i], (const char *const *)texts + offsets[i], (int)n));
    }
    return TT_OK;
}

// Files of earlier versions do not have these columns.
static tt_status get_came_with(const tt_h5 *h, tt_preferences *p) {
    if (!tt_h5_has(h, "/pairs/came_with_offsets")) return TT_OK;
    char **texts = NULL;
    size_t total = 0;
    int64_t *offsets = NULL;
    TT_TRY(tt_alloc(&offsets, p->n + 1, sizeof *offsets, "preference pairs"));
    tt_status status =
        tt_h5_read(h, "/pairs/came_with_offsets", (tt_h5_layout){H5T_NATIVE_INT64, p->n + 1, 0}, offsets);
    if (status == TT_OK && tt_h5_has(h, "/pairs/came_with"))
        status = tt_h5_read_texts(h, "/pairs/came_with", &texts, &total);
    if (status == TT_OK) status = share_out_came_with(h, p, offsets, texts, total);
    free(texts);
    free(offsets);
    return status;
}

static tt_status get_columns(const tt_h5 *h, tt_preferences *p) {
    TT_TRY(get_sources(h, p));
#define GET(name) TT_TRY(get_texts(h, "/pairs/" #name, p, offsetof(tt_preference_texts, name)));
    TEXTS(GET)
#undef GET
    double *reals;
    TT_TRY(tt_alloc(&reals, p->n, sizeof *reals, "preference pairs"));
    int32_t *integers = (int32_t *)reals;
    tt_status status = TT_OK;
#define GET(name)                                                                                            \
    if (status == TT_OK)                                                                                     \
        status = tt_h5_read(h, "/pairs/" #name, (tt_h5_layout){H5T_NATIVE_INT32, p->n, 0}, integers);        \
    for (size_t i = 0; i < p->n && status == TT_OK; ++i) p->items[i].name = integers[i];
    INTEGERS(GET)
#undef GET
#define GET(name)                                                                                            \
    if (status == TT_OK)                                                                                     \
        status = tt_h5_read(h, "/pairs/" #name, (tt_h5_layout){H5T_NATIVE_DOUBLE, p->n, 0}, reals);          \
    for (size_t i = 0; i < p->n && status == TT_OK; ++i) p->items[i].name = reals[i];
    REALS(GET)
#undef GET
    free(reals);
    if (status == TT_OK) status = get_came_with(h, p);
    for (size_t i = 0; i < p->n && status == TT_OK; ++i)
        if (p->items[i].stage > TT_ANALYZE || p->items[i].question < 0 || p->items[i].option < 0 ||
            p->items[i].option >= TT_MAX_OPTIONS)
            status = tt_fail(TT_ERR_FORMAT, "%s: pair %zu is out of range", h->path, i);
    return status;
}

static tt_status get_all(const tt_h5 *h, tt_preferences *p) {
    int64_t format, n, questions, without_pairs, scored, reference, rules = 0;
    TT_TRY(tt_h5_get_i64(h, "/", "format", &format));
    if (format != FORMAT)
        return tt_fail(TT_ERR_FORMAT, "%s: preference pairs of format %lld; this program reads format %d",
            h->path, (long long)format, FORMAT);
    TT_TRY(tt_h5_get_i64(h, "/pairs", "n", &n));
    TT_TRY(tt_h5_get_i64(h, "/pairs", "questions", &questions));
    TT_TRY(tt_h5_get_i64(h, "/pairs", "without_pairs", &without_pairs));
    TT_TRY(tt_h5_get_i64(h, "/pairs", "scored", &scored));
    TT_TRY(tt_h5_get_i64(h, "/pairs", "reference", &reference));
    if (tt_h5_has_attribute(h, "/pairs", "rules")) TT_TRY(tt_h5_get_i64(h, "/pairs", "rules", &rules));
    const int64_t counts[] = {n, questions, without_pairs, rules};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; ++i)
        if (counts[i] < 0 || counts[i] > INT32_MAX)
            return tt_fail(
                TT_ERR_FORMAT, "%s: a count of /pairs, %lld, is out of range", h->path, (long long)counts[i]);
    p->questions = (int)questions;
    p->without_pairs = (int)without_pairs;
    p->rules = (int)rules;
    p->scored = scored != 0;
    p->reference = (uint64_t)reference;
    if (n == 0) return TT_OK;
    size_t rows, columns;
    TT_TRY(tt_h5_shape(h, "/pairs/stage", &rows, &columns));
    if (rows != (size_t)n)
        return tt_fail(TT_ERR_FORMAT,
            "%s: damaged: /pairs/stage has %zu values, expected %lld, one for each pair", h->path, rows,
            (long long)n);
    TT_TRY(tt_grow(&p->items, &p->capacity, (size_t)n, sizeof *p->items, "preference pairs"));
    p->n = (size_t)n;
    return get_columns(h, p);
}

tt_status tt_preferences_load(tt_preferences *out, const char *path) {
    *out = (tt_preferences){0};
    tt_h5 h;
    TT_TRY(tt_h5_open_any(&h, path, kind));
    tt_status status = get_all(&h, out);
    tt_h5_close(&h);
    if (status != TT_OK) tt_preferences_close(out);
    return status;
}

bool tt_preferences_is_file(const char *path) {
    tt_h5 h;
    if (tt_h5_open_any(&h, path, kind) != TT_OK) return false;
    tt_h5_close(&h);
    return true;
}

static void show_pair(const tt_preference_texts *t, bool scored, FILE *out) {
    fprintf(out, "\n%s of question %d", tt_stage_name(t->stage), t->question);
    if (t->stage == TT_ANALYZE) fprintf(out, ", option %c", 'A' + t->option);
    fprintf(out, "\n  prompt    ");
    for (const char *p = t->prompt; *p; ++p) fputs(*p == '\n' ? "\n            " : (char[]){*p, '\0'}, out);
    fprintf(out, "\n  chosen    %s\n            (%s %d)\n", t->chosen, tt_pair_source_name(t->source),
        t->chosen_run);
    for (int i = 0; i < t->n_came_with; ++i)
        fprintf(out, "            came with it: (%c) %s\n", 'A' + i, t->came_with[i]);
    fprintf(out, "  rejected  %s\n            (run %d)\n", t->rejected, t->rejected_run);
    if (scored)
        tt_print(out, "  log-probability under the reference: chosen %.3f, rejected %.3f\n",
            t->reference_chosen, t->reference_rejected);
}

void tt_preferences_show(const tt_preferences *p, int examples, FILE *out) {
    fprintf(out, "preference pairs: %zu, from the runs of %d questions; %d gave none\n", p->n, p->questions,
        p->without_pairs);
    if (p->scored)
        fprintf(out, "log-probabilities under the reference: of checkpoint %016llx\n",
            (unsigned long long)p->reference);
    else
        fprintf(out, "log-probabilities under the reference: not computed yet\n");
    for (int stage = TT_RECALL; stage <= TT_ANALYZE; ++stage) {
        fprintf(out, "%-8s %7d pairs; chosen from", tt_stage_name((tt_stage)stage),
            tt_preferences_count(p, (tt_stage)stage));
        for (int s = 0; s < TT_PAIR_SOURCES; ++s) {
            int n = 0;
            for (size_t i = 0; i < p->n; ++i)
                n += (int)p->items[i].stage == stage && (int)p->items[i].source == s;
            if (n || s == 0) fprintf(out, "%s %d %s", s ? "," : "", n, sources[s].description);
        }
        fputc('\n', out);
    }
    int equal = 0;
    for (size_t i = 0; i < p->n; ++i) equal += strcmp(p->items[i].chosen, p->items[i].rejected) == 0;
    if (equal)
        fprintf(
            out, "%d pairs have the same text on both sides: only the NLL term learns from them\n", equal);
    for (int stage = TT_RECALL; stage <= TT_ANALYZE; ++stage)
        for (size_t i = 0, shown = 0; i < p->n && (int)shown < examples; ++i)
            if ((int)p->items[i].stage == stage) {
                show_pair(&p->items[i], p->scored, out);
                shown++;
            }
}
