// YAML into a configuration, each mistake with its place.
#include "host/config/config_yaml.h"

#include "host/base/fs.h"
#include "host/base/memory.h"
#include "host/config/config_keys.h"
#include "host/config/scalar.h"
#include "host/config/yaml_file.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 8, MAX_PATH = 128 };

typedef struct reader {
    tt_config *config;
    const char *file;
    int depth;    // of bases on the way here
    bool written; // by a run: removed keys are ignored
    yaml_document_t *document;
    int *lines; // of each key of the table where this file sets it; 0: it does not
} reader;

// Puts "file:line: " before the message.
static tt_status add_place(const reader *r, const yaml_node_t *node, tt_status status) {
    return status == TT_OK ? TT_OK : tt_context(status, "%s:%zu", r->file, node->start_mark.line + 1);
}

// The text of a scalar as tt_key_set takes it. Nothing is an empty text where that is the key's default, and where a key
// has words, true and false may be among them.
static tt_status text_of(const tt_key *key, const yaml_node_t *node, const char **out) {
    const tt_scalar scalar = tt_scalar_of(node);
    if (key->type == TT_KEY_BOOL) return tt_plain_of(key->path, "true or false", node, out);
    if (key->type == TT_KEY_INTEGER) return tt_plain_of(key->path, "a whole number", node, out);
    if (key->type == TT_KEY_REAL) return tt_plain_of(key->path, "a number", node, out);
    if (scalar.kind == TT_SCALAR_NULL && !*key->initial) {
        *out = "";
        return TT_OK;
    }
    if (scalar.kind == TT_SCALAR_BOOL && key->words) {
        const char *word = scalar.yes ? "true" : "false";
        *out = strstr(key->words, word) ? word : tt_yaml_text(node);
        return TT_OK;
    }
    return tt_string_of(key->path, node, out);
}

static tt_status read_value(reader *r, const tt_key *key, const yaml_node_t *node) {
    const char *text;
    if (key->type != TT_KEY_LIST || node->type != YAML_SEQUENCE_NODE) {
        TT_TRY(add_place(r, node, text_of(key, node, &text)));
        return add_place(r, node, tt_key_set(r->config, key, text));
    }
    tt_key_clear(r->config, key);
    for (const yaml_node_item_t *i = node->data.sequence.items.start; i < node->data.sequence.items.top;
         ++i) {
        const yaml_node_t *item = yaml_document_get_node(r->document, *i);
        TT_TRY(add_place(r, item, tt_string_of(key->path, item, &text)));
        TT_TRY(add_place(r, item, tt_key_append(r->config, key, text)));
    }
    return TT_OK;
}

tt_status tt_config_scalar(const char *path, const struct yaml_node_s *node, const char **out) {
    const tt_key *key = tt_key_find(path);
    if (key) return text_of(key, node, out);
    *out = tt_yaml_text(node); // tt_config_set names the unknown key
    return TT_OK;
}

static tt_status refuse_unknown(reader *r, const yaml_node_t *key, const char *path) {
    const char *nearest = tt_key_nearest(path), *removed = tt_key_removed(path);
    if (removed && r->written) return TT_OK;
    if (removed)
        return add_place(r, key, tt_fail(TT_ERR_CONFIG, "%s: this key was removed: %s", path, removed));
    return add_place(r, key,
        tt_fail(TT_ERR_CONFIG, "%s: unknown key%s%s", path, nearest ? "; did you mean " : "",
            nearest ? nearest : "; `tinythinker run --keys` lists them"));
}

// A key may stand in its section or be written out (acquisition.steps: 8), but not both.
static tt_status note_line(reader *r, const tt_key *key, const yaml_node_t *node) {
    int n;
    int *line = &r->lines[key - tt_keys(&n)];
    if (*line)
        return add_place(
            r, node, tt_fail(TT_ERR_CONFIG, "%s: given twice; the first is in line %d", key->path, *line));
    *line = (int)node->start_mark.line + 1;
    return TT_OK;
}

