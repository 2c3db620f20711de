// What a sweep writes into the directory of a run. Private to host/lab/sweep, but for tt_sweep_failure_read.
#ifndef TT_LAB_SWEEP_NOTES_H
#define TT_LAB_SWEEP_NOTES_H

#include "host/lab/sweep/plan.h"

#ifdef __cplusplus
extern "C" {
#endif

// Writes a file of this name into the run's directory. Errors: TT_ERR_IO.
tt_status tt_sweep_write_note(const tt_sweep_run *run, const char *name, const char *text) TT_MUST_CHECK;
// Writes sweep.json and removes failed.txt. To be called with the lock of the run's directory. Errors: TT_ERR_IO,
// TT_ERR_NOMEM.
tt_status tt_sweep_begin_run(const tt_sweep_run *run) TT_MUST_CHECK;
// Prints the present message, and writes it to failed.txt, where that can be written.
void tt_sweep_note_failure(const tt_sweep_run *run);
// Writes failed.txt: the reason, and for a run that belongs to a start-over (fresh.h) a last line with its generation.
// Errors: TT_ERR_IO.
tt_status tt_sweep_write_failure(const tt_sweep_run *run, const char *reason) TT_MUST_CHECK;

// What failed.txt of a run's directory says.
typedef struct tt_sweep_failure {
    char reason[2048];                    // in one line; "?": it cannot be read
    char generation[TT_SWEEP_GENERATION]; // the start-over that the attempt belonged to; empty: none
} tt_sweep_failure;
// Whether failed.txt is there: the last attempt failed, which may have left a result from before. *out (or NULL) is filled
// then.
bool tt_sweep_failure_read(const char *directory, tt_sweep_failure *out);
// Tells one failed.txt of the run from a later one; 0: there is none.
uint64_t tt_sweep_failure_stamp(const tt_sweep_run *run);
// Removes failed.txt of a run that is finished: another attempt or another process noted it.
void tt_sweep_forget_failure(const tt_sweep_run *run);

#ifdef __cplusplus
}
#endif

#endif
