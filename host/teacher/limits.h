// When the next request may be sent: requests and tokens a minute as token buckets, and pauses that the endpoint asks
// for. Times are seconds of tt_seconds(), given by the caller, so that tests need no clock.
#ifndef TT_TEACHER_LIMITS_H
#define TT_TEACHER_LIMITS_H

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_limits {
    double requests_per_minute, tokens_per_minute; // 0 = no limit
    double requests, tokens;                       // that may be sent now; tokens may fall below 0
    double last;                                   // when the buckets were filled
    double paused_until;
} tt_limits;

// Buckets hold a tenth of a minute's worth (at least one request), so that a start does not spend a minute at once.
void tt_limits_open(tt_limits *limits, double requests_per_minute, double tokens_per_minute, double now);
// Seconds until a request of so many tokens may be sent; 0 = now. One that is larger than the bucket waits for a full one.
double tt_limits_wait(tt_limits *limits, double tokens, double now);
void tt_limits_spend(tt_limits *limits, double tokens, double now);
// The request took more or fewer tokens than was thought when it was sent.
void tt_limits_correct(tt_limits *limits, double tokens_more);
void tt_limits_pause(tt_limits *limits, double seconds, double now); // nothing is sent before

// Seconds before attempt number `attempt` (1 = the first repetition): 1, 2, 4, ... up to 60, times a half to one and a
// half by `chance` (0..1).
double tt_back_off(int attempt, double chance);

#ifdef __cplusplus
}
#endif

#endif
