// config.json and tokenizer_config.json.
#include "host/base/fs.h"
#include "host/base/number.h"
#include "host/model/huggingface/huggingface.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static tt_status load_json(const char *path, size_t flags, json_t **out) {
    char *text;
    size_t bytes;
    json_error_t error;
    TT_TRY(tt_read_file(path, (size_t)16 << 20, &text, &bytes));
    *out = json_loadb(text, bytes, flags, &error);
    free(text);
    if (!*out) return tt_fail(TT_ERR_FORMAT, "%s:%d: %s", path, error.line, error.text);
    if (json_is_object(*out)) return TT_OK;
    json_decref(*out);
    return tt_fail(TT_ERR_FORMAT, "%s: expected a JSON object", path);
}

static tt_status read_integer(const char *path, const json_t *root, const char *key, int *out, int initial) {
    const json_t *value = json_object_get(root, key);
    if (!value && initial >= 0) {
        *out = initial;
        return TT_OK;
    }
    if (!json_is_integer(value) || json_integer_value(value) < 0 || json_integer_value(value) > 1 << 30)
        return tt_fail(TT_ERR_FORMAT, "%s: %s %s", path, key,
            value ? "must be a whole number from 0 to 2^30" : "is missing");
    *out = (int)json_integer_value(value);
    return TT_OK;
}

static float read_real(const json_t *root, const char *key, double initial) {
    const json_t *value = json_object_get(root, key);
    return (float)(json_is_number(value) ? json_number_value(value) : initial);
}

static tt_status check_architecture(const char *path, const json_t *root) {
    const char *type = json_string_value(json_object_get(root, "model_type"));
    const json_t *both = json_object_get(root, "is_encoder_decoder");
    if (!type || (strcmp(type, "t5") != 0 && strcmp(type, "mt5") != 0))
        return tt_fail(TT_ERR_UNSUPPORTED,
            "%s: model_type is %s; only t5 (1.0, 1.1, Flan) and mt5 can be imported", path,
            type ? type : "missing");
    if (json_is_false(both))
        return tt_fail(
            TT_ERR_UNSUPPORTED, "%s: is_encoder_decoder is false; the model must have a decoder", path);
    const struct {
        const char *key;
        int want;
    } ids[] = {{"pad_token_id", 0}, {"eos_token_id", 1}, {"decoder_start_token_id", 0}};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; ++i) {
        const json_t *value = json_object_get(root, ids[i].key);
        if (json_is_integer(value) && json_integer_value(value) != ids[i].want)
            return tt_fail(TT_ERR_UNSUPPORTED, "%s: %s is %lld; T5 needs %d", path, ids[i].key,
                (long long)json_integer_value(value), ids[i].want);
    }
    return TT_OK;
}

// feed_forward_proj names the activation; its absence means ReLU.
static tt_status read_activation(const char *path, const json_t *root, tt_activation *out) {
    const char *name = json_string_value(json_object_get(root, "feed_forward_proj"));
    *out = name && strcmp(name, "gated-gelu") == 0 ? TT_GATED_GELU : TT_RELU;
    if (!name || *out == TT_GATED_GELU || strcmp(name, "relu") == 0) return TT_OK;
    return tt_fail(
        TT_ERR_UNSUPPORTED, "%s: feed_forward_proj is %s; supported are relu and gated-gelu", path, name);
}

static tt_status read_config(tt_model_config *c, const char *path, const json_t *root) {
    TT_TRY(check_architecture(path, root));
    *c = (tt_model_config){0};
    const struct {
        const char *key;
        int *out, initial; // -1: must be there
    } sizes[] = {{"vocab_size", &c->vocab_size, -1}, {"d_model", &c->d_model, -1}, {"d_kv", &c->d_kv, -1},
        {"d_ff", &c->d_ff, -1}, {"num_layers", &c->num_layers, -1}, {"num_heads", &c->num_heads, -1},
        {"relative_attention_num_buckets", &c->relative_attention_num_buckets, 32},
        {"relative_attention_max_distance", &c->relative_attention_max_distance, 128}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i)
        TT_TRY(read_integer(path, root, sizes[i].key, sizes[i].out, sizes[i].initial));
    const bool symmetric = json_is_null(json_object_get(root, "num_decoder_layers"));
    if (symmetric)
        c->num_decoder_layers = c->num_layers;
    else
        TT_TRY(read_integer(path, root, "num_decoder_layers", &c->num_decoder_layers, c->num_layers));
    TT_TRY(read_activation(path, root, &c->activation));
    c->dropout_rate = read_real(root, "dropout_rate", 0.1);
    c->layer_norm_epsilon = read_real(root, "layer_norm_epsilon", 1e-6);
    c->initializer_factor = read_real(root, "initializer_factor", 1);
    c->tie_word_embeddings = !json_is_false(json_object_get(root, "tie_word_embeddings"));
    tt_status status = tt_model_config_check(c);
    return status == TT_OK ? TT_OK : tt_context(TT_ERR_FORMAT, "%s", path);
}

