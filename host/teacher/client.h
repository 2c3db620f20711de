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
    const char *url;          // "https://host/v1"; /chat/completions is appended (outside.h)
    const char *key;          // sent as a bearer token and nowhere else; NULL = none
    const char *key_variable; // where the key comes from, for messages
    int in_flight;            // requests at a time
    double requests_per_minute, tokens_per_minute; // 0 = no limit but the endpoint's
    double timeout;                                // seconds of one attempt
    double longest_wait;                           // seconds; if the endpoint asks for more, the run ends
    int attempts;                                  // of one request, before it counts as failed
    bool proven;                                   // an earlier run got answers: the address is right
    uint64_t seed;                                 // of the back-off's jitter
} tt_client_options;

typedef struct tt_client_request {
    tt_chat chat;   // its texts must live until the request has ended: answered(), refused(), failed()
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
    bool no_n;    // the endpoint answers once a request, however often it is asked for
    bool gave_up; // too many requests in a row failed: nothing more was sent
} tt_client_counts;

// The caller's functions, all called from tt_client_run. A request ends by one of answered(), refused(), failed(), or
// spent() with *again false. Texts from the endpoint have no control characters and not the key.
typedef struct tt_client_caller {
    void *context;
    // The next request, if there is one now: more may come once others have ended.
    tt_status (*next)(void *context, tt_client_request *out, bool *have);
    // It may have fewer choices than were asked for, at least one: whoever wants the others asks for them.
    tt_status (*answered)(void *context, const tt_client_request *request, const tt_completion *completion);
    // The endpoint will not answer this request, however often it is asked.
    tt_status (*refused)(void *context, const tt_client_request *request, const char *why);
    // After so many attempts. The run continues.
    tt_status (*failed)(void *context, const tt_client_request *request, const char *why);
    // An answer that cannot be read has cost tokens; completion->n is 0. *again: whether another attempt may follow.
    tt_status (*spent)(
        void *context, const tt_client_request *request, const tt_completion *completion, bool *again);
    void (*tick)(void *context, const tt_client_counts *counts); // some times a second
} tt_client_caller;

// Returns when no request is left, or, with counts.gave_up, when one request after the other failed and none was answered.
// Errors end it too: nothing more is sent, and what is on its way is still waited for and answered. TT_ERR_CONFIG for a
// key that is refused, a certificate that can't be verified, an account without credit; TT_ERR_IO where the endpoint
// could never be reached, answers with nothing but rate limits, or asks to wait for longer than longest_wait;
// TT_ERR_UNSUPPORTED in a build without libcurl; TT_ERR_INTERRUPTED after Ctrl-C; what the caller returns.
tt_status tt_client_run(const tt_client_options *options, const tt_client_caller *caller) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
