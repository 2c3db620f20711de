#include "host/lab/sweep/plan.h"

#include "host/base/log.h"
#include "host/base/str.h"
#include "host/config/document.h"
#include "host/config/yaml_file.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_AXES = 16, MAX_VALUES = 64, MAX_EXCLUDED = 256, MAX_SEEDS = 1000 };

typedef struct setting {
    const char *key, *value;
} setting;

typedef struct settings {
    setting items[TT_SWEEP_SETTINGS];
    int n;
} settings;

typedef struct axis {
    const char *key;
    const char *values[MAX_VALUES];
    int n;
} axis;

typedef struct variant {
    const char *name;
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

// A scalar as it is written; a list as "[a, b]".
static tt_status value_text(reader *r, tt_document_node *node, const char **out) {
    if (node->type == YAML_SCALAR_NODE) return keep_text(r, tt_yaml_text(node), out);
    if (node->type != YAML_SEQUENCE_NODE)
        return tt_document_fail(&r->document, node, "expected a value or a list");
    int n;
    TT_TRY(tt_document_list(&r->document, node, "value", &n));
    tt_str text = {0};
    tt_str_append(&text, "[");
    for (int i = 0; i < n; ++i) {
        tt_document_node *item = tt_document_item(&r->document, node, i);
        if (item->type != YAML_SCALAR_NODE) {
            tt_str_close(&text);
            return tt_document_fail(&r->document, item, "expected a value");
        }
        tt_str_format(&text, "%s%s", text.length > 1 ? ", " : "", tt_yaml_text(item));
    }
    tt_str_append(&text, "]");
    tt_status status = tt_str_status(&text);
    if (status == TT_OK) status = keep_text(r, text.data, out);
    tt_str_close(&text);
    return status;
}

// Keys that the sweep itself sets for each run.
static bool is_own(const char *key, size_t n) {
    static const char *const own[] = {"seed", "name", "output"};
    for (size_t i = 0; i < sizeof own / sizeof *own; ++i)
        if (strlen(own[i]) == n && strncmp(key, own[i], n) == 0) return true;
    return false;
}

// Checks key and value without regard to other settings.
static tt_status check_setting(reader *r, tt_document_node *node, const char *key, const char *value) {
    if (is_own(key, strlen(key)))
        return tt_document_fail(
            &r->document, node, "%s: set by the sweep itself; use its keys seeds, name and output", key);
    tt_config config;
    TT_TRY(tt_config_open(&config));
    tt_status status = tt_config_set(&config, key, value);
    tt_config_close(&config);
    return at_node(r, node, status);
}

static tt_status check_overrides(const reader *r) {
    for (int i = 0; i < r->n_overrides; ++i)
        if (is_own(r->overrides[i], strcspn(r->overrides[i], "=")))
            return tt_fail(TT_ERR_USAGE,
                "--set %s: set by the sweep itself; use its keys seeds, name and output", r->overrides[i]);
    return TT_OK;
}

static tt_status add_setting(reader *r, settings *to, tt_document_node *key, const char *value) {
    if (to->n == TT_SWEEP_SETTINGS)
        return tt_document_fail(&r->document, key, "more than %d settings", TT_SWEEP_SETTINGS);
    setting *s = &to->items[to->n++];
    s->value = value;
    TT_TRY(keep_text(r, tt_yaml_text(key), &s->key));
    return check_setting(r, key, s->key, value);
}

static tt_status read_settings(reader *r, tt_document_node *map, settings *out) {
    int n;
    TT_TRY(tt_document_mapping(&r->document, map, "settings", &n));
    for (int i = 0; i < n; ++i) {
        const char *value = NULL;
        TT_TRY(value_text(r, tt_document_value(&r->document, map, i), &value));
        TT_TRY(add_setting(r, out, tt_document_key(&r->document, map, i), value));
    }
    return TT_OK;
}

static tt_status read_axis(reader *r, tt_document_node *key, tt_document_node *list) {
    if (r->n_axes == MAX_AXES) return tt_document_fail(&r->document, key, "more than %d axes", MAX_AXES);
    axis *a = &r->axes[r->n_axes++];
    TT_TRY(keep_text(r, tt_yaml_text(key), &a->key));
    if (list->type != YAML_SEQUENCE_NODE)
        return tt_document_fail(&r->document, list, "axes: %s: expected a list of values", a->key);
    int n;
    TT_TRY(tt_document_list(&r->document, list, a->key, &n));
    if (n == 0) return tt_document_fail(&r->document, list, "axes: %s: no values", a->key);
    if (n > MAX_VALUES)
        return tt_document_fail(&r->document, list, "axes: %s: more than %d values", a->key, MAX_VALUES);
    for (; a->n < n; ++a->n) {
        tt_document_node *value = tt_document_item(&r->document, list, a->n);
        TT_TRY(value_text(r, value, &a->values[a->n]));
        TT_TRY(check_setting(r, value, a->key, a->values[a->n]));
    }
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
        TT_TRY(keep_text(r, tt_yaml_text(tt_document_key(&r->document, map, i)), &v->name));
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
    }
    return TT_OK;
}

