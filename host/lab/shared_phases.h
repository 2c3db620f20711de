// Phases that several runs have in common: which phases a run directory contains, and taking one from there instead of
// training it again.
//
// phases.json of a run directory says of each phase what determines it (phase_identity.h), whether it is finished, and
// from which run it was taken. A phase that is taken is hard links to the files of the other run, or copies where the
// file system has none: either run may be removed without harm to the other.
#ifndef TT_LAB_SHARED_PHASES_H
#define TT_LAB_SHARED_PHASES_H

#include "host/lab/phase_identity.h"
#include "host/lab/run_directory.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_phase_entry {
    const char *name;      // of the phase
    const char *identity;  // tt_phase_identity
    const char *best;      // path of its best weights
    const char *from;      // the run that it was taken from; NULL: trained here
    int64_t metrics_bytes; // of metrics.jsonl at its end
    bool done;
} tt_phase_entry;

// Writes what is known of a phase into phases.json, over what was known before. An entry that is not done says what the
// phase began with. Errors: TT_ERR_IO, TT_ERR_NOMEM.
tt_status tt_phase_note(const tt_run_directory *dir, const tt_phase_entry *entry) TT_MUST_CHECK;

// Removes the phase from phases.json. Errors: TT_ERR_IO, TT_ERR_NOMEM.
tt_status tt_phase_forget(const tt_run_directory *dir, const char *phase) TT_MUST_CHECK;

// Runs that start over together, with phases from each other and from no other run, are a generation: phases.json of each
// says which, from the moment on when its old phases have been removed.
enum { TT_PHASE_GENERATION = 24 };
// Writes it. Errors: TT_ERR_IO, TT_ERR_NOMEM.
tt_status tt_phase_note_generation(const tt_run_directory *dir, const char *generation) TT_MUST_CHECK;
// That of the directory `run`; empty: none.
void tt_phase_generation(const char *run, char out[TT_PHASE_GENERATION]);

// What a run directory says of a phase.
typedef enum tt_phase_standing {
    TT_PHASE_NEW,   // nothing
    TT_PHASE_BEGUN, // it began as this one would, and is not finished or lacks a file
    TT_PHASE_DONE,
    TT_PHASE_OTHER // it began with something else: other settings, or a file that has changed since
} tt_phase_standing;

// Where a finished phase was found.
typedef struct tt_phase_found {
    char run[TT_PATH_MAX];  // the run directory
    char best[TT_PATH_MAX]; // its best weights
    int64_t metrics_bytes;
    char generation[TT_PHASE_GENERATION]; // of the run; empty: none
    bool taken;                           // the run did not train it: it has the files of another one
} tt_phase_found;

// Looks into the run directory `run`; *out (or NULL) is filled for TT_PHASE_DONE: all files of the phase are there.
tt_phase_standing tt_phase_look(
    const char *run, const char *phase, const char *identity, tt_phase_found *out);
// The hash of what the run directory says that a phase began with; false where it says nothing.
bool tt_phase_noted(const char *run, const char *phase, char hash[TT_PHASE_HASH]);

// Visits every finished phase of the runs in the folders of `root`, and in the folders of these, until `visit` returns
// true; returns whether it did.
typedef bool tt_phase_visit(void *self, const char *phase, const char *identity, const tt_phase_found *found);
bool tt_phases_walk(const char *root, tt_phase_visit *visit, void *self);
// Puts the files of a phase that was found into the run directory, where its best weights go to entry->best, and notes it; of the
// entry, name, identity and best count.
// What stood there of an attempt that was not finished is replaced. Both checkpoints are checked against their seals first.
// Those of adapters name the run's own base then: `start`, its model.start ("": none), or the file of an earlier phase. Errors:
// TT_ERR_FORMAT and TT_ERR_IO where the files found are damaged, gone, or were replaced meanwhile; the phase then counts as not
// there.
tt_status tt_phase_take(const tt_run_directory *dir, const tt_phase_entry *entry, const tt_phase_found *found,
    const char *start) TT_MUST_CHECK;

// Locks the training of a phase among the runs whose locks are in `folder`, until tt_lock_release or the process's end.
// Errors: TT_ERR_BUSY, after some seconds, while another process trains it, whom out->owner names; TT_ERR_IO.
tt_status tt_phase_lock(const char *folder, const char *phase, const char *hash, tt_lock *out) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
