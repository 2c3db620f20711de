// The functions of a transport. Private to host/dist. comm_open.c has the transport of a single rank,
// comm_star.c that of ranks that meet by a file, comm_mpi.c MPI's; comm_nompi.c takes its place in builds
// without MPI.
#ifndef TT_DIST_TRANSPORT_H
#define TT_DIST_TRANSPORT_H

#include "host/dist/comm.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum tt_sum_type { TT_SUM_F32, TT_SUM_F64, TT_SUM_BF16 } tt_sum_type;

typedef struct tt_comm_transport {
    tt_status (*sum)(tt_comm *, void *, size_t, tt_sum_type, int root); // root: of a rank, or TT_ALL_RANKS
    tt_status (*max_i64)(tt_comm *, int64_t *, size_t);
    tt_status (*broadcast)(tt_comm *, void *, size_t, int);
    tt_status (*gather)(tt_comm *, const void *, size_t, char **, size_t *);
    tt_status (*barrier)(tt_comm *);
    void (*leave)(tt_comm *, bool abort, int exit_status);
    tt_status (*split)(tt_comm *, int group, tt_comm *out);
} tt_comm_transport;

// to += from, elements of bf16: added in fp32, rounded to nearest.
void tt_add_bf16(uint16_t *to, const uint16_t *from, size_t n);

// Joins the job that a launcher started: fills rank, size, local_size, transport, methods, state.
// Errors: TT_ERR_DIST; TT_ERR_UNSUPPORTED in a build without MPI.
tt_status tt_comm_join(tt_comm *comm) TT_MUST_CHECK;
// Without MPI, as the environment says (rendezvous.h). Errors: TT_ERR_CONFIG, TT_ERR_DIST.
tt_status tt_comm_meet(tt_comm *comm) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
