#include "host/teacher/completion.h"

#include "host/base/json.h"
#include "host/base/python_json.h"
#include "host/teacher/outside.h"

#include <stdlib.h>
#include <string.h>

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

tt_status tt_completion_body(tt_str *out, const tt_chat *chat, const tt_dialect *dialect) {
    json_t *body = json_pack("{s:s, s:[{s:s, s:s}, {s:s, s:s}]}", "model", chat->model, "messages", "role",
        "system", "content", chat->system, "role", "user", "content", chat->user);
    if (!body) return tt_fail(TT_ERR_NOMEM, "out of memory for a request");
    if (!dialect->no_n && chat->n > 1) json_object_set_new(body, "n", json_integer(chat->n));
    json_object_set_new(body, dialect->max_completion_tokens ? "max_completion_tokens" : "max_tokens",
        json_integer(chat->max_tokens));
    if (!dialect->no_temperature) json_object_set_new(body, "temperature", json_real(chat->temperature));
    if (chat->seed >= 0 && !dialect->no_seed) json_object_set_new(body, "seed", json_integer(chat->seed));
    if (chat->json_options > 0 && !dialect->no_schema)
        json_object_set_new(body, "response_format", answer_schema(chat->json_options));
    char *text = json_dumps(body, JSON_COMPACT | JSON_REAL_PRECISION(6));
    json_decref(body);
    if (!text) return tt_fail(TT_ERR_NOMEM, "out of memory for a request");
    tt_str_append(out, text);
    free(text);
    return tt_str_status(out);
}

// ---- what is not text, as servers send it now and then: it must spoil one choice and not the whole answer

static bool is_hex(const char *text, const char *end) {
    if (end - text < 4) return false;
    for (int i = 0; i < 4; ++i)
        if (!strchr("0123456789abcdefABCDEF", text[i]) || !text[i]) return false;
    return true;
}

// The first half (\uD8..) or second half (\uDC..) of a surrogate pair at text[0..end).
static bool is_half(const char *text, const char *end, bool second) {
    return end - text >= 6 && text[0] == '\\' && text[1] == 'u' && (text[2] | 32) == 'd' &&
           is_hex(text + 2, end) && strchr(second ? "cdefCDEF" : "89abAB", text[3]);
}

// Copies the body with \u0000 for halves of pairs, for bytes that are not UTF-8, and for NUL.
static void append_repaired(tt_str *out, const char *body, size_t size) {
    const char *end = body + size;
    for (const char *at = body; at < end;) {
        const size_t plain = (size_t)(end - at);
        if (is_half(at, end, false) && is_half(at + 6, end, true)) {
            tt_str_append_n(out, at, 12);
            at += 12;
        } else if (is_half(at, end, false) || is_half(at, end, true)) {
            tt_str_append(out, "\\u0000");
            at += 6;
        } else if (*at == '\\' && plain > 1) {
            tt_str_append_n(out, at, 2);
            at += 2;
        } else {
            const unsigned char lead = (unsigned char)*at;
            const size_t length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
            const bool valid = length <= plain && tt_utf8_valid(at, length, NULL);
            tt_str_append_n(out, valid ? at : "\\u0000", valid ? length : 6);
            at += valid ? length : 1;
        }
    }
}

// Appends a JSON string; true where it holds a NUL, for which U+FFFD stands.
static bool append_string(tt_str *out, const json_t *value) {
    const char *text = json_string_value(value);
    const size_t n = json_string_length(value);
    bool broken = false;
    for (size_t i = 0; text && i < n; ++i) {
        if (text[i])
            tt_str_append_n(out, &text[i], 1);
        else
            tt_str_append(out, "\xEF\xBF\xBD"), broken = true;
    }
    return broken;
}

// The text of `value`, a string or a list of parts ({"type": "text", "text": ...}); *out stays where it is neither.
static tt_status keep_text(tt_arena *memory, const json_t *value, const char **out, bool *broken) {
    tt_str text = {0};
    size_t i;
    const json_t *part;
    if (!json_is_string(value) && !json_is_array(value)) return TT_OK;
    *broken = append_string(&text, value);
    json_array_foreach(value, i,
        part) if (append_string(&text, json_is_string(part) ? part : json_object_get(part, "text"))) *broken =
        true;
    tt_status status = tt_str_status(&text);
    if (status == TT_OK && !(*out = tt_arena_strdup(memory, tt_str_text(&text)))) status = TT_ERR_NOMEM;
    tt_str_close(&text);
    return status;
}

