// Sends many chat requests at a time to one OpenAI-compatible endpoint, repeats those that fail where that helps, and
// keeps to limits.
#ifndef TT_TEACHER_CLIENT_H
#define TT_TEACHER_CLIENT_H

#include "host/teacher/completion.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_client_options {
    const char *url;                               // "https://host/v1"; /chat/completions is appended
    const char *key;                               // sent as a bearer token and nowhere else; NULL = none
    const char *key_variable;                      // where the key comes from, for messages
    int in_flight;                                 // requests at a time
    double requests_per_minute, tokens_per_minute; // 0 = no limit but the endpoint's
    double timeout;                                // seconds of one attempt
    int attempts;                                  // of one request, before it counts as failed
    uint64_t seed;                                 // of the back-off's jitter
} tt_client_options;

typedef struct tt_client_request {
    tt_chat chat;   // its texts must live until answered() or failed() is called
    double tokens;  // of prompt and answers, estimated
    const char *id; // tells it from all others in batch files (batch.h); lives as long
    void *context;
} tt_client_request;

// What went wrong and was repeated: constant, word.
#define TT_TROUBLE_MAP(X)                                                                                    \
    X(TT_TROUBLE_RATE, "rate limit")                                                                         \
    X(TT_TROUBLE_SERVER, "server error")                                                                     \
    X(TT_TROUBLE_CONNECTION, "connection")                                                                   \
    X(TT_TROUBLE_TIMEOUT, "time-out")                                                                        \
    X(TT_TROUBLE_BODY, "broken answer")

typedef enum tt_trouble {
#define TT_TROUBLE_CONSTANT(code, word) code,
    TT_TROUBLE_MAP(TT_TROUBLE_CONSTANT)
#undef TT_TROUBLE_CONSTANT
        TT_TROUBLES
} tt_trouble;

// The word of TT_TROUBLE_MAP; static memory.
const char *tt_trouble_word(tt_trouble trouble);

typedef struct tt_client_counts {
    int64_t sent, answered, failed; // attempts; requests
    int64_t trouble[TT_TROUBLES];
    int in_flight;
} tt_client_counts;

// The caller's functions, all called from tt_client_run.
typedef struct tt_client_caller {
    void *context;
    // The next request, if there is one now: more may come once others are answered.
    tt_status (*next)(void *context, tt_client_request *out, bool *have);
    tt_status (*answered)(void *context, const tt_client_request *request, const tt_completion *completion);
    // After so many attempts, or where repeating can't help. The run continues.
    tt_status (*failed)(void *context, const tt_client_request *request, const char *why);
    void (*tick)(void *context, const tt_client_counts *counts); // some times a second
} tt_client_caller;

// Returns when no request is left. Errors that end it at once, before more is spent: TT_ERR_CONFIG for a key that is
// refused, an unknown model or address, a certificate that can't be verified, an endpoint that refuses the first
// requests; TT_ERR_IO where it could never be reached; TT_ERR_UNSUPPORTED in a build without libcurl;
// TT_ERR_INTERRUPTED after Ctrl-C, once what is in flight has been answered; what the caller returns.
tt_status tt_client_run(const tt_client_options *options, const tt_client_caller *caller) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
