// The inside of the client: client.c sends, client_reply.c decides what becomes of a reply.
#ifndef TT_TEACHER_CLIENT_FLIGHT_H
#define TT_TEACHER_CLIENT_FLIGHT_H

#include "host/base/philox.h"
#include "host/teacher/client.h"
#include "host/teacher/limits.h"
#include "host/teacher/pacing.h"

#include <curl/curl.h>

#ifdef __cplusplus
extern "C" {
#endif

// One request on its way, from the first attempt to its end.
typedef struct tt_flight {
    struct tt_client *client;
    tt_client_request request;
    CURL *easy;
    tt_str body, answer;
    tt_arena memory; // of the answer
    int attempts;
    int64_t answered_before; // requests that were answered when the last rate limit came
    bool busy, waiting;      // a transfer runs; another attempt is due at `due`
    double due;
    tt_pacing pacing; // of the reply's headers
    bool too_large;
    tt_dialect sent; // what the attempt was written in
} tt_flight;

typedef struct tt_client {
    const tt_client_options *options;
    const tt_client_caller *caller;
    CURLM *multi;
    struct curl_slist *headers;
    char *url, *shown;  // where requests go; the address in messages
    tt_flight *flights; // [options->in_flight]
    tt_limits limits;
    tt_dialect dialect;
    tt_client_counts counts;
    int failed_in_row; // requests that failed since the last answer
    tt_rng jitter;
    bool drained;     // the caller has no request now
    bool stopping;    // nothing more is sent
    double announced; // the end of the pause that was last told
    double ticked;
} tt_client;

// The request has ended: the caller has been told.
void tt_flight_end(tt_flight *flight);
// Takes the end of a transfer: tells the caller, or sets when the next attempt is due. Errors end the run.
tt_status tt_flight_reply(tt_flight *flight, CURLcode code) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
