// The student that a run begins with: a checkpoint, or random weights of a given shape.
#ifndef TT_LAB_START_H
#define TT_LAB_START_H

#include "host/config/config.h"
#include "host/model/checkpoint.h"

#ifdef __cplusplus
extern "C" {
#endif

// Loads config->model.start if it is set; else makes a random student with the shape and tokenizer that
// config->model names. vocab_size is the tokenizer's size rounded up to a multiple of 64 (T5: 32,100 ids,
// 32,128 rows). The caller closes *out. Errors: TT_ERR_CONFIG when neither start nor tokenizer is set; those
// of loading.
tt_status tt_start_open(tt_checkpoint *out, const tt_config *config, tt_device *device) TT_MUST_CHECK;

// The same student without its weights, which are neither read nor drawn: for a counting device (kernels/counting.h).
// Errors: the same.
tt_status tt_start_outline(tt_checkpoint *out, const tt_config *config, tt_device *device) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
