// The wire format of /v1/chat/completions: what is sent, and what comes back. Pure text, no network.
#ifndef TT_TEACHER_COMPLETION_H
#define TT_TEACHER_COMPLETION_H

#include "host/base/memory.h"
#include "host/base/status.h"
#include "host/base/str.h"

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// What is asked of the endpoint.
typedef struct tt_chat {
    const char *model, *system, *user;
    int n;          // choices
    int max_tokens; // of each
    double temperature;
    int64_t seed;     // endpoints that know seeds give the same choices again; -1 = none is sent
    int json_options; // > 0: the answer follows the JSON schema for so many options
} tt_chat;

// What an endpoint does not understand, learned from its errors.
typedef struct tt_dialect {
    bool no_n;                  // n choices take n requests
    bool max_completion_tokens; // instead of max_tokens
    bool no_temperature;        // its own temperature
    bool no_seed;
    bool no_schema; // response_format is left out
} tt_dialect;

// The request's body. With dialect->no_n it asks for one choice, whatever chat->n is, with the seed of choice `first`.
tt_status tt_completion_body(
    tt_str *out, const tt_chat *chat, const tt_dialect *dialect, int first) TT_MUST_CHECK;

typedef struct tt_completion_choice {
    const char *text;      // "" where there is none
    const char *reasoning; // reasoning_content, or NULL
    bool cut, refused;     // finish_reason: length; a refusal or content_filter
} tt_completion_choice;

typedef struct tt_completion {
    tt_completion_choice *choices; // texts live in the arena that was given
    int n;
    int64_t prompt_tokens,
        completion_tokens; // -1 = the endpoint does not say, or names more than TT_MOST_TOKENS
} tt_completion;
// Of one answer. More cannot be, and their sums would overflow.
#define TT_MOST_TOKENS 1000000000000

// Reads a body of status 200. Errors: TT_ERR_FORMAT with what is wrong (not JSON, no choices): asking again may help;
// TT_ERR_NOMEM.
tt_status tt_completion_read(
    tt_completion *out, const char *body, size_t size, tt_arena *memory) TT_MUST_CHECK;

// The message of an error's body, shortened; "" where it has none.
void tt_completion_error(const char *body, size_t size, char *out, size_t out_size);
// Whether the body of a 400 or 422 names something that can be asked differently: then the dialect is changed.
bool tt_dialect_learn(tt_dialect *dialect, const tt_chat *chat, const char *body, size_t size);

#ifdef __cplusplus
}
#endif

#endif
