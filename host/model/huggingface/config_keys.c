#include "host/model/huggingface/config_keys.h"

#include "host/base/json.h"
#include "host/base/log.h"
#include "host/base/str.h"

#include <string.h>

// Keys that config.c reads.
static const char *const used[] = {"model_type", "is_encoder_decoder", "vocab_size", "d_model", "hidden_size",
    "d_kv", "head_dim", "d_ff", "num_layers", "num_hidden_layers", "num_decoder_layers", "num_heads",
    "num_attention_heads", "relative_attention_num_buckets", "relative_attention_max_distance",
    "dropout_rate", "layer_norm_epsilon", "initializer_factor", "feed_forward_proj", "dense_act_fn",
    "is_gated_act", "tie_word_embeddings", "scale_decoder_outputs", "pad_token_id", "eos_token_id",
    "decoder_start_token_id", "transformers_version"};

// Keys that T5 in transformers does not compute with: notes, the heads of other tasks, kinds of output, how to run, and the
// settings of generate(), in whose place are those of this program.
static const char *const idle[] = {"_name_or_path", "name_or_path", "_commit_hash", "architectures",
    "torch_dtype", "dtype", "use_cache", "classifier_dropout", "num_labels", "id2label", "label2id",
    "problem_type", "finetuning_task", "task_specific_params", "tokenizer_class", "prefix", "n_positions",
    "max_position_embeddings", "output_past", "output_attentions", "output_hidden_states", "output_scores",
    "return_dict", "return_dict_in_generate", "torchscript", "tf_legacy_loss", "use_bfloat16",
    "gradient_checkpointing", "chunk_size_feed_forward", "attn_implementation", "_attn_implementation",
    "_attn_implementation_autoset", "_attn_implementation_internal", "_from_model_config",
    "transformers.js_config", "bos_token_id", "sep_token_id", "cross_attention_hidden_size",
    "add_cross_attention", "max_length", "min_length", "max_new_tokens", "do_sample", "early_stopping",
    "num_beams", "num_beam_groups", "diversity_penalty", "temperature", "top_k", "top_p", "typical_p",
    "repetition_penalty", "length_penalty", "no_repeat_ngram_size", "encoder_no_repeat_ngram_size",
    "bad_words_ids", "num_return_sequences", "forced_bos_token_id", "forced_eos_token_id",
    "remove_invalid_values", "exponential_decay_length_penalty", "suppress_tokens", "begin_suppress_tokens",
    "renormalize_logits", "model_max_length", "label_smoothing"};

// Keys that must be off: null, false, 0 or empty.
static const struct {
    const char *key, *why;
} off[] = {
    {"quantization_config", "the weights are quantised; import the model that they were made from"},
    {"compression_config", "the weights are compressed; import the model that they were made from"},
    {"auto_map", "the model runs code of its own, which only Python can run"},
    {"pruned_heads", "attention heads are cut away when the weights are loaded"},
    {"tie_encoder_decoder", "encoder and decoder share their weights"},
    {"is_decoder", "the model must be an encoder with a decoder"},
};

// Parts of the names of settings that change what a model computes. An unknown key that has one is refused.
static const char *const telling[] = {"scale", "scaling", "softcap", "soft_cap", "rope", "rotary", "alibi",
    "bias", "norm", "epsilon", "eps", "attention", "attn", "expert", "moe", "router", "position",
    "activation", "act_fn", "gated", "glu", "hidden", "head", "layer", "embed", "d_", "vocab", "quant",
    "prun", "tie_", "sparse", "window", "radius", "adapter", "lora", "residual", "logit", "multiplier",
    "dropout"};

#define COUNT(a) (sizeof(a) / sizeof *(a))

static bool is_listed(const char *key, const char *const *list, size_t n) {
    for (size_t i = 0; i < n; ++i)
        if (strcmp(key, list[i]) == 0) return true;
    return false;
}

static bool is_off(const json_t *value) {
    return json_is_null(value) || json_is_false(value) ||
           (json_is_number(value) && json_number_value(value) == 0) ||
           (json_is_object(value) && json_object_size(value) == 0) ||
           (json_is_array(value) && json_array_size(value) == 0);
}

static tt_status refuse_unless_off(const char *path, const char *key, const json_t *value) {
    for (size_t i = 0; i < COUNT(off); ++i)
        if (strcmp(key, off[i].key) == 0 && !is_off(value)) {
            const char *method = json_string_value(json_object_get(value, "quant_method"));
            return tt_fail(TT_ERR_UNSUPPORTED, "%s: %s is set%s%s%s: %s", path, key, method ? " (" : "",
                method ? method : "", method ? ")" : "", off[i].why);
        }
    return TT_OK;
}

static bool must_be_off(const char *key) {
    for (size_t i = 0; i < COUNT(off); ++i)
        if (strcmp(key, off[i].key) == 0) return true;
    return false;
}

static bool tells_of_the_model(const char *key) {
    for (size_t i = 0; i < COUNT(telling); ++i)
        if (strcmp(telling[i], "d_") == 0 ? strncmp(key, "d_", 2) == 0 : strstr(key, telling[i]) != NULL)
            return true;
    return false;
}

tt_status tt_huggingface_keys_check(const char *path, const json_t *root) {
    tt_str unknown = {0}, text = {0};
    tt_status status = TT_OK;
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)root, key, value) {
        if (status == TT_OK) status = refuse_unless_off(path, key, value);
        if (status != TT_OK) break;
        if (json_is_null(value) || must_be_off(key) || is_listed(key, used, COUNT(used)) ||
            is_listed(key, idle, COUNT(idle)))
            continue;
        if (tells_of_the_model(key)) {
            tt_json_show(&text, value);
            status = tt_fail(TT_ERR_UNSUPPORTED,
                "%s: %s is %s, but a T5 has no such setting, and by its name it changes what the model "
                "computes; if the "
                "model does not need it, remove the key from the file",
                path, key, tt_str_text(&text));
        } else {
            tt_str_format(&unknown, "%s%s", unknown.length ? ", " : "", key);
        }
    }
    if (status == TT_OK && unknown.length)
        tt_warn("%s: these keys are not known and are ignored: %s", path, tt_str_text(&unknown));
    tt_str_close(&unknown);
    tt_str_close(&text);
    return status;
}
