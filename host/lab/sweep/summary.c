// A sweep as a table for programs: a line for each run.
#include "host/base/json.h"
#include "host/base/log.h"
#include "host/lab/sweep/notes.h"
#include "host/lab/sweep/sweep.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS = 512 };

typedef struct columns {
    const char *keys[COLUMNS]; // "stages=all": what is before the sign
    int n;
} columns;

static bool same_key(const char *a, const char *b) {
    const size_t n = strcspn(a, "=");
    return strncmp(a, b, n) == 0 && b[n] == '=';
}

static void find_columns(const tt_sweeps *sweeps, columns *out) {
    for (int i = 0; i < sweeps->n; ++i)
        for (int k = 0; k < sweeps->runs[i]->n_said; ++k) {
            bool known = out->n == COLUMNS;
            for (int c = 0; c < out->n && !known; ++c)
                known = same_key(out->keys[c], sweeps->runs[i]->overrides[k]);
            if (!known) out->keys[out->n++] = sweeps->runs[i]->overrides[k];
        }
}

static void append_text(tt_str *out, const char *text) {
    const bool quoted = strpbrk(text, ",\"\r\n") != NULL; // RFC 4180
    tt_str_append(out, quoted ? "\"" : "");
    for (const char *p = text; *p; ++p) tt_str_append_n(out, *p == '"' ? "\"\"" : p, *p == '"' ? 2 : 1);
    if (quoted) tt_str_append(out, "\"");
}

static void append_field(tt_str *out, const char *text) {
    tt_str_append(out, ",");
    append_text(out, text);
}

static void append_settings(tt_str *out, const tt_sweep_run *run, const columns *c) {
    for (int i = 0; i < c->n; ++i) {
        const char *value = "";
        for (int k = 0; k < run->n_said; ++k)
            if (same_key(c->keys[i], run->overrides[k])) value = strchr(run->overrides[k], '=') + 1;
        append_field(out, value);
    }
}

static void append_number(tt_str *out, const json_t *value) {
    tt_str_append(out, ",");
    if (json_is_integer(value))
        tt_str_format(out, "%lld", (long long)json_integer_value(value));
    else if (json_is_number(value))
        tt_str_format(out, "%.9g", json_number_value(value));
}

static void append_score(tt_str *out, const json_t *score) {
    const json_t *interval = json_object_get(score, "ci95");
    append_number(out, json_object_get(score, "accuracy"));
    append_number(out, json_array_get(interval, 0));
    append_number(out, json_array_get(interval, 1));
    append_number(out, json_object_get(score, "n"));
    append_number(out, json_object_get(score, "unanswered"));
}

static void append_training(tt_str *out, const json_t *phases) {
    double sums[3] = {0};
    static const char *const names[] = {"steps", "tokens", "seconds"};
    for (size_t i = 0; i < json_array_size(phases); ++i)
        for (int k = 0; k < 3; ++k)
            sums[k] += json_number_value(json_object_get(json_array_get(phases, i), names[k]));
    for (int k = 0; k < 3; ++k) tt_str_format(out, phases ? ",%.9g" : ",", sums[k]);
}

static void append_run(tt_str *out, const tt_sweep_run *run, const char *state, const columns *c) {
    char path[TT_PATH_MAX];
    tt_sweep_failure failure;
    json_t *root = NULL;
    if (strcmp(state, tt_sweep_state_name(TT_SWEEP_FINISHED)) == 0 &&
        tt_path_join(path, sizeof path, run->path, "result.json") == TT_OK &&
        tt_json_read(&root, path, 0) != TT_OK)
        tt_warn("%s; its numbers are left out", tt_error_message());
    tt_str_format(out, "%d", run->number);
    append_field(out, run->name);
    append_field(out, run->variant);
    tt_str_format(out, ",%lld", (long long)run->seed);
    append_field(out, state);
    append_settings(out, run, c);
    const json_t *test = json_object_get(root, "test"), *phases = json_object_get(root, "phases");
    append_score(out, json_object_get(test, "greedy"));
    append_score(out, json_object_get(test, "self_consistency"));
    append_training(out, phases);
    append_field(out, run->path);
    const bool failed = strcmp(state, tt_sweep_state_name(TT_SWEEP_FAILED)) == 0;
    append_field(out, failed && tt_sweep_failure_read(run->path, &failure) ? failure.reason : "");
    tt_str_append(out, "\n");
    json_decref(root);
}

tt_status tt_sweep_summary(const tt_sweeps *sweeps, tt_str *out) {
    static const char *const scores[] = {"test", "test_voted"};
    const char **states;
    columns c = {0};
    TT_TRY(tt_alloc(&states, (size_t)sweeps->n, sizeof *states, "runs"));
    tt_sweep_state_texts(sweeps->runs, sweeps->n, states);
    find_columns(sweeps, &c);
    if (sweeps->n_items > 1) tt_str_append(out, "sweep,");
    tt_str_append(out, "number,name,variant,seed,state");
    for (int i = 0; i < c.n; ++i) {
        tt_str_append(out, ",");
        tt_str_append_n(out, c.keys[i], strcspn(c.keys[i], "="));
    }
    for (int k = 0; k < 2; ++k)
        tt_str_format(out, ",%s,%s_low,%s_high,%s_n,%s_unanswered", scores[k], scores[k], scores[k],
            scores[k], scores[k]);
    tt_str_append(out, ",steps,tokens,seconds,path,reason\n");
    for (int i = 0; i < sweeps->n; ++i) {
        if (sweeps->n_items > 1) {
            append_text(out, sweeps->runs[i]->sweep->name);
            tt_str_append(out, ",");
        }
        append_run(out, sweeps->runs[i], states[i], &c);
    }
    free(states);
    return tt_str_status(out);
}
