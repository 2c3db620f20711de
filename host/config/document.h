// A YAML file as a tree of nodes, with messages that name file and line.
#ifndef TT_CONFIG_DOCUMENT_H
#define TT_CONFIG_DOCUMENT_H

#include "host/base/memory.h"
#include "host/base/status.h"
#include "host/config/scalar.h"

#include <stdbool.h>
#include <yaml.h>

#ifdef __cplusplus
extern "C" {
#endif

// An open file. Errors of all functions below name file and line.
typedef struct tt_document {
    yaml_document_t tree;
    const char *path; // borrowed
    bool open;
} tt_document;

typedef const yaml_node_t tt_document_node;

// The file's only document, whose root must be a mapping, as tt_yaml_open reads it. Errors: also TT_ERR_CONFIG for an empty
// file.
tt_status tt_document_open(tt_document *document, const char *path) TT_MUST_CHECK;
void tt_document_close(tt_document *document);
tt_document_node *tt_document_root(tt_document *document);
int tt_document_line(tt_document_node *node); // counted from 1

// Fails with TT_ERR_CONFIG, "path:line: ", and the message.
tt_status tt_document_fail(const tt_document *document, tt_document_node *node, const char *format, ...)
    TT_PRINTF(3, 4);

// `node` is a mapping whose keys are all among keys[0..n).
tt_status tt_document_check_keys(tt_document *document, tt_document_node *node, const char *what,
    const char *const *keys, int n) TT_MUST_CHECK;
// The value of a mapping's key; NULL where it is not there.
tt_document_node *tt_document_find(tt_document *document, tt_document_node *mapping, const char *key);
// A mapping's keys and their values; *n their number.
tt_status tt_document_mapping(
    tt_document *document, tt_document_node *node, const char *key, int *n) TT_MUST_CHECK;
tt_document_node *tt_document_key(tt_document *document, tt_document_node *mapping, int index);
tt_document_node *tt_document_value(tt_document *document, tt_document_node *mapping, int index);
// A string (tt_string_of) that is not empty, copied into `memory`; `key` is what messages call it.
tt_status tt_document_text(tt_document *document, tt_document_node *node, const char *key, tt_arena *memory,
    const char **out) TT_MUST_CHECK;
// A number without quotes (tt_number_read).
tt_status tt_document_number(tt_document *document, tt_document_node *node, const char *key,
    const tt_number_range *range, double *out) TT_MUST_CHECK;
// A list's items; *n their number.
tt_status tt_document_list(
    tt_document *document, tt_document_node *node, const char *key, int *n) TT_MUST_CHECK;
tt_document_node *tt_document_item(tt_document *document, tt_document_node *list, int index);

#ifdef __cplusplus
}
#endif

#endif