static tt_status read_seeds(reader *r, tt_document_node *list) {
    int n;
    TT_TRY(tt_document_list(&r->document, list, "seeds", &n));
    if (n == 0) return tt_document_fail(&r->document, list, "seeds: the list is empty");
    for (; r->n_seeds < n; ++r->n_seeds) {
        tt_document_node *node = tt_document_item(&r->document, list, r->n_seeds);
        const char *text = tt_yaml_text(node);
        char *end;
        const long long seed = strtoll(text, &end, 10);
        if (!*text || seed < 0 || *end || r->n_seeds == MAX_SEEDS)
            return tt_document_fail(
                &r->document, node, "seeds: expected whole numbers from 0, at most %d of them", MAX_SEEDS);
        r->seeds[r->n_seeds] = seed;
    }
    return TT_OK;
}

static tt_status read_ranks(reader *r, tt_document_node *node) {
    char *end;
    const long ranks = strtol(tt_yaml_text(node), &end, 10);
    if (ranks < 1 || ranks > 4096 || *end)
        return tt_document_fail(&r->document, node, "ranks_per_run: expected a number from 1 to 4096");
    r->sweep->ranks_per_run = (int)ranks;
    return TT_OK;
}

static tt_status read_base(reader *r, tt_document_node *node) {
    char folder[TT_PATH_MAX];
    tt_config config;
    TT_TRY(tt_path_dir(folder, sizeof folder, r->sweep->file));
    TT_TRY(tt_path_join(r->sweep->base, TT_PATH_MAX, folder, tt_yaml_text(node)));
    TT_TRY(at_node(r, node, tt_config_read(&config, r->sweep->base)));
    if (r->n_seeds == 0) r->seeds[0] = config.seed;
    tt_status status = r->sweep->output ? TT_OK : keep_text(r, config.output, &r->sweep->output);
    tt_config_close(&config);
    return status;
}

static tt_status read_root(reader *r) {
    static const char *const keys[] = {
        "name", "base", "set", "seeds", "axes", "variants", "exclude", "ranks_per_run", "output"};
    tt_document *d = &r->document;
    tt_document_node *root = tt_document_root(d), *node;
    TT_TRY(tt_document_check_keys(
        d, root, "sweep (settings of every run go under set:)", keys, (int)(sizeof keys / sizeof *keys)));
    tt_document_node *name = tt_document_find(d, root, "name"), *base = tt_document_find(d, root, "base"),
                     *output = tt_document_find(d, root, "output");
    if (!name || !base)
        return tt_fail(TT_ERR_CONFIG, "%s: the key %s is missing", r->sweep->file, name ? "base" : "name");
    TT_TRY(tt_document_text(d, name, "name", &r->sweep->memory, &r->sweep->name));
    if (output) TT_TRY(tt_document_text(d, output, "output", &r->sweep->memory, &r->sweep->output));
    if (base->type != YAML_SCALAR_NODE) return tt_document_fail(d, base, "base: expected a file name");
    TT_TRY(read_base(r, base));
    if ((node = tt_document_find(d, root, "set"))) TT_TRY(read_settings(r, node, &r->common));
    if ((node = tt_document_find(d, root, "seeds"))) TT_TRY(read_seeds(r, node));
    if ((node = tt_document_find(d, root, "axes"))) TT_TRY(read_axes(r, node));
    if ((node = tt_document_find(d, root, "variants"))) TT_TRY(read_variants(r, node));
    if ((node = tt_document_find(d, root, "exclude"))) TT_TRY(read_excluded(r, node));
    if ((node = tt_document_find(d, root, "ranks_per_run"))) TT_TRY(read_ranks(r, node));
    if (r->n_seeds == 0) r->n_seeds = 1; // the seed of the base
    return TT_OK;
}

// ---- runs

static const char *value_of(const settings *s, const char *key) {
    for (int i = s->n - 1; i >= 0; --i)
        if (strcmp(s->items[i].key, key) == 0) return s->items[i].value;
    return NULL;
}

static bool is_excluded(reader *r, const settings *s) {
    bool any = false;
    for (int e = 0; e < r->n_excluded; ++e) {
        bool all = true;
        for (int i = 0; i < r->excluded[e].n && all; ++i) {
            const char *value = value_of(s, r->excluded[e].items[i].key);
            all = value && strcmp(value, r->excluded[e].items[i].value) == 0;
        }
        r->excluded_hits[e] += all;
        any = any || all;
    }
    return any;
}

