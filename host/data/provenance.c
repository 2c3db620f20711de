#include "host/data/provenance.h"

#include "host/base/str.h"
#include "host/data/hdf5_file.h"
#include "host/data/renew.h"

#include <stdlib.h>
#include <string.h>

tt_status tt_provenance_read(const char *path, uint64_t *hash, json_t **out) {
    tt_h5 h;
    char *text = NULL;
    int64_t number = 0;
    *out = NULL;
    TT_TRY(tt_h5_open_any(&h, path, "corpus"));
    tt_status status = tt_h5_get_i64(&h, "/", "hash", &number);
    if (status == TT_OK) status = tt_h5_read_text(&h, "/provenance", &text);
    tt_h5_close(&h);
    *hash = (uint64_t)number;
    if (status == TT_OK) *out = json_loads(text, 0, NULL);
    free(text);
    return status;
}

enum { SHOWN_TEXT = 72, DEEPEST = 32 };

// A text on one line; of a long one its beginning and its length.
static void print_text(const char *text, FILE *out) {
    size_t n = strlen(text), shown = n;
    if (n > SHOWN_TEXT) {
        shown = SHOWN_TEXT;
        while (shown > 0 && ((unsigned char)text[shown] & 0xC0) == 0x80) --shown; // no half character
    }
    for (size_t i = 0; i < shown; ++i) {
        const unsigned char c = (unsigned char)text[i];
        const bool high = c == 0xC2 && (unsigned char)text[i + 1] < 0xA0; // U+0080 to U+009F
        fputc(c < ' ' || c == 0x7f || high ? ' ' : c, out);
        i += high;
    }
    if (shown < n) fprintf(out, "... (%zu bytes)", n);
    fputc('\n', out);
}

static void print_value(const json_t *value, int depth, FILE *out);

static void print_member(const char *name, const json_t *value, int depth, FILE *out) {
    const bool nested = json_object_size(value) > 0 || json_array_size(value) > 0;
    fprintf(out, "%*s%-*s", 2 * depth, "", nested ? 0 : 18, name);
    fputs(nested ? ":\n" : "  ", out);
    print_value(value, depth + 1, out);
}

static void print_value(const json_t *value, int depth, FILE *out) {
    const char *name;
    json_t *member;
    size_t i;
    if (json_is_string(value)) {
        print_text(json_string_value(value), out);
    } else if (depth < DEEPEST && json_object_size(value) > 0) {
        json_object_foreach((json_t *)value, name, member) print_member(name, member, depth, out);
    } else if (depth < DEEPEST && json_array_size(value) > 0) {
        json_array_foreach(value, i, member) {
            char number[24];
            snprintf(number, sizeof number, "%zu", i + 1);
            print_member(number, member, depth, out);
        }
    } else {
        char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));
        print_text(text ? text : "?", out);
        free(text);
    }
}

// Prints a text with every line indented, so that it stands out from what follows.
static void print_indented(const char *text, FILE *out) {
    tt_str visible = {0};
    tt_str_append_visible(&visible, text);
    fputs("    ", out);
    for (const char *c = tt_str_text(&visible); *c; ++c) {
        fputc(*c, out);
        if (*c == '\n') fputs("    ", out);
    }
    fputc('\n', out);
    tt_str_close(&visible);
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
    json_t *source = json_loads(provenance, 0, NULL), *teacher = json_object_get(source, "teacher");
    json_t *counts = json_incref(json_object_get(teacher, "counts"));
    if (json_is_object(counts)) json_object_del(teacher, "counts"); // a table of their own
    if (!source) {
        fprintf(out, "made from %s\n", provenance);
    } else if (json_object_size(source) > 0) {
        fputs("made from\n", out);
        print_value(source, 1, out);
    }
    if (json_is_object(counts)) show_counts(counts, out);
    json_decref(counts);
    json_decref(source);
}
