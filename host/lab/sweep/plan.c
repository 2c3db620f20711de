#include "host/lab/sweep/plan.h"

#include "host/base/log.h"
#include "host/base/str.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

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
    yaml_document_t *document;
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

static tt_status at_node(const reader *r, const yaml_node_t *node, tt_status status) {
    return status == TT_OK ? TT_OK : tt_context(status, "%s:%zu", r->sweep->file, node->start_mark.line + 1);
}

static const char *node_text(const yaml_node_t *node) {
    return (const char *)node->data.scalar.value;
}

static const yaml_node_t *node_of(const reader *r, int index) {
    return yaml_document_get_node(r->document, index);
}

static tt_status keep_text(reader *r, const char *text, const char **out) {
    *out = tt_arena_strdup(&r->sweep->memory, text);
    return *out ? TT_OK : TT_ERR_NOMEM;
}

// A scalar as it is written; a list as "[a, b]".
static tt_status value_text(reader *r, const yaml_node_t *node, const char **out) {
    if (node->type == YAML_SCALAR_NODE) return keep_text(r, node_text(node), out);
    if (node->type != YAML_SEQUENCE_NODE)
        return at_node(r, node, tt_fail(TT_ERR_CONFIG, "expected a value or a list"));
    tt_str text = {0};
    tt_str_append(&text, "[");
    for (const yaml_node_item_t *i = node->data.sequence.items.start; i < node->data.sequence.items.top;
         ++i) {
        const yaml_node_t *item = node_of(r, *i);
        if (item->type != YAML_SCALAR_NODE) {
            tt_str_close(&text);
            return at_node(r, item, tt_fail(TT_ERR_CONFIG, "expected a value"));
        }
        tt_str_format(&text, "%s%s", text.length > 1 ? ", " : "", node_text(item));
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
static tt_status check_setting(reader *r, const yaml_node_t *node, const char *key, const char *value) {
    if (is_own(key, strlen(key)))
        return at_node(r, node,
            tt_fail(TT_ERR_CONFIG, "%s: set by the sweep itself; use its keys seeds, name and output", key));
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

static tt_status add_setting(reader *r, settings *to, const yaml_node_t *key, const char *value) {
    if (to->n == TT_SWEEP_SETTINGS)
        return at_node(r, key, tt_fail(TT_ERR_CONFIG, "more than %d settings", TT_SWEEP_SETTINGS));
    setting *s = &to->items[to->n++];
    s->value = value;
    TT_TRY(keep_text(r, node_text(key), &s->key));
    return check_setting(r, key, s->key, value);
}

static tt_status read_settings(reader *r, const yaml_node_t *map, settings *out) {
    if (map->type != YAML_MAPPING_NODE)
        return at_node(r, map, tt_fail(TT_ERR_CONFIG, "expected keys and values"));
    for (const yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top; ++p) {
        const char *value = NULL;
        TT_TRY(value_text(r, node_of(r, p->value), &value));
        TT_TRY(add_setting(r, out, node_of(r, p->key), value));
    }
    return TT_OK;
}

static tt_status read_axes(reader *r, const yaml_node_t *map) {
    if (map->type != YAML_MAPPING_NODE)
        return at_node(r, map, tt_fail(TT_ERR_CONFIG, "axes: expected keys, each with a list of values"));
    for (const yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top; ++p) {
        const yaml_node_t *key = node_of(r, p->key), *list = node_of(r, p->value);
        if (r->n_axes == MAX_AXES)
            return at_node(r, key, tt_fail(TT_ERR_CONFIG, "more than %d axes", MAX_AXES));
        axis *a = &r->axes[r->n_axes++];
        TT_TRY(keep_text(r, node_text(key), &a->key));
        if (list->type != YAML_SEQUENCE_NODE)
            return at_node(r, list, tt_fail(TT_ERR_CONFIG, "axes: %s: expected a list of values", a->key));
        for (const yaml_node_item_t *i = list->data.sequence.items.start; i < list->data.sequence.items.top;
             ++i) {
            if (a->n == MAX_VALUES)
                return at_node(
                    r, list, tt_fail(TT_ERR_CONFIG, "axes: %s: more than %d values", a->key, MAX_VALUES));
            TT_TRY(value_text(r, node_of(r, *i), &a->values[a->n]));
            TT_TRY(check_setting(r, node_of(r, *i), a->key, a->values[a->n++]));
        }
        if (a->n == 0) return at_node(r, list, tt_fail(TT_ERR_CONFIG, "axes: %s: no values", a->key));
    }
    return TT_OK;
}

static tt_status read_variants(reader *r, const yaml_node_t *map) {
    if (map->type != YAML_MAPPING_NODE)
        return at_node(r, map, tt_fail(TT_ERR_CONFIG, "variants: expected names, each with its settings"));
    for (const yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top; ++p) {
        TT_TRY(tt_grow(
            &r->variants, &r->variants_capacity, (size_t)r->n_variants + 1, sizeof *r->variants, "variants"));
        variant *v = &r->variants[r->n_variants++];
        TT_TRY(keep_text(r, node_text(node_of(r, p->key)), &v->name));
        TT_TRY(read_settings(r, node_of(r, p->value), &v->settings));
    }
    return TT_OK;
}

static tt_status read_excluded(reader *r, const yaml_node_t *list) {
    if (list->type != YAML_SEQUENCE_NODE)
        return at_node(r, list, tt_fail(TT_ERR_CONFIG, "exclude: expected a list of settings"));
    for (const yaml_node_item_t *i = list->data.sequence.items.start; i < list->data.sequence.items.top;
         ++i) {
        if (r->n_excluded == MAX_EXCLUDED)
            return at_node(r, list, tt_fail(TT_ERR_CONFIG, "exclude: more than %d entries", MAX_EXCLUDED));
        r->excluded_lines[r->n_excluded] = (int)node_of(r, *i)->start_mark.line + 1;
        TT_TRY(read_settings(r, node_of(r, *i), &r->excluded[r->n_excluded++]));
    }
    return TT_OK;
}

static tt_status read_seeds(reader *r, const yaml_node_t *list) {
    if (list->type != YAML_SEQUENCE_NODE)
        return at_node(r, list, tt_fail(TT_ERR_CONFIG, "seeds: expected a list"));
    for (const yaml_node_item_t *i = list->data.sequence.items.start; i < list->data.sequence.items.top;
         ++i) {
        const yaml_node_t *node = node_of(r, *i);
        char *end = NULL;
        const long long seed = node->type == YAML_SCALAR_NODE ? strtoll(node_text(node), &end, 10) : -1;
        if (seed < 0 || *end || r->n_seeds == MAX_SEEDS)
            return at_node(r, node,
                tt_fail(
                    TT_ERR_CONFIG, "seeds: expected whole numbers from 0, at most %d of them", MAX_SEEDS));
        r->seeds[r->n_seeds++] = seed;
    }
    return r->n_seeds ? TT_OK : at_node(r, list, tt_fail(TT_ERR_CONFIG, "seeds: the list is empty"));
}

static tt_status read_ranks(reader *r, const yaml_node_t *node) {
    char *end = NULL;
    const long ranks = node->type == YAML_SCALAR_NODE ? strtol(node_text(node), &end, 10) : 0;
    if (ranks < 1 || ranks > 4096 || *end)
        return at_node(r, node, tt_fail(TT_ERR_CONFIG, "ranks_per_run: expected a number from 1 to 4096"));
    r->sweep->ranks_per_run = (int)ranks;
    return TT_OK;
}

static tt_status read_base(reader *r, const yaml_node_t *node) {
    char folder[TT_PATH_MAX];
    tt_config config;
    TT_TRY(tt_path_dir(folder, sizeof folder, r->sweep->file));
    TT_TRY(tt_path_join(r->sweep->base, TT_PATH_MAX, folder, node_text(node)));
    TT_TRY(at_node(r, node, tt_config_read(&config, r->sweep->base)));
    if (r->n_seeds == 0) r->seeds[0] = config.seed;
    tt_status status = r->sweep->output ? TT_OK : keep_text(r, config.output, &r->sweep->output);
    tt_config_close(&config);
    return status;
}

static tt_status string_text(reader *r, const yaml_node_t *node, const char **out) {
    if (node->type != YAML_SCALAR_NODE || !*node_text(node))
        return at_node(r, node, tt_fail(TT_ERR_CONFIG, "expected a string"));
    return keep_text(r, node_text(node), out);
}

static const yaml_node_t *find_member(const reader *r, const yaml_node_t *root, const char *word) {
    for (const yaml_node_pair_t *p = root->data.mapping.pairs.start; p < root->data.mapping.pairs.top; ++p)
        if (node_of(r, p->key)->type == YAML_SCALAR_NODE && strcmp(node_text(node_of(r, p->key)), word) == 0)
            return node_of(r, p->value);
    return NULL;
}

static const char *const sweep_keys[] = {
    "name", "base", "set", "seeds", "axes", "variants", "exclude", "ranks_per_run", "output"};
enum { SWEEP_KEYS = sizeof sweep_keys / sizeof *sweep_keys };

static tt_status check_keys(const reader *r, const yaml_node_t *root) {
    for (const yaml_node_pair_t *p = root->data.mapping.pairs.start; p < root->data.mapping.pairs.top; ++p) {
        const yaml_node_t *key = node_of(r, p->key);
        bool known = false;
        for (int i = 0; i < SWEEP_KEYS; ++i)
            known |= key->type == YAML_SCALAR_NODE && strcmp(node_text(key), sweep_keys[i]) == 0;
        if (known) continue;
        const char *word = key->type == YAML_SCALAR_NODE ? node_text(key) : "?",
                   *nearest = tt_nearest(word, sweep_keys, SWEEP_KEYS);
        return at_node(r, key,
            tt_fail(TT_ERR_CONFIG, "%s: unknown key of a sweep%s%s; settings of every run go under set:",
                word, nearest ? "; did you mean " : "", nearest ? nearest : ""));
    }
    return TT_OK;
}

static tt_status read_root(reader *r, const yaml_node_t *root) {
    if (!root || root->type != YAML_MAPPING_NODE)
        return tt_fail(TT_ERR_CONFIG, "%s: expected a sweep: name, base, axes, ...", r->sweep->file);
    TT_TRY(check_keys(r, root));
    const yaml_node_t *name = find_member(r, root, "name"), *base = find_member(r, root, "base"),
                      *output = find_member(r, root, "output"), *node;
    if (!name || !base)
        return tt_fail(TT_ERR_CONFIG, "%s: the key %s is missing", r->sweep->file, name ? "base" : "name");
    TT_TRY(string_text(r, name, &r->sweep->name));
    if (output) TT_TRY(string_text(r, output, &r->sweep->output));
    if (base->type != YAML_SCALAR_NODE)
        return at_node(r, base, tt_fail(TT_ERR_CONFIG, "base: expected a file name"));
    TT_TRY(read_base(r, base));
    if ((node = find_member(r, root, "set"))) TT_TRY(read_settings(r, node, &r->common));
    if ((node = find_member(r, root, "seeds"))) TT_TRY(read_seeds(r, node));
    if ((node = find_member(r, root, "axes"))) TT_TRY(read_axes(r, node));
    if ((node = find_member(r, root, "variants"))) TT_TRY(read_variants(r, node));
    if ((node = find_member(r, root, "exclude"))) TT_TRY(read_excluded(r, node));
    if ((node = find_member(r, root, "ranks_per_run"))) TT_TRY(read_ranks(r, node));
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

static tt_status parse_text(reader *r, const char *text, size_t size) {
    yaml_parser_t parser;
    yaml_document_t document;
    tt_status status;
    if (!yaml_parser_initialize(&parser))
        return tt_fail(TT_ERR_NOMEM, "%s: no memory to parse it", r->sweep->file);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
    if (yaml_parser_load(&parser, &document)) {
        r->document = &document;
        status = read_root(r, yaml_document_get_root_node(&document));
        yaml_document_delete(&document);
    } else {
        status = tt_fail(TT_ERR_CONFIG, "%s:%zu: not YAML: %s", r->sweep->file, parser.problem_mark.line + 1,
            parser.problem ? parser.problem : "cannot parse");
    }
    yaml_parser_delete(&parser);
    return status;
}

tt_status tt_sweep_open(tt_sweep *out, const char *path, const char *const *overrides, int n_overrides) {
    *out = (tt_sweep){.ranks_per_run = 1};
    char *text = NULL;
    size_t size;
    reader *r = NULL;
    tt_status status = tt_alloc(&r, 1, sizeof *r, "sweep");
    if (status != TT_OK) return status;
    r->sweep = out;
    r->overrides = overrides;
    r->n_overrides = n_overrides;
    TT_TRY_GOTO(status, check_overrides(r), release);
    TT_TRY_GOTO(status, tt_alloc(&r->excluded, MAX_EXCLUDED, sizeof *r->excluded, "sweep"), release);
    TT_TRY_GOTO(status, keep_text(r, path, &out->file), release);
    TT_TRY_GOTO(status, tt_read_file(path, (size_t)16 << 20, &text, &size), release);
    TT_TRY_GOTO(status, parse_text(r, text, size), release);
    TT_TRY_GOTO(status, make_runs(r), release);
    status = check_runs(out);
release:
    free(text);
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
