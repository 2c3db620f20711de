// The functions of a transport. Private to host/dist. comm_open.c has the transport of a single rank,
// comm_star.c that of ranks that meet by a file, comm_mpi.c MPI's; comm_nompi.c takes its place in builds
// without MPI.
#ifndef TT_DIST_TRANSPORT_H
#define TT_DIST_TRANSPORT_H

#include "host/dist/comm.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_comm_transport {
    tt_status (*sum_f32)(tt_comm *, float *, size_t);
    tt_status (*sum_f32_to)(tt_comm *, float *, size_t, int root);
    tt_status (*sum_f64)(tt_comm *, double *, size_t);
    tt_status (*max_i64)(tt_comm *, int64_t *, size_t);
    tt_status (*broadcast)(tt_comm *, void *, size_t, int);
    tt_status (*gather)(tt_comm *, const void *, size_t, char **, size_t *);
    tt_status (*barrier)(tt_comm *);
    void (*leave)(tt_comm *, bool abort, int exit_status);
    tt_status (*split)(tt_comm *, int group, tt_comm *out);
} tt_comm_transport;

// Joins the job that a launcher started: fills rank, size, local_size, transport, methods, state.
// Errors: TT_ERR_DIST; TT_ERR_UNSUPPORTED in a build without MPI.
tt_status tt_comm_join(tt_comm *comm) TT_MUST_CHECK;
// Without MPI, as the environment says (rendezvous.h). Errors: TT_ERR_CONFIG, TT_ERR_DIST.
tt_status tt_comm_meet(tt_comm *comm) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
