// Ranks over MPI. Counts are ints in MPI, so everything is sent in chunks.
#include "host/base/log.h"
#include "host/base/memory.h"
#include "host/dist/arrival_mpi.h"
#include "host/dist/hang.h"
#include "host/dist/transport.h"

#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SUM_CHUNK = 1 << 22, BYTE_CHUNK = 1 << 30, TAG = 7 };

typedef struct mpi_state {
    MPI_Comm ranks; // MPI_COMM_WORLD, or a part of it
    tt_arrival arrival;
    int *counts, *starts; // [size]: the ranks' parts of a chunk
    char hung[256];       // what is said when MPI does not return
    MPI_Op add_bf16;      // MPI has no type for it
    double *part;         // this rank's part, summed: capacity for SUM_CHUNK / size + 1 numbers of any type
} mpi_state;

static tt_status check_mpi(int code, const char *what) {
    if (code == MPI_SUCCESS) return TT_OK;
    char text[MPI_MAX_ERROR_STRING] = "";
    int n = 0;
    MPI_Error_string(code, text, &n);
    return tt_fail(TT_ERR_DIST, "MPI %s: %s", what, text);
}

static tt_status wait_for_ranks(tt_comm *comm, const char *what) {
    return tt_arrival_wait(&((mpi_state *)comm->state)->arrival, what);
}

// After this, MPI may wait for ranks that have arrived and then stopped: end_collective() must follow in time.
static tt_status begin_collective(tt_comm *comm, const char *what) {
    mpi_state *s = comm->state;
    TT_TRY(wait_for_ranks(comm, what));
    snprintf(s->hung, sizeof s->hung,
        "tinythinker: rank %d of %d: %s: another rank stopped in the middle of it and did not go on within "
        "%g seconds; "
        "TT_TIMEOUT=seconds waits longer\n",
        comm->rank, comm->size, what, s->arrival.seconds);
    tt_hang_begin(s->arrival.seconds, s->hung);
    return TT_OK;
}

static tt_status end_collective(tt_status status) {
    tt_hang_end();
    return status;
}

#define MPI_TRY(call, what) TT_TRY(check_mpi((call), (what)))

// How MPI adds numbers.
typedef struct addition {
    MPI_Datatype type;
    MPI_Op op;
    size_t size; // of a number
} addition;

static addition addition_of(const mpi_state *s, tt_sum_type type) {
    switch (type) {
    case TT_SUM_F32:
        return (addition){MPI_FLOAT, MPI_SUM, sizeof(float)};
    case TT_SUM_F64:
        return (addition){MPI_DOUBLE, MPI_SUM, sizeof(double)};
    case TT_SUM_BF16:
        break;
    }
    return (addition){MPI_UINT16_T, s->add_bf16, sizeof(uint16_t)};
}

static void add_bf16(void *from, void *to, int *n, MPI_Datatype *type) {
    (void)type;
    tt_add_bf16(to, from, (size_t)*n);
}

// Each element is summed on one rank and sent to all, so that all ranks have the same bits whatever algorithm
// the library chooses. (MPI only recommends this for MPI_Allreduce.)
static tt_status sum_for_all(const tt_comm *comm, char *values, int n, const addition *how) {
    const mpi_state *s = comm->state;
    for (int r = 0, start = 0; r < comm->size; ++r) {
        s->counts[r] = n / comm->size + (r < n % comm->size);
        s->starts[r] = start;
        start += s->counts[r];
    }
    MPI_TRY(MPI_Reduce_scatter(values, s->part, s->counts, how->type, how->op, s->ranks), "sum");
    MPI_TRY(MPI_Allgatherv(
                s->part, s->counts[comm->rank], how->type, values, s->counts, s->starts, how->type, s->ranks),
        "sum");
    return TT_OK;
}

static tt_status sum_for_one(const tt_comm *comm, char *values, int n, const addition *how, int root) {
    const mpi_state *s = comm->state;
    if (comm->rank == root)
        MPI_TRY(MPI_Reduce(MPI_IN_PLACE, values, n, how->type, how->op, root, s->ranks), "sum");
    else
        MPI_TRY(MPI_Reduce(values, NULL, n, how->type, how->op, root, s->ranks), "sum");
    return TT_OK;
}

