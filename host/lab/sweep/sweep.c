#include "host/lab/sweep/sweep.h"

#include "host/base/cores.h"
#include "host/base/log.h"
#include "host/lab/run.h"
#include "host/lab/run_directory.h"
#include "host/lab/sweep/queue.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static bool has_file(const tt_sweep_run *run, const char *name) {
    char path[TT_PATH_MAX];
    return tt_path_join(path, sizeof path, run->path, name) == TT_OK && tt_file_exists(path);
}

tt_status tt_sweep_differences(const tt_sweep *sweep, const tt_sweep_run *run, tt_str *out, bool *rescore) {
    char path[TT_PATH_MAX], *before;
    size_t bytes;
    tt_config config;
    tt_str now = {0};
    *rescore = false;
    TT_TRY(tt_path_join(path, sizeof path, run->path, "config.yaml"));
    TT_TRY(tt_config_load(&config, sweep->base, run->overrides, run->n));
    tt_status status = tt_config_write(&config, &now);
    tt_config_close(&config);
    if (status == TT_OK) status = tt_read_file(path, 1 << 20, &before, &bytes);
    if (status == TT_OK) {
        status = tt_run_config_differences(before, now.data, out, rescore);
        free(before);
    }
    tt_str_close(&now);
    return status;
}

static tt_sweep_state state_of_result(const tt_sweep *sweep, const tt_sweep_run *run) {
    tt_str differences = {0};
    bool rescore;
    tt_sweep_state state = TT_SWEEP_FINISHED;
    if (tt_sweep_differences(sweep, run, &differences, &rescore) != TT_OK)
        state = TT_SWEEP_BEGUN; // the run will report what is wrong
    else if (differences.length > 0)
        state = TT_SWEEP_OTHER;
    else if (rescore)
        state = TT_SWEEP_BEGUN;
    tt_str_close(&differences);
    return state;
}

tt_sweep_state tt_sweep_state_of(const tt_sweep *sweep, const tt_sweep_run *run) {
    if (has_file(run, "result.json")) return state_of_result(sweep, run);
    if (has_file(run, "failed.txt")) return TT_SWEEP_FAILED;
    return has_file(run, "config.yaml") ? TT_SWEEP_BEGUN : TT_SWEEP_NEW;
}

const char *tt_sweep_state_name(tt_sweep_state state) {
    static const char *const names[] = {"new", "resumable", "failed", "finished", "other settings"};
    return names[state];
}

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

// ---- one run in this process

static tt_status write_note(const tt_sweep_run *run, const char *name, const char *text) {
    char path[TT_PATH_MAX];
    TT_TRY(tt_path_join(path, sizeof path, run->path, name));
    return tt_write_file(path, text, strlen(text));
}

// To be called with the lock of its directory.
static tt_status begin_run(const tt_sweep *sweep, const tt_sweep_run *run) {
    char path[TT_PATH_MAX];
    TT_TRY(tt_path_join(path, sizeof path, run->path, "failed.txt"));
    unlink(path);
    json_t *root = json_pack("{s:s, s:s, s:I, s:i}", "sweep", sweep->name, "variant", run->variant, "seed",
        (json_int_t)run->seed, "number", run->number);
    char *text = root ? json_dumps(root, 0) : NULL;
    json_decref(root);
    if (!text) return tt_fail(TT_ERR_NOMEM, "%s: no memory to describe it", run->name);
    tt_status status = write_note(run, "sweep.json", text);
    free(text);
    return status;
}

static tt_status note_failure(const tt_sweep *sweep, const tt_sweep_run *run) {
    char reason[1024];
    tt_warn("%s: %s failed: %s", sweep->name, run->name, tt_error_message());
    snprintf(reason, sizeof reason, "%s\n", tt_error_message());
    return write_note(run, "failed.txt", reason);
}

// *apart: one rank failed alone while the others wait for it, so that the ranks cannot agree on anything any more. `how`:
// with rank 0's lock of the run's directory. A failure of the run is noted in its directory, and the sweep continues.
static tt_status run_one(
    const tt_sweep *sweep, const tt_sweep_run *run, tt_comm *comm, const tt_run_options *how, bool *apart) {
    tt_config config;
    FILE *nowhere = NULL;
    tt_status status = comm->rank == 0 ? begin_run(sweep, run) : TT_OK;
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
        if (note_failure(sweep, run) != TT_OK) tt_warn("%s", tt_error_message());
        return tt_fail(status, "%s: %s", run->name, reason);
    }
    tt_comm_go_on(comm); // reported here; the ranks continue together
    return tt_comm_agree(comm, comm->rank == 0 ? note_failure(sweep, run) : TT_OK);
}

