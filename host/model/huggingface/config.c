// config.json and back.
#include "host/base/json.h"
#include "host/base/number.h"
#include "host/base/python_json.h"
#include "host/model/huggingface/config_keys.h"
#include "host/model/huggingface/parts.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

// The value of a key; null counts as absent, as it does in transformers.
static const json_t *value_of(const json_t *root, const char *key) {
    const json_t *value = json_object_get(root, key);
    return json_is_null(value) ? NULL : value;
}

static tt_status refuse(const char *path, const char *key, const char *expected, const json_t *value) {
    tt_str got = {0};
    tt_json_show(&got, value);
    tt_fail(TT_ERR_FORMAT, "%s: %s must be %s, but is %s", path, key, expected, tt_str_text(&got));
    tt_str_close(&got);
    return TT_ERR_FORMAT;
}

typedef struct integer_key {
    const char *key, *alias; // alias: the name that transformers also takes it by, or NULL
    int *out, initial;       // initial: where the key is absent; -1: it must be there
} integer_key;

static tt_status read_integer(const char *path, const json_t *root, const integer_key *k) {
    const char *const names[] = {k->key, k->alias};
    double found[2] = {-1, -1};
    for (int i = 0; i < 2 && names[i]; ++i) {
        const json_t *value = value_of(root, names[i]);
        if (!value) continue;
        found[i] = json_is_number(value) ? json_number_value(value) : -1;
        if (!(found[i] >= 0 && found[i] <= 1 << 30 && found[i] == floor(found[i])))
            return refuse(path, names[i], "a whole number from 0 to 2^30", value);
    }
    if (found[0] >= 0 && found[1] >= 0 && found[0] != found[1])
        return tt_fail(TT_ERR_FORMAT, "%s: %s is %g, but %s, another name of it, is %g", path, k->key,
            found[0], k->alias, found[1]);
    const double value = found[0] >= 0 ? found[0] : found[1] >= 0 ? found[1] : k->initial;
    if (value < 0) return tt_fail(TT_ERR_FORMAT, "%s: %s is missing", path, k->key);
    *k->out = (int)value;
    return TT_OK;
}

static tt_status read_real(
    const char *path, const json_t *root, const char *key, double initial, float *out) {
    const json_t *value = value_of(root, key);
    if (value && !json_is_number(value)) return refuse(path, key, "a number", value);
    *out = (float)(value ? json_number_value(value) : initial);
    return TT_OK;
}

static tt_status read_bool(const char *path, const json_t *root, const char *key, bool initial, bool *out) {
    const json_t *value = value_of(root, key);
    if (value && !json_is_boolean(value)) return refuse(path, key, "true or false", value);
    *out = value ? json_is_true(value) : initial;
    return TT_OK;
}

static tt_status read_text(const char *path, const json_t *root, const char *key, const char **out) {
    const json_t *value = value_of(root, key);
    if (value && !json_is_string(value)) return refuse(path, key, "a string", value);
    *out = json_string_value(value);
    return TT_OK;
}

// A list of one id counts as that id.
tt_status tt_huggingface_ids_check(const char *path, const json_t *root) {
    const struct {
        const char *key;
        int want;
    } ids[] = {{"pad_token_id", 0}, {"eos_token_id", 1}, {"decoder_start_token_id", 0}};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; ++i) {
        const json_t *value = value_of(root, ids[i].key);
        if (json_is_array(value) && json_array_size(value) == 1) value = json_array_get(value, 0);
        if (!value || (json_is_number(value) && json_number_value(value) == ids[i].want)) continue;
        tt_str got = {0};
        tt_json_show(&got, value);
        tt_fail(TT_ERR_UNSUPPORTED, "%s: %s is %s; T5 needs %d", path, ids[i].key, tt_str_text(&got),
            ids[i].want);
        tt_str_close(&got);
        return TT_ERR_UNSUPPORTED;
    }
    return TT_OK;
}

static tt_status check_architecture(const char *path, const json_t *root, bool *mt5) {
    const char *type;
    bool both;
    TT_TRY(read_text(path, root, "model_type", &type));
    if (!type || (strcmp(type, "t5") != 0 && strcmp(type, "mt5") != 0))
        return tt_fail(TT_ERR_UNSUPPORTED,
            "%s: model_type is %s; only t5 (1.0, 1.1, Flan) and mt5 can be imported", path,
            type ? type : "missing");
    *mt5 = strcmp(type, "mt5") == 0;
    TT_TRY(read_bool(path, root, "is_encoder_decoder", true, &both));
    if (!both)
        return tt_fail(
            TT_ERR_UNSUPPORTED, "%s: is_encoder_decoder is false; the model must have a decoder", path);
    return tt_huggingface_ids_check(path, root);
}