static tt_status sum_chunks(tt_comm *comm, char *x, size_t n, tt_sum_type type, int root) {
    const addition how = addition_of(comm->state, type);
    for (size_t done = 0; done < n; done += SUM_CHUNK) {
        const int chunk = n - done < SUM_CHUNK ? (int)(n - done) : SUM_CHUNK;
        char *values = x + done * how.size;
        TT_TRY(root == TT_ALL_RANKS ? sum_for_all(comm, values, chunk, &how)
                                    : sum_for_one(comm, values, chunk, &how, root));
    }
    return TT_OK;
}

static tt_status mpi_sum(tt_comm *comm, void *x, size_t n, tt_sum_type type, int root) {
    TT_TRY(begin_collective(comm, "sum"));
    return end_collective(sum_chunks(comm, x, n, type, root));
}

static MPI_Comm ranks_of(const tt_comm *comm) {
    return ((const mpi_state *)comm->state)->ranks;
}

static tt_status max_chunks(tt_comm *comm, int64_t *x, size_t n) {
    for (size_t done = 0; done < n; done += SUM_CHUNK) {
        int chunk = n - done < SUM_CHUNK ? (int)(n - done) : SUM_CHUNK;
        MPI_TRY(MPI_Allreduce(MPI_IN_PLACE, x + done, chunk, MPI_INT64_T, MPI_MAX, ranks_of(comm)), "max");
    }
    return TT_OK;
}

static tt_status mpi_max_i64(tt_comm *comm, int64_t *x, size_t n) {
    TT_TRY(begin_collective(comm, "max"));
    return end_collective(max_chunks(comm, x, n));
}

static tt_status broadcast_chunks(tt_comm *comm, void *bytes, size_t n, int root) {
    for (size_t done = 0; done < n; done += BYTE_CHUNK) {
        int chunk = n - done < BYTE_CHUNK ? (int)(n - done) : BYTE_CHUNK;
        MPI_TRY(MPI_Bcast((char *)bytes + done, chunk, MPI_BYTE, root, ranks_of(comm)), "broadcast");
    }
    return TT_OK;
}

static tt_status mpi_broadcast(tt_comm *comm, void *bytes, size_t n, int root) {
    TT_TRY(begin_collective(comm, "broadcast"));
    return end_collective(broadcast_chunks(comm, bytes, n, root));
}

static tt_status receive_all(tt_comm *comm, char *all, const uint64_t *wide) {
    for (int r = 1; r < comm->size; ++r) {
        all += wide[r - 1];
        for (uint64_t done = 0; done < wide[r]; done += BYTE_CHUNK) {
            int chunk = wide[r] - done < BYTE_CHUNK ? (int)(wide[r] - done) : BYTE_CHUNK;
            MPI_TRY(
                MPI_Recv(all + done, chunk, MPI_BYTE, r, TAG, ranks_of(comm), MPI_STATUS_IGNORE), "gather");
        }
    }
    return TT_OK;
}

static tt_status gather_blocks(tt_comm *comm, const void *bytes, size_t n, char **all, size_t *sizes) {
    uint64_t mine = n, *wide;
    TT_TRY(tt_alloc(&wide, comm->size, sizeof *wide, "gathered sizes"));
    tt_status status;
    TT_TRY_GOTO(status,
        check_mpi(MPI_Gather(&mine, 1, MPI_UINT64_T, wide, 1, MPI_UINT64_T, 0, ranks_of(comm)), "gather"),
        release);
    if (comm->rank != 0) {
        for (size_t done = 0; done < n && status == TT_OK; done += BYTE_CHUNK) {
            int chunk = n - done < BYTE_CHUNK ? (int)(n - done) : BYTE_CHUNK;
            status = check_mpi(
                MPI_Send((const char *)bytes + done, chunk, MPI_BYTE, 0, TAG, ranks_of(comm)), "gather");
        }
        goto release;
    }
    size_t total = 0;
    for (int r = 0; r < comm->size; ++r) total += sizes[r] = (size_t)wide[r];
    TT_TRY_GOTO(status, tt_alloc(all, total + 1, 1, "gathered bytes"), release);
    if (n) memcpy(*all, bytes, n);
    status = receive_all(comm, *all, wide);
    if (status != TT_OK) {
        free(*all);
        *all = NULL;
    }
release:
    free(wide);
    return status;
}

static tt_status mpi_gather(tt_comm *comm, const void *bytes, size_t n, char **all, size_t *sizes) {
    TT_TRY(begin_collective(comm, "gather"));
    return end_collective(gather_blocks(comm, bytes, n, all, sizes));
}

