// YAML files as documents of libyaml, whose nodes know their line.
#ifndef TT_CONFIG_YAML_FILE_H
#define TT_CONFIG_YAML_FILE_H

#include "host/base/status.h"

#include <stddef.h>
#include <yaml.h>

#ifdef __cplusplus
extern "C" {
#endif

// Reads and parses a file of at most `limit` bytes. In the document every key is a scalar that its mapping has once, merge
// keys (<<) are replaced by what they merge, and no node contains itself. The caller releases the document with
// yaml_document_delete().
// Errors: TT_ERR_IO; TT_ERR_CONFIG as `file:line: ...` for what is not YAML or not UTF-8, a second document, tags, and
// aliases that expand to very much; TT_ERR_NOMEM.
tt_status tt_yaml_open(yaml_document_t *out, const char *path, size_t limit) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
