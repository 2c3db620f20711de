// Hugging Face directories of T5's kind (T5, T5 1.1, Flan-T5, mT5) to checkpoints and back.
#ifndef TT_MODEL_HUGGINGFACE_HUGGINGFACE_H
#define TT_MODEL_HUGGINGFACE_HUGGINGFACE_H

#include "host/model/checkpoint.h"

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
// unless `replace` is true: then files of the same names are replaced. A failure while files are written leaves those from before.
// Errors: TT_ERR_IO.
tt_status tt_huggingface_export(
    const tt_checkpoint *checkpoint, const char *directory, bool bf16, bool replace) TT_MUST_CHECK;

// Writes the adapters of a student as PEFT does, to be loaded by PeftModel.from_pretrained on an export of their base:
// adapter_config.json and adapter_model.safetensors. Several sets become one, whose rank is the sum of theirs. The same is
// true of the directory. Errors also: TT_ERR_INPUT where the checkpoint has no adapters.
tt_status tt_huggingface_export_adapters(
    const tt_checkpoint *checkpoint, const char *directory, bool bf16, bool replace) TT_MUST_CHECK;

// Reads the tokenizer of a directory, with its added tokens. vocab_size: rows of the model's embedding, which must have all
// ids; INT_MAX where there is no model. The caller closes *out. Errors: TT_ERR_IO where there is none; TT_ERR_FORMAT naming
// file and token; TT_ERR_UNSUPPORTED for parts of a tokenizer.json that are not known here.
tt_status tt_huggingface_tokenizer_read(
    tt_tokenizer **out, const char *directory, int vocab_size) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
