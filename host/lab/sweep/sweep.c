#include "host/lab/sweep/sweep.h"

#include "host/base/log.h"
#include "host/lab/phase_identity.h"
#include "host/lab/run_directory.h"
#include "host/lab/sweep/children.h"
#include "host/lab/sweep/notes.h"
#include "host/lab/sweep/queue.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_wanted(const tt_sweep *sweep, int i, const tt_sweep_options *o) {
    if (o->only >= 0 && sweep->runs[i].number != o->only) return false;
    switch (tt_sweep_state_of(sweep, &sweep->runs[i])) {
    case TT_SWEEP_FINISHED:
        return o->run.fresh || o->run.fresh_from;
    case TT_SWEEP_OTHER:
        return o->run.fresh;
    case TT_SWEEP_FAILED:
        return o->retry || o->only >= 0;
    case TT_SWEEP_NEW:
    case TT_SWEEP_BEGUN:
        return true;
    }
    return true;
}

static bool has_phase(const tt_config *config, const char *phase) {
    char name[TT_PHASE_NAME];
    int iteration;
    for (int i = 0; tt_phase_at(config, i, name, &iteration); ++i)
        if (strcmp(name, phase) == 0) return true;
    return false;
}

// Leaves alone the runs that do not have the phase to start over from. Errors: TT_ERR_USAGE where no run has it.
static tt_status keep_with_phase(const tt_sweep *sweep, const char *phase, bool *wanted) {
    bool any = false;
    for (int i = 0; i < sweep->n; ++i) {
        tt_config config;
        TT_TRY(tt_config_load(&config, sweep->base, sweep->runs[i].overrides, sweep->runs[i].n));
        const bool has = has_phase(&config, phase);
        tt_config_close(&config);
        wanted[i] = wanted[i] && has;
        any = any || has;
    }
    if (any) return TT_OK;
    return tt_fail(TT_ERR_USAGE, "sweep: --fresh-from %s: no run has a phase of this name", phase);
}

// Warns of finished runs with other settings, which can be neither counted nor run.
static int count_others(const tt_sweep *sweep, const tt_sweep_options *o) {
    int n = 0;
    for (int i = 0; i < sweep->n; ++i) {
        if (o->only >= 0 && sweep->runs[i].number != o->only) continue;
        if (o->run.fresh || tt_sweep_state_of(sweep, &sweep->runs[i]) != TT_SWEEP_OTHER) continue;
        tt_warn("%s: %s contains a run with other settings", sweep->name, sweep->runs[i].path);
        ++n;
    }
    return n;
}

// *apart: one rank failed alone while the others wait for it, so that the ranks cannot agree on anything any more. `how`:
// with rank 0's lock of the run's directory. A failure of the run is noted in its directory, and the sweep continues.
static tt_status run_one(
    const tt_sweep *sweep, const tt_sweep_run *run, tt_comm *comm, const tt_run_options *how, bool *apart) {
    tt_config config;
    FILE *nowhere = NULL;
    tt_status status = comm->rank == 0 ? tt_sweep_begin_run(sweep, run) : TT_OK;
    if (status == TT_OK && !(nowhere = fopen("/dev/null", "we")))
        status = tt_fail(TT_ERR_IO, "/dev/null: %s", strerror(errno));
    status = tt_comm_agree(comm, status);
    if (status == TT_OK && comm->rank == 0) tt_info("%s: %s", sweep->name, run->name);
    if (status == TT_OK)
        status = tt_comm_agree(comm, tt_config_load(&config, sweep->base, run->overrides, run->n));
    if (status == TT_OK) {
        status = tt_run(&config, comm, how, nowhere);
        tt_config_close(&config);
    } else
        tt_lock_release(how->lock);
    if (nowhere) fclose(nowhere);
    if (status == TT_OK || status == TT_ERR_INTERRUPTED) return status;
    *apart = comm->size > 1 && !comm->agreed;
    if (*apart) {
        char reason[1024];
        snprintf(reason, sizeof reason, "%s", tt_error_message());
        tt_sweep_note_failure(sweep, run);
        return tt_fail(status, "%s: %s", run->name, reason);
    }
    tt_comm_go_on(comm); // reported here; the ranks continue together
    if (comm->rank == 0) tt_sweep_note_failure(sweep, run);
    return TT_OK;
}

