// The world of one rank, and how a process finds out that it is one of several.
#include "host/base/log.h"
#include "host/base/memory.h"
#include "host/dist/transport.h"

#include <stdlib.h>
#include <string.h>

// The transport of a world of one.
static tt_status none_sum(tt_comm *comm, void *x, size_t n, tt_sum_type type, int root) {
    (void)comm, (void)x, (void)n, (void)type, (void)root;
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
static const tt_comm_transport none = {
    .sum = none_sum,
    .max_i64 = none_max_i64,
    .broadcast = none_broadcast,
    .gather = none_gather,
    .barrier = none_barrier,
    .leave = none_leave,
    .split = none_split,
};
static tt_status none_split(tt_comm *comm, int group, tt_comm *out) {
    (void)comm, (void)group;
    *out = *comm;
    return TT_OK;
}

// The number of ranks according to the launcher that started this process: 1 without a launcher, 0 if the
// launcher does not say. sbatch sets SLURM_NTASKS for a script's plain processes too; SLURM_STEP_ID is only
// set by srun.
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

// The number that a variable is set to; -1 where it is none.
static long number_of(const char *variable) {
    const char *text = getenv(variable);
    char *end;
    if (!text || !*text) return -1;
    const long value = strtol(text, &end, 10);
    return *end ? -1 : value;
}

// Launchers that start several processes and tell them so in ways that this program does not join by itself: each of the
// processes would do the whole work, in the same directory.
static tt_status check_launchers(void) {
    static const struct {
        const char *name, *size, *rank, *needed;
    } launchers[] = {{"a launcher such as torchrun, accelerate or deepspeed", "WORLD_SIZE", "RANK", ""},
        {"horovodrun", "HOROVOD_SIZE", "HOROVOD_RANK", ", and TT_RANK and TT_WORLD"}};
    for (size_t i = 0; i < sizeof launchers / sizeof *launchers; ++i) {
        const long size = number_of(launchers[i].size), rank = number_of(launchers[i].rank);
        if (size < 2 || rank < 0) continue;
        return tt_fail(TT_ERR_CONFIG,
            "started as process %ld of %ld by %s (%s, %s); each would do the whole work alone. Start it with "
            "mpirun -np %ld or srun instead; or set TT_RENDEZVOUS to a file that all processes can access%s, "
            "and they work together (docs/ranks.md). For one process alone, unset %s",
            rank, size, launchers[i].name, launchers[i].rank, launchers[i].size, size, launchers[i].needed,
            launchers[i].size);
    }
    // Outside a step of srun: a batch script's own process has number 0.
    const long tasks = number_of("SLURM_NTASKS"), task = number_of("SLURM_PROCID");
    if (tasks > 1 && task > 0)
        return tt_fail(TT_ERR_CONFIG,
            "started as task %ld of %ld of Slurm, but not in a step of srun (SLURM_STEP_ID is not set); each "
            "would do the whole work alone. Start it with srun, or set TT_RENDEZVOUS to a file that all "
            "tasks "
            "can access",
            task, tasks);
    if (tasks > 1 && task == 0)
        tt_warn("Slurm gives this job %ld tasks, and this process uses one; 'srun tinythinker ...' uses all",
            tasks);
    return TT_OK;
}

static tt_status join_world(tt_comm *comm) {
    if (getenv("TT_RENDEZVOUS") || getenv("TT_WORLD")) return tt_comm_meet(comm);
    const int ranks = launched_ranks();
    if (ranks == 1) return check_launchers();
    TT_TRY(tt_comm_join(comm));
    if (ranks < 2 || comm->size > 1) return TT_OK;
    comm->methods->leave(comm, false, 0);
    return tt_fail(TT_ERR_DIST,
        "started as one of %d ranks, but MPI finds only one: this MPI does not work with the launcher. Try "
        "srun "
        "--mpi=pmix, or set TT_RENDEZVOUS to a file that all ranks can access, which needs no MPI",
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
