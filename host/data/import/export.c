// A corpus as our own JSONL.
#include "host/data/import/import.h"

#include <stdlib.h>

static json_t *list_of(const char *const *texts, int n) {
    json_t *list = json_array();
    for (int i = 0; i < n; ++i) json_array_append_new(list, json_string(texts[i]));
    return list;
}

static json_t *reasoning_object(const tt_reasoning *r, int n_options) {
    json_t *object = json_object();
    if (r->general) json_object_set_new(object, "general", json_string(r->general));
    if (r->specific) json_object_set_new(object, "specific", list_of(r->specific, n_options));
    json_object_set_new(object, "answer", json_integer(r->answer));
    if (r->source && r->source[0]) json_object_set_new(object, "source", json_string(r->source));
    return object;
}

// indices: room for the question's reasonings.
static json_t *question_object(const tt_corpus *corpus, int question, int *indices) {
    const tt_question *q = &corpus->questions[question];
    json_t *object = json_object();
    json_object_set_new(object, "id", json_string(q->id));
    json_object_set_new(object, "question", json_string(q->text));
    json_object_set_new(object, "options", list_of(q->options, q->n_options));
    json_object_set_new(object, "gold", json_integer(q->gold));
    json_object_set_new(object, "split", json_string(tt_split_name(q->split)));
    int n = 0;
    for (int r = corpus->latest[question]; r >= 0; r = corpus->earlier[r]) indices[n++] = r;
    if (n == 0) return object;
    json_t *list = json_array();
    while (n > 0)
        json_array_append_new(list, reasoning_object(&corpus->reasoning[indices[--n]], q->n_options));
    json_object_set_new(object, "reasoning", list);
    return object;
}

static tt_status append_line(const json_t *object, size_t members, tt_str *out) {
    char *text = json_object_size(object) >= members ? json_dumps(object, 0) : NULL;
    if (!text) return tt_fail(TT_ERR_NOMEM, "out of memory for JSONL");
    tt_str_append(out, text);
    tt_str_append(out, "\n");
    free(text);
    return tt_str_status(out);
}

tt_status tt_export_jsonl(const tt_corpus *corpus, tt_str *out) {
    int *indices;
    tt_status status = TT_OK;
    TT_TRY(tt_alloc(&indices, corpus->n_reasoning + 1, sizeof *indices, "reasoning"));
    for (size_t i = 0; i < corpus->n_questions && status == TT_OK; ++i) {
        json_t *object = question_object(corpus, (int)i, indices);
        status = append_line(object, corpus->latest[i] < 0 ? 5 : 6, out);
        json_decref(object);
    }
    free(indices);
    return status;
}
