// YAML into a configuration. Private to host/config.
#ifndef TT_CONFIG_YAML_H
#define TT_CONFIG_YAML_H

#include "host/config/config.h"

#ifdef __cplusplus
extern "C" {
#endif

// Sets the keys that the file contains, those of its `base` first. `depth` counts the bases on the way here. A
// key that was removed is an error, but is ignored where the file was written by a run (`written`), which may
// be that of an earlier version. Errors: TT_ERR_CONFIG as `file:line: key: ...`, TT_ERR_NOMEM.
tt_status tt_config_read_yaml(tt_config *config, const char *path, int depth, bool written) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
