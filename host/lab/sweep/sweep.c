#include "host/lab/sweep/sweep.h"

#include "host/base/log.h"
#include "host/lab/run_directory.h"
#include "host/lab/sweep/children.h"
#include "host/lab/sweep/fresh.h"
#include "host/lab/sweep/notes.h"
#include "host/lab/sweep/queue.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Whether the run is one that the command is for.
static bool is_asked(const tt_sweep_run *run, const tt_sweep_options *o) {
    return o->only < 0 || run->number == o->only;
}

static tt_status start_over(tt_sweeps *sweeps, const tt_sweep_options *o) {
    const char *parent = getenv(TT_SWEEP_FRESH_VARIABLE);
    if (parent && o->only >= 0) tt_sweep_fresh_join(sweeps->items, o->only, parent);
    if (o->fresh || o->fresh_from) TT_TRY(tt_sweep_fresh_check(sweeps, o->only, o->fresh_from));
    if (o->only < 0) tt_sweep_fresh_tell(sweeps); // a child process leaves that to its parent
    if (!o->fresh && !o->fresh_from) return TT_OK;
    return tt_sweep_fresh_begin(sweeps, o->only, o->fresh_from);
}

// Notes the failures of before, so that those of other processes from now on are told from them. The parent of a child
// process has removed failed.txt: one that is there is new.
static void note_failures(tt_sweeps *sweeps) {
    const bool child = getenv(TT_SWEEP_CHILD_VARIABLE) != NULL;
    for (int i = 0; i < sweeps->n_items; ++i)
        for (int r = 0; r < sweeps->items[i].n; ++r) {
            tt_sweep_run *run = &sweeps->items[i].runs[r];
            run->failure = child ? 0 : tt_sweep_failure_stamp(run);
        }
}

// So that all ranks have those of rank 0.
static tt_status share_failures(tt_sweeps *sweeps, tt_comm *comm) {
    for (int i = 0; i < sweeps->n_items; ++i)
        for (int r = 0; r < sweeps->items[i].n; ++r) {
            uint64_t *failure = &sweeps->items[i].runs[r].failure;
            TT_TRY(tt_comm_broadcast(comm, failure, sizeof *failure, 0));
        }
    return TT_OK;
}

// Which runs are to run. Those that cannot, and those that failed earlier, are told.
static void choose_wanted(const tt_sweeps *sweeps, const tt_sweep_options *o, bool *wanted) {
    char name[32];
    int failed = 0;
    for (int i = 0; i < sweeps->n; ++i) {
        const tt_sweep_run *run = sweeps->runs[i];
        if (!is_asked(run, o)) continue;
        const tt_sweep_state state = tt_sweep_state_of(run);
        const bool again = o->retry || o->fresh || (o->fresh_from && run->over) || o->only >= 0;
        wanted[i] = state == TT_SWEEP_FAILED ? again : state != TT_SWEEP_FINISHED && state != TT_SWEEP_OTHER;
        if (state == TT_SWEEP_OTHER)
            tt_warn("%s: %s contains a run with other settings", run->sweep->name, run->path);
        failed += state == TT_SWEEP_FAILED && !again;
    }
    if (failed)
        tt_info("%s: %d run%s failed earlier and %s left out; --retry runs %s again",
            tt_sweeps_name(sweeps, name), failed, failed == 1 ? "" : "s", failed == 1 ? "is" : "are",
            failed == 1 ? "it" : "them");
}

// Whether the run is to be started over, and with which runs it shares phases then.
static tt_status choose_options(const tt_sweep_run *run, tt_comm *comm, tt_run_options *out) {
    const tt_sweep *sweep = run->sweep;
    bool over = comm->rank == 0 && tt_sweep_fresh_waits(run);
    TT_TRY(tt_comm_broadcast(comm, &over, sizeof over, 0));
    if (!run->over) return TT_OK;
    out->generation = sweep->generation;
    out->generation_from = sweep->over_from;
    out->fresh = over && !*sweep->over_from;
    out->fresh_from = over && *sweep->over_from ? sweep->over_from : NULL;
    return TT_OK;
}

