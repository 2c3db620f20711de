// Hugging Face directories of T5's kind (T5, T5 1.1, Flan-T5, mT5) to checkpoints and back.
#ifndef TT_MODEL_HUGGINGFACE_HUGGINGFACE_H
#define TT_MODEL_HUGGINGFACE_HUGGINGFACE_H

#include "host/base/str.h"
#include "host/model/checkpoint.h"

#ifdef __cplusplus
extern "C" {
#endif

// Reads config.json, model.safetensors (or the shards of model.safetensors.index.json), spiece.model, and, if
// they exist, tokenizer_config.json and generation_config.json. Weights become fp32; a checkpoint's state
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

// Private to host/model: config.json's text and back.
tt_status tt_huggingface_config_read(tt_model_config *out, const char *path) TT_MUST_CHECK;
tt_status tt_huggingface_config_write(tt_str *out, const tt_model_config *config, bool bf16) TT_MUST_CHECK;
// Sentinels behind the pieces of spiece.model, as tokenizer_config.json in the directory says; 100 without
// it.
tt_status tt_huggingface_extra_ids(int *out, const char *directory) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
