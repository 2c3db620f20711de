#include "host/config/yaml_document.h"

#include "host/base/fs.h"
#include "host/base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int tt_yaml_line(tt_yaml_node *node) {
    return (int)node->start_mark.line + 1;
}

tt_status tt_yaml_fail(const tt_yaml *yaml, tt_yaml_node *node, const char *format, ...) {
    char message[600];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    return tt_fail(TT_ERR_CONFIG, "%s:%d: %s", yaml->path, tt_yaml_line(node), message);
}

static tt_status parse(tt_yaml *yaml, const char *text, size_t size) {
    yaml_parser_t parser;
    yaml_document_t second;
    size_t bad;
    if (!tt_utf8_valid(text, size, &bad)) {
        int line = 1;
        for (size_t i = 0; i < bad; ++i) line += text[i] == '\n';
        return tt_fail(TT_ERR_CONFIG, "%s:%d: expected UTF-8, got byte 0x%02x", yaml->path, line,
            (unsigned char)text[bad]);
    }
    if (!yaml_parser_initialize(&parser)) return tt_fail(TT_ERR_NOMEM, "%s: out of memory", yaml->path);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
    tt_status status = TT_OK;
    yaml->open = yaml_parser_load(&parser, &yaml->document);
    const bool single = yaml->open && yaml_parser_load(&parser, &second);
    if (!single) {
        status = tt_fail(TT_ERR_CONFIG, "%s:%zu: not YAML: %s", yaml->path, parser.problem_mark.line + 1,
            parser.problem ? parser.problem : "the parser failed");
    } else {
        const yaml_node_t *more = yaml_document_get_root_node(&second);
        if (more)
            status = tt_fail(
                TT_ERR_CONFIG, "%s:%d: a second document; expected one", yaml->path, tt_yaml_line(more));
        yaml_document_delete(&second);
    }
    yaml_parser_delete(&parser);
    return status;
}

tt_status tt_yaml_open(tt_yaml *yaml, const char *path) {
    *yaml = (tt_yaml){.path = path};
    char *text;
    size_t size;
    TT_TRY(tt_read_file(path, (size_t)64 << 20, &text, &size));
    tt_status status = parse(yaml, text, size);
    free(text);
    if (status == TT_OK) {
        tt_yaml_node *root = tt_yaml_root(yaml);
        if (!root || root->type != YAML_MAPPING_NODE)
            status = tt_fail(TT_ERR_CONFIG, "%s:1: expected a mapping (key: value)", path);
    }
    if (status != TT_OK) tt_yaml_close(yaml);
    return status;
}

void tt_yaml_close(tt_yaml *yaml) {
    if (yaml->open) yaml_document_delete(&yaml->document);
    yaml->open = false;
}

tt_yaml_node *tt_yaml_root(tt_yaml *yaml) {
    return yaml_document_get_root_node(&yaml->document);
}

static tt_yaml_node *node_at(tt_yaml *yaml, int index) {
    return yaml_document_get_node(&yaml->document, index);
}

static const char *scalar_of(tt_yaml_node *node) {
    return node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : "";
}

tt_yaml_node *tt_yaml_find(tt_yaml *yaml, tt_yaml_node *mapping, const char *key) {
    for (yaml_node_pair_t *p = mapping->data.mapping.pairs.start; p < mapping->data.mapping.pairs.top; ++p)
        if (strcmp(scalar_of(node_at(yaml, p->key)), key) == 0) return node_at(yaml, p->value);
    return NULL;
}

tt_status tt_yaml_check_keys(
    tt_yaml *yaml, tt_yaml_node *node, const char *what, const char *const *keys, int n) {
    if (node->type != YAML_MAPPING_NODE)
        return tt_yaml_fail(yaml, node, "%s: expected a mapping (key: value)", what);
    for (yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top; ++p) {
        tt_yaml_node *key = node_at(yaml, p->key);
        const char *name = scalar_of(key);
        bool known = false;
        for (int i = 0; i < n; ++i) known = known || strcmp(keys[i], name) == 0;
        if (!known) {
            const char *near = tt_nearest(name, keys, n);
            return tt_yaml_fail(yaml, key, "%s: unknown key '%s'%s%s%s", what, name,
                near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
        }
        if (tt_yaml_find(yaml, node, name) != node_at(yaml, p->value))
            return tt_yaml_fail(yaml, key, "%s: given twice", name);
    }
    return TT_OK;
}

tt_status tt_yaml_text(
    tt_yaml *yaml, tt_yaml_node *node, const char *key, tt_arena *memory, const char **out) {
    if (node->type != YAML_SCALAR_NODE) return tt_yaml_fail(yaml, node, "%s: expected a text", key);
    const char *text = scalar_of(node);
    const size_t length = node->data.scalar.length;
    if (length == 0) return tt_yaml_fail(yaml, node, "%s: expected a text, got nothing", key);
    if (!tt_utf8_valid(text, length, NULL))
        return tt_yaml_fail(yaml, node, "%s: expected a text, got a NUL character in it", key);
    *out = tt_arena_strdup(memory, text);
    return *out ? TT_OK : TT_ERR_NOMEM;
}

tt_status tt_yaml_list(tt_yaml *yaml, tt_yaml_node *node, const char *key, int *n) {
    if (node->type != YAML_SEQUENCE_NODE) return tt_yaml_fail(yaml, node, "%s: expected a list", key);
    *n = (int)(node->data.sequence.items.top - node->data.sequence.items.start);
    return TT_OK;
}

tt_yaml_node *tt_yaml_item(tt_yaml *yaml, tt_yaml_node *list, int index) {
    return node_at(yaml, list->data.sequence.items.start[index]);
}