static tt_status read_map(reader *r, const yaml_node_t *map, const char *section) {
    for (const yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top; ++p) {
        const yaml_node_t *key = yaml_document_get_node(r->document, p->key);
        const yaml_node_t *value = yaml_document_get_node(r->document, p->value);
        char path[MAX_PATH];
        const int n =
            snprintf(path, sizeof path, "%s%s%s", section, section[0] ? "." : "", tt_yaml_text(key));
        if (n >= MAX_PATH) return add_place(r, key, tt_fail(TT_ERR_CONFIG, "%.40s...: unknown key", path));
        if (strcmp(path, "base") == 0) continue; // read_base has read it
        const tt_key *known = tt_key_find(path);
        if (known) {
            TT_TRY(note_line(r, known, key));
            TT_TRY(read_value(r, known, value));
        } else if (!tt_key_is_section(path))
            TT_TRY(refuse_unknown(r, key, path));
        else if (value->type == YAML_MAPPING_NODE)
            TT_TRY(read_map(r, value, path));
        else
            return add_place(r, value,
                tt_fail(TT_ERR_CONFIG, "%s: expected a section (keys below it), got %s", path,
                    tt_scalar_name(value)));
    }
    return TT_OK;
}

static tt_status read_base(reader *r, const yaml_node_t *root) {
    for (const yaml_node_pair_t *p = root->data.mapping.pairs.start; p < root->data.mapping.pairs.top; ++p) {
        const yaml_node_t *key = yaml_document_get_node(r->document, p->key);
        const yaml_node_t *value = yaml_document_get_node(r->document, p->value);
        const char *name;
        if (strcmp(tt_yaml_text(key), "base") != 0) continue;
        TT_TRY(add_place(r, value, tt_string_of("base", value, &name)));
        if (r->depth >= MAX_DEPTH)
            return add_place(r, value,
                tt_fail(TT_ERR_CONFIG, "base: more than %d files deep; do the files name each other?",
                    MAX_DEPTH));
        char dir[TT_PATH_MAX], path[TT_PATH_MAX];
        TT_TRY(tt_path_dir(dir, sizeof dir, r->file));
        TT_TRY(tt_path_join(path, sizeof path, dir, name));
        return add_place(r, value, tt_config_read_yaml(r->config, path, r->depth + 1, r->written));
    }
    return TT_OK;
}

static tt_status read_document(reader *r) {
    const yaml_node_t *root = yaml_document_get_root_node(r->document);
    if (!root) return tt_fail(TT_ERR_CONFIG, "%s: the file is empty", r->file);
    if (root->type != YAML_MAPPING_NODE)
        return add_place(
            r, root, tt_fail(TT_ERR_CONFIG, "expected a mapping (key: value), got %s", tt_scalar_name(root)));
    TT_TRY(read_base(r, root));
    return read_map(r, root, "");
}

_Static_assert((int)MAX_DEPTH < (int)TT_MAX_LIST, "a configuration remembers all files that it is read from");

static tt_status note_file(tt_config *config, const char *path) {
    if (config->files.n == TT_MAX_LIST) return TT_OK; // another file read over this one
    TT_TRY(tt_strdup(&config->files.items[config->files.n], path));
    config->files.n++;
    return TT_OK;
}

tt_status tt_config_read_yaml(tt_config *config, const char *path, int depth, bool written) {
    yaml_document_t document;
    reader r = {.config = config, .file = path, .depth = depth, .written = written, .document = &document};
    int n;
    tt_keys(&n);
    tt_status status = tt_yaml_open(&document, path, (size_t)16 << 20);
    if (status != TT_OK) return status == TT_ERR_IO ? TT_ERR_CONFIG : status;
    status = note_file(config, path);
    if (status == TT_OK) status = tt_alloc(&r.lines, (size_t)n, sizeof *r.lines, "configuration");
    if (status == TT_OK) status = read_document(&r);
    free(r.lines);
    yaml_document_delete(&document);
    return status;
}
