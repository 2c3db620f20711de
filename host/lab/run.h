// Runs an experiment from its configuration to its result in a run directory: pretraining and acquisition if
// they are enabled, the iterations of reflection, the final evaluation. A run that was stopped resumes where
// it stopped and ends with the same bits as one that was not.
#ifndef TT_LAB_RUN_H
#define TT_LAB_RUN_H

#include "host/base/lock.h"
#include "host/config/config.h"
#include "host/dist/comm.h"

#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_run_options {
    bool fresh;             // starts over in an existing run directory
    const char *fresh_from; // NULL, or the phase to start over from: those before it are kept
    // NULL, or a folder: phases that a run in it, or in a folder in it, has already trained are taken from there
    // (shared_phases.h), and one that another run is just training is waited for.
    const char *share;
    // NULL, or the generation (shared_phases.h) that the run is started over in, or was: from the phase generation_from on
    // (NULL or empty: all), phases are taken only from runs of the same one. Without it, a run that starts over takes none.
    const char *generation, *generation_from;
    tt_lock *lock; // NULL, or the lock of the run directory, which rank 0 has and the run releases
} tt_run_options;

// To be called on all ranks. The final table is printed to `out` on rank 0. A precision of auto is replaced in *config by the
// run's precision. Errors: TT_ERR_USAGE for a phase that the run does not have; TT_ERR_CONFIG for a run directory with another
// configuration; TT_ERR_INTERRUPTED after Ctrl-C, with progress saved; those of the phases. From its work on, also when it has
// returned, signals are deferred (log.h): what it ended with is not lost to one.
tt_status tt_run(tt_config *config, tt_comm *comm, const tt_run_options *options, FILE *out) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
