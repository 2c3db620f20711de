// Calls of a library that may never return, since another process has stopped in the middle of them. Private to host/dist.
#ifndef TT_DIST_HANG_H
#define TT_DIST_HANG_H

#ifdef __cplusplus
extern "C" {
#endif

// Ends this process with status 1 if tt_hang_end does not follow within so many seconds of a monotonic clock; `message`, which
// ends with a newline and outlives the call, goes to standard error then. Nothing else can end such a call: launchers end the
// other ranks when one has gone. Takes SIGALRM and ITIMER_REAL for itself.
void tt_hang_begin(double seconds, const char *message);
void tt_hang_end(void);

#ifdef __cplusplus
}
#endif

#endif
