// The part of a run that shares phases with other runs: what each phase is known by, who trains it, and where it is taken
// from. Everything happens on rank 0; the other ranks learn what to do.
#ifndef TT_LAB_SHARING_H
#define TT_LAB_SHARING_H

#include "host/dist/comm.h"
#include "host/lab/shared_phases.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { TT_BAD_RUNS = 16 };

// Where phases may be taken from.
typedef struct tt_sharing_source {
    const char *root;       // see tt_run_options.share; NULL: nothing is taken
    const char *generation; // NULL, or see tt_run_options
    const char *from;
} tt_sharing_source;

typedef struct tt_sharing {
    tt_comm *comm;               // borrowed
    const tt_config *config;     // borrowed
    const tt_run_directory *dir; // borrowed
    tt_sharing_source source;    // its texts are borrowed
    tt_str *settings;            // [n] of each phase; NULL: not known, nothing is taken or noted
    int n;
    tt_str identity;                    // of the phase that is being done; empty: not known
    tt_lock lock;                       // of this phase
    char bad[TT_BAD_RUNS][TT_PATH_MAX]; // runs whose phases turned out damaged
    int n_bad;
} tt_sharing;

// To be called on all ranks before the run reads its files, whose content now counts. Where a file cannot be read, phases
// are neither taken nor noted: a finished run may have lost what it began with. tt_sharing_close frees *out in any case.
// Errors: TT_ERR_CONFIG where the run's corpus was built from a world that has changed since; TT_ERR_NOMEM.
tt_status tt_sharing_open(tt_sharing *out, const tt_config *config, const tt_run_directory *dir,
    tt_comm *comm, const tt_sharing_source *source) TT_MUST_CHECK;
void tt_sharing_close(tt_sharing *sharing);
// On rank 0, when the corpus has been built from the world.
tt_status tt_sharing_built(tt_sharing *sharing) TT_MUST_CHECK;

// Before phase number i: notes what it begins with; takes it from another run, or waits for one that is training it, or
// makes others wait. `best`: where its best weights go. Errors: TT_ERR_INTERRUPTED while it waits; TT_ERR_IO.
tt_status tt_sharing_begin(tt_sharing *sharing, int i, const char *best) TT_MUST_CHECK;
// Behind it: others may take it. metrics_bytes: of metrics.jsonl.
tt_status tt_sharing_end(tt_sharing *sharing, int i, const char *best, int64_t metrics_bytes) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
