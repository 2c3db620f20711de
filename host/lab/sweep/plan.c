#include "host/lab/sweep/plan.h"

#include "host/base/log.h"
#include "host/base/number.h"
#include "host/base/str.h"
#include "host/config/document.h"
#include "host/lab/sweep/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_AXES = 16, MAX_VALUES = 64, MAX_EXCLUDED = 256, MAX_SEEDS = 1000, MAX_CELLS = 100000 };

typedef struct setting {
    const char *key, *value;
    const char *canonical; // the same text for all ways to write the value: 0.5 and 0.50
} setting;

typedef struct settings {
    setting items[TT_SWEEP_SETTINGS];
    int n;
} settings;

typedef struct axis {
    const char *key;
    int line;
    setting values[MAX_VALUES];
    int n;
} axis;

typedef struct variant {
    const char *name;
    int line;
    settings settings;
} variant;

typedef struct reader {
    tt_sweep *sweep;
    tt_document document;
    const char *const *overrides;
    int n_overrides;
    settings common;
    int64_t seeds[MAX_SEEDS];
    int n_seeds, n_axes, n_variants, n_excluded;
    axis axes[MAX_AXES];
    variant *variants;
    size_t variants_capacity;
    settings *excluded; // [MAX_EXCLUDED]
    int excluded_lines[MAX_EXCLUDED], excluded_hits[MAX_EXCLUDED];
    int capacity; // of sweep->runs
} reader;

// ---- YAML

// Adds file and line to the message of a function that does not know them.
static tt_status at_node(const reader *r, tt_document_node *node, tt_status status) {
    return status == TT_OK ? TT_OK : tt_context(status, "%s:%d", r->sweep->file, tt_document_line(node));
}

static tt_status keep_text(reader *r, const char *text, const char **out) {
    *out = tt_arena_strdup(&r->sweep->memory, text);
    return *out ? TT_OK : TT_ERR_NOMEM;
}

// A list as "[a, b]".
static tt_status list_text(reader *r, const char *key, tt_document_node *list, const char **out) {
    int n;
    TT_TRY(tt_document_list(&r->document, list, key, &n));
    tt_str text = {0};
    tt_status status = TT_OK;
    for (int i = 0; i < n && status == TT_OK; ++i) {
        tt_document_node *item = tt_document_item(&r->document, list, i);
        const char *entry = "";
        status = at_node(r, item, tt_string_of(key, item, &entry));
        if (status == TT_OK && (!*entry || strchr(entry, ',')))
            status = tt_document_fail(&r->document, item,
                "%s: the entry \"%.100s\" is empty or has a comma, which a sweep cannot pass on", key, entry);
        tt_str_format(&text, "%s%s", i ? ", " : "[", entry);
    }
    tt_str_append(&text, n ? "]" : "[]");
    if (status == TT_OK) status = tt_str_status(&text);
    if (status == TT_OK) status = keep_text(r, text.data, out);
    tt_str_close(&text);
    return status;
}

// A value as tt_config_set takes it.
static tt_status value_text(reader *r, const char *key, tt_document_node *node, const char **out) {
    const char *text;
    if (node->type == YAML_SEQUENCE_NODE) return list_text(r, key, node, out);
    TT_TRY(at_node(r, node, tt_config_scalar(key, node, &text)));
    return keep_text(r, text, out);
}

// Keys that the sweep itself sets for each run.
static bool is_own(const char *key, size_t n) {
    static const char *const own[] = {"seed", "name", "output"};
    for (size_t i = 0; i < sizeof own / sizeof *own; ++i)
        if (strlen(own[i]) == n && strncmp(key, own[i], n) == 0) return true;
    return false;
}

// Reads a value of a key without regard to other settings.
static tt_status read_setting(reader *r, const char *key, tt_document_node *node, setting *out) {
    if (is_own(key, strlen(key)))
        return tt_document_fail(
            &r->document, node, "%s: set by the sweep itself; use its keys seeds, name and output", key);
    tt_str canonical = {0};
    out->key = key;
    TT_TRY(value_text(r, key, node, &out->value));
    tt_status status = at_node(r, node, tt_config_canonical(key, out->value, &canonical));
    if (status == TT_OK) status = keep_text(r, tt_str_text(&canonical), &out->canonical);
    tt_str_close(&canonical);
    return status;
}