static bool says(const json_t *object, const char *key, const char *word) {
    const char *text = json_string_value(json_object_get(object, key));
    return text && strcmp(text, word) == 0;
}

static tt_status read_choice(tt_completion_choice *out, const json_t *choice, tt_arena *memory) {
    const json_t *message = json_object_get(choice, "message");
    bool ignored;
    if (!json_is_object(message)) return tt_fail(TT_ERR_FORMAT, "a choice of the answer has no \"message\"");
    *out = (tt_completion_choice){.text = "",
        .cut = says(choice, "finish_reason", "length"),
        .refused = says(choice, "finish_reason", "content_filter") ||
                   json_string_length(json_object_get(message, "refusal")) > 0};
    TT_TRY(keep_text(memory, json_object_get(message, "content"), &out->text, &out->broken));
    TT_TRY(keep_text(memory, json_object_get(message, "reasoning_content"), &out->reasoning, &ignored));
    if (out->reasoning) return TT_OK;
    return keep_text(memory, json_object_get(message, "reasoning"), &out->reasoning, &ignored);
}

// A choice that the endpoint could not finish.
static bool is_error(const json_t *choice) {
    const json_t *error = json_object_get(choice, "error");
    return says(choice, "finish_reason", "error") || (json_is_object(error) && !tt_json_unusual(error));
}

int64_t tt_completion_tokens(int64_t value) {
    const int64_t most = 1000000000; // sums of millions of requests stay far from overflowing
    return value >= 0 && value <= most ? value : -1;
}

static int64_t count_of(const json_t *usage, const char *key) {
    int64_t count;
    return tt_json_whole(json_object_get(usage, key), &count) ? tt_completion_tokens(count) : -1;
}

static tt_status fail_without_choices(const json_t *root, const char *otherwise) {
    char *text = json_dumps(root, JSON_COMPACT | JSON_ENCODE_ANY);
    char message[320] = "";
    if (text) tt_completion_error(text, strlen(text), message, sizeof message);
    free(text);
    if (*message)
        return tt_fail(TT_ERR_FORMAT, "the endpoint sent an error in place of an answer: %s", message);
    return tt_fail(TT_ERR_FORMAT, "%s", otherwise);
}

static tt_status read_completion(tt_completion *out, const json_t *root, tt_arena *memory) {
    const json_t *choices = json_object_get(root, "choices"), *usage = json_object_get(root, "usage"),
                 *choice, *error = NULL;
    size_t i;
    out->prompt_tokens = count_of(usage, "prompt_tokens");
    out->completion_tokens = count_of(usage, "completion_tokens");
    if (!json_is_array(choices)) return fail_without_choices(root, "the answer has no \"choices\"");
    const size_t n = json_array_size(choices);
    if (n == 0) return fail_without_choices(root, "the answer's \"choices\" are empty");
    if (!(out->choices = tt_arena_alloc(memory, n * sizeof *out->choices))) return TT_ERR_NOMEM;
    json_array_foreach(choices, i, choice) {
        if (is_error(choice))
            error = choice;
        else
            TT_TRY(read_choice(&out->choices[out->n++], choice, memory));
    }
    return out->n > 0 ? TT_OK : fail_without_choices(error, "an error ended the answer");
}

tt_status tt_completion_read(tt_completion *out, const char *body, size_t size, tt_arena *memory) {
    json_error_t error, again;
    *out = (tt_completion){.prompt_tokens = -1, .completion_tokens = -1};
    json_t *root = tt_json_load(body, size, JSON_ALLOW_NUL, &error);
    if (!root) {
        tt_str repaired = {0};
        append_repaired(&repaired, body, size);
        root = tt_json_load(tt_str_text(&repaired), repaired.length, JSON_ALLOW_NUL, &again);
        tt_str_close(&repaired);
    }
    if (!root) {
        tt_outside_line(error.text);
        return tt_fail(TT_ERR_FORMAT, "the answer is not JSON, or not all of it: %s", error.text);
    }
    const tt_status status = read_completion(out, root, memory);
    if (status == TT_ERR_FORMAT) out->n = 0;
    json_decref(root);
    return status;
}
