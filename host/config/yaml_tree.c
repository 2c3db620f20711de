#include "host/config/yaml_tree.h"

#include "host/base/memory.h"
#include "host/config/scalar.h"

#include <stdlib.h>
#include <string.h>

// Expanding aliases, a document may have more nodes than were written, but not without limit.
enum { MOST_MERGED = 10000, MOST_COMPARED = 10000000, MOST_EXPANDED = 10000000 };

typedef enum progress { NEW, ACTIVE, DONE } progress;

typedef struct tree {
    yaml_document_t *document;
    const char *path;
    int n;            // of nodes
    char *state;      // [n], a progress
    double *expanded; // [n]: nodes below a node and itself, aliases expanded
    int merged;       // keys
    double compared;  // keys, in looking whether a mapping has one already
} tree;

static yaml_node_t *node_at(const tree *t, int id) {
    return yaml_document_get_node(t->document, id);
}

static int line_of(const yaml_node_t *node) {
    return (int)node->start_mark.line + 1;
}

static int pairs_of(const yaml_node_t *map) {
    return (int)(map->data.mapping.pairs.top - map->data.mapping.pairs.start);
}

// ---- keys

static int by_text(const void *a, const void *b) {
    const yaml_node_t *x = *(const yaml_node_t *const *)a, *y = *(const yaml_node_t *const *)b;
    const int order = strcmp(tt_yaml_text(x), tt_yaml_text(y));
    if (order) return order;
    return (x->start_mark.index > y->start_mark.index) - (x->start_mark.index < y->start_mark.index);
}

static tt_status check_keys(const tree *t, const yaml_node_t *map) {
    const yaml_node_t **keys;
    const int n = pairs_of(map);
    tt_status status = TT_OK;
    TT_TRY(tt_alloc(&keys, (size_t)n + 1, sizeof(void *), "keys"));
    for (int i = 0; i < n && status == TT_OK; ++i) {
        keys[i] = node_at(t, map->data.mapping.pairs.start[i].key);
        if (keys[i]->type != YAML_SCALAR_NODE)
            status = tt_fail(TT_ERR_CONFIG, "%s:%d: expected a key: a single word, got %s", t->path,
                line_of(keys[i]), tt_scalar_name(keys[i]));
    }
    for (int i = 0; i < n && status == TT_OK; ++i)
        if (strlen(tt_yaml_text(keys[i])) != keys[i]->data.scalar.length)
            status =
                tt_fail(TT_ERR_CONFIG, "%s:%d: a key has a NUL character in it", t->path, line_of(keys[i]));
    if (status == TT_OK) qsort(keys, (size_t)n, sizeof(void *), by_text);
    for (int i = 1; i < n && status == TT_OK; ++i)
        if (strcmp(tt_yaml_text(keys[i - 1]), tt_yaml_text(keys[i])) == 0)
            status = tt_fail(TT_ERR_CONFIG, "%s:%d: %.100s: given twice; the first is in line %d", t->path,
                line_of(keys[i]), tt_yaml_text(keys[i]), line_of(keys[i - 1]));
    free(keys);
    return status;
}

// ---- merge keys, as https://yaml.org/type/merge.html has them: own keys come first, then those of earlier mappings