static tt_status check_overrides(const reader *r) {
    for (int i = 0; i < r->n_overrides; ++i)
        if (is_own(r->overrides[i], strcspn(r->overrides[i], "=")))
            return tt_fail(TT_ERR_USAGE,
                "--set %s: set by the sweep itself; use its keys seeds, name and output", r->overrides[i]);
    return TT_OK;
}

static tt_status read_settings(reader *r, tt_document_node *map, settings *out) {
    int n;
    TT_TRY(tt_document_mapping(&r->document, map, "settings", &n));
    for (int i = 0; i < n; ++i) {
        tt_document_node *node = tt_document_key(&r->document, map, i);
        const char *key = NULL;
        if (out->n == TT_SWEEP_SETTINGS)
            return tt_document_fail(&r->document, node, "more than %d settings", TT_SWEEP_SETTINGS);
        TT_TRY(keep_text(r, tt_yaml_text(node), &key));
        TT_TRY(read_setting(r, key, tt_document_value(&r->document, map, i), &out->items[out->n++]));
    }
    return TT_OK;
}

static tt_status add_value(reader *r, axis *a, tt_document_node *node) {
    setting *value = &a->values[a->n++];
    TT_TRY(read_setting(r, a->key, node, value));
    for (setting *other = a->values; other < value; ++other)
        if (strcmp(other->canonical, value->canonical) == 0)
            return tt_document_fail(&r->document, node, "axes: %s: the values %s and %s are the same", a->key,
                other->value, value->value);
    return TT_OK;
}

static tt_status read_axis(reader *r, tt_document_node *key, tt_document_node *list) {
    if (r->n_axes == MAX_AXES) return tt_document_fail(&r->document, key, "more than %d axes", MAX_AXES);
    axis *a = &r->axes[r->n_axes++];
    a->line = tt_document_line(key);
    TT_TRY(keep_text(r, tt_yaml_text(key), &a->key));
    if (list->type != YAML_SEQUENCE_NODE)
        return tt_document_fail(
            &r->document, list, "axes: %s: expected a list of values, got %s", a->key, tt_scalar_name(list));
    int n;
    TT_TRY(tt_document_list(&r->document, list, a->key, &n));
    if (n == 0) return tt_document_fail(&r->document, list, "axes: %s: no values", a->key);
    if (n > MAX_VALUES)
        return tt_document_fail(&r->document, list, "axes: %s: more than %d values", a->key, MAX_VALUES);
    for (int i = 0; i < n; ++i) TT_TRY(add_value(r, a, tt_document_item(&r->document, list, i)));
    return TT_OK;
}

static tt_status read_axes(reader *r, tt_document_node *map) {
    int n;
    TT_TRY(tt_document_mapping(&r->document, map, "axes", &n));
    for (int i = 0; i < n; ++i)
        TT_TRY(read_axis(r, tt_document_key(&r->document, map, i), tt_document_value(&r->document, map, i)));
    return TT_OK;
}

static tt_status read_variants(reader *r, tt_document_node *map) {
    int n;
    TT_TRY(tt_document_mapping(&r->document, map, "variants", &n));
    for (int i = 0; i < n; ++i) {
        TT_TRY(tt_grow(
            &r->variants, &r->variants_capacity, (size_t)r->n_variants + 1, sizeof *r->variants, "variants"));
        variant *v = &r->variants[r->n_variants++];
        tt_document_node *name = tt_document_key(&r->document, map, i);
        v->line = tt_document_line(name);
        TT_TRY(tt_document_text(&r->document, name, "variants", &r->sweep->memory, &v->name));
        TT_TRY(read_settings(r, tt_document_value(&r->document, map, i), &v->settings));
    }
    return TT_OK;
}

static tt_status read_excluded(reader *r, tt_document_node *list) {
    int n;
    TT_TRY(tt_document_list(&r->document, list, "exclude", &n));
    if (n > MAX_EXCLUDED)
        return tt_document_fail(&r->document, list, "exclude: more than %d entries", MAX_EXCLUDED);
    for (; r->n_excluded < n; ++r->n_excluded) {
        tt_document_node *entry = tt_document_item(&r->document, list, r->n_excluded);
        r->excluded_lines[r->n_excluded] = tt_document_line(entry);
        TT_TRY(read_settings(r, entry, &r->excluded[r->n_excluded]));
        if (r->excluded[r->n_excluded].n == 0)
            return tt_document_fail(&r->document, entry,
                "exclude: an entry without settings would leave out every run; name those that it leaves "
                "out");
    }
    return TT_OK;
}

