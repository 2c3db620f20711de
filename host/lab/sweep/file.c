#include "host/lab/sweep/file.h"

#include "host/base/number.h"
#include "host/base/str.h"
#include "host/config/document.h"
#include "host/lab/sweep/names.h"

#include <stdlib.h>
#include <string.h>

typedef struct reader {
    tt_sweep *sweep;
    tt_sweep_file *out;
    tt_document document;
} reader;

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

bool tt_sweep_own_key(const char *key, size_t n) {
    static const char *const own[] = {"seed", "name", "output"};
    for (size_t i = 0; i < sizeof own / sizeof *own; ++i)
        if (strlen(own[i]) == n && strncmp(key, own[i], n) == 0) return true;
    return false;
}

// Reads a value of a key without regard to other settings.
static tt_status read_setting(reader *r, const char *key, tt_document_node *node, tt_sweep_setting *out) {
    if (tt_sweep_own_key(key, strlen(key)))
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

static tt_status read_settings(reader *r, tt_document_node *map, tt_sweep_settings *out) {
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

static tt_status add_value(reader *r, tt_sweep_axis *a, tt_document_node *node) {
    tt_sweep_setting *value = &a->values[a->n++];
    TT_TRY(read_setting(r, a->key, node, value));
    for (tt_sweep_setting *other = a->values; other < value; ++other)
        if (strcmp(other->canonical, value->canonical) == 0)
            return tt_document_fail(&r->document, node, "axes: %s: the values %s and %s are the same", a->key,
                other->value, value->value);
    return TT_OK;
}

static tt_status read_axis(reader *r, tt_document_node *key, tt_document_node *list) {
    if (r->out->n_axes == TT_SWEEP_AXES)
        return tt_document_fail(&r->document, key, "more than %d axes", TT_SWEEP_AXES);
    tt_sweep_axis *a = &r->out->axes[r->out->n_axes++];
    a->line = tt_document_line(key);
    TT_TRY(keep_text(r, tt_yaml_text(key), &a->key));
    if (list->type != YAML_SEQUENCE_NODE)
        return tt_document_fail(
            &r->document, list, "axes: %s: expected a list of values, got %s", a->key, tt_scalar_name(list));
    int n;
    TT_TRY(tt_document_list(&r->document, list, a->key, &n));
    if (n == 0) return tt_document_fail(&r->document, list, "axes: %s: no values", a->key);
    if (n > TT_SWEEP_VALUES)
        return tt_document_fail(&r->document, list, "axes: %s: more than %d values", a->key, TT_SWEEP_VALUES);
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
        TT_TRY(tt_grow(&r->out->variants, &r->out->variants_capacity, (size_t)r->out->n_variants + 1,
            sizeof *r->out->variants, "variants"));
        tt_sweep_variant *v = &r->out->variants[r->out->n_variants++];
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
    if (n > TT_SWEEP_EXCLUDED)
        return tt_document_fail(&r->document, list, "exclude: more than %d entries", TT_SWEEP_EXCLUDED);
    for (; r->out->n_excluded < n; ++r->out->n_excluded) {
        tt_document_node *entry = tt_document_item(&r->document, list, r->out->n_excluded);
        r->out->excluded_lines[r->out->n_excluded] = tt_document_line(entry);
        TT_TRY(read_settings(r, entry, &r->out->excluded[r->out->n_excluded]));
        if (r->out->excluded[r->out->n_excluded].n == 0)
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
    for (; r->out->n_seeds < n; ++r->out->n_seeds) {
        tt_document_node *node = tt_document_item(&r->document, list, r->out->n_seeds);
        double seed;
        if (r->out->n_seeds == TT_SWEEP_SEEDS)
            return tt_document_fail(&r->document, node, "seeds: more than %d", TT_SWEEP_SEEDS);
        TT_TRY(tt_document_number(
            &r->document, node, "seeds", &(tt_number_range){.high = 9e15, .whole = true}, &seed));
        r->out->seeds[r->out->n_seeds] = (int64_t)seed;
        for (int i = 0; i < r->out->n_seeds; ++i)
            if (r->out->seeds[i] == r->out->seeds[r->out->n_seeds])
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
    TT_TRY(tt_document_number(d, most, "until: seeds",
        &(tt_number_range){.low = 3, .high = TT_SWEEP_SEEDS, .whole = true}, &seeds));
    for (int64_t seed = 1; r->out->n_seeds < (int)seeds; ++seed) {
        bool listed = false;
        for (int i = 0; i < r->out->n_seeds; ++i) listed = listed || r->out->seeds[i] == seed;
        if (!listed) r->out->seeds[r->out->n_seeds++] = seed;
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
    if (r->out->n_seeds == 0) r->out->seeds[0] = config.seed;
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
    if ((node = tt_document_find(d, root, "set"))) TT_TRY(read_settings(r, node, &r->out->common));
    if ((node = tt_document_find(d, root, "seeds"))) TT_TRY(read_seeds(r, node));
    if ((node = tt_document_find(d, root, "axes"))) TT_TRY(read_axes(r, node));
    if ((node = tt_document_find(d, root, "variants"))) TT_TRY(read_variants(r, node));
    if ((node = tt_document_find(d, root, "exclude"))) TT_TRY(read_excluded(r, node));
    if ((node = tt_document_find(d, root, "ranks_per_run"))) TT_TRY(read_ranks(r, node));
    if (r->out->n_seeds == 0) r->out->n_seeds = 1; // the seed of the base
    if ((node = tt_document_find(d, root, "until"))) TT_TRY(read_until(r, node));
    return TT_OK;
}

tt_status tt_sweep_file_read(tt_sweep_file *out, tt_sweep *sweep) {
    reader r = {.sweep = sweep, .out = out};
    TT_TRY(tt_alloc(&out->excluded, TT_SWEEP_EXCLUDED, sizeof *out->excluded, "sweep"));
    tt_status status = tt_document_open(&r.document, sweep->file);
    if (status == TT_OK) status = read_root(&r);
    tt_document_close(&r.document);
    return status;
}

void tt_sweep_file_close(tt_sweep_file *file) {
    free(file->variants);
    free(file->excluded);
    *file = (tt_sweep_file){0};
}
