// YAML into a configuration. Private to host/config.
#ifndef TT_CONFIG_YAML_H
#define TT_CONFIG_YAML_H

#include "host/config/config.h"

#ifdef __cplusplus
extern "C" {
#endif

// Sets the keys that the file has, those of its `base` first. `depth` counts the bases on the way here. Keys
// that were removed are errors, or passed over where `written` (by a run of an earlier version).
tt_status tt_config_read_yaml(tt_config *config, const char *path, int depth, bool written) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
