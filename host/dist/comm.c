#define _GNU_SOURCE
#include "host/dist/comm.h"

#include "host/base/log.h"
#include "host/base/memory.h"
#include "host/dist/nccl.h"
#include "host/dist/transport.h"

#include <omp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// The transport of a world of one.
static tt_status none_sum_f32(tt_comm *comm, float *x, size_t n) {
    (void)comm, (void)x, (void)n;
    return TT_OK;
}
static tt_status none_sum_f64(tt_comm *comm, double *x, size_t n) {
    (void)comm, (void)x, (void)n;
    return TT_OK;
}
static tt_status none_max_i64(tt_comm *comm, int64_t *x, size_t n) {
    (void)comm, (void)x, (void)n;
    return TT_OK;
}
static tt_status none_broadcast(tt_comm *comm, void *bytes, size_t n, int root) {
    (void)comm, (void)bytes, (void)n, (void)root;
    return TT_OK;
}
static tt_status none_gather(tt_comm *comm, const void *bytes, size_t n, char **all, size_t *sizes) {
    (void)comm;
    TT_TRY(tt_alloc(all, n + 1, 1, "gathered bytes"));
    if (n) memcpy(*all, bytes, n);
    sizes[0] = n;
    return TT_OK;
}
static tt_status none_barrier(tt_comm *comm) {
    (void)comm;
    return TT_OK;
}
static void none_leave(tt_comm *comm, bool abort_job, int exit_status) {
    (void)comm, (void)abort_job, (void)exit_status;
}
static tt_status none_split(tt_comm *comm, int group, tt_comm *out);
static const tt_comm_transport none = {none_sum_f32, none_sum_f64, none_max_i64, none_broadcast, none_gather,
    none_barrier, none_leave, none_split};
static tt_status none_split(tt_comm *comm, int group, tt_comm *out) {
    (void)comm, (void)group;
    *out = *comm;
    return TT_OK;
}

// How many ranks MPI's launcher that started this process says there are: 1 without a launcher, 0 when there
// is one that does not say. sbatch sets SLURM_NTASKS for a script's plain processes too; SLURM_STEP_ID tells
// srun.
static int launched_ranks(void) {
    static const char *const sizes[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MV2_COMM_WORLD_SIZE"};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i) {
        const char *text = getenv(sizes[i]);
        if (text && *text) return (int)strtol(text, NULL, 10);
    }
    const char *steps = getenv("SLURM_STEP_NUM_TASKS");
    if (getenv("SLURM_STEP_ID") && getenv("SLURM_PROCID") && steps && *steps)
        return (int)strtol(steps, NULL, 10);
    return getenv("PMIX_RANK") ? 0 : 1;
}

static tt_status join_world(tt_comm *comm) {
    if (getenv("TT_RENDEZVOUS") || getenv("TT_WORLD")) return tt_comm_meet(comm);
    const int ranks = launched_ranks();
    if (ranks == 1) return TT_OK;
    TT_TRY(tt_comm_join(comm));
    if (ranks < 2 || comm->size > 1) return TT_OK;
    comm->methods->leave(comm, false, 0);
    return tt_fail(TT_ERR_DIST,
        "started as one of %d ranks, but MPI knows of one only: this MPI and the launcher do not fit "
        "together. Try srun --mpi=pmix, or set TT_RENDEZVOUS to a file that all ranks see, which needs no "
        "MPI",
        ranks);
}

tt_status tt_comm_open(tt_comm **out) {
    *out = NULL;
    tt_comm *comm;
    TT_TRY(tt_alloc(&comm, 1, sizeof *comm, "ranks"));
    *comm = (tt_comm){.size = 1, .local_size = 1, .transport = "none", .methods = &none};
    const tt_status status = join_world(comm);
    if (status != TT_OK) {
        free(comm);
        return status;
    }
    if (comm->size > 1) tt_log_rank(comm->rank, comm->size);
    *out = comm;
    return TT_OK;
}

void tt_comm_close(tt_comm *comm, tt_status status) {
    if (!comm) return;
    if (comm->size > 1 && status != TT_OK) {
        // Told here and not in main: the first rank that exits takes the others with it.
        if (comm->rank == 0 || !comm->agreed) tt_error("%s", tt_error_message());
        tt_log_told();
    }
    tt_nccl_close(comm->nccl, status != TT_OK);
    comm->methods->leave(comm, status != TT_OK && !comm->agreed, tt_status_exit(status));
    free(comm);
}

tt_status tt_comm_split(tt_comm *comm, int group, tt_comm **out) {
    *out = NULL;
    tt_comm *part;
    TT_TRY(tt_alloc(&part, 1, sizeof *part, "ranks"));
    tt_status status = comm->methods->split(comm, group, part);
    if (status != TT_OK)
        free(part);
    else
        *out = part;
    return status;
}

void tt_comm_close_part(tt_comm *part) {
    if (!part) return;
    tt_nccl_close(part->nccl, part->agreed);
    part->methods->leave(part, false, 0);
    free(part);
}

int tt_comm_threads(const tt_comm *comm) {
    if ((comm->size == 1 && comm->local_size == 1) || getenv("OMP_NUM_THREADS")) return omp_get_max_threads();
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    long share = cores / comm->local_size;
    cpu_set_t bound;
    if (sched_getaffinity(0, sizeof bound, &bound) == 0 && CPU_COUNT(&bound) < share) {
        share = CPU_COUNT(&bound);
        tt_warn("each rank is bound to %ld of %ld cores and computes with as many threads; with mpirun "
                "--bind-to none it would take %ld",
            share, cores, cores / comm->local_size);
    }
    return share > 1 ? (int)share : 1;
}

tt_status tt_comm_sum_f32(tt_comm *comm, float *x, size_t n) {
    return comm->methods->sum_f32(comm, x, n);
}
tt_status tt_comm_sum_f64(tt_comm *comm, double *x, size_t n) {
    return comm->methods->sum_f64(comm, x, n);
}
tt_status tt_comm_max_i64(tt_comm *comm, int64_t *x, size_t n) {
    return comm->methods->max_i64(comm, x, n);
}
tt_status tt_comm_broadcast(tt_comm *comm, void *bytes, size_t n, int root) {
    return comm->methods->broadcast(comm, bytes, n, root);
}
tt_status tt_comm_gather(tt_comm *comm, const void *bytes, size_t n, char **all, size_t *sizes) {
    *all = NULL;
    return comm->methods->gather(comm, bytes, n, all, sizes);
}
tt_status tt_comm_barrier(tt_comm *comm) {
    return comm->methods->barrier(comm);
}

tt_status tt_comm_agree(tt_comm *comm, tt_status mine) {
    if (comm->size == 1) return mine;
    // The lowest failed rank has the highest mark.
    int64_t mark = mine == TT_OK ? 0 : comm->size - comm->rank;
    TT_TRY(tt_comm_max_i64(comm, &mark, 1));
    if (mark == 0) return TT_OK;
    const int first = comm->size - (int)mark;
    struct {
        tt_status status;
        char text[1024];
    } news = {.status = mine};
    snprintf(news.text, sizeof news.text, "%s", tt_error_message());
    TT_TRY(tt_comm_broadcast(comm, &news, sizeof news, first));
    comm->agreed = true;
    return comm->rank == first ? mine : tt_fail(news.status, "rank %d: %s", first, news.text);
}
