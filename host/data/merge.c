#include "host/data/merge.h"

#include "host/base/memory.h"
#include "host/data/lookup.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

typedef struct merge {
    tt_corpus *out;
    const char *const *paths;
    tt_lookup ids;
    size_t *ends; // [files]: how many questions the result has after each
    json_t *sources;
    tt_merge_counts *counts;
} merge;

// What two questions of the same id differ in, or NULL.
static const char *difference(const tt_question *a, const tt_question *b) {
    if (strcmp(a->text, b->text) != 0) return "text";
    if (a->n_options != b->n_options) return "number of options";
    for (int o = 0; o < a->n_options; ++o)
        if (strcmp(a->options[o], b->options[o]) != 0) return "options";
    if (a->gold != b->gold) return "gold answer";
    return a->split != b->split ? "split" : NULL;
}

// The file that a question of the result came from.
static const char *origin_of(const merge *m, int question) {
    int file = 0;
    while ((size_t)question >= m->ends[file]) ++file;
    return m->paths[file];
}

// place: [from->n_questions], receives the questions' indices in the result.
static tt_status add_questions(merge *m, const tt_corpus *from, int file, int *place) {
    const size_t known = m->out->n_questions;
    for (size_t i = 0; i < from->n_questions; ++i) {
        const tt_question *q = &from->questions[i];
        place[i] = tt_lookup_find(&m->ids, q->id, NULL);
        if (place[i] >= 0) {
            const char *what = difference(&m->out->questions[place[i]], q);
            if (what)
                return tt_fail(TT_ERR_INPUT, "question %s: %s: not the same in %s and %s", q->id, what,
                    origin_of(m, place[i]), m->paths[file]);
            m->counts->shared++;
            continue;
        }
        place[i] = (int)m->out->n_questions;
        TT_TRY(tt_corpus_add_question(m->out, q));
    }
    for (size_t i = known; i < m->out->n_questions; ++i)
        TT_TRY(tt_lookup_add(&m->ids, m->out->questions[i].id, (int)i));
    tt_lookup_sort(&m->ids);
    m->ends[file] = m->out->n_questions;
    return TT_OK;
}

static tt_status add_reasoning(merge *m, const tt_corpus *from, const int *place) {
    for (size_t i = 0; i < from->n_reasoning; ++i) {
        tt_reasoning r = from->reasoning[i];
        r.question = place[r.question];
        TT_TRY(tt_corpus_add_reasoning(m->out, &r));
        m->counts->repeated += tt_reasoning_repeats(m->out, m->out->n_reasoning - 1);
    }
    return TT_OK;
}

static void add_source(merge *m, const tt_corpus *from, const char *path) {
    char hash[20];
    const char *slash = strrchr(path, '/');
    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)from->hash);
    json_t *source = json_loads(from->provenance ? from->provenance : "", 0, NULL);
    json_array_append_new(
        m->sources, json_pack("{s:s, s:s, s:s, s:o*}", "file", slash ? slash + 1 : path, "name",
                        from->name ? from->name : "", "hash", hash, "source", source));
}

static tt_status add_file(merge *m, int file) {
    tt_corpus from;
    int *place = NULL;
    TT_TRY(tt_corpus_load(&from, m->paths[file]));
    tt_status status = tt_alloc(&place, from.n_questions, sizeof *place, "merge");
    if (status == TT_OK) status = add_questions(m, &from, file, place);
    if (status == TT_OK) status = add_reasoning(m, &from, place);
    if (status == TT_OK && file == 0) {
        m->out->name = tt_arena_strdup(&m->out->memory, from.name);
        if (!m->out->name) status = TT_ERR_NOMEM;
    }
    if (status == TT_OK) add_source(m, &from, m->paths[file]);
    free(place);
    tt_corpus_close(&from);
    return status;
}

static tt_status keep_provenance(merge *m, int n) {
    json_t *object = json_pack("{s:O}", "merged", m->sources);
    char *text = object && json_array_size(m->sources) == (size_t)n ? json_dumps(object, JSON_COMPACT) : NULL;
    json_decref(object);
    if (!text) return tt_fail(TT_ERR_NOMEM, "out of memory for a corpus");
    m->out->provenance = tt_arena_strdup(&m->out->memory, text);
    free(text);
    return m->out->provenance ? TT_OK : TT_ERR_NOMEM;
}

tt_status tt_corpus_merge(tt_corpus *out, const char *const *paths, int n, tt_merge_counts *counts) {
    *counts = (tt_merge_counts){0};
    merge m = {.out = out, .paths = paths, .counts = counts, .sources = json_array()};
    tt_status status = tt_alloc(&m.ends, (size_t)n, sizeof *m.ends, "merge");
    for (int i = 0; i < n && status == TT_OK; ++i) status = add_file(&m, i);
    if (status == TT_OK) status = tt_corpus_group_reasoning(out);
    if (status == TT_OK) status = keep_provenance(&m, n);
    tt_lookup_close(&m.ids);
    free(m.ends);
    json_decref(m.sources);
    return status;
}
