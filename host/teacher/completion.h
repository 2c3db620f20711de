// The wire format of /v1/chat/completions: what is sent, and what comes back. Pure text, no network.
#ifndef TT_TEACHER_COMPLETION_H
#define TT_TEACHER_COMPLETION_H

#include "host/base/memory.h"
#include "host/base/status.h"
#include "host/base/str.h"
#include "host/teacher/dialect.h"

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

// The request's body. With dialect->no_n it asks for one choice, whatever chat->n is.
tt_status tt_completion_body(tt_str *out, const tt_chat *chat, const tt_dialect *dialect) TT_MUST_CHECK;

typedef struct tt_completion_choice {
    const char *text;      // "" where there is none; U+FFFD for what is not text
    const char *reasoning; // reasoning_content, or NULL
    bool cut, refused;     // finish_reason: length; a refusal or content_filter
    bool broken;           // the text has bytes or characters that are not text
} tt_completion_choice;

typedef struct tt_completion {
    tt_completion_choice *choices; // texts live in the arena that was given
    int n;
    int64_t prompt_tokens, completion_tokens; // -1 = the endpoint does not say, or nothing that can be
    tt_dialect sent;                          // what the request was written in: the client's to set
} tt_completion;

// The number of tokens that a request may have taken: `value` where it is possible, else -1.
int64_t tt_completion_tokens(int64_t value);

// Reads a body of status 200. A choice that ended by an error is left out. Errors: TT_ERR_FORMAT with what is wrong (not
// JSON, no choices, the error that stands in their place): asking again may help, and *out has the tokens that it cost;
// TT_ERR_NOMEM.
tt_status tt_completion_read(
    tt_completion *out, const char *body, size_t size, tt_arena *memory) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