static tt_status read_seeds(reader *r, tt_document_node *list) {
    int n;
    TT_TRY(tt_document_list(&r->document, list, "seeds", &n));
    if (n == 0) return tt_document_fail(&r->document, list, "seeds: the list is empty");
    for (; r->n_seeds < n; ++r->n_seeds) {
        tt_document_node *node = tt_document_item(&r->document, list, r->n_seeds);
        double seed;
        if (r->n_seeds == MAX_SEEDS)
            return tt_document_fail(&r->document, node, "seeds: more than %d", MAX_SEEDS);
        TT_TRY(tt_document_number(
            &r->document, node, "seeds", &(tt_number_range){.high = 9e15, .whole = true}, &seed));
        r->seeds[r->n_seeds] = (int64_t)seed;
        for (int i = 0; i < r->n_seeds; ++i)
            if (r->seeds[i] == r->seeds[r->n_seeds])
                return tt_document_fail(&r->document, node, "seeds: %lld is listed twice", (long long)seed);
    }
    return TT_OK;
}

static tt_status read_ranks(reader *r, tt_document_node *node) {
    double ranks;
    TT_TRY(tt_document_number(&r->document, node, "ranks_per_run",
        &(tt_number_range){.low = 1, .high = 4096, .whole = true}, &ranks));
    r->sweep->ranks_per_run = (int)ranks;
    return TT_OK;
}

// "2 %" as 0.02.
static tt_status read_percent(reader *r, tt_document_node *node, double *out) {
    const char *text;
    char *end;
    TT_TRY(tt_document_text(&r->document, node, "until: interval", &r->sweep->memory, &text));
    *out = tt_parse_double(text, &end) / 100;
    if (end != text && strcmp(end + strspn(end, " "), "%") == 0 && *out > 0 && *out < 1) return TT_OK;
    return tt_document_fail(&r->document, node,
        "until: interval: expected per cent above 0 and below 100, as in '2 %%', got '%.60s'", text);
}

// Adds seeds to the list, up to `seeds` of them.
static tt_status read_until(reader *r, tt_document_node *map) {
    static const char *const keys[] = {"interval", "seeds"};
    tt_document *d = &r->document;
    double seeds;
    TT_TRY(tt_document_check_keys(d, map, "until", keys, 2));
    tt_document_node *interval = tt_document_find(d, map, "interval"),
                     *most = tt_document_find(d, map, "seeds");
    if (!interval || !most)
        return tt_document_fail(d, map, "until: the key %s is missing; expected {interval: 2 %%, seeds: 10}",
            interval ? "seeds" : "interval");
    TT_TRY(read_percent(r, interval, &r->sweep->until_interval));
    TT_TRY(tt_document_number(
        d, most, "until: seeds", &(tt_number_range){.low = 3, .high = MAX_SEEDS, .whole = true}, &seeds));
    for (int64_t seed = 1; r->n_seeds < (int)seeds; ++seed) {
        bool listed = false;
        for (int i = 0; i < r->n_seeds; ++i) listed = listed || r->seeds[i] == seed;
        if (!listed) r->seeds[r->n_seeds++] = seed;
    }
    return TT_OK;
}

static tt_status read_base(reader *r, tt_document_node *node) {
    char folder[TT_PATH_MAX];
    const char *file;
    tt_config config;
    TT_TRY(tt_path_dir(folder, sizeof folder, r->sweep->file));
    TT_TRY(tt_document_text(&r->document, node, "base", &r->sweep->memory, &file));
    TT_TRY(tt_path_join(r->sweep->base, TT_PATH_MAX, folder, file));
    TT_TRY(at_node(r, node, tt_config_read(&config, r->sweep->base)));
    if (r->n_seeds == 0) r->seeds[0] = config.seed;
    tt_status status = r->sweep->output ? TT_OK : keep_text(r, config.output, &r->sweep->output);
    tt_config_close(&config);
    return status;
}

static tt_status read_name(reader *r, tt_document_node *node) {
    TT_TRY(tt_document_text(&r->document, node, "name", &r->sweep->memory, &r->sweep->name));
    const char *fault = tt_name_fault(r->sweep->name);
    if (!fault) return TT_OK;
    return tt_document_fail(&r->document, node,
        "name: '%.60s' %s; expected the name of a folder within output", r->sweep->name, fault);
}

