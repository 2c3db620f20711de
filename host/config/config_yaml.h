// YAML into a configuration. Private to host/config.
#ifndef TT_CONFIG_YAML_H
#define TT_CONFIG_YAML_H

#include "host/config/config.h"

// Sets the keys that the file has, those of its `base` first. `depth` counts the bases on the way here.
tt_status tt_config_read_yaml(tt_config *config, const char *path, int depth) TT_MUST_CHECK;

#endif