// *apart: one rank failed alone while the others wait for it, so that the ranks cannot agree on anything any more. `how`:
// with rank 0's lock of the run's directory. A failure of the run is noted in its directory, and the sweep continues.
static tt_status run_one(const tt_sweep_run *run, tt_comm *comm, const tt_run_options *options, bool *apart) {
    tt_run_options how = *options;
    tt_config config;
    FILE *nowhere = NULL;
    tt_status status = comm->rank == 0 ? tt_sweep_begin_run(run) : TT_OK;
    if (status == TT_OK && !(nowhere = fopen("/dev/null", "we")))
        status = tt_fail(TT_ERR_IO, "/dev/null: %s", strerror(errno));
    status = tt_comm_agree(comm, status);
    if (status == TT_OK && comm->rank == 0) tt_info("%s: %s", run->sweep->name, run->name);
    if (status == TT_OK) status = choose_options(run, comm, &how);
    if (status == TT_OK)
        status = tt_comm_agree(comm, tt_config_load(&config, run->sweep->base, run->overrides, run->n));
    if (status == TT_OK) {
        status = tt_run(&config, comm, &how, nowhere);
        tt_config_close(&config);
    } else
        tt_lock_release(how.lock);
    if (nowhere) fclose(nowhere);
    if (status == TT_OK || status == TT_ERR_INTERRUPTED) return status;
    *apart = comm->size > 1 && !comm->agreed;
    if (*apart) {
        char reason[1024];
        snprintf(reason, sizeof reason, "%s", tt_error_message());
        tt_sweep_note_failure(run);
        return tt_fail(status, "%s: %s", run->name, reason);
    }
    tt_comm_go_on(comm); // reported here; the ranks continue together
    if (comm->rank == 0) tt_sweep_note_failure(run);
    return TT_OK;
}

// Waits until a run can start; the same answer on all ranks. A signal changes nothing where none is left.
static tt_status next_run(tt_sweep_queue *queue, tt_comm *comm, tt_lock *lock, int *run) {
    for (bool told = false;;) {
        struct {
            int run;
            bool stop;
        } now = {TT_QUEUE_END, false};
        if (comm->rank == 0) {
            now.run = tt_sweep_queue_next(queue, lock);
            now.stop = now.run != TT_QUEUE_END && tt_interrupted(); // between two runs, or while waiting
            if (now.stop && now.run >= 0) tt_lock_release(lock);
        }
        TT_TRY(tt_comm_broadcast(comm, &now, sizeof now, 0));
        if (now.stop)
            return tt_comm_agree(
                comm, tt_fail(TT_ERR_INTERRUPTED, "interrupted; progress is saved: %s", tt_how_to_resume()));
        *run = now.run;
        if (now.run != TT_QUEUE_WAIT) return TT_OK;
        if (!told && comm->rank == 0)
            tt_info("the runs that are left wait for phases that other runs are training");
        told = true;
        sleep(1);
    }
}

