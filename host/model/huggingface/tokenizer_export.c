// The files of a tokenizer, as both transformers 4 and 5 read them: the model's own file, and tokenizer_config.json with
// special_tokens_map.json, which name the tokens beside its pieces.
#include "host/model/huggingface/parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Sentinels in order of their numbers, then other special tokens in order of their ids; pad, eos and unk have keys of their own.
static json_t *special_names(const tt_tokenizer *t, const json_t *added) {
    json_t *names = json_array(), *token;
    size_t i;
    for (int k = 0; k < tt_tokenizer_extra_ids(t); ++k) {
        char name[32];
        snprintf(name, sizeof name, "<extra_id_%d>", k);
        json_array_append_new(names, json_string(name));
    }
    json_array_foreach(added, i, token) {
        const char *content = json_string_value(json_object_get(token, "content"));
        if (json_is_true(json_object_get(token, "special")) &&
            json_integer_value(json_object_get(token, "id")) > TT_UNK &&
            !tt_starts_with(content, "<extra_id_"))
            json_array_append_new(names, json_string(content));
    }
    return names;
}

// The added tokens by id, as tokenizer_config.json has them, and by content, as added_tokens.json has them.
static tt_status write_added(tt_huggingface_files *files, const json_t *added, json_t *config) {
    json_t *decoder = json_object(), *ids = json_object(), *token;
    size_t i;
    json_array_foreach(added, i, token) {
        char id[16];
        const int number = (int)json_integer_value(json_object_get(token, "id"));
        snprintf(id, sizeof id, "%d", number);
        json_t *flags = json_copy(token);
        json_object_del(flags, "id");
        json_object_set_new(decoder, id, flags);
        if (number > TT_UNK)
            json_object_set(
                ids, json_string_value(json_object_get(token, "content")), json_object_get(token, "id"));
    }
    json_object_set_new(config, "added_tokens_decoder", decoder);
    return tt_huggingface_write_json(files, "added_tokens.json", ids);
}

static tt_status write_names(tt_huggingface_files *files, const tt_tokenizer *t, const json_t *added) {
    json_t *special =
        json_pack("{s:s, s:s, s:s}", "eos_token", "</s>", "unk_token", "<unk>", "pad_token", "<pad>");
    json_object_set_new(special, "additional_special_tokens", special_names(t, added));
    json_t *config = json_deep_copy(special);
    json_object_set_new(config, "tokenizer_class", json_string("T5Tokenizer"));
    json_object_set_new(config, "extra_ids", json_integer(tt_tokenizer_extra_ids(t)));
    json_object_set_new(config, "legacy", json_true());
    json_object_set_new(config, "clean_up_tokenization_spaces", json_true());
    tt_status status = tt_tokenizer_added(t) ? write_added(files, added, config) : TT_OK;
    tt_status other = tt_huggingface_write_json(files, "special_tokens_map.json", special);
    if (status == TT_OK) status = other;
    other = tt_huggingface_write_json(files, "tokenizer_config.json", config);
    return status == TT_OK ? other : status;
}

tt_status tt_huggingface_tokenizer_write(tt_huggingface_files *files, const tt_tokenizer *t) {
    size_t n;
    const void *bytes = tt_tokenizer_bytes(t, &n);
    TT_TRY(
        tt_huggingface_write(files, tt_tokenizer_is_json(t) ? "tokenizer.json" : "spiece.model", bytes, n));
    tt_str text = {0};
    tt_tokenizer_all_added(t, &text);
    json_t *added = json_loads(tt_str_text(&text), 0, NULL);
    tt_str_close(&text);
    if (!added) return tt_fail(TT_ERR_NOMEM, "no memory for added tokens");
    tt_status status = write_names(files, t, added);
    json_decref(added);
    return status;
}
