#include "host/lab/start.h"

#include "host/base/log.h"

#include <string.h>

enum { VOCAB_MULTIPLE = 64 };

static tt_status shape_of(tt_model_config *out, const tt_config *config, const tt_tokenizer *tokenizer) {
    if (strcmp(config->model.shape, "custom") == 0) {
        *out = (tt_model_config){.d_model = (int)config->model.d_model,
            .d_kv = (int)config->model.d_kv,
            .d_ff = (int)config->model.d_ff,
            .num_layers = (int)config->model.num_layers,
            .num_decoder_layers = (int)config->model.num_decoder_layers,
            .num_heads = (int)config->model.num_heads,
            .relative_attention_num_buckets = (int)config->model.relative_attention_num_buckets,
            .relative_attention_max_distance = (int)config->model.relative_attention_max_distance,
            .dropout_rate = (float)config->model.dropout_rate,
            .layer_norm_epsilon = 1e-6f,
            .initializer_factor = 1,
            .activation = strcmp(config->model.feed_forward, "gated-gelu") == 0 ? TT_GATED_GELU : TT_RELU,
            .tie_word_embeddings = config->model.tie_word_embeddings,
            .scale_decoder_outputs = config->model.tie_word_embeddings};
    } else {
        TT_TRY(tt_model_preset(out, config->model.shape));
        out->dropout_rate = (float)config->model.dropout_rate;
    }
    out->vocab_size = (tt_tokenizer_size(tokenizer) + VOCAB_MULTIPLE - 1) / VOCAB_MULTIPLE * VOCAB_MULTIPLE;
    return tt_model_config_check(out);
}

static tt_status new_student(tt_checkpoint *out, const tt_config *config, tt_device *device) {
    if (!*config->model.tokenizer)
        return tt_fail(TT_ERR_CONFIG,
            "no student to start from: set model.start to a checkpoint, or model.tokenizer to "
            "a SentencePiece model for a student with random weights");
    tt_model_config c;
    TT_TRY(tt_tokenizer_load(&out->tokenizer, config->model.tokenizer, (int)config->model.extra_ids));
    TT_TRY(shape_of(&c, config, out->tokenizer));
    return tt_model_open(&out->model, &c, device);
}

static tt_status random_student(tt_checkpoint *out, const tt_config *config, tt_device *device) {
    tt_init how;
    TT_TRY(new_student(out, config, device));
    TT_TRY(tt_init_parse(&how, config->model.init));
    return tt_model_init(out->model, how, (uint64_t)config->seed);
}

tt_status tt_start_open(tt_checkpoint *out, const tt_config *config, tt_device *device) {
    *out = (tt_checkpoint){0};
    if (*config->model.start) {
        TT_TRY(tt_checkpoint_load(out, config->model.start, device));
        if (*config->model.tokenizer)
            tt_warn("model.tokenizer is ignored: %s contains its own tokenizer", config->model.start);
        return TT_OK;
    }
    tt_status status = random_student(out, config, device);
    if (status != TT_OK) tt_checkpoint_close(out);
    return status;
}

tt_status tt_start_outline(tt_checkpoint *out, const tt_config *config, tt_device *device) {
    *out = (tt_checkpoint){0};
    if (*config->model.start) return tt_checkpoint_outline(out, config->model.start, device);
    const tt_status status = new_student(out, config, device);
    if (status != TT_OK) tt_checkpoint_close(out);
    return status;
}