static tt_status read_root(reader *r) {
    static const char *const keys[] = {
        "name", "base", "set", "seeds", "axes", "variants", "exclude", "until", "ranks_per_run", "output"};
    tt_document *d = &r->document;
    tt_document_node *root = tt_document_root(d), *node;
    TT_TRY(tt_document_check_keys(
        d, root, "sweep (settings of every run go under set:)", keys, (int)(sizeof keys / sizeof *keys)));
    tt_document_node *name = tt_document_find(d, root, "name"), *base = tt_document_find(d, root, "base"),
                     *output = tt_document_find(d, root, "output");
    if (!name || !base)
        return tt_fail(TT_ERR_CONFIG, "%s: the key %s is missing", r->sweep->file, name ? "base" : "name");
    TT_TRY(read_name(r, name));
    if (output) TT_TRY(tt_document_text(d, output, "output", &r->sweep->memory, &r->sweep->output));
    TT_TRY(read_base(r, base));
    if ((node = tt_document_find(d, root, "set"))) TT_TRY(read_settings(r, node, &r->common));
    if ((node = tt_document_find(d, root, "seeds"))) TT_TRY(read_seeds(r, node));
    if ((node = tt_document_find(d, root, "axes"))) TT_TRY(read_axes(r, node));
    if ((node = tt_document_find(d, root, "variants"))) TT_TRY(read_variants(r, node));
    if ((node = tt_document_find(d, root, "exclude"))) TT_TRY(read_excluded(r, node));
    if ((node = tt_document_find(d, root, "ranks_per_run"))) TT_TRY(read_ranks(r, node));
    if (r->n_seeds == 0) r->n_seeds = 1; // the seed of the base
    if ((node = tt_document_find(d, root, "until"))) TT_TRY(read_until(r, node));
    return TT_OK;
}

// ---- runs

static const char *value_of(const settings *s, const char *key) {
    for (int i = s->n - 1; i >= 0; --i)
        if (strcmp(s->items[i].key, key) == 0) return s->items[i].canonical;
    return NULL;
}

static bool is_excluded(reader *r, const settings *s) {
    bool any = false;
    for (int e = 0; e < r->n_excluded; ++e) {
        bool all = true;
        for (int i = 0; i < r->excluded[e].n && all; ++i) {
            const char *value = value_of(s, r->excluded[e].items[i].key);
            all = value && strcmp(value, r->excluded[e].items[i].canonical) == 0;
        }
        r->excluded_hits[e] += all;
        any = any || all;
    }
    return any;
}

static tt_status add_override(reader *r, tt_sweep_run *run, const char *key, const char *value) {
    tt_str text = {0};
    tt_str_format(&text, "%s=%s", key, value);
    tt_status status = tt_str_status(&text);
    if (status == TT_OK) status = keep_text(r, text.data, &run->overrides[run->n]);
    if (status == TT_OK) run->n++;
    tt_str_close(&text);
    return status;
}

// What a combination of a variant and of values of the axes consists of.
typedef struct cell {
    const char *name, *earlier, *key; // see tt_sweep_run
    int line;                         // of its variant, or of the first axis
    settings settings;
} cell;

// Checks that no other run is called the same.
static tt_status check_name(const reader *r, const tt_sweep_run *run) {
    for (const tt_sweep_run *other = r->sweep->runs; other < run; ++other)
        if (other->seed == run->seed && strcmp(other->variant, run->variant) == 0)
            return tt_fail(TT_ERR_CONFIG,
                "%s:%d: '%.60s' and '%.60s' (line %d) would both be called %s; in names, what is not a "
                "letter, a digit or one of ._=,+- becomes _",
                r->sweep->file, run->line, run->earlier, other->earlier, other->line, run->variant);
    return TT_OK;
}

