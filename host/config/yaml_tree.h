// What every YAML document must be before it is read, whatever it describes. Private to host/config.
#ifndef TT_CONFIG_YAML_TREE_H
#define TT_CONFIG_YAML_TREE_H

#include "host/base/status.h"

#include <yaml.h>

#ifdef __cplusplus
extern "C" {
#endif

// Checks the keys of every mapping, merges, and bounds what aliases expand to, as yaml_file.h says. Errors: TT_ERR_CONFIG as
// `path:line: ...`; TT_ERR_NOMEM.
tt_status tt_yaml_tree_prepare(yaml_document_t *document, const char *path) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
