#include "host/lab/sweep/plan.h"

#include "host/base/log.h"
#include "host/base/str.h"
#include "host/lab/sweep/file.h"
#include "host/lab/sweep/fresh.h"
#include "host/lab/sweep/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_CELLS = 100000 };

typedef struct planner {
    tt_sweep *sweep;
    tt_sweep_file file;
    const char *const *overrides;
    int n_overrides;
    int excluded_hits[TT_SWEEP_EXCLUDED];
    int capacity; // of sweep->runs
} planner;

static tt_status keep_text(planner *p, const char *text, const char **out) {
    *out = tt_arena_strdup(&p->sweep->memory, text);
    return *out ? TT_OK : TT_ERR_NOMEM;
}

static tt_status check_overrides(const planner *p) {
    for (int i = 0; i < p->n_overrides; ++i)
        if (tt_sweep_own_key(p->overrides[i], strcspn(p->overrides[i], "=")))
            return tt_fail(TT_ERR_USAGE,
                "--set %s: set by the sweep itself; use its keys seeds, name and output", p->overrides[i]);
    return TT_OK;
}

static const char *value_of(const tt_sweep_settings *s, const char *key) {
    for (int i = s->n - 1; i >= 0; --i)
        if (strcmp(s->items[i].key, key) == 0) return s->items[i].canonical;
    return NULL;
}

static bool is_excluded(planner *p, const tt_sweep_settings *s) {
    bool any = false;
    for (int e = 0; e < p->file.n_excluded; ++e) {
        bool all = true;
        for (int i = 0; i < p->file.excluded[e].n && all; ++i) {
            const char *value = value_of(s, p->file.excluded[e].items[i].key);
            all = value && strcmp(value, p->file.excluded[e].items[i].canonical) == 0;
        }
        p->excluded_hits[e] += all;
        any = any || all;
    }
    return any;
}

static tt_status add_override(planner *p, tt_sweep_run *run, const char *key, const char *value) {
    tt_str text = {0};
    tt_str_format(&text, "%s=%s", key, value);
    tt_status status = tt_str_status(&text);
    if (status == TT_OK) status = keep_text(p, text.data, &run->overrides[run->n]);
    if (status == TT_OK) run->n++;
    tt_str_close(&text);
    return status;
}

// What a combination of a variant and of values of the axes consists of.
typedef struct cell {
    const char *name, *named, *earlier, *key; // see tt_sweep_run; `name`: its variant
    int line;                                 // of its variant, or of the first axis
    tt_sweep_settings settings;
} cell;

// Checks that no other run is called the same.
static tt_status check_name(const planner *p, const tt_sweep_run *run) {
    for (const tt_sweep_run *other = p->sweep->runs; other < run; ++other)
        if (other->seed == run->seed && strcmp(other->variant, run->variant) == 0)
            return tt_fail(TT_ERR_CONFIG,
                "%s:%d: '%.60s' and '%.60s' (line %d) would both be called %s; in names, what is not a "
                "letter, a digit or one of ._=,+- becomes _",
                p->sweep->file, run->line, run->earlier, other->earlier, other->line, run->variant);
    return TT_OK;
}

static tt_status add_run(planner *p, const cell *c, int64_t seed) {
    tt_sweep *sweep = p->sweep;
    char text[32];
    if (sweep->n == TT_SWEEP_RUNS)
        return tt_fail(TT_ERR_CONFIG, "%s:%d: more than %d runs", sweep->file, c->line, TT_SWEEP_RUNS);
    size_t capacity = (size_t)p->capacity;
    TT_TRY(tt_grow(&sweep->runs, &capacity, (size_t)sweep->n + 1, sizeof *sweep->runs, "runs"));
    p->capacity = (int)capacity;
    tt_sweep_run *run = &sweep->runs[sweep->n];
    *run = (tt_sweep_run){.sweep = sweep,
        .variant = c->name,
        .named = c->named,
        .earlier = c->earlier,
        .key = c->key,
        .line = c->line,
        .seed = seed};
    const size_t most = (size_t)c->settings.n + (size_t)p->n_overrides + 3;
    run->overrides = tt_arena_alloc(&sweep->memory, most * sizeof *run->overrides);
    if (!run->overrides) return TT_ERR_NOMEM;
    snprintf(text, sizeof text, "%lld", (long long)seed);
    TT_TRY(check_name(p, run));
    for (int i = 0; i < c->settings.n; ++i)
        TT_TRY(add_override(p, run, c->settings.items[i].key, c->settings.items[i].value));
    for (int i = 0; i < p->n_overrides; ++i) run->overrides[run->n++] = p->overrides[i];
    run->n_said = run->n;
    TT_TRY(add_override(p, run, "seed", text));
    sweep->n++;
    return TT_OK;
}

