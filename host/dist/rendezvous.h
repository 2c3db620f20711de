// Meeting without MPI: processes that share a file system and know their rank. Private to host/dist.
//
// Rank 0 writes its address and a secret into the file, which its owner alone can read. The others look for the file until
// they reach a process that knows the secret, so a file left by an earlier start does no harm. The file is removed when all
// ranks have arrived.
#ifndef TT_DIST_RENDEZVOUS_H
#define TT_DIST_RENDEZVOUS_H

#include "host/base/fs.h"
#include "host/dist/star.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_rendezvous {
    int rank, size;
    double seconds; // patience at the start
    char path[TT_PATH_MAX];
} tt_rendezvous;

// Reads the environment: TT_RANK, TT_WORLD (else Slurm's SLURM_PROCID, SLURM_STEP_NUM_TASKS,
// SLURM_NTASKS; else RANK and WORLD_SIZE where both are set) and TT_RENDEZVOUS, the file (else, in a job step of Slurm, a name
// made of job and step in the folder it was submitted from); TT_TIMEOUT in seconds, 300 if not set. Errors: TT_ERR_CONFIG
// naming the variable.
tt_status tt_rendezvous_read(tt_rendezvous *out) TT_MUST_CHECK;
// Connects all ranks. Errors: TT_ERR_DIST naming ranks that did not arrive; TT_ERR_CONFIG where the file exists and is
// something else, which is kept; TT_ERR_INTERRUPTED.
tt_status tt_rendezvous_meet(const tt_rendezvous *rendezvous, tt_star *out) TT_MUST_CHECK;

// Seconds that collectives wait for a rank: TT_TIMEOUT, else 1800, since one rank may write a file while the
// others wait. Errors: TT_ERR_CONFIG.
tt_status tt_patience(double *seconds) TT_MUST_CHECK;
// Seconds that NCCL may take to connect all GPUs: TT_NCCL_TIMEOUT, else 600. The more there are, the longer it takes,
// while all ranks are there. Errors: TT_ERR_CONFIG.
tt_status tt_nccl_patience(double *seconds) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
