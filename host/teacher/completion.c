#include "host/teacher/completion.h"

#include "host/base/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

// The schema of an answer about `options` options.
static json_t *answer_schema(int options) {
    json_t *letters = json_array();
    for (int o = 0; o < options; ++o) {
        const char letter[2] = {(char)('A' + o), '\0'};
        json_array_append_new(letters, json_string(letter));
    }
    return json_pack("{s:s, s:{s:s, s:b, s:{s:s, s:b, s:[s,s], s:{s:{s:s}, s:{s:s, s:{s:s, s:b, s:[s,s,s], "
                     "s:{s:{s:s, s:o}, s:{s:s}, s:{s:s}}}}}}}}",
        "type", "json_schema", "json_schema", "name", "explanations", "strict", 1, "schema", "type", "object",
        "additionalProperties", 0, "required", "key_information", "explanations", "properties",
        "key_information", "type", "string", "explanations", "type", "array", "items", "type", "object",
        "additionalProperties", 0, "required", "option", "correct", "because", "properties", "option", "type",
        "string", "enum", letters, "correct", "type", "boolean", "because", "type", "string");
}

tt_status tt_completion_body(tt_str *out, const tt_chat *chat, const tt_dialect *dialect, int first) {
    json_t *body = json_pack("{s:s, s:[{s:s, s:s}, {s:s, s:s}]}", "model", chat->model, "messages", "role",
        "system", "content", chat->system, "role", "user", "content", chat->user);
    if (!body) return tt_fail(TT_ERR_NOMEM, "out of memory for a request");
    if (!dialect->no_n && chat->n > 1) json_object_set_new(body, "n", json_integer(chat->n));
    json_object_set_new(body, dialect->max_completion_tokens ? "max_completion_tokens" : "max_tokens",
        json_integer(chat->max_tokens));
    if (!dialect->no_temperature) json_object_set_new(body, "temperature", json_real(chat->temperature));
    if (chat->seed >= 0 && !dialect->no_seed)
        json_object_set_new(body, "seed", json_integer(chat->seed + (dialect->no_n ? first : 0)));
    if (chat->json_options > 0 && !dialect->no_schema)
        json_object_set_new(body, "response_format", answer_schema(chat->json_options));
    char *text = json_dumps(body, JSON_COMPACT | JSON_REAL_PRECISION(6));
    json_decref(body);
    if (!text) return tt_fail(TT_ERR_NOMEM, "out of memory for a request");
    tt_str_append(out, text);
    free(text);
    return tt_str_status(out);
}

static tt_status keep_text(tt_arena *memory, const json_t *value, const char **out) {
    const char *text = json_string_value(value);
    if (!text) return TT_OK;
    *out = tt_arena_strdup(memory, text);
    return *out ? TT_OK : TT_ERR_NOMEM;
}

static tt_status read_choice(tt_completion_choice *out, const json_t *choice, tt_arena *memory) {
    const json_t *message = json_object_get(choice, "message");
    const char *finish = json_string_value(json_object_get(choice, "finish_reason"));
    if (!json_is_object(message)) return tt_fail(TT_ERR_FORMAT, "a choice of the answer has no \"message\"");
    *out = (tt_completion_choice){.text = "",
        .cut = finish && strcmp(finish, "length") == 0,
        .refused = (finish && strcmp(finish, "content_filter") == 0) ||
                   json_is_string(json_object_get(message, "refusal"))};
    TT_TRY(keep_text(memory, json_object_get(message, "content"), &out->text));
    TT_TRY(keep_text(memory, json_object_get(message, "reasoning_content"), &out->reasoning));
    if (out->reasoning) return TT_OK;
    return keep_text(memory, json_object_get(message, "reasoning"), &out->reasoning);
}

static int64_t count_of(const json_t *usage, const char *key) {
    int64_t count;
    return tt_json_whole(json_object_get(usage, key), &count) && count >= 0 && count <= TT_MOST_TOKENS ? count
                                                                                                       : -1;
}

static tt_status read_completion(tt_completion *out, const json_t *root, tt_arena *memory) {
    const json_t *choices = json_object_get(root, "choices"), *usage = json_object_get(root, "usage");
    if (!json_is_array(choices)) return tt_fail(TT_ERR_FORMAT, "the answer has no \"choices\"");
    const size_t n = json_array_size(choices);
    if (n == 0) return tt_fail(TT_ERR_FORMAT, "the answer's \"choices\" are empty");
    if (!(out->choices = tt_arena_alloc(memory, n * sizeof *out->choices))) return TT_ERR_NOMEM;
    for (size_t i = 0; i < n; ++i) TT_TRY(read_choice(&out->choices[i], json_array_get(choices, i), memory));
    out->n = (int)n;
    out->prompt_tokens = count_of(usage, "prompt_tokens");
    out->completion_tokens = count_of(usage, "completion_tokens");
    return TT_OK;
}

tt_status tt_completion_read(tt_completion *out, const char *body, size_t size, tt_arena *memory) {
    json_error_t error;
    *out = (tt_completion){0};
    json_t *root = json_loadb(body, size, 0, &error);
    if (!root) return tt_fail(TT_ERR_FORMAT, "the answer is not JSON, or not all of it: %s", error.text);
    const tt_status status = read_completion(out, root, memory);
    json_decref(root);
    return status;
}

void tt_completion_error(const char *body, size_t size, char *out, size_t out_size) {
    json_t *root = json_loadb(body, size, 0, NULL);
    const json_t *error = json_object_get(root, "error");
    const char *message = json_string_value(json_object_get(error, "message"));
    if (!message) message = json_string_value(error);
    if (!message) message = json_string_value(json_object_get(root, "message"));
    if (!message) message = json_string_value(json_object_get(root, "detail"));
    if (!message) message = "";
    snprintf(
        out, out_size, "%.*s", (int)tt_utf8_fit(message, out_size - 1 < 300 ? out_size - 1 : 300), message);
    json_decref(root);
}

// Whether the error is about the parameter: by its "param", or by words of its message.
static bool is_about(const json_t *error, const char *parameter, const char *quoted) {
    const char *param = json_string_value(json_object_get(error, "param"));
    const char *message = json_string_value(json_object_get(error, "message"));
    return (param && strcmp(param, parameter) == 0) || (message && strstr(message, quoted));
}

bool tt_dialect_learn(tt_dialect *dialect, const tt_chat *chat, const char *body, size_t size) {
    json_t *root = json_loadb(body, size, 0, NULL);
    const json_t *error = json_object_get(root, "error");
    const tt_dialect before = *dialect;
    if (!json_is_object(error)) error = root; // llama.cpp, FastAPI: the message is at the top
    if (is_about(error, "max_tokens", "max_completion_tokens"))
        dialect->max_completion_tokens = true;
    else if (is_about(error, "temperature", "temperature"))
        dialect->no_temperature = true;
    else if (chat->n > 1 && is_about(error, "n", "'n'"))
        dialect->no_n = true;
    else if (chat->seed >= 0 && is_about(error, "seed", "seed"))
        dialect->no_seed = true;
    else if (chat->json_options > 0 && (is_about(error, "response_format", "response_format") ||
                                           is_about(error, "response_format", "json_schema")))
        dialect->no_schema = true;
    json_decref(root);
    return memcmp(&before, dialect, sizeof before) != 0;
}