static tt_status add_run(reader *r, const cell *c, int64_t seed) {
    tt_sweep *sweep = r->sweep;
    char text[32];
    if (sweep->n == TT_SWEEP_RUNS)
        return tt_fail(TT_ERR_CONFIG, "%s:%d: more than %d runs", sweep->file, c->line, TT_SWEEP_RUNS);
    size_t capacity = (size_t)r->capacity;
    TT_TRY(tt_grow(&sweep->runs, &capacity, (size_t)sweep->n + 1, sizeof *sweep->runs, "runs"));
    r->capacity = (int)capacity;
    tt_sweep_run *run = &sweep->runs[sweep->n];
    *run = (tt_sweep_run){
        .variant = c->name, .earlier = c->earlier, .key = c->key, .line = c->line, .seed = seed};
    const size_t most = (size_t)c->settings.n + (size_t)r->n_overrides + 3;
    run->overrides = tt_arena_alloc(&sweep->memory, most * sizeof *run->overrides);
    if (!run->overrides) return TT_ERR_NOMEM;
    snprintf(text, sizeof text, "%lld", (long long)seed);
    TT_TRY(check_name(r, run));
    for (int i = 0; i < c->settings.n; ++i)
        TT_TRY(add_override(r, run, c->settings.items[i].key, c->settings.items[i].value));
    for (int i = 0; i < r->n_overrides; ++i) run->overrides[run->n++] = r->overrides[i];
    TT_TRY(add_override(r, run, "seed", text));
    sweep->n++;
    return TT_OK;
}

static tt_status name_runs(reader *r) {
    char output[TT_PATH_MAX];
    TT_TRY(tt_sweep_number(r->sweep));
    TT_TRY(tt_path_join(output, sizeof output, r->sweep->output, r->sweep->name));
    for (int i = 0; i < r->sweep->n; ++i) {
        TT_TRY(add_override(r, &r->sweep->runs[i], "name", r->sweep->runs[i].name));
        TT_TRY(add_override(r, &r->sweep->runs[i], "output", output));
    }
    return TT_OK;
}

// "beta" for "reflection.beta", unless another axis ends in the same word.
static const char *short_key(const reader *r, const char *key) {
    const char *dot = strrchr(key, '.'), *last = dot ? dot + 1 : key;
    for (int i = 0; i < r->n_axes; ++i) {
        const char *other = strrchr(r->axes[i].key, '.');
        if (strcmp(r->axes[i].key, key) != 0 && strcmp(other ? other + 1 : r->axes[i].key, last) == 0)
            return key;
    }
    return last;
}

// `v`: a variant, or NULL.
static tt_status check_size(const reader *r, const variant *v, int line) {
    const int n = r->common.n + (v ? v->settings.n : 0) + r->n_axes;
    if (n <= TT_SWEEP_SETTINGS) return TT_OK;
    return tt_fail(TT_ERR_CONFIG,
        "%s:%d: %s%.60s%s %d settings with those of set and axes; allowed are %d; move some to the base",
        r->sweep->file, line, v ? "variants: " : "", v ? v->name : "a run", v ? ":" : " has", n,
        TT_SWEEP_SETTINGS);
}

// The short form of a value, or all of it where another value of the axis has the same short form.
static void append_value(const reader *r, const axis *a, const setting *value, tt_str *out) {
    const char *word = short_key(r, a->key);
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
    const setting *x = a, *y = b;
    return strcmp(x->key, y->key);
}

// The last of several values of a key counts.
static tt_status key_cell(reader *r, cell *c) {
    setting own[TT_SWEEP_SETTINGS];
    int n = 0;
    for (int i = r->common.n; i < c->settings.n; ++i) {
        int k = 0;
        while (k < n && strcmp(own[k].key, c->settings.items[i].key) != 0) ++k;
        own[k] = c->settings.items[i];
        n += k == n;
    }
    qsort(own, (size_t)n, sizeof *own, by_key);
    tt_str text = {0};
    for (int i = 0; i < n; ++i) tt_str_format(&text, "%s%s: %s", i ? ", " : "", own[i].key, own[i].canonical);
    tt_status status = tt_str_status(&text);
    if (status == TT_OK) status = keep_text(r, tt_str_text(&text), &c->key);
    tt_str_close(&text);
    return status;
}

