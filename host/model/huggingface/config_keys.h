// What becomes of each key of config.json. Private to host/model/huggingface.
#ifndef TT_MODEL_HUGGINGFACE_CONFIG_KEYS_H
#define TT_MODEL_HUGGINGFACE_CONFIG_KEYS_H

#include "host/base/status.h"

#include <jansson.h>

#ifdef __cplusplus
extern "C" {
#endif

// Looks at every key that the model's configuration is not read from. Refuses those that would change what the model
// computes: known ones that are switched on, and unknown ones whose names speak of a part of the model. Names other unknown
// keys in a warning. null counts as absent. Errors: TT_ERR_UNSUPPORTED.
tt_status tt_huggingface_keys_check(const char *path, const json_t *root) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
