// Ranks of a data-parallel job. A single process needs no MPI: without mpirun the world has one rank.
#ifndef TT_DIST_COMM_H
#define TT_DIST_COMM_H

#include "host/base/status.h"
#include "kernels/device.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_comm {
    int rank, size;
    int local_rank, local_size;              // among the ranks of the whole job on this machine
    bool agreed;                             // tt_comm_agree failed: all ranks know, rank 0 reports it
    bool own_gpu;                            // each rank has a GPU of its own (gpu.h)
    struct tt_nccl *nccl;                    // sums between these GPUs, or NULL
    struct tt_counter *counter;              // of pieces (pieces.h); NULL until they are first taken
    uint64_t works;                          // in pieces, so far
    const char *transport;                   // "none", "mpi", "tcp"
    const struct tt_comm_transport *methods; // private
    void *state;                             // private
    char broken
        [512]; // private: why a collective failed; all later ones fail the same way, since ranks are apart
} tt_comm;

// Joins the world of this job; call once per process, first.
//   TT_RENDEZVOUS (or TT_WORLD) set  the processes with TT_RANK 0 .. TT_WORLD - 1 meet by a file, without MPI
//   started by mpirun or srun        MPI's world; by srun in a build without MPI, or where Open MPI finds no PMI, as above
//   else                             rank 0 of 1; where another launcher started several (RANK, WORLD_SIZE), an error
// Errors: TT_ERR_CONFIG naming a variable, TT_ERR_DIST naming ranks that did not arrive, TT_ERR_UNSUPPORTED
// (started by mpirun, but built without MPI). The caller closes it with tt_comm_close.
tt_status tt_comm_open(tt_comm **out) TT_MUST_CHECK;
// Leaves the world. A status other than TT_OK that the ranks have not agreed on aborts the whole job, so that
// no rank waits for one that is gone. With several ranks the failure's message is printed here: by rank 0 if
// it was agreed on, else by each rank that failed.
void tt_comm_close(tt_comm *comm, tt_status status);

// A world of `size` ranks of which only rank 0 is there: collectives change nothing, and each rank gives what this one gives.
// For planning. Close it with tt_comm_close_part. Errors: TT_ERR_NOMEM.
tt_status tt_comm_pretend(tt_comm **out, int size) TT_MUST_CHECK;

// Ranks with the same `group` become a world of their own, in the order of their ranks here. All ranks call
// it. Close the part with tt_comm_close_part before the whole.
tt_status tt_comm_split(tt_comm *comm, int group, tt_comm **out) TT_MUST_CHECK;
void tt_comm_close_part(tt_comm *part);

// Number of compute threads for this rank: `wanted` if that is above 0, else OMP_NUM_THREADS if set, else the machine's
// cores divided by its ranks; but not more than the cores that this process may use.
int tt_comm_threads(const tt_comm *comm, int64_t wanted);

// Collectives: every rank calls them in the same order. All block. Errors: TT_ERR_DIST.
tt_status tt_comm_sum_f32(
    tt_comm *comm, float *x, size_t n) TT_MUST_CHECK; // in place, same bits on all ranks
enum { TT_ALL_RANKS = -1 };
// The same for rank `root` alone, or for all with TT_ALL_RANKS; afterwards x is undefined on the others.
tt_status tt_comm_sum_f32_to(tt_comm *comm, float *x, size_t n, int root) TT_MUST_CHECK;
// The same of bf16: half the bytes; each addition is made in fp32 and rounded.
tt_status tt_comm_sum_bf16_to(tt_comm *comm, uint16_t *x, size_t n, int root) TT_MUST_CHECK;
tt_status tt_comm_sum_f64(tt_comm *comm, double *x, size_t n) TT_MUST_CHECK;
tt_status tt_comm_max_i64(tt_comm *comm, int64_t *x, size_t n) TT_MUST_CHECK;
tt_status tt_comm_broadcast(tt_comm *comm, void *bytes, size_t n, int root) TT_MUST_CHECK;
// Rank 0 receives the ranks' byte blocks back to back in order of ranks: *all (release with free()), sizes
// in sizes[0..size). Other ranks receive *all = NULL.
tt_status tt_comm_gather(tt_comm *comm, const void *bytes, size_t n, char **all, size_t *sizes) TT_MUST_CHECK;
// The same of n bytes from each rank, into rank 0's out[size x n]; the other ranks need no `out`. Errors: TT_ERR_DIST, also
// where a rank sends another number of bytes.
tt_status tt_comm_gather_equal(tt_comm *comm, const void *mine, size_t n, void *out) TT_MUST_CHECK;
tt_status tt_comm_barrier(tt_comm *comm) TT_MUST_CHECK;
// All ranks receive the same status: that of the lowest rank that failed, TT_OK if none did. On ranks that
// did not fail themselves, the message says which rank did and why. After a failure every rank returns to its
// caller and closes.
tt_status tt_comm_agree(tt_comm *comm, tt_status mine) TT_MUST_CHECK;

// The ranks have agreed on a failure that does not end the job: they go on.
void tt_comm_go_on(tt_comm *comm);

#ifdef __cplusplus
}
#endif

#endif
