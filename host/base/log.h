// Messages and progress for people, on stderr; results go to stdout. With several ranks only rank 0 prints, except
// for errors, which every rank prints with its number.
#ifndef TT_BASE_LOG_H
#define TT_BASE_LOG_H

#include "host/base/status.h"

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// Says which of how many ranks this process is; called at start-up where there is more than one.
void tt_log_rank(int rank, int ranks);
// Drops tt_info and progress bars from now on, or prints them again.
void tt_log_quiet(bool quiet);
// Drops warnings, too.
void tt_log_mute(bool mute);
// Says that the failure that ends this process has been reported, by another rank: tt_error prints nothing more.
void tt_log_reported(void);
// Print one line: information, "warning: ...", "tinythinker: ..." (errors). The format has no newline at its end.
void tt_info(const char *format, ...) TT_PRINTF(1, 2);
void tt_warn(const char *format, ...) TT_PRINTF(1, 2);
void tt_error(const char *format, ...) TT_PRINTF(1, 2);

// Seconds of a monotonic clock.
double tt_seconds(void);

// A bar on a terminal (redrawn at most ten times a second), plain lines elsewhere (one every ten seconds at most, and
// the last one): label, share done, rate, the caller's note, time left.
typedef struct tt_progress {
    const char *label, *unit;   // "validation", "questions"; they outlive the bar
    int64_t total, done, first; // units
    double started, shown;      // tt_seconds() when it was opened and last printed
    bool live;                  // the bar is on the terminal's current line
    struct tt_progress *outer;  // the task that this one is a part of
} tt_progress;

// Tasks may be nested: the bar of a part replaces the bar of the whole and vanishes when the part ends.
// `first`: units done before this process began (a resumed run); the rate leaves them out.
void tt_progress_open(tt_progress *p, const char *label, const char *unit, int64_t total, int64_t first);
void tt_progress_update(tt_progress *p, int64_t done, const char *note_format, ...) TT_PRINTF(3, 4);
void tt_progress_close(tt_progress *p);

// From now on Ctrl-C and SIGTERM (SIGHUP, unless it was ignored) end the program at once, with status 128 and the signal's
// number, and without a temporary file left (temporary.h). SIGUSR1 sets the flag of tt_interrupted() alone. May be called before
// the C library is ready (cli/early.c), and again.
void tt_interrupt_install(void);
// While `hold`, these signals wait. Held when a process becomes the program anew, they reach the handler that it installs.
void tt_interrupt_hold(bool hold);
// Work that saves its progress asks for time to do so: while `defer` holds, the first signal sets a flag, which loops read with
// tt_interrupted() in order to save and stop; the second one ends the program at once. Who asks for it ends it, too, unless
// the program is about to end: then a signal changes nothing any more.
void tt_interrupt_defer(bool defer);
bool tt_interrupted(void);
// For commands that go on from what is saved: where a signal ends the program at once, it says on standard error how to resume.
void tt_interrupt_resumes(void);
// What messages say of it: "run the same command again to resume", or what tt_resume_by was given, which must stay.
const char *tt_how_to_resume(void);
void tt_resume_by(const char *how);

#ifdef __cplusplus
}
#endif

#endif
