// The parts of a Hugging Face directory: what reads and writes each of its files. Private to host/model/huggingface; others
// include huggingface.h.
#ifndef TT_MODEL_HUGGINGFACE_PARTS_H
#define TT_MODEL_HUGGINGFACE_PARTS_H

#include "host/base/output.h"
#include "host/base/str.h"
#include "host/model/checkpoint.h"

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

// The files of a directory that are written together: each has a temporary file beside its place until all are complete. {0}
// has none.
enum { TT_HUGGINGFACE_FILES = 8 };
typedef struct tt_huggingface_files {
    const char *directory; // it is there
    const char *names[TT_HUGGINGFACE_FILES];
    tt_output outputs[TT_HUGGINGFACE_FILES];
    int n;
} tt_huggingface_files;
// Begins a file; the caller writes it to *temporary, which `files` owns. Errors: TT_ERR_IO, also for a link into the store of a
// Hub cache, whose files other directories share.
tt_status tt_huggingface_begin(
    tt_huggingface_files *files, const char *name, const char **temporary) TT_MUST_CHECK;
// The same with all that it contains, and with a JSON value, which it releases.
tt_status tt_huggingface_write(
    tt_huggingface_files *files, const char *name, const void *bytes, size_t n) TT_MUST_CHECK;
tt_status tt_huggingface_write_json(
    tt_huggingface_files *files, const char *name, json_t *root) TT_MUST_CHECK;
// The tokenizer's files.
tt_status tt_huggingface_tokenizer_write(
    tt_huggingface_files *files, const tt_tokenizer *tokenizer) TT_MUST_CHECK;
// The files of a student's adapters: the weights as the last one.
tt_status tt_huggingface_adapters_write(
    tt_huggingface_files *files, const tt_checkpoint *checkpoint, bool bf16) TT_MUST_CHECK;
// `status`: whether all are complete. If so, puts each in its place, the first one last; else removes them.
tt_status tt_huggingface_commit(tt_huggingface_files *files, tt_status status) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