// Waits until a run can start; the same answer on all ranks.
static tt_status next_run(tt_sweep_queue *queue, tt_comm *comm, tt_lock *lock, int *run) {
    for (bool told = false;;) {
        struct {
            int run;
            bool stop;
        } now = {TT_QUEUE_END, false};
        now.stop = tt_interrupted(); // between two runs, or while waiting
        if (comm->rank == 0 && !now.stop) now.run = tt_sweep_queue_next(queue, lock);
        TT_TRY(tt_comm_broadcast(comm, &now, sizeof now, 0));
        if (now.stop)
            return tt_comm_agree(
                comm, tt_fail(TT_ERR_INTERRUPTED,
                          "interrupted; progress is saved: run the same command again to resume"));
        *run = now.run;
        if (now.run != TT_QUEUE_WAIT) return TT_OK;
        if (!told && comm->rank == 0)
            tt_info("the runs that are left wait for phases that other runs are training");
        told = true;
        sleep(1);
    }
}

static tt_status run_queue(
    const tt_sweep *sweep, tt_comm *comm, const bool *wanted, const tt_sweep_options *o, bool *apart) {
    tt_sweep_queue queue = {0};
    tt_lock lock = {.file = -1};
    tt_run_options how = o->run;
    how.share = sweep->output;
    how.lock = &lock;
    tt_status status = comm->rank == 0 ? tt_sweep_queue_open(&queue, sweep, wanted) : TT_OK;
    status = tt_comm_agree(comm, status);
    queue.alone = o->run.fresh || o->run.fresh_from;
    queue.always = queue.alone || o->only >= 0;
    for (int run = TT_QUEUE_END; status == TT_OK;) {
        status = next_run(&queue, comm, &lock, &run);
        if (status != TT_OK || run == TT_QUEUE_END) break;
        status = run_one(sweep, &sweep->runs[run], comm, &how, apart);
    }
    tt_sweep_queue_close(&queue);
    return status;
}

// ---- groups of ranks
//
// A group that has nothing left to do must not wait in a collective for the others, whose runs may take longer than ranks
// wait for each other: it waits for the locks that they hold while they work.

typedef struct groups {
    int n, mine;
    char folder[TT_PATH_MAX];
    int64_t job; // tells this job's locks from those of others
} groups;

static tt_status lock_group(const groups *g, int group, tt_lock *lock, bool *taken) {
    char name[64], path[TT_PATH_MAX];
    *lock = (tt_lock){.file = -1};
    snprintf(name, sizeof name, "job-%lld-group-%d.lock", (long long)g->job, group);
    TT_TRY(tt_make_dirs(g->folder));
    TT_TRY(tt_path_join(path, sizeof path, g->folder, name));
    const int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (file < 0) return tt_fail(TT_ERR_IO, "%s: cannot open: %s", path, strerror(errno));
    *taken = tt_lock_try(lock, file, path, path) == TT_OK;
    if (*taken) return TT_OK;
    close(file);
    lock->file = -1;
    return TT_OK;
}

static tt_status wait_for_groups(const groups *g, tt_comm *part) {
    for (int group = 0; group < g->n;) {
        bool free_now = true;
        tt_lock lock = {.file = -1};
        tt_status status =
            part->rank == 0 && group != g->mine ? lock_group(g, group, &lock, &free_now) : TT_OK;
        tt_lock_release(&lock);
        TT_TRY(tt_comm_agree(part, status));
        TT_TRY(tt_comm_broadcast(part, &free_now, sizeof free_now, 0));
        if (free_now)
            ++group;
        else
            sleep(1);
    }
    return TT_OK;
}

// As many ranks for each run as asked for; if nobody asked, so many that all have work.
static int choose_ranks(const tt_sweep *sweep, const tt_comm *comm, const bool *wanted, int asked) {
    int n = 0, ranks = asked ? asked : sweep->ranks_per_run;
    for (int i = 0; i < sweep->n; ++i) n += wanted[i];
    if (ranks == 0) ranks = n > 0 && n < comm->size ? comm->size / n : 1;
    if (ranks <= comm->size) return ranks;
    if (comm->rank == 0)
        tt_info("%s: each run gets all %d ranks, since there are not the %d that ranks_per_run asks for; "
                "results differ by rounding alone",
            sweep->name, comm->size, ranks);
    return comm->size;
}