tt_status tt_huggingface_config_read(tt_model_config *out, const char *path) {
    json_t *root;
    TT_TRY(load_json(path, 0, &root));
    tt_status status = read_config(out, path, root);
    json_decref(root);
    return status;
}

// The shortest decimal that reads back as this float: 1e-06, not 9.99999997e-07.
static double shortest_decimal(float x) {
    char text[32];
    for (int digits = 1; digits <= 9; ++digits) {
        tt_format(text, sizeof text, "%.*g", digits, (double)x);
        if ((float)tt_parse_double(text, NULL) == x) break;
    }
    return tt_parse_double(text, NULL);
}

tt_status tt_huggingface_config_write(tt_str *out, const tt_model_config *c, bool bf16) {
    const bool gated = c->activation == TT_GATED_GELU;
    json_t *root = json_pack("{s:[s], s:s, s:b, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i}",
        "architectures", "T5ForConditionalGeneration", "model_type", "t5", "is_encoder_decoder", 1,
        "vocab_size", c->vocab_size, "d_model", c->d_model, "d_kv", c->d_kv, "d_ff", c->d_ff, "num_layers",
        c->num_layers, "num_decoder_layers", c->num_decoder_layers, "num_heads", c->num_heads,
        "relative_attention_num_buckets", c->relative_attention_num_buckets,
        "relative_attention_max_distance", c->relative_attention_max_distance);
    json_t *rest = json_pack("{s:f, s:f, s:f, s:s, s:s, s:b, s:b, s:b, s:i, s:i, s:i, s:s}", "dropout_rate",
        shortest_decimal(c->dropout_rate), "layer_norm_epsilon", shortest_decimal(c->layer_norm_epsilon),
        "initializer_factor", shortest_decimal(c->initializer_factor), "feed_forward_proj",
        gated ? "gated-gelu" : "relu", "dense_act_fn", gated ? "gelu_new" : "relu", "is_gated_act", gated,
        "tie_word_embeddings", c->tie_word_embeddings, "use_cache", 1, "pad_token_id", 0, "eos_token_id", 1,
        "decoder_start_token_id", 0, "torch_dtype", bf16 ? "bfloat16" : "float32");
    if (root && rest) json_object_update(root, rest);
    char *text = root && rest ? json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(root);
    json_decref(rest);
    if (!text) return tt_fail(TT_ERR_NOMEM, "config.json");
    tt_str_format(out, "%s\n", text);
    free(text);
    return tt_str_status(out);
}

tt_status tt_huggingface_extra_ids(int *out, const char *directory) {
    char path[TT_PATH_MAX];
    json_t *root;
    *out = 100;
    TT_TRY(tt_path_join(path, sizeof path, directory, "tokenizer_config.json"));
    if (!tt_file_exists(path)) return TT_OK;
    // As reals: model_max_length is often 1e30, written as an integer.
    TT_TRY(load_json(path, JSON_DECODE_INT_AS_REAL, &root));
    const json_t *stated = json_object_get(root, "extra_ids"),
                 *special = json_object_get(root, "additional_special_tokens");
    if (json_is_number(stated)) {
        const double n = json_number_value(stated);
        *out = n >= 0 && n <= 1000 ? (int)n : -1;
    } else if (json_is_array(special)) {
        *out = 0;
        for (size_t i = 0; i < json_array_size(special); ++i) {
            const json_t *token = json_array_get(special, i);
            const char *text =
                json_string_value(json_is_object(token) ? json_object_get(token, "content") : token);
            *out += text && strncmp(text, "<extra_id_", 10) == 0;
        }
    }
    json_decref(root);
    if (*out < 0 || *out > 1000)
        return tt_fail(TT_ERR_FORMAT, "%s: extra_ids is out of range; allowed are 0 to 1000", path);
    return TT_OK;
}
