// Hugging Face directories of T5's kind (T5, T5 1.1, Flan-T5, mT5) to checkpoints and back.
#ifndef TT_MODEL_HUGGINGFACE_HUGGINGFACE_H
#define TT_MODEL_HUGGINGFACE_HUGGINGFACE_H

#include "host/base/output.h"
#include "host/base/str.h"
#include "host/model/checkpoint.h"

#include <jansson.h>

#ifdef __cplusplus
extern "C" {
#endif

// Reads config.json, model.safetensors (or the shards of model.safetensors.index.json), spiece.model or, where that is
// missing, tokenizer.json, and, if they exist, tokenizer_config.json, special_tokens_map.json, added_tokens.json and
// generation_config.json. Weights become fp32; a checkpoint's state
// says where it came from and keeps the generation configuration. The caller owns the result, as after
// tt_checkpoint_load.
// allow_unused: tensors that the model does not have are ignored with a warning; otherwise they are an error.
// Errors: TT_ERR_IO; TT_ERR_UNSUPPORTED (another architecture, activation or dtype); TT_ERR_FORMAT naming the
// file and the tensor or key that is missing, misshapen, NaN or Inf, tied but different, or unused.
tt_status tt_huggingface_import(
    tt_checkpoint *out, const char *directory, bool allow_unused, tt_device *device) TT_MUST_CHECK;

// Writes a directory that AutoModelForSeq2SeqLM and T5Tokenizer can load. An existing directory must be empty
// unless `replace` is true: then files of the same names are replaced. A failure leaves no files behind.
// Errors: TT_ERR_IO.
tt_status tt_huggingface_export(
    const tt_checkpoint *checkpoint, const char *directory, bool bf16, bool replace) TT_MUST_CHECK;

// Private to host/model/huggingface.

// What config.json says.
typedef struct tt_huggingface_config {
    tt_model_config model;
    bool
        weights_tell; // the model is tied where there is no head that differs from the embedding, whatever `model` says
} tt_huggingface_config;
// Errors: TT_ERR_IO; TT_ERR_FORMAT naming the key; TT_ERR_UNSUPPORTED for what a T5 here cannot compute.
tt_status tt_huggingface_config_read(tt_huggingface_config *out, const char *path) TT_MUST_CHECK;
// Refuses other ids for padding, end and start of a text than T5's, in config.json and generation_config.json. Errors:
// TT_ERR_UNSUPPORTED.
tt_status tt_huggingface_ids_check(const char *path, const json_t *root) TT_MUST_CHECK;
tt_status tt_huggingface_config_write(tt_str *out, const tt_model_config *config, bool bf16) TT_MUST_CHECK;
// The tokenizer of a directory, with its added tokens. vocab_size: rows of the model's embedding, which must have all ids.
// The caller closes *out.
tt_status tt_huggingface_tokenizer_read(
    tt_tokenizer **out, const char *directory, int vocab_size) TT_MUST_CHECK;
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
// `status`: whether all are complete. If so, puts each in its place, the first one last; else removes them.
tt_status tt_huggingface_commit(tt_huggingface_files *files, tt_status status) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
