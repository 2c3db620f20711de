// What an endpoint says in its headers about when to ask again: pure text, no network.
#ifndef TT_TEACHER_PACING_H
#define TT_TEACHER_PACING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// The headers of one answer; -1 where one is not given or cannot be read.
typedef struct tt_pacing {
    double retry_after;                  // seconds
    double reset_requests, reset_tokens; // seconds until all of them are there again
    double remaining_requests, remaining_tokens;
} tt_pacing;

void tt_pacing_open(tt_pacing *pacing); // nothing is given yet
// Takes line[0..n) of an answer's head: Retry-After, retry-after-ms, x-ratelimit-remaining-* and x-ratelimit-reset-*.
// Others are passed over. `today`: the time of day, as time() gives it.
void tt_pacing_read(tt_pacing *pacing, const char *line, size_t n, int64_t today);
// Seconds in which a request of so many tokens would be refused: 0 where something is left, and at most 60, since a 429
// says it better.
double tt_pacing_pause(const tt_pacing *pacing, double tokens);

// The value of a Retry-After header, seconds or an HTTP date: seconds to wait from now on, 0 for a date that has passed;
// -1 where it is neither.
double tt_retry_after(const char *value, int64_t today);
// The value of an x-ratelimit-reset-* header such as "1.5s", "6m0s", "350ms", or "2" for seconds: seconds, or -1.
double tt_reset_after(const char *value);

#ifdef __cplusplus
}
#endif

#endif
