#include "host/lab/sweep/children.h"

#include "host/base/cores.h"
#include "host/base/log.h"
#include "host/base/program.h"
#include "host/lab/run_directory.h"
#include "host/lab/sweep/fresh.h"
#include "host/lab/sweep/notes.h"
#include "host/lab/sweep/queue.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

// Writes the child's command line into arguments[CHILD_ARGUMENTS + 2 * n_overrides].
enum { CHILD_ARGUMENTS = 6 };
static void fill_arguments(
    const char **arguments, const char *file, const char *number, const tt_sweep_options *o) {
    const char *const first[] = {"tinythinker", "sweep", file, "--only", number};
    int n = sizeof first / sizeof *first;
    for (int k = 0; k < n; ++k) arguments[k] = first[k];
    for (int k = 0; k < o->n_overrides; ++k) {
        arguments[n++] = "--set";
        arguments[n++] = o->overrides[k];
    }
    arguments[n] = NULL;
}

// The child gets its own process group, so that Ctrl-C reaches it only through its parent: a second signal
// would end it before it has saved. It gets the signal also when its parent ends.
// Signals are held until the program has its own handler: this one's would only take a note that is then forgotten.
static void become_child(const char *log, const char *threads, const char *const *arguments, pid_t parent) {
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGINT);
    if (getppid() != parent) _exit(1);
    const int file = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    setenv("OMP_NUM_THREADS", threads, 0);
    if (file < 0 || dup2(file, 1) < 0 || dup2(file, 2) < 0) _exit(1);
    tt_program_start(arguments);
    dprintf(2, "tinythinker: the program cannot be started anew: %s\n", strerror(errno));
    _exit(1);
}

static pid_t start_child(const tt_sweep_run *run, const tt_sweep_options *o) {
    char log[TT_PATH_MAX], index[16], threads[32], over[128];
    const long cores = tt_cores();
    if (tt_path_join(log, sizeof log, run->path, "log.txt") != TT_OK) return -1;
    snprintf(index, sizeof index, "%d", run->number);
    snprintf(threads, sizeof threads, "%ld", cores / o->jobs > 1 ? cores / o->jobs : 1);
    const char **arguments;
    if (tt_alloc(&arguments, CHILD_ARGUMENTS + 2 * (size_t)o->n_overrides, sizeof *arguments, "arguments") !=
        TT_OK)
        return -1;
    fill_arguments(arguments, run->sweep->file, index, o);
    tt_interrupt_hold(true);
    const pid_t parent = getpid(), pid = fork();
    tt_sweep_fresh_text(run->sweep, over, sizeof over);
    if (pid == 0 && run->over) setenv(TT_SWEEP_FRESH_VARIABLE, over, 1);
    if (pid == 0) setenv(TT_SWEEP_CHILD_VARIABLE, "1", 1);
    if (pid == 0) become_child(log, threads, arguments, parent);
    tt_interrupt_hold(false);
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
    for (int j = 0; j < c->n; ++j) {
        if (c->pid[j] != pid) continue;
        const tt_sweep_run *run = queue->sweeps->runs[c->run[j]];
        const char *sweep = run->sweep->name;
        queue->going[c->run[j]] = false;
        c->pid[j] = 0;
        c->alive--;
        const bool other = tt_run_directory_noted(run->path); // asked first: it may be finishing now
        if (tt_sweep_state_of(run) == TT_SWEEP_FINISHED) {
            tt_info("%s: %s finished", sweep, run->name);
        } else if (other) {
            tt_info("%s: %s is left to another process", sweep, run->name);
        } else if (!tt_interrupted()) {
            tt_warn("%s: %s failed; see %s/log.txt", sweep, run->name, run->path);
            if (!tt_sweep_failure_read(run->path, NULL) && // it ended before it could say why
                tt_sweep_write_failure(run, "the process ended; see log.txt") != TT_OK)
                tt_warn("%s", tt_error_message());
        }
        return true;
    }
    return false;
}

// Starts the next run that can start. *more: whether there may be others after it.
static tt_status start_next(tt_sweep_queue *queue, children *c, const tt_sweep_options *o, bool *more) {
    tt_lock lock;
    int slot = 0;
    while (slot < c->n && c->pid[slot]) ++slot;
    if (slot == c->n) return TT_OK;
    const int i = tt_sweep_queue_next(queue, &lock);
    *more = i != TT_QUEUE_END;
    if (i < 0) return TT_OK;
    const tt_sweep_run *run = queue->sweeps->runs[i];
    const tt_status begun = tt_sweep_begin_run(run);
    tt_lock_release(&lock); // the child takes it
    if (begun != TT_OK) {
        tt_sweep_note_failure(run);
        return TT_OK;
    }
    const pid_t pid = start_child(run, o);
    if (pid < 0) return tt_fail(TT_ERR_IO, "cannot start a process: %s", strerror(errno));
    tt_info("%s: %s started", run->sweep->name, run->name);
    queue->going[i] = true;
    c->pid[slot] = pid;
    c->run[slot] = i;
    c->alive++;
    return TT_OK;
}

static void stop_children(const children *c) {
    for (int j = 0; j < c->n; ++j)
        if (c->pid[j]) kill(c->pid[j], SIGINT);
}

// Whether a run that was wanted is neither settled nor failed, nor another process's.
static bool any_left(const tt_sweeps *sweeps, const bool *wanted, bool always) {
    for (int i = 0; i < sweeps->n; ++i) {
        if (!wanted[i]) continue;
        const tt_sweep_run *run = sweeps->runs[i];
        const tt_sweep_state state = tt_sweep_state_of(run);
        if (state != TT_SWEEP_FAILED && state != TT_SWEEP_OTHER && !tt_sweep_settled(run, state, always) &&
            !tt_run_directory_noted(run->path))
            return true;
    }
    return false;
}

tt_status tt_sweep_run_children(const tt_sweeps *sweeps, const bool *wanted, const tt_sweep_options *o) {
    children c = {.n = o->jobs};
    tt_sweep_queue queue = {0};
    tt_status status = tt_alloc(&c.pid, (size_t)c.n, sizeof *c.pid, "jobs");
    if (status == TT_OK) status = tt_alloc(&c.run, (size_t)c.n, sizeof *c.run, "jobs");
    if (status == TT_OK) status = tt_sweep_queue_open(&queue, sweeps, wanted);
    queue.always = o->only >= 0;
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
    while (queue.sweeps && c.alive) { // those that still run, after a failure here
        const pid_t ended = waitpid(-1, NULL, 0);
        if (ended <= 0) break;
        take_ended(&queue, &c, ended);
    }
    tt_interrupt_defer(false);
    tt_sweep_queue_close(&queue);
    free(c.pid);
    free(c.run);
    if (status == TT_OK && tt_interrupted() && any_left(sweeps, wanted, o->only >= 0))
        status = tt_fail(TT_ERR_INTERRUPTED, "interrupted; progress is saved: %s", tt_how_to_resume());
    return status;
}
