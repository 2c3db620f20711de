#include "host/data/provenance.h"

#include "host/data/hdf5_file.h"

#include <stdlib.h>
#include <string.h>

tt_status tt_provenance_read(const char *path, uint64_t *hash, json_t **out) {
    tt_h5 h;
    char *text = NULL;
    int64_t number = 0;
    *out = NULL;
    TT_TRY(tt_h5_open(&h, path, "corpus"));
    tt_status status = tt_h5_get_i64(&h, "/", "hash", &number);
    if (status == TT_OK) status = tt_h5_get_text(&h, "/", "provenance", &text);
    tt_h5_close(&h);
    *hash = (uint64_t)number;
    if (status == TT_OK) *out = json_loads(text, 0, NULL);
    free(text);
    return status;
}

// Prints a text with every line indented, so that it stands out from what follows.
static void print_indented(const char *text, FILE *out) {
    fputs("    ", out);
    for (; *text; ++text) {
        fputc(*text, out);
        if (*text == '\n') fputs("    ", out);
    }
    fputc('\n', out);
}

static long long count_of(const json_t *counts, const char *key) {
    return json_integer_value(json_object_get(counts, key));
}

static void show_counts(const json_t *counts, FILE *out) {
    const char *word;
    json_t *value;
    fprintf(out,
        "collected from the teacher: %lld questions asked, %lld answered, %lld with reasoning, %lld "
        "relabelled\n",
        count_of(counts, "questions"), count_of(counts, "answered"), count_of(counts, "with_reasoning"),
        count_of(counts, "relabelled"));
    fprintf(out, "  %lld prompt and %lld answer tokens", count_of(counts, "prompt_tokens"),
        count_of(counts, "completion_tokens"));
    if (json_is_number(json_object_get(counts, "cost"))) {
        const char *currency = json_string_value(json_object_get(counts, "currency"));
        fprintf(
            out, ", %.2f %s", json_number_value(json_object_get(counts, "cost")), currency ? currency : "");
    }
    fprintf(out, "\n  %lld answers; of these\n", count_of(counts, "answers"));
    json_object_foreach(json_object_get(counts, "verdicts"), word, value)
        fprintf(out, "  %-18s %7lld\n", word, (long long)json_integer_value(value));
    json_object_foreach(json_object_get(counts, "examples"), word, value) {
        if (!json_is_string(value)) continue;
        fprintf(out, "  first that is %s:\n", word);
        print_indented(json_string_value(value), out);
    }
}

void tt_provenance_show(const char *provenance, FILE *out) {
    if (!provenance || !*provenance) return;
    json_t *root = json_loads(provenance, 0, NULL), *teacher = json_object_get(root, "teacher");
    json_t *counts = json_incref(json_object_get(teacher, "counts"));
    char *rest = NULL;
    if (json_is_object(counts) && json_object_del(teacher, "counts") == 0)
        rest = json_dumps(root, JSON_COMPACT);
    fprintf(out, "made from %s\n", rest ? rest : provenance);
    if (rest) show_counts(counts, out);
    free(rest);
    json_decref(counts);
    json_decref(root);
}