static bool is_merge(const yaml_node_t *key) {
    return strcmp(tt_yaml_text(key), "<<") == 0 && key->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

static bool has_key(tree *t, const yaml_node_t *map, const char *text) {
    t->compared += pairs_of(map);
    for (int i = 0; i < pairs_of(map); ++i)
        if (strcmp(tt_yaml_text(node_at(t, map->data.mapping.pairs.start[i].key)), text) == 0) return true;
    return false;
}

static tt_status merge_mappings(tree *t, int id);

static tt_status merge_one(tree *t, int id, int from, const yaml_node_t *key) {
    if (node_at(t, from)->type != YAML_MAPPING_NODE)
        return tt_fail(TT_ERR_CONFIG, "%s:%d: <<: expected a mapping or a list of mappings, got %s", t->path,
            line_of(key), tt_scalar_name(node_at(t, from)));
    TT_TRY(merge_mappings(t, from));
    if (pairs_of(node_at(t, id)) > MOST_MERGED || t->merged > MOST_MERGED)
        return tt_fail(
            TT_ERR_CONFIG, "%s:%d: <<: merges more than %d keys", t->path, line_of(key), MOST_MERGED);
    for (int i = 0; i < pairs_of(node_at(t, from)); ++i) {
        const yaml_node_pair_t pair = node_at(t, from)->data.mapping.pairs.start[i];
        if (t->compared > MOST_COMPARED)
            return tt_fail(TT_ERR_CONFIG, "%s:%d: <<: merging compares keys more than %d times", t->path,
                line_of(key), MOST_COMPARED);
        if (has_key(t, node_at(t, id), tt_yaml_text(node_at(t, pair.key)))) continue;
        if (!yaml_document_append_mapping_pair(t->document, id, pair.key, pair.value))
            return tt_fail(TT_ERR_NOMEM, "%s: no memory to merge keys", t->path);
        ++t->merged;
    }
    return TT_OK;
}

static tt_status merge_value(tree *t, int id, int value, const yaml_node_t *key) {
    const yaml_node_t *list = node_at(t, value);
    if (list->type != YAML_SEQUENCE_NODE) return merge_one(t, id, value, key);
    const int n = (int)(list->data.sequence.items.top - list->data.sequence.items.start);
    for (int i = 0; i < n; ++i) TT_TRY(merge_one(t, id, list->data.sequence.items.start[i], key));
    return TT_OK;
}

// Takes the merge key out of a mapping, which has it once; *key receives it. Returns the id of its value; 0 without one.
static int take_merge(tree *t, int id, const yaml_node_t **key) {
    yaml_node_pair_t *begin = node_at(t, id)->data.mapping.pairs.start, **end;
    end = &node_at(t, id)->data.mapping.pairs.top;
    for (yaml_node_pair_t *pair = begin; pair < *end; ++pair) {
        const int value = pair->value;
        *key = node_at(t, pair->key);
        if (!is_merge(*key)) continue;
        memmove(pair, pair + 1, (size_t)(*end - pair - 1) * sizeof *pair);
        --*end;
        return value;
    }
    return 0;
}

static tt_status merge_mappings(tree *t, int id) {
    const yaml_node_t *key;
    if (t->state[id - 1] == DONE) return TT_OK;
    if (t->state[id - 1] == ACTIVE)
        return tt_fail(TT_ERR_CONFIG, "%s:%d: a mapping merges itself", t->path, line_of(node_at(t, id)));
    t->state[id - 1] = ACTIVE;
    const int value = take_merge(t, id, &key);
    if (value) TT_TRY(merge_value(t, id, value, key));
    t->state[id - 1] = DONE;
    return TT_OK;
}

// ---- aliases

static tt_status expand_node(tree *t, int id);

static tt_status expand_child(tree *t, int id, int child) {
    TT_TRY(expand_node(t, child));
    t->expanded[id - 1] += t->expanded[child - 1];
    return TT_OK;
}

// The parser has bounded the depth of what is written; an alias leads to an earlier place of it.
static tt_status expand_node(tree *t, int id) {
    const yaml_node_t *node = node_at(t, id);
    if (t->state[id - 1] == DONE) return TT_OK;
    if (t->state[id - 1] == ACTIVE)
        return tt_fail(TT_ERR_CONFIG, "%s:%d: an alias leads to what it is part of", t->path, line_of(node));
    t->state[id - 1] = ACTIVE;
    t->expanded[id - 1] = 1;
    if (node->type == YAML_SEQUENCE_NODE)
        for (yaml_node_item_t *i = node->data.sequence.items.start; i < node->data.sequence.items.top; ++i)
            TT_TRY(expand_child(t, id, *i));
    if (node->type == YAML_MAPPING_NODE)
        for (yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top; ++p) {
            TT_TRY(expand_child(t, id, p->key));
            TT_TRY(expand_child(t, id, p->value));
        }
    t->state[id - 1] = DONE;
    if (t->expanded[id - 1] <= t->n + (double)MOST_EXPANDED) return TT_OK;
    return tt_fail(TT_ERR_CONFIG, "%s:%d: aliases (*name) expand to more than %d values", t->path,
        line_of(node), MOST_EXPANDED);
}

static tt_status prepare_nodes(tree *t) {
    for (int id = 1; id <= t->n; ++id)
        if (node_at(t, id)->type == YAML_MAPPING_NODE) TT_TRY(check_keys(t, node_at(t, id)));
    for (int id = 1; id <= t->n; ++id)
        if (node_at(t, id)->type == YAML_MAPPING_NODE) TT_TRY(merge_mappings(t, id));
    memset(t->state, NEW, (size_t)t->n);
    for (int id = 1; id <= t->n; ++id) TT_TRY(expand_node(t, id));
    return TT_OK;
}

tt_status tt_yaml_tree_prepare(yaml_document_t *document, const char *path) {
    tree t = {.document = document, .path = path, .n = (int)(document->nodes.top - document->nodes.start)};
    tt_status status = tt_alloc(&t.state, (size_t)t.n + 1, sizeof *t.state, "YAML");
    if (status == TT_OK) status = tt_alloc(&t.expanded, (size_t)t.n + 1, sizeof *t.expanded, "YAML");
    if (status == TT_OK) status = prepare_nodes(&t);
    free(t.state);
    free(t.expanded);
    return status;
}
