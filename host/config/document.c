#include "host/config/document.h"

#include "host/base/str.h"
#include "host/config/yaml_file.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int tt_document_line(tt_document_node *node) {
    return (int)node->start_mark.line + 1;
}

tt_status tt_document_fail(const tt_document *document, tt_document_node *node, const char *format, ...) {
    char message[600];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    return tt_fail(TT_ERR_CONFIG, "%s:%d: %s", document->path, tt_document_line(node), message);
}

tt_status tt_document_open(tt_document *document, const char *path) {
    *document = (tt_document){.path = path};
    TT_TRY(tt_yaml_open(&document->tree, path, (size_t)64 << 20));
    document->open = true;
    tt_document_node *root = tt_document_root(document);
    if (root && root->type == YAML_MAPPING_NODE) return TT_OK;
    tt_document_close(document);
    return tt_fail(TT_ERR_CONFIG, "%s:1: expected a mapping (key: value)", path);
}

void tt_document_close(tt_document *document) {
    if (document->open) yaml_document_delete(&document->tree);
    document->open = false;
}

tt_document_node *tt_document_root(tt_document *document) {
    return yaml_document_get_root_node(&document->tree);
}

static tt_document_node *node_at(tt_document *document, int index) {
    return yaml_document_get_node(&document->tree, index);
}

tt_document_node *tt_document_find(tt_document *document, tt_document_node *mapping, const char *key) {
    for (yaml_node_pair_t *p = mapping->data.mapping.pairs.start; p < mapping->data.mapping.pairs.top; ++p)
        if (strcmp(tt_yaml_text(node_at(document, p->key)), key) == 0) return node_at(document, p->value);
    return NULL;
}

tt_status tt_document_mapping(tt_document *document, tt_document_node *node, const char *key, int *n) {
    if (node->type != YAML_MAPPING_NODE)
        return tt_document_fail(
            document, node, "%s: expected a mapping (key: value), got %s", key, tt_scalar_name(node));
    *n = (int)(node->data.mapping.pairs.top - node->data.mapping.pairs.start);
    return TT_OK;
}

tt_document_node *tt_document_key(tt_document *document, tt_document_node *mapping, int index) {
    return node_at(document, mapping->data.mapping.pairs.start[index].key);
}

tt_document_node *tt_document_value(tt_document *document, tt_document_node *mapping, int index) {
    return node_at(document, mapping->data.mapping.pairs.start[index].value);
}

tt_status tt_document_check_keys(
    tt_document *document, tt_document_node *node, const char *what, const char *const *keys, int n) {
    int size = 0;
    TT_TRY(tt_document_mapping(document, node, what, &size));
    for (int k = 0; k < size; ++k) {
        tt_document_node *key = tt_document_key(document, node, k);
        const char *name = tt_yaml_text(key);
        bool known = false;
        for (int i = 0; i < n; ++i) known = known || strcmp(keys[i], name) == 0;
        if (!known) {
            const char *near = tt_nearest(name, keys, n);
            return tt_document_fail(document, key, "%s: unknown key '%s'%s%s%s", what, name,
                near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
        }
    }
    return TT_OK;
}

// Adds the place to the message of a function that does not know it.
static tt_status at_node(const tt_document *document, tt_document_node *node, tt_status status) {
    return status == TT_OK ? TT_OK : tt_context(status, "%s:%d", document->path, tt_document_line(node));
}

tt_status tt_document_text(
    tt_document *document, tt_document_node *node, const char *key, tt_arena *memory, const char **out) {
    const char *text;
    TT_TRY(at_node(document, node, tt_string_of(key, node, &text)));
    if (!*text) return tt_document_fail(document, node, "%s: expected a string, got an empty one", key);
    *out = tt_arena_strdup(memory, text);
    return *out ? TT_OK : TT_ERR_NOMEM;
}

tt_status tt_document_number(tt_document *document, tt_document_node *node, const char *key,
    const tt_number_range *range, double *out) {
    const char *text;
    tt_status status = tt_plain_of(key, range->whole ? "a whole number" : "a number", node, &text);
    if (status == TT_OK) status = tt_number_read(key, text, range, out);
    return at_node(document, node, status);
}

tt_status tt_document_list(tt_document *document, tt_document_node *node, const char *key, int *n) {
    if (node->type != YAML_SEQUENCE_NODE)
        return tt_document_fail(document, node, "%s: expected a list, got %s", key, tt_scalar_name(node));
    *n = (int)(node->data.sequence.items.top - node->data.sequence.items.start);
    return TT_OK;
}

tt_document_node *tt_document_item(tt_document *document, tt_document_node *list, int index) {
    return node_at(document, list->data.sequence.items.start[index]);
}