static tt_status mpi_barrier(tt_comm *comm) {
    return wait_for_ranks(comm, "barrier");
}

static void close_state(mpi_state *s) {
    if (!s) return;
    tt_arrival_close(&s->arrival);
    if (s->add_bf16 != MPI_OP_NULL) MPI_Op_free(&s->add_bf16);
    free(s->counts);
    free(s->starts);
    free(s->part);
    free(s);
}

static void mpi_leave(tt_comm *comm, bool abort_job, int exit_status) {
    mpi_state *s = comm->state;
    const bool world = s->ranks == MPI_COMM_WORLD;
    if (world && abort_job) MPI_Abort(MPI_COMM_WORLD, exit_status);
    if (!world) MPI_Comm_free(&s->ranks);
    close_state(s);
    if (world) MPI_Finalize();
}

static tt_status mpi_split(tt_comm *comm, int group, tt_comm *out);

static const tt_comm_transport mpi = {
    .sum = mpi_sum,
    .max_i64 = mpi_max_i64,
    .broadcast = mpi_broadcast,
    .gather = mpi_gather,
    .barrier = mpi_barrier,
    .leave = mpi_leave,
    .split = mpi_split,
};

static tt_status local_ranks(MPI_Comm ranks, int *rank, int *count) {
    MPI_Comm local;
    MPI_TRY(MPI_Comm_split_type(ranks, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &local), "split");
    tt_status status = check_mpi(MPI_Comm_size(local, count), "size");
    if (status == TT_OK) status = check_mpi(MPI_Comm_rank(local, rank), "rank");
    MPI_Comm_free(&local);
    return status;
}

// Takes over `ranks` and fills in the comm's numbers and working memory.
static tt_status enter_world(tt_comm *comm, MPI_Comm ranks) {
    mpi_state *s;
    TT_TRY(tt_alloc(&s, 1, sizeof *s, "MPI"));
    s->ranks = ranks;
    s->arrival.ranks = MPI_COMM_NULL;
    s->add_bf16 = MPI_OP_NULL;
    comm->state = s;
    comm->transport = "mpi";
    comm->methods = &mpi;
    MPI_TRY(MPI_Comm_set_errhandler(ranks, MPI_ERRORS_RETURN), "error handler");
    MPI_TRY(MPI_Comm_rank(ranks, &comm->rank), "rank");
    MPI_TRY(MPI_Comm_size(ranks, &comm->size), "size");
    TT_TRY(local_ranks(ranks, &comm->local_rank, &comm->local_size));
    MPI_TRY(MPI_Op_create(add_bf16, 1, &s->add_bf16), "sum of bf16");
    TT_TRY(tt_arrival_open(&s->arrival, ranks));
    TT_TRY(tt_alloc(&s->counts, comm->size, sizeof *s->counts, "MPI"));
    TT_TRY(tt_alloc(&s->starts, comm->size, sizeof *s->starts, "MPI"));
    return tt_alloc(&s->part, SUM_CHUNK / comm->size + 1, sizeof *s->part, "MPI");
}

static tt_status mpi_split(tt_comm *comm, int group, tt_comm *out) {
    MPI_Comm part;
    MPI_TRY(MPI_Comm_split(ranks_of(comm), group, comm->rank, &part), "split");
    TT_TRY(enter_world(out, part));
    out->local_rank = comm->local_rank; // the other parts compute on this machine too
    out->local_size = comm->local_size;
    return TT_OK;
}

// Open MPI ends a process that srun starts without PMIx or PMI (--mpi=none, the usual default).
static bool srun_without_pmi(void) {
#ifdef OPEN_MPI
    return getenv("SLURM_STEP_ID") && !getenv("PMIX_RANK") && !getenv("PMI_RANK") &&
           !getenv("OMPI_COMM_WORLD_SIZE");
#else
    return false;
#endif
}

tt_status tt_comm_join(tt_comm *comm) {
    if (srun_without_pmi()) {
        const char *rank = getenv("SLURM_PROCID");
        if (rank && strcmp(rank, "0") == 0)
            tt_warn(
                "srun offers MPI no connection (srun --mpi=pmix would): the ranks meet by a file instead");
        return tt_comm_meet(comm);
    }
    int provided;
    MPI_TRY(MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided), "start");
    return enter_world(comm, MPI_COMM_WORLD);
}