// feed_forward_proj is "ACTIVATION" or "gated-ACTIVATION". is_gated_act and dense_act_fn say its halves once more, and
// transformers computes with these where they are given; so they must agree.
static tt_status read_activation(
    const char *path, const json_t *root, const char *initial, tt_activation *out) {
    const char *name, *function;
    bool gated;
    TT_TRY(read_text(path, root, "dense_act_fn", &function));
    TT_TRY(read_bool(path, root, "is_gated_act", strcmp(initial, "gated-gelu") == 0, &gated));
    if (!value_of(root, "feed_forward_proj") && function) initial = gated ? "gated-gelu" : "relu";
    TT_TRY(read_text(path, root, "feed_forward_proj", &name));
    if (!name) name = initial;
    *out = strcmp(name, "gated-gelu") == 0 ? TT_GATED_GELU : TT_RELU;
    if (*out == TT_RELU && strcmp(name, "relu") != 0)
        return tt_fail(
            TT_ERR_UNSUPPORTED, "%s: feed_forward_proj is %s; supported are relu and gated-gelu", path, name);
    TT_TRY(read_bool(path, root, "is_gated_act", *out == TT_GATED_GELU, &gated));
    // gelu_pytorch_tanh is another implementation of gelu_new's formula.
    if (function && *out == TT_GATED_GELU && strcmp(function, "gelu_pytorch_tanh") == 0)
        function = "gelu_new";
    if (gated == (*out == TT_GATED_GELU) && (!function || strcmp(function, gated ? "gelu_new" : "relu") == 0))
        return TT_OK;
    return tt_fail(TT_ERR_UNSUPPORTED,
        "%s: feed_forward_proj is %s, but dense_act_fn is %s and is_gated_act %s; supported are relu (relu, "
        "false) and "
        "gated-gelu (gelu_new, true)",
        path, name, function ? function : "missing", gated ? "true" : "false");
}

// Whether the head has weights of its own, and whether what it reads is scaled by d_model^-0.5. Until transformers 5, one key
// said both. Since then the weights themselves say the first, scale_decoder_outputs says the second, and mt5 never scales.
static tt_status read_head(const char *path, const json_t *root, tt_huggingface_config *out) {
    const char *version;
    bool tied;
    TT_TRY(read_text(path, root, "transformers_version", &version));
    TT_TRY(read_bool(path, root, "tie_word_embeddings", !out->mt5, &tied));
    TT_TRY(read_bool(path, root, "scale_decoder_outputs", tied, &out->model.scale_decoder_outputs));
    const bool since_5 = out->mt5 && version && atoi(version) >= 5;
    out->weights_tell = since_5 || value_of(root, "scale_decoder_outputs");
    if (since_5) out->model.scale_decoder_outputs = false;
    out->model.tie_word_embeddings = tied;
    return TT_OK;
}

static tt_status read_config(tt_huggingface_config *out, const char *path, const json_t *root) {
    *out = (tt_huggingface_config){0};
    tt_model_config *c = &out->model;
    TT_TRY(check_architecture(path, root, &out->mt5));
    const integer_key sizes[] = {{"vocab_size", NULL, &c->vocab_size, -1},
        {"d_model", "hidden_size", &c->d_model, -1}, {"d_kv", "head_dim", &c->d_kv, -1},
        {"d_ff", NULL, &c->d_ff, -1}, {"num_layers", "num_hidden_layers", &c->num_layers, -1},
        {"num_heads", "num_attention_heads", &c->num_heads, -1},
        {"relative_attention_num_buckets", NULL, &c->relative_attention_num_buckets, 32},
        {"relative_attention_max_distance", NULL, &c->relative_attention_max_distance, 128}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i) TT_TRY(read_integer(path, root, &sizes[i]));
    TT_TRY(read_integer(
        path, root, &(integer_key){"num_decoder_layers", NULL, &c->num_decoder_layers, c->num_layers}));
    TT_TRY(read_activation(path, root, out->mt5 ? "gated-gelu" : "relu", &c->activation));
    TT_TRY(read_real(path, root, "dropout_rate", 0.1, &c->dropout_rate));
    TT_TRY(read_real(path, root, "layer_norm_epsilon", 1e-6, &c->layer_norm_epsilon));
    TT_TRY(read_real(path, root, "initializer_factor", 1, &c->initializer_factor));
    TT_TRY(read_head(path, root, out));
    TT_TRY(tt_huggingface_keys_check(path, root));
    tt_status status = tt_model_config_check(c);
    return status == TT_OK ? TT_OK : tt_context(TT_ERR_FORMAT, "%s", path);
}

tt_status tt_huggingface_config_read(tt_huggingface_config *out, const char *path) {
    json_t *root;
    TT_TRY(tt_python_json_read(&root, path));
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
    // transformers 4 scales where the embedding is tied. A tied model that does not scale is written with a head of its own,
    // and with the key of transformers 5 by which an import finds out that the head is the embedding.
    const bool tied = c->tie_word_embeddings && c->scale_decoder_outputs;
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
        "tie_word_embeddings", tied, "use_cache", 1, "pad_token_id", 0, "eos_token_id", 1,
        "decoder_start_token_id", 0, "torch_dtype", bf16 ? "bfloat16" : "float32");
    if (root && rest) json_object_update(root, rest);
    if (root && tied != c->tie_word_embeddings)
        json_object_set_new(root, "scale_decoder_outputs", json_false());
    char *text = root && rest ? json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(root);
    json_decref(rest);
    if (!text) return tt_fail(TT_ERR_NOMEM, "no memory for config.json");
    tt_str_format(out, "%s\n", text);
    free(text);
    return tt_str_status(out);
}
