// environment.json: what a run was made with.
#ifndef TT_LAB_ENVIRONMENT_H
#define TT_LAB_ENVIRONMENT_H

#include "host/data/corpus.h"
#include "host/dist/comm.h"
#include "kernels/device.h"

#ifdef __cplusplus
extern "C" {
#endif

// Writes version, commit, machine, device, ranks, threads and the corpus's hash, on one rank. Where `path`
// exists from an earlier start of the run its corpus must be the same. `corpus` may be NULL.
// Errors: TT_ERR_CONFIG when the corpus has changed; TT_ERR_IO.
tt_status tt_environment_write(
    const char *path, const tt_device *device, const tt_comm *comm, const tt_corpus *corpus) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