static tt_status name_runs(planner *p) {
    char output[TT_PATH_MAX];
    TT_TRY(tt_sweep_number(p->sweep));
    TT_TRY(tt_path_join(output, sizeof output, p->sweep->output, p->sweep->name));
    for (int i = 0; i < p->sweep->n; ++i) {
        TT_TRY(add_override(p, &p->sweep->runs[i], "name", p->sweep->runs[i].name));
        TT_TRY(add_override(p, &p->sweep->runs[i], "output", output));
    }
    return TT_OK;
}

// "beta" for "reflection.beta", unless another axis ends in the same word.
static const char *short_key(const planner *p, const char *key) {
    const char *dot = strrchr(key, '.'), *last = dot ? dot + 1 : key;
    for (int i = 0; i < p->file.n_axes; ++i) {
        const char *other = strrchr(p->file.axes[i].key, '.');
        if (strcmp(p->file.axes[i].key, key) != 0 &&
            strcmp(other ? other + 1 : p->file.axes[i].key, last) == 0)
            return key;
    }
    return last;
}

// `v`: a variant, or NULL.
static tt_status check_size(const planner *p, const tt_sweep_variant *v, int line) {
    const int n = p->file.common.n + (v ? v->settings.n : 0) + p->file.n_axes;
    if (n <= TT_SWEEP_SETTINGS) return TT_OK;
    return tt_fail(TT_ERR_CONFIG,
        "%s:%d: %s%.60s%s %d settings with those of set and axes; allowed are %d; move some to the base",
        p->sweep->file, line, v ? "variants: " : "", v ? v->name : "a run", v ? ":" : " has", n,
        TT_SWEEP_SETTINGS);
}

// The short form of a value, or all of it where another value of the axis has the same short form.
static void append_value(
    const planner *p, const tt_sweep_axis *a, const tt_sweep_setting *value, tt_str *out) {
    const char *word = short_key(p, a->key);
    tt_str mine = {0}, other = {0};
    bool same = false;
    tt_sweep_short_value(word, value->value, &mine);
    for (int i = 0; i < a->n; ++i) {
        tt_str_clear(&other);
        tt_sweep_short_value(word, a->values[i].value, &other);
        same = same || (&a->values[i] != value && strcmp(tt_str_text(&mine), tt_str_text(&other)) == 0);
    }
    if (same)
        tt_sweep_plain(value->value, out);
    else
        tt_str_append(out, tt_str_text(&mine));
    tt_str_close(&mine);
    tt_str_close(&other);
}

static int by_key(const void *a, const void *b) {
    const tt_sweep_setting *x = a, *y = b;
    return strcmp(x->key, y->key);
}

// The last of several values of a key counts.
static tt_status key_cell(planner *p, cell *c) {
    tt_sweep_setting own[TT_SWEEP_SETTINGS];
    int n = 0;
    for (int i = p->file.common.n; i < c->settings.n; ++i) {
        int k = 0;
        while (k < n && strcmp(own[k].key, c->settings.items[i].key) != 0) ++k;
        own[k] = c->settings.items[i];
        n += k == n;
    }
    qsort(own, (size_t)n, sizeof *own, by_key);
    tt_str text = {0};
    for (int i = 0; i < n; ++i) tt_str_format(&text, "%s%s: %s", i ? ", " : "", own[i].key, own[i].canonical);
    tt_status status = tt_str_status(&text);
    if (status == TT_OK) status = keep_text(p, tt_str_text(&text), &c->key);
    tt_str_close(&text);
    return status;
}

static tt_status name_cell(planner *p, const tt_sweep_variant *v, const int *choice, cell *c) {
    tt_str name = {0}, earlier = {0};
    if (v) tt_sweep_plain(v->name, &name);
    if (v) tt_str_append(&earlier, v->name);
    for (int i = 0; i < p->file.n_axes; ++i) {
        const tt_sweep_setting *value = &p->file.axes[i].values[choice[i]];
        tt_str_append(&name, name.length ? "-" : "");
        append_value(p, &p->file.axes[i], value, &name);
        tt_str_format(&earlier, "%s%s=%s", earlier.length ? "," : "", short_key(p, value->key), value->value);
    }
    if (name.length == 0) tt_str_append(&name, "base");
    if (earlier.length == 0) tt_str_append(&earlier, "base");
    tt_status status = tt_str_status(&name);
    if (status == TT_OK) status = tt_str_status(&earlier);
    if (status == TT_OK) status = keep_text(p, name.data, &c->name);
    if (status == TT_OK) status = keep_text(p, earlier.data, &c->earlier);
    tt_str_close(&name);
    tt_str_close(&earlier);
    return status;
}