// Waits until a run can start; the same answer on all ranks.
static tt_status next_run(tt_sweep_queue *queue, tt_comm *comm, tt_lock *lock, int *run) {
    for (bool told = false;;) {
        struct {
            int run;
            bool stop;
        } now = {TT_QUEUE_END, false};
        if (comm->rank == 0) now.run = tt_sweep_queue_next(queue, lock);
        now.stop = tt_interrupted();
        TT_TRY(tt_comm_broadcast(comm, &now, sizeof now, 0));
        *run = now.run;
        if (now.run != TT_QUEUE_WAIT) return TT_OK;
        if (now.stop)
            return tt_comm_agree(
                comm, tt_fail(TT_ERR_INTERRUPTED, "interrupted while it waited for other runs"));
        if (!told && comm->rank == 0)
            tt_info("%s: the runs that are left wait for phases that other runs are training",
                queue->sweep->name);
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
    for (int run; status == TT_OK;) {
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
    TT_TRY(tt_path_join(g.folder, sizeof g.folder, sweep->output, sweep->name));
    TT_TRY(tt_path_join(g.folder, sizeof g.folder, g.folder, ".locks"));
    TT_TRY(tt_comm_broadcast(comm, &g.job, sizeof g.job, 0));
    tt_comm *part;
    tt_lock working = {.file = -1};
    bool taken = true;
    TT_TRY(tt_comm_split(comm, g.mine, &part));
    tt_status status = part->rank == 0 ? lock_group(&g, g.mine, &working, &taken) : TT_OK;
    status = tt_comm_agree(comm, status);
    if (status == TT_OK && g.mine < g.n) status = run_queue(sweep, part, wanted, o, apart);
    tt_lock_release(&working);
    if (status == TT_OK) status = wait_for_groups(&g, part);
    if (!*apart) tt_comm_close_part(part); // else the others still wait in it, and the job ends
    return status;
}

// ---- several processes at a time

// Writes the child's command line into arguments[CHILD_ARGUMENTS + 2 * n_overrides].
enum { CHILD_ARGUMENTS = 9 };
static void fill_arguments(const char **arguments, const char *program, const char *file, const char *number,
    const tt_sweep_options *o) {
    const char *const first[] = {program, "sweep", file, "--only", number};
    int n = sizeof first / sizeof *first;
    for (int k = 0; k < n; ++k) arguments[k] = first[k];
    if (o->run.fresh) arguments[n++] = "--fresh";
    if (o->run.fresh_from) arguments[n++] = "--fresh-from";
    if (o->run.fresh_from) arguments[n++] = o->run.fresh_from;
    for (int k = 0; k < o->n_overrides; ++k) {
        arguments[n++] = "--set";
        arguments[n++] = o->overrides[k];
    }
    arguments[n] = NULL;
}

// The child gets its own process group, so that Ctrl-C reaches it only through its parent: a second signal
// would end it before it has saved. It gets the signal also when its parent ends.
static void become_child(const char *log, const char *threads, const char *const *arguments, pid_t parent) {
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGINT);
    if (getppid() != parent) _exit(1);
    const int file = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    setenv("OMP_NUM_THREADS", threads, 0);
    if (file < 0 || dup2(file, 1) < 0 || dup2(file, 2) < 0) _exit(1);
    execv(arguments[0], (char *const *)(uintptr_t)arguments);
    _exit(1);
}

static pid_t start_child(const tt_sweep *sweep, int i, const tt_sweep_options *o) {
    char log[TT_PATH_MAX], index[16], threads[32], program[TT_PATH_MAX];
    const ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    const long cores = tt_cores();
    if (length < 0 || tt_path_join(log, sizeof log, sweep->runs[i].path, "log.txt") != TT_OK) return -1;
    program[length] = '\0';
    snprintf(index, sizeof index, "%d", sweep->runs[i].number);
    snprintf(threads, sizeof threads, "%ld", cores / o->jobs > 1 ? cores / o->jobs : 1);
    const char **arguments;
    if (tt_alloc(&arguments, CHILD_ARGUMENTS + 2 * (size_t)o->n_overrides, sizeof *arguments, "arguments") !=
        TT_OK)
        return -1;
    fill_arguments(arguments, program, sweep->file, index, o);
    const pid_t parent = getpid(), pid = fork();
    if (pid == 0) become_child(log, threads, arguments, parent);
    free(arguments);
    return pid;
}

typedef struct children {
    pid_t *pid; // [jobs]; 0 = free
    int *run;   // [jobs]
    int n, alive;
} children;

// Whether the child was one of these; a run that waited for it may start now.
static bool take_ended(tt_sweep_queue *queue, children *c, pid_t pid) {
    const tt_sweep *sweep = queue->sweep;
    for (int j = 0; j < c->n; ++j) {
        if (c->pid[j] != pid) continue;
        const tt_sweep_run *run = &sweep->runs[c->run[j]];
        queue->going[c->run[j]] = false;
        c->pid[j] = 0;
        c->alive--;
        const tt_sweep_state state = tt_sweep_state_of(sweep, run);
        if (state == TT_SWEEP_FINISHED) {
            tt_info("%s: %s finished", sweep->name, run->name);
        } else if (!tt_interrupted()) {
            tt_warn("%s: %s failed; see %s/log.txt", sweep->name, run->name, run->path);
            if (state != TT_SWEEP_FAILED && // it ended before it could say why
                write_note(run, "failed.txt", "the process ended; see log.txt\n") != TT_OK)
                tt_warn("%s", tt_error_message());
        }
        return true;
    }
    return false;
}

// Starts the next run that can start. *more: whether there may be others after it.
static tt_status start_next(tt_sweep_queue *queue, children *c, const tt_sweep_options *o, bool *more) {
    const tt_sweep *sweep = queue->sweep;
    tt_lock lock;
    int slot = 0;
    while (slot < c->n && c->pid[slot]) ++slot;
    if (slot == c->n) return TT_OK;
    const int run = tt_sweep_queue_next(queue, &lock);
    *more = run != TT_QUEUE_END;
    if (run < 0) return TT_OK;
    tt_status status = begin_run(sweep, &sweep->runs[run]);
    tt_lock_release(&lock); // the child takes it
    TT_TRY(status);
    const pid_t pid = start_child(sweep, run, o);
    if (pid < 0) return tt_fail(TT_ERR_IO, "cannot start a process: %s", strerror(errno));
    tt_info("%s: %s started", sweep->name, sweep->runs[run].name);
    queue->going[run] = true;
    c->pid[slot] = pid;
    c->run[slot] = run;
    c->alive++;
    return TT_OK;
}

static void stop_children(const children *c) {
    for (int j = 0; j < c->n; ++j)
        if (c->pid[j]) kill(c->pid[j], SIGINT);
}

static tt_status run_children(const tt_sweep *sweep, const bool *wanted, const tt_sweep_options *o) {
    children c = {.n = o->jobs};
    tt_sweep_queue queue = {0};
    tt_status status = tt_alloc(&c.pid, (size_t)c.n, sizeof *c.pid, "jobs");
    if (status == TT_OK) status = tt_alloc(&c.run, (size_t)c.n, sizeof *c.run, "jobs");
    if (status == TT_OK) status = tt_sweep_queue_open(&queue, sweep, wanted);
    bool stopping = false, more = true;
    tt_interrupt_defer(true);
    while (status == TT_OK && (more || c.alive)) {
        if (tt_interrupted() && !stopping) { // the children save and stop
            stop_children(&c);
            stopping = true;
            more = false;
        }
        const int before = c.alive;
        if (more) status = start_next(&queue, &c, o, &more);
        const pid_t ended = waitpid(-1, NULL, WNOHANG);
        if (ended > 0) more = take_ended(&queue, &c, ended) && !stopping;
        if (ended <= 0 && c.alive == before) usleep(c.alive == c.n ? 50000 : 300000);
    }
    while (c.alive) { // those that still run, after a failure here
        const pid_t ended = waitpid(-1, NULL, 0);
        if (ended <= 0) break;
        take_ended(&queue, &c, ended);
    }
    tt_interrupt_defer(false);
    tt_sweep_queue_close(&queue);
    free(c.pid);
    free(c.run);
    if (status == TT_OK && tt_interrupted())
        status = tt_fail(
            TT_ERR_INTERRUPTED, "interrupted; progress is saved; run the same command again to resume");
    return status;
}

// Counts the runs that are not finished now, and says of each why.
static int count_failed(const tt_sweep *sweep, const bool *wanted) {
    int n = 0;
    for (int i = 0; i < sweep->n; ++i) {
        char owner[256];
        if (!wanted[i] || tt_sweep_state_of(sweep, &sweep->runs[i]) == TT_SWEEP_FINISHED) continue;
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
    char folder[TT_PATH_MAX], locks[TT_PATH_MAX];
    if (tt_path_join(folder, sizeof folder, sweep->output, sweep->name) == TT_OK &&
        tt_path_join(locks, sizeof locks, folder, ".locks") == TT_OK)
        rmdir(locks);
}

tt_status tt_sweep_run_all(const tt_sweep *sweep, tt_comm *comm, const tt_sweep_options *o, int *failed) {
    bool *wanted;
    *failed = 0;
    TT_TRY(tt_alloc(&wanted, (size_t)sweep->n, sizeof *wanted, "runs"));
    for (int i = 0; i < sweep->n; ++i) wanted[i] = comm->rank == 0 && is_wanted(sweep, i, o);
    if (comm->rank == 0) *failed = count_others(sweep, o);
    bool apart = false;
    tt_status status = tt_comm_broadcast(comm, wanted, (size_t)sweep->n * sizeof *wanted, 0);
    if (status == TT_OK && o->jobs > 0 && comm->size == 1)
        status = run_children(sweep, wanted, o);
    else if (status == TT_OK)
        status = run_groups(sweep, comm, wanted, o, &apart);
    if (!apart) status = tt_comm_agree(comm, status);
    if (comm->rank == 0) remove_locks(sweep);
    if (status == TT_OK && comm->rank == 0) *failed += count_failed(sweep, wanted);
    free(wanted);
    return status == TT_OK ? tt_comm_broadcast(comm, failed, sizeof *failed, 0) : status;
}
