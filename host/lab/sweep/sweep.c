#include "host/lab/sweep/sweep.h"

#include "host/base/cores.h"
#include "host/base/log.h"
#include "host/lab/run.h"
#include "host/lab/run_directory.h"

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
    if (o->only >= 0 && i != o->only) return false;
    switch (tt_sweep_state_of(sweep, &sweep->runs[i])) {
    case TT_SWEEP_FINISHED:
    case TT_SWEEP_OTHER:
        return false;
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
        if (o->only >= 0 && i != o->only) continue;
        if (tt_sweep_state_of(sweep, &sweep->runs[i]) != TT_SWEEP_OTHER) continue;
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

// Errors: TT_ERR_BUSY where another process runs it, whose files are left alone.
static tt_status begin_run(const tt_sweep *sweep, const tt_sweep_run *run) {
    char path[TT_PATH_MAX], owner[256];
    if (tt_run_directory_busy(run->path, owner))
        return tt_fail(TT_ERR_BUSY, "%s: another process is running in this directory%s", run->path, owner);
    TT_TRY(tt_make_dirs(run->path));
    TT_TRY(tt_path_join(path, sizeof path, run->path, "failed.txt"));
    unlink(path);
    json_t *root = json_pack(
        "{s:s, s:s, s:I}", "sweep", sweep->name, "variant", run->variant, "seed", (json_int_t)run->seed);
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

// Another process has the run: it is left to it, and nothing is noted in its directory.
static void pass_over(const tt_sweep *sweep, tt_comm *comm) {
    tt_warn("%s: left out: %s", sweep->name, tt_error_message());
    comm->agreed = false; // reported here; the ranks continue together
}

// *failed: the run failed, which is noted in its directory, or another process has it; the sweep continues. *apart: one rank
// failed alone while the others wait for it, so that the ranks cannot agree on anything any more.
static tt_status run_one(
    const tt_sweep *sweep, const tt_sweep_run *run, tt_comm *comm, bool *failed, bool *apart) {
    tt_config config;
    *failed = false;
    tt_status status = tt_comm_agree(comm, comm->rank == 0 ? begin_run(sweep, run) : TT_OK);
    if (status == TT_ERR_BUSY) {
        pass_over(sweep, comm);
        *failed = true;
        return TT_OK;
    }
    TT_TRY(status);
    tt_info("%s: %s", sweep->name, run->name);
    FILE *nowhere = fopen("/dev/null", "we");
    if (!nowhere) return tt_fail(TT_ERR_IO, "/dev/null: %s", strerror(errno));
    status = tt_comm_agree(comm, tt_config_load(&config, sweep->base, run->overrides, run->n));
    if (status == TT_OK) {
        status = tt_run(&config, comm, &(tt_run_options){.share = sweep->output}, nowhere);
        tt_config_close(&config);
    }
    fclose(nowhere);
    if (status == TT_OK || status == TT_ERR_INTERRUPTED) return status;
    *apart = comm->size > 1 && !comm->agreed;
    if (*apart) {
        char reason[1024];
        snprintf(reason, sizeof reason, "%s", tt_error_message());
        if (note_failure(sweep, run) != TT_OK) tt_warn("%s", tt_error_message());
        return tt_fail(status, "%s: %s", run->name, reason);
    }
    *failed = true;
    if (status == TT_ERR_BUSY) {
        pass_over(sweep, comm);
        return TT_OK;
    }
    comm->agreed = false; // reported here; the ranks continue together
    return tt_comm_agree(comm, comm->rank == 0 ? note_failure(sweep, run) : TT_OK);
}

static tt_status run_groups(
    const tt_sweep *sweep, tt_comm *comm, const bool *wanted, int *failed, bool *apart) {
    const int groups = comm->size / sweep->ranks_per_run;
    if (groups < 1)
        return tt_fail(TT_ERR_CONFIG, "%s: ranks_per_run is %d, but there are only %d ranks", sweep->file,
            sweep->ranks_per_run, comm->size);
    const int mine = comm->rank / sweep->ranks_per_run;
    if (comm->size % sweep->ranks_per_run)
        tt_warn("%d of %d ranks have nothing to do: ranks_per_run is %d", comm->size % sweep->ranks_per_run,
            comm->size, sweep->ranks_per_run);
    tt_comm *part;
    TT_TRY(tt_comm_split(comm, mine, &part));
    tt_status status = TT_OK;
    for (int i = 0, k = 0; i < sweep->n && status == TT_OK; ++i) {
        if (!wanted[i] || k++ % groups != mine) continue;
        bool one;
        status = run_one(sweep, &sweep->runs[i], part, &one, apart);
        *failed += one && part->rank == 0;
    }
    if (!*apart) tt_comm_close_part(part); // else the others still wait in it, and the job ends
    return status;
}

// ---- several processes at a time

// Writes the child's command line into arguments[6 + 2 * n_overrides].
static void fill_arguments(const char **arguments, const char *program, const char *file, const char *index,
    const tt_sweep_options *o) {
    const char *const first[] = {program, "sweep", file, "--only", index};
    const int n = sizeof first / sizeof *first;
    for (int k = 0; k < n; ++k) arguments[k] = first[k];
    for (int k = 0; k < o->n_overrides; ++k) {
        arguments[n + 2 * k] = "--set";
        arguments[n + 2 * k + 1] = o->overrides[k];
    }
    arguments[n + 2 * o->n_overrides] = NULL;
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
    snprintf(index, sizeof index, "%d", i);
    snprintf(threads, sizeof threads, "%ld", cores / o->jobs > 1 ? cores / o->jobs : 1);
    const char **arguments;
    if (tt_alloc(&arguments, 6 + 2 * (size_t)o->n_overrides, sizeof *arguments, "arguments") != TT_OK)
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

static void take_ended(const tt_sweep *sweep, children *c, pid_t pid, int *failed) {
    for (int j = 0; j < c->n; ++j) {
        if (c->pid[j] != pid) continue;
        c->pid[j] = 0;
        c->alive--;
        const tt_sweep_run *run = &sweep->runs[c->run[j]];
        const tt_sweep_state state = tt_sweep_state_of(sweep, run);
        if (state == TT_SWEEP_FINISHED) {
            tt_info("%s: %s finished", sweep->name, run->name);
        } else if (!tt_interrupted()) {
            ++*failed;
            tt_warn("%s: %s failed; see %s/log.txt", sweep->name, run->name, run->path);
            if (state != TT_SWEEP_FAILED && // it ended before it could say why
                write_note(run, "failed.txt", "the process ended; see log.txt\n") != TT_OK)
                tt_warn("%s", tt_error_message());
        }
    }
}

static tt_status run_children(
    const tt_sweep *sweep, const bool *wanted, const tt_sweep_options *o, int *failed) {
    children c = {.n = o->jobs};
    tt_status status = tt_alloc(&c.pid, (size_t)c.n, sizeof *c.pid, "jobs");
    if (status == TT_OK) status = tt_alloc(&c.run, (size_t)c.n, sizeof *c.run, "jobs");
    bool stopping = false;
    tt_interrupt_defer(true);
    for (int next = 0; (status == TT_OK && next < sweep->n) || c.alive;) {
        while (next < sweep->n && !wanted[next]) ++next;
        int free_slot = 0;
        while (free_slot < c.n && c.pid[free_slot]) ++free_slot;
        if (status == TT_OK && next < sweep->n && free_slot < c.n && !tt_interrupted()) {
            status = begin_run(sweep, &sweep->runs[next]);
            if (status == TT_ERR_BUSY) {
                tt_warn("%s: left out: %s", sweep->name, tt_error_message());
                ++*failed;
                ++next;
                status = TT_OK;
                continue;
            }
            const pid_t pid = status == TT_OK ? start_child(sweep, next, o) : -1;
            if (status == TT_OK && pid < 0)
                status = tt_fail(TT_ERR_IO, "cannot start a process: %s", strerror(errno));
            if (status != TT_OK) continue; // wait for those that still run
            tt_info("%s: %s started", sweep->name, sweep->runs[next].name);
            c.pid[free_slot] = pid;
            c.run[free_slot] = next++;
            c.alive++;
            continue;
        }
        if (c.alive == 0) break;
        if (tt_interrupted() && !stopping) { // the children save and stop
            for (int j = 0; j < c.n; ++j)
                if (c.pid[j]) kill(c.pid[j], SIGINT);
            stopping = true;
        }
        const pid_t ended = waitpid(-1, NULL, WNOHANG);
        if (ended > 0)
            take_ended(sweep, &c, ended, failed);
        else
            usleep(50000);
    }
    tt_interrupt_defer(false);
    free(c.pid);
    free(c.run);
    if (status == TT_OK && tt_interrupted())
        status = tt_fail(
            TT_ERR_INTERRUPTED, "interrupted; progress is saved; run the same command again to resume");
    return status;
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
        status = run_children(sweep, wanted, o, failed);
    else if (status == TT_OK)
        status = run_groups(sweep, comm, wanted, failed, &apart);
    free(wanted);
    if (apart) return status;
    status = tt_comm_agree(comm, status);
    double sum = *failed;
    if (status == TT_OK) status = tt_comm_sum_f64(comm, &sum, 1);
    *failed = (int)sum;
    return status;
}