// A run's name as the name of a folder: every byte other than letters, digits and ._=,+- becomes _.
static tt_status folder_name(reader *r, const char *text, const char **out) {
    tt_str name = {0};
    for (const char *p = text; *p; ++p) {
        const bool plain = isalnum((unsigned char)*p) || strchr("._=,+-", *p);
        tt_str_append_n(&name, plain ? p : "_", 1);
    }
    tt_status status = tt_str_status(&name);
    if (status == TT_OK) status = keep_text(r, tt_str_text(&name), out);
    tt_str_close(&name);
    return status;
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

static tt_status add_run(reader *r, const char *variant_name, const settings *s, int64_t seed) {
    tt_sweep *sweep = r->sweep;
    char text[32], name[512], output[TT_PATH_MAX];
    if (sweep->n == TT_SWEEP_RUNS)
        return tt_fail(TT_ERR_CONFIG, "%s: more than %d runs", sweep->file, TT_SWEEP_RUNS);
    size_t capacity = (size_t)r->capacity;
    TT_TRY(tt_grow(&sweep->runs, &capacity, (size_t)sweep->n + 1, sizeof *sweep->runs, "runs"));
    r->capacity = (int)capacity;
    tt_sweep_run *run = &sweep->runs[sweep->n];
    *run = (tt_sweep_run){.variant = variant_name, .seed = seed};
    const size_t most = (size_t)s->n + (size_t)r->n_overrides + 3;
    run->overrides = tt_arena_alloc(&sweep->memory, most * sizeof *run->overrides);
    if (!run->overrides) return TT_ERR_NOMEM;
    snprintf(text, sizeof text, "%lld", (long long)seed);
    if (snprintf(name, sizeof name, "%s-s%s", variant_name, text) >= (int)sizeof name)
        return tt_fail(TT_ERR_CONFIG,
            "%s: the name '%.60s...' is too long; use named variants instead of axes", sweep->file,
            variant_name);
    TT_TRY(folder_name(r, name, &run->name));
    TT_TRY(tt_path_join(output, sizeof output, sweep->output, sweep->name));
    TT_TRY(tt_path_join(run->path, sizeof run->path, output, run->name));
    for (int i = 0; i < s->n; ++i) TT_TRY(add_override(r, run, s->items[i].key, s->items[i].value));
    for (int i = 0; i < r->n_overrides; ++i) run->overrides[run->n++] = r->overrides[i];
    TT_TRY(add_override(r, run, "seed", text));
    TT_TRY(add_override(r, run, "name", run->name));
    TT_TRY(add_override(r, run, "output", output));
    for (int i = 0; i < sweep->n; ++i)
        if (strcmp(sweep->runs[i].name, run->name) == 0)
            return tt_fail(TT_ERR_CONFIG, "%s: two runs are named %s; is a value or a seed listed twice?",
                sweep->file, run->name);
    sweep->n++;
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

// Adds the runs of one combination, with all seeds. `v`: its variant, or NULL; choice[i]: the value of axis
// i.
static tt_status add_cell(reader *r, const variant *v, const int *choice) {
    settings all = r->common;
    tt_str name = {0};
    const char *kept;
    if (v) tt_str_append(&name, v->name);
    for (int i = 0; v && i < v->settings.n && all.n < TT_SWEEP_SETTINGS; ++i)
        all.items[all.n++] = v->settings.items[i];
    for (int i = 0; i < r->n_axes && all.n < TT_SWEEP_SETTINGS; ++i) {
        const axis *a = &r->axes[i];
        all.items[all.n++] = (setting){a->key, a->values[choice[i]]};
        tt_str_format(&name, "%s%s=%s", name.length ? "," : "", short_key(r, a->key), a->values[choice[i]]);
    }
    if (name.length == 0) tt_str_append(&name, "base");
    tt_status status = tt_str_status(&name);
    if (status == TT_OK) status = keep_text(r, name.data, &kept);
    tt_str_close(&name);
    if (status != TT_OK || is_excluded(r, &all)) return status;
    for (int i = 0; i < r->n_seeds; ++i) TT_TRY(add_run(r, kept, &all, r->seeds[i]));
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

static tt_status make_runs(reader *r) {
    if (r->n_variants == 0) TT_TRY(add_cells(r, NULL));
    for (int i = 0; i < r->n_variants; ++i) TT_TRY(add_cells(r, &r->variants[i]));
    for (int e = 0; e < r->n_excluded; ++e)
        if (r->excluded_hits[e] == 0)
            tt_warn("%s:%d: exclude: no run matches this entry", r->sweep->file, r->excluded_lines[e]);
    if (r->sweep->n == 0)
        return tt_fail(
            TT_ERR_CONFIG, "%s: no run is left: exclude leaves out every combination", r->sweep->file);
    return TT_OK;
}

static tt_status check_runs(const tt_sweep *sweep) {
    for (int i = 0; i < sweep->n; ++i) {
        tt_config config;
        tt_status status = tt_config_load(&config, sweep->base, sweep->runs[i].overrides, sweep->runs[i].n);
        if (status != TT_OK) return tt_context(status, "%s: run %s", sweep->file, sweep->runs[i].name);
        tt_config_close(&config);
    }
    return TT_OK;
}

tt_status tt_sweep_open(tt_sweep *out, const char *path, const char *const *overrides, int n_overrides) {
    *out = (tt_sweep){.ranks_per_run = 1};
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