static tt_status run_groups(
    const tt_sweep *sweep, tt_comm *comm, const bool *wanted, const tt_sweep_options *o, bool *apart) {
    const int ranks_per_run = choose_ranks(sweep, comm, wanted, o->ranks_per_run);
    groups g = {.n = comm->size / ranks_per_run, .mine = comm->rank / ranks_per_run, .job = getpid()};
    if (comm->size % ranks_per_run && comm->rank == 0)
        tt_warn("%d of %d ranks have nothing to do, since each run gets %d", comm->size % ranks_per_run,
            comm->size, ranks_per_run);
    TT_TRY(tt_path_join(g.folder, sizeof g.folder, sweep->output, ".locks"));
    TT_TRY(tt_comm_broadcast(comm, &g.job, sizeof g.job, 0));
    tt_comm *part;
    tt_lock working = {.file = -1};
    bool taken = true;
    TT_TRY(tt_comm_split(comm, g.mine, &part));
    tt_status status = part->rank == 0 ? lock_group(&g, g.mine, &working, &taken) : TT_OK;
    status = tt_comm_agree(comm, status);
    if (status == TT_OK && g.mine < g.n) status = run_queue(sweep, part, wanted, o, apart);
    tt_lock_release(&working);
    if (!*apart) {
        const tt_status waited = wait_for_groups(&g, part);
        if (status == TT_OK) status = waited;
    }
    if (!*apart) tt_comm_close_part(part); // else the others still wait in it, and the job ends
    return status;
}

// Counts the runs that are not finished now, and says of each why.
static int count_failed(const tt_sweep *sweep, const bool *wanted) {
    int n = 0;
    for (int i = 0; i < sweep->n; ++i) {
        char owner[256];
        if (!wanted[i]) continue;
        if (tt_sweep_state_of(sweep, &sweep->runs[i]) == TT_SWEEP_FINISHED &&
            !tt_sweep_failure_noted(&sweep->runs[i]))
            continue;
        if (tt_sweep_state_of(sweep, &sweep->runs[i]) == TT_SWEEP_NEW &&
            tt_sweep_enough(sweep, &sweep->runs[i]))
            continue;
        ++n;
        if (tt_run_directory_busy(sweep->runs[i].path, owner))
            tt_warn("%s: left out: %s: another process is running in this directory%s", sweep->name,
                sweep->runs[i].path, owner);
    }
    return n;
}

// The folder of the locks, where nobody has one.
static void remove_locks(const tt_sweep *sweep) {
    char locks[TT_PATH_MAX];
    if (tt_path_join(locks, sizeof locks, sweep->output, ".locks") == TT_OK) rmdir(locks);
}

tt_status tt_sweep_run_all(const tt_sweep *sweep, tt_comm *comm, const tt_sweep_options *o, int *failed) {
    bool *wanted;
    *failed = 0;
    TT_TRY(tt_alloc(&wanted, (size_t)sweep->n, sizeof *wanted, "runs"));
    for (int i = 0; i < sweep->n; ++i) wanted[i] = comm->rank == 0 && is_wanted(sweep, i, o);
    if (comm->rank == 0) *failed = count_others(sweep, o);
    bool apart = false;
    tt_status status = TT_OK;
    if (comm->rank == 0) status = tt_sweep_remember(sweep);
    if (status == TT_OK && comm->rank == 0 && o->run.fresh_from)
        status = keep_with_phase(sweep, o->run.fresh_from, wanted);
    status = tt_comm_agree(comm, status);
    if (status != TT_OK) {
        free(wanted);
        return status;
    }
    status = tt_comm_broadcast(comm, wanted, (size_t)sweep->n * sizeof *wanted, 0);
    if (status == TT_OK && o->jobs > 0 && comm->size == 1)
        status = tt_sweep_run_children(sweep, wanted, o);
    else if (status == TT_OK)
        status = run_groups(sweep, comm, wanted, o, &apart);
    if (!apart) status = tt_comm_agree(comm, status);
    if (comm->rank == 0) remove_locks(sweep);
    if (status == TT_OK && comm->rank == 0) *failed += count_failed(sweep, wanted);
    free(wanted);
    return status == TT_OK ? tt_comm_broadcast(comm, failed, sizeof *failed, 0) : status;
}