// Adds the runs of one combination, with all seeds. `v`: its variant, or NULL; choice[i]: the value of axis
// i.
static tt_status add_cell(planner *p, const tt_sweep_variant *v, const int *choice) {
    cell c = {.named = v ? v->name : "",
        .line = v                ? v->line
                : p->file.n_axes ? p->file.axes[0].line
                                 : 1,
        .settings = p->file.common};
    TT_TRY(check_size(p, v, c.line));
    for (int i = 0; v && i < v->settings.n; ++i) c.settings.items[c.settings.n++] = v->settings.items[i];
    for (int i = 0; i < p->file.n_axes; ++i)
        c.settings.items[c.settings.n++] = p->file.axes[i].values[choice[i]];
    if (is_excluded(p, &c.settings)) return TT_OK;
    TT_TRY(name_cell(p, v, choice, &c));
    TT_TRY(key_cell(p, &c));
    for (int i = 0; i < p->file.n_seeds; ++i) TT_TRY(add_run(p, &c, p->file.seeds[i]));
    return TT_OK;
}

static tt_status add_cells(planner *p, const tt_sweep_variant *v) {
    int choice[TT_SWEEP_AXES] = {0};
    for (;;) {
        TT_TRY(add_cell(p, v, choice));
        int i = p->file.n_axes - 1; // the last axis changes fastest
        while (i >= 0 && ++choice[i] == p->file.axes[i].n) choice[i--] = 0;
        if (i < 0) return TT_OK;
    }
}

// Exclude leaves out combinations, but each is looked at.
static tt_status check_combinations(const planner *p) {
    double n = p->file.n_variants ? p->file.n_variants : 1;
    for (int i = 0; i < p->file.n_axes; ++i) n *= p->file.axes[i].n;
    if (n <= MAX_CELLS) return TT_OK;
    return tt_fail(TT_ERR_CONFIG, "%s:%d: axes and variants have %.0f combinations; allowed are %d",
        p->sweep->file, p->file.n_axes ? p->file.axes[0].line : 1, n, MAX_CELLS);
}

static tt_status make_runs(planner *p) {
    TT_TRY(check_combinations(p));
    if (p->file.n_variants == 0) TT_TRY(add_cells(p, NULL));
    for (int i = 0; i < p->file.n_variants; ++i) TT_TRY(add_cells(p, &p->file.variants[i]));
    for (int e = 0; e < p->file.n_excluded; ++e)
        if (p->excluded_hits[e] == 0)
            tt_warn("%s:%d: exclude: no run matches this entry", p->sweep->file, p->file.excluded_lines[e]);
    if (p->sweep->n == 0)
        return tt_fail(
            TT_ERR_CONFIG, "%s: no run is left: exclude leaves out every combination", p->sweep->file);
    return name_runs(p);
}

static bool scores_test(const tt_config *config) {
    for (int i = 0; i < config->evaluation.splits.n; ++i)
        if (strcmp(config->evaluation.splits.items[i], "test") == 0) return true;
    return false;
}

static tt_status check_runs(const tt_sweep *sweep) {
    for (int i = 0; i < sweep->n; ++i) {
        tt_config config;
        tt_status status = tt_config_load(&config, sweep->base, sweep->runs[i].overrides, sweep->runs[i].n);
        if (status != TT_OK)
            return tt_context(status, "%s:%d: run %s", sweep->file, sweep->runs[i].line, sweep->runs[i].name);
        const bool tested = sweep->until_interval <= 0 || scores_test(&config);
        tt_config_close(&config);
        if (!tested)
            return tt_fail(TT_ERR_CONFIG,
                "%s:%d: run %s: until needs the test split, which evaluation.splits does not have",
                sweep->file, sweep->runs[i].line, sweep->runs[i].name);
    }
    return TT_OK;
}

tt_status tt_sweep_open(tt_sweep *out, const char *path, const char *const *overrides, int n_overrides) {
    *out = (tt_sweep){0};
    planner *p = NULL;
    tt_status status = tt_alloc(&p, 1, sizeof *p, "sweep");
    if (status != TT_OK) return status;
    p->sweep = out;
    p->overrides = overrides;
    p->n_overrides = n_overrides;
    TT_TRY_GOTO(status, check_overrides(p), release);
    TT_TRY_GOTO(status, keep_text(p, path, &out->file), release);
    TT_TRY_GOTO(status, tt_sweep_file_read(&p->file, out), release);
    TT_TRY_GOTO(status, make_runs(p), release);
    TT_TRY_GOTO(status, check_runs(out), release);
    status = tt_sweep_fresh_read(out);
release:
    tt_sweep_file_close(&p->file);
    free(p);
    if (status != TT_OK) tt_sweep_close(out);
    return status;
}

void tt_sweep_close(tt_sweep *sweep) {
    free(sweep->runs);
    tt_arena_close(&sweep->memory);
    *sweep = (tt_sweep){0};
}