static tt_status name_cell(reader *r, const variant *v, const int *choice, cell *c) {
    tt_str name = {0}, earlier = {0};
    if (v) tt_sweep_plain(v->name, &name);
    if (v) tt_str_append(&earlier, v->name);
    for (int i = 0; i < r->n_axes; ++i) {
        const setting *value = &r->axes[i].values[choice[i]];
        tt_str_append(&name, name.length ? "-" : "");
        append_value(r, &r->axes[i], value, &name);
        tt_str_format(&earlier, "%s%s=%s", earlier.length ? "," : "", short_key(r, value->key), value->value);
    }
    if (name.length == 0) tt_str_append(&name, "base");
    if (earlier.length == 0) tt_str_append(&earlier, "base");
    tt_status status = tt_str_status(&name);
    if (status == TT_OK) status = tt_str_status(&earlier);
    if (status == TT_OK) status = keep_text(r, name.data, &c->name);
    if (status == TT_OK) status = keep_text(r, earlier.data, &c->earlier);
    tt_str_close(&name);
    tt_str_close(&earlier);
    return status;
}

// Adds the runs of one combination, with all seeds. `v`: its variant, or NULL; choice[i]: the value of axis
// i.
static tt_status add_cell(reader *r, const variant *v, const int *choice) {
    cell c = {.line = v ? v->line : r->n_axes ? r->axes[0].line : 1, .settings = r->common};
    TT_TRY(check_size(r, v, c.line));
    for (int i = 0; v && i < v->settings.n; ++i) c.settings.items[c.settings.n++] = v->settings.items[i];
    for (int i = 0; i < r->n_axes; ++i) c.settings.items[c.settings.n++] = r->axes[i].values[choice[i]];
    if (is_excluded(r, &c.settings)) return TT_OK;
    TT_TRY(name_cell(r, v, choice, &c));
    TT_TRY(key_cell(r, &c));
    for (int i = 0; i < r->n_seeds; ++i) TT_TRY(add_run(r, &c, r->seeds[i]));
    return TT_OK;
}

static tt_status add_cells(reader *r, const variant *v) {
    int choice[MAX_AXES] = {0};
    for (;;) {
        TT_TRY(add_cell(r, v, choice));
        int i = r->n_axes - 1; // the last axis changes fastest
        while (i >= 0 && ++choice[i] == r->axes[i].n) choice[i--] = 0;
        if (i < 0) return TT_OK;
    }
}

// Exclude leaves out combinations, but each is looked at.
static tt_status check_combinations(const reader *r) {
    double n = r->n_variants ? r->n_variants : 1;
    for (int i = 0; i < r->n_axes; ++i) n *= r->axes[i].n;
    if (n <= MAX_CELLS) return TT_OK;
    return tt_fail(TT_ERR_CONFIG, "%s:%d: axes and variants have %.0f combinations; allowed are %d",
        r->sweep->file, r->n_axes ? r->axes[0].line : 1, n, MAX_CELLS);
}

static tt_status make_runs(reader *r) {
    TT_TRY(check_combinations(r));
    if (r->n_variants == 0) TT_TRY(add_cells(r, NULL));
    for (int i = 0; i < r->n_variants; ++i) TT_TRY(add_cells(r, &r->variants[i]));
    for (int e = 0; e < r->n_excluded; ++e)
        if (r->excluded_hits[e] == 0)
            tt_warn("%s:%d: exclude: no run matches this entry", r->sweep->file, r->excluded_lines[e]);
    if (r->sweep->n == 0)
        return tt_fail(
            TT_ERR_CONFIG, "%s: no run is left: exclude leaves out every combination", r->sweep->file);
    return name_runs(r);
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
    reader *r = NULL;
    tt_status status = tt_alloc(&r, 1, sizeof *r, "sweep");
    if (status != TT_OK) return status;
    r->sweep = out;
    r->overrides = overrides;
    r->n_overrides = n_overrides;
    TT_TRY_GOTO(status, check_overrides(r), release);
    TT_TRY_GOTO(status, tt_alloc(&r->excluded, MAX_EXCLUDED, sizeof *r->excluded, "sweep"), release);
    TT_TRY_GOTO(status, keep_text(r, path, &out->file), release);
    TT_TRY_GOTO(status, tt_document_open(&r->document, out->file), release);
    TT_TRY_GOTO(status, read_root(r), release);
    TT_TRY_GOTO(status, make_runs(r), release);
    status = check_runs(out);
release:
    tt_document_close(&r->document);
    free(r->variants);
    free(r->excluded);
    free(r);
    if (status != TT_OK) tt_sweep_close(out);
    return status;
}

void tt_sweep_close(tt_sweep *sweep) {
    free(sweep->runs);
    tt_arena_close(&sweep->memory);
    *sweep = (tt_sweep){0};
}
