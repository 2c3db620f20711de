// Messages and progress for people, on stderr; results go to stdout. Under MPI only rank 0 speaks, but for
// errors, which every rank prefixes with its number.
#ifndef TT_BASE_LOG_H
#define TT_BASE_LOG_H

#include "host/base/status.h"

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

void tt_log_rank(int rank, int ranks); // at start-up, if there is more than one
void tt_log_quiet(bool quiet);         // drops tt_info and progress
void tt_log_told(void);                // the failure at hand has been told: tt_error says nothing more
// A line on stderr, formatted as by printf: what is going on and what may be wrong (rank 0 alone), why a command failed
// (with the number of the rank).
void tt_info(const char *format, ...) TT_PRINTF(1, 2);
void tt_warn(const char *format, ...) TT_PRINTF(1, 2);
void tt_error(const char *format, ...) TT_PRINTF(1, 2);

// Seconds of a monotonic clock.
double tt_seconds(void);

// A bar on a terminal (redrawn at most ten times a second), plain lines elsewhere (at most one in ten
// seconds, and the last one): label, share done, rate, what `note` says, time left.
typedef struct tt_progress {
    const char *label, *unit;
    int64_t total, done, first;
    double started, shown;
    bool live;                 // a bar stands on the terminal's current line
    struct tt_progress *outer; // the task that this one is a part of
} tt_progress;

// Tasks may be nested: the bar of a part takes the place of the whole's and vanishes at its end.
// `first`: units done before this process began (a resumed run), left out of the rate.
void tt_progress_open(tt_progress *p, const char *label, const char *unit, int64_t total, int64_t first);
void tt_progress_update(tt_progress *p, int64_t done, const char *note_format, ...) TT_PRINTF(3, 4);
void tt_progress_close(tt_progress *p);

// From now on Ctrl-C and SIGTERM set a flag that long loops ask for, so that they can save and stop; a second
// Ctrl-C ends the program at once.
void tt_interrupt_install(void);
bool tt_interrupted(void);

#ifdef __cplusplus
}
#endif

#endif