static tt_status run_queue(
    const tt_sweeps *sweeps, tt_comm *comm, const bool *wanted, const tt_sweep_options *o, bool *apart) {
    tt_sweep_queue queue = {0};
    tt_lock lock = {.file = -1};
    const tt_run_options how = {.share = sweeps->output, .lock = &lock};
    tt_status status = comm->rank == 0 ? tt_sweep_queue_open(&queue, sweeps, wanted) : TT_OK;
    status = tt_comm_agree(comm, status);
    queue.always = o->only >= 0;
    for (int run = TT_QUEUE_END; status == TT_OK;) {
        status = next_run(&queue, comm, &lock, &run);
        if (status != TT_OK || run == TT_QUEUE_END) break;
        status = run_one(sweeps->runs[run], comm, &how, apart);
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

// As many ranks for each run as asked for, the most that one of the sweeps asks for; if nobody asked, so many that all have
// work.
static int choose_ranks(const tt_sweeps *sweeps, const tt_comm *comm, const bool *wanted, int asked) {
    char name[32];
    int n = 0, ranks = asked;
    for (int i = 0; i < sweeps->n; ++i) n += wanted[i];
    for (int i = 0; i < sweeps->n_items && !asked; ++i)
        if (sweeps->items[i].ranks_per_run > ranks) ranks = sweeps->items[i].ranks_per_run;
    if (ranks == 0) ranks = n > 0 && n < comm->size ? comm->size / n : 1;
    if (ranks <= comm->size) return ranks;
    if (comm->rank == 0 && comm->size > 1)
        tt_info("%s: each run gets all %d ranks, since there are not the %d that ranks_per_run asks for; "
                "results differ by rounding alone",
            tt_sweeps_name(sweeps, name), comm->size, ranks);
    return comm->size;
}

static tt_status run_groups(
    const tt_sweeps *sweeps, tt_comm *comm, const bool *wanted, const tt_sweep_options *o, bool *apart) {
    const int ranks_per_run = choose_ranks(sweeps, comm, wanted, o->ranks_per_run);
    groups g = {.n = comm->size / ranks_per_run, .mine = comm->rank / ranks_per_run, .job = getpid()};
    if (comm->size % ranks_per_run && comm->rank == 0)
        tt_warn("%d of %d ranks have nothing to do, since each run gets %d", comm->size % ranks_per_run,
            comm->size, ranks_per_run);
    TT_TRY(tt_path_join(g.folder, sizeof g.folder, sweeps->output, ".locks"));
    TT_TRY(tt_comm_broadcast(comm, &g.job, sizeof g.job, 0));
    tt_comm *part;
    tt_lock working = {.file = -1};
    bool taken = true;
    TT_TRY(tt_comm_split(comm, g.mine, &part));
    tt_status status = part->rank == 0 ? lock_group(&g, g.mine, &working, &taken) : TT_OK;
    status = tt_comm_agree(comm, status);
    if (status == TT_OK && g.mine < g.n) status = run_queue(sweeps, part, wanted, o, apart);
    tt_lock_release(&working);
    if (!*apart) {
        const tt_status waited = wait_for_groups(&g, part);
        if (status == TT_OK) status = waited;
    }
    if (!*apart) tt_comm_close_part(part); // else the others still wait in it, and the job ends
    return status;
}

// Removes failed.txt of finished runs, and counts those that are not finished in the end: failed, now or earlier, in other
// processes' hands, or of other settings.
static int count_open(const tt_sweeps *sweeps, const tt_sweep_options *o) {
    int n = 0;
    for (int i = 0; i < sweeps->n; ++i) {
        const tt_sweep_run *run = sweeps->runs[i];
        char owner[256];
        if (!is_asked(run, o)) continue;
        const tt_sweep_state state = tt_sweep_state_of(run);
        if (state == TT_SWEEP_FINISHED) tt_sweep_forget_failure(run);
        if (tt_sweep_settled(run, state, o->only >= 0)) continue;
        ++n;
        if (tt_run_directory_busy(run->path, owner))
            tt_warn("%s: left out: %s: another process is running in this directory%s", run->sweep->name,
                run->path, owner);
    }
    return n;
}

// The folder of the locks, where nobody has one.
static void remove_locks(const tt_sweeps *sweeps) {
    char locks[TT_PATH_MAX];
    if (tt_path_join(locks, sizeof locks, sweeps->output, ".locks") == TT_OK) rmdir(locks);
}

// On rank 0: notes what the sweeps are called and what starts over, and chooses what runs.
static tt_status prepare(tt_sweeps *sweeps, const tt_sweep_options *o, bool *wanted) {
    for (int i = 0; i < sweeps->n_items; ++i) TT_TRY(tt_sweep_remember(&sweeps->items[i]));
    note_failures(sweeps);
    TT_TRY(start_over(sweeps, o));
    choose_wanted(sweeps, o, wanted);
    return TT_OK;
}

tt_status tt_sweep_run_all(tt_sweeps *sweeps, tt_comm *comm, const tt_sweep_options *o, int *failed) {
    bool *wanted, apart = false;
    *failed = 0;
    TT_TRY(tt_alloc(&wanted, (size_t)sweeps->n, sizeof *wanted, "runs"));
    tt_status status = tt_comm_agree(comm, comm->rank == 0 ? prepare(sweeps, o, wanted) : TT_OK);
    if (status == TT_OK) status = tt_sweep_fresh_share(sweeps, comm);
    if (status == TT_OK) status = share_failures(sweeps, comm);
    if (status == TT_OK) status = tt_comm_broadcast(comm, wanted, (size_t)sweeps->n * sizeof *wanted, 0);
    if (status != TT_OK) {
        free(wanted);
        return status;
    }
    if (o->jobs > 0 && comm->size == 1)
        status = tt_sweep_run_children(sweeps, wanted, o);
    else
        status = run_groups(sweeps, comm, wanted, o, &apart);
    if (!apart) status = tt_comm_agree(comm, status);
    if (comm->rank == 0) remove_locks(sweeps);
    if (status == TT_OK && comm->rank == 0) {
        *failed = count_open(sweeps, o);
        tt_sweep_fresh_end(sweeps);
    }
    free(wanted);
    return status == TT_OK ? tt_comm_broadcast(comm, failed, sizeof *failed, 0) : status;
}
