// The parts of a Hugging Face directory: what reads and writes each of its files. Private to host/model/huggingface; others
// include huggingface.h.
#ifndef TT_MODEL_HUGGINGFACE_PARTS_H
#define TT_MODEL_HUGGINGFACE_PARTS_H

#include "host/base/str.h"
#include "host/model/model.h"
#include "host/text/tokenizer.h"

#include <jansson.h>

#ifdef __cplusplus
extern "C" {
#endif

// What config.json says.
typedef struct tt_huggingface_config {
    tt_model_config model;
    bool weights_tell; // whether the weights, not `model`, tell if the embedding is the head, too (tied)
    bool mt5;          // model_type
} tt_huggingface_config;
// Errors: TT_ERR_IO; TT_ERR_FORMAT naming the key; TT_ERR_UNSUPPORTED for what a T5 here cannot compute.
tt_status tt_huggingface_config_read(tt_huggingface_config *out, const char *path) TT_MUST_CHECK;
// Refuses other ids for padding, end and start of a text than T5's, in config.json and generation_config.json. Errors:
// TT_ERR_UNSUPPORTED.
tt_status tt_huggingface_ids_check(const char *path, const json_t *root) TT_MUST_CHECK;
// Appends a config.json. Errors: TT_ERR_NOMEM.
tt_status tt_huggingface_config_write(tt_str *out, const tt_model_config *config, bool bf16) TT_MUST_CHECK;

// Writes the tokenizer's files to a directory that is there. Errors: TT_ERR_IO, TT_ERR_NOMEM.
tt_status tt_huggingface_tokenizer_write(const char *directory, const tt_tokenizer *tokenizer) TT_MUST_CHECK;

// Writes one of a directory's files, and a JSON value, which it releases, as one. Errors: TT_ERR_IO, TT_ERR_NOMEM.
tt_status tt_huggingface_write(
    const char *directory, const char *name, const void *bytes, size_t n) TT_MUST_CHECK;
tt_status tt_huggingface_write_json(const char *directory, const char *name, json_t *root) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
