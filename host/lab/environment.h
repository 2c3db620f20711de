// environment.json: program, machine, device and corpus of a run.
#ifndef TT_LAB_ENVIRONMENT_H
#define TT_LAB_ENVIRONMENT_H

#include "host/data/corpus.h"
#include "host/dist/comm.h"
#include "kernels/device.h"

#ifdef __cplusplus
extern "C" {
#endif

// Writes version, commit, machine, device, ranks, threads and the corpus's hash to `path`. To be called on
// one rank. If `path` exists from an earlier start of the run, the corpus must be the same. `corpus` may be
// NULL. Errors: TT_ERR_CONFIG if the corpus has changed; TT_ERR_IO.
tt_status tt_environment_write(
    const char *path, const tt_device *device, const tt_comm *comm, const tt_corpus *corpus) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
