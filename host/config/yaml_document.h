// YAML files read as trees, with the line of each node for messages.
#ifndef TT_CONFIG_YAML_DOCUMENT_H
#define TT_CONFIG_YAML_DOCUMENT_H

#include "host/base/memory.h"
#include "host/base/status.h"

#include <stdbool.h>
#include <yaml.h>

// An open file. Errors of all functions below name file and line.
typedef struct tt_yaml {
    yaml_document_t document;
    const char *path; // borrowed
    bool open;
} tt_yaml;

typedef const yaml_node_t tt_yaml_node;

// The file's only document, whose root must be a mapping. Errors: TT_ERR_IO; TT_ERR_CONFIG for what is not YAML, an empty
// file, a second document, or text that is not UTF-8.
tt_status tt_yaml_open(tt_yaml *yaml, const char *path) TT_MUST_CHECK;
void tt_yaml_close(tt_yaml *yaml);
tt_yaml_node *tt_yaml_root(tt_yaml *yaml);
int tt_yaml_line(tt_yaml_node *node); // counted from 1

// Fails with TT_ERR_CONFIG, "path:line: ", and the message.
tt_status tt_yaml_fail(const tt_yaml *yaml, tt_yaml_node *node, const char *format, ...) TT_PRINTF(3, 4);

// `node` is a mapping whose keys are all among keys[0..n), none given twice.
tt_status tt_yaml_check_keys(
    tt_yaml *yaml, tt_yaml_node *node, const char *what, const char *const *keys, int n) TT_MUST_CHECK;
// The value of a mapping's key; NULL where it is not there.
tt_yaml_node *tt_yaml_find(tt_yaml *yaml, tt_yaml_node *mapping, const char *key);
// A text that is not empty, copied into `memory`; `key` is what messages call it.
tt_status tt_yaml_text(
    tt_yaml *yaml, tt_yaml_node *node, const char *key, tt_arena *memory, const char **out) TT_MUST_CHECK;
// A list's items; *n their number.
tt_status tt_yaml_list(tt_yaml *yaml, tt_yaml_node *node, const char *key, int *n) TT_MUST_CHECK;
tt_yaml_node *tt_yaml_item(tt_yaml *yaml, tt_yaml_node *list, int index);

#endif
