#include "host/base/log.h"

#include "host/base/controls.h"
#include "host/base/number.h"
#include "host/base/str.h"
#include "host/base/temporary.h"
#include "host/base/terminal.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

static int log_rank, log_ranks = 1;
static bool log_quiet, log_muted, log_reported;
static tt_progress *live_bar; // the innermost open bar; a message wipes it first
static volatile sig_atomic_t interrupted, deferred, resumes;

void tt_log_rank(int rank, int ranks) {
    log_rank = rank;
    log_ranks = ranks;
}

void tt_log_quiet(bool quiet) {
    log_quiet = quiet;
}

void tt_log_mute(bool mute) {
    log_quiet = log_muted = mute;
}

void tt_log_reported(void) {
    log_reported = true;
}

double tt_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void wipe_bar(tt_progress *bar) {
    if (!bar || !bar->live) return;
    fputs("\r\033[K", stderr);
    bar->live = false;
    bar->shown = 0;
}

// In one piece: launchers mix what ranks write in several. A message is as long as an error's, or shortened.
static void print_message(const char *prefix, const char *format, va_list args) {
    char text[4096];
    wipe_bar(live_bar);
    tt_format_list(text, sizeof text, format, args);
    tt_escape_controls(text, sizeof text);
    fprintf(stderr, "%s%s\n", prefix, text);
}

void tt_info(const char *format, ...) {
    if (log_rank != 0 || log_quiet) return;
    va_list args;
    va_start(args, format);
    print_message("", format, args);
    va_end(args);
}

void tt_warn(const char *format, ...) {
    if (log_rank != 0 || log_muted) return;
    va_list args;
    va_start(args, format);
    print_message("warning: ", format, args);
    va_end(args);
}

void tt_error(const char *format, ...) {
    if (log_reported) return;
    char prefix[64] = "tinythinker: ";
    if (log_ranks > 1) snprintf(prefix, sizeof prefix, "tinythinker: rank %d of %d: ", log_rank, log_ranks);
    va_list args;
    va_start(args, format);
    print_message(prefix, format, args);
    va_end(args);
}

void tt_progress_open(tt_progress *p, const char *label, const char *unit, int64_t total, int64_t first) {
    double now = tt_seconds();
    *p = (tt_progress){
        .label = label, .unit = unit, .total = total, .done = first, .first = first, .started = now};
    p->shown = tt_terminal(STDERR_FILENO) ? 0 : now;
    p->outer = live_bar;
    wipe_bar(live_bar);
    live_bar = p;
}

static void format_time(char *out, size_t size, double seconds) {
    if (!(seconds >= 0 && seconds < 3.6e6))
        snprintf(out, size, "--:--");
    else if (seconds < 3600)
        snprintf(out, size, "%d:%02d", (int)seconds / 60, (int)seconds % 60);
    else
        snprintf(out, size, "%d:%02d:%02d", (int)seconds / 3600, (int)seconds / 60 % 60, (int)seconds % 60);
}

static void draw_bar(tt_progress *p, const char *note) {
    double elapsed = tt_seconds() - p->started;
    double rate = elapsed > 0 ? (double)(p->done - p->first) / elapsed : 0;
    char left[32];
    format_time(left, sizeof left, rate > 0 ? (double)(p->total - p->done) / rate : -1);
    double share = p->total > 0 ? (double)p->done / (double)p->total : 1;
    char tail[256];
    tt_format(tail, sizeof tail, "%lld/%lld %s  %.*f/s  %s%s%s left", (long long)p->done, (long long)p->total,
        p->unit, rate < 10 ? 2 : 0, rate, note, note[0] ? "  " : "", left);
    if (!tt_terminal(STDERR_FILENO)) {
        tt_print(stderr, "%s  %3.0f %%  %s\n", p->label, 100 * share, tail);
        return;
    }
    struct winsize window = {0};
    int columns = ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col ? window.ws_col : 80;
    int width = columns - (int)strlen(p->label) - (int)strlen(tail) - 6;
    if (width > 30) width = 30;
    char bar[3 * 30 + 1] = "";
    size_t filled = 0;
    for (int i = 0; i < width; ++i) {
        const char *cell = (i + 0.5) / width < share ? "━" : "╌"; // three bytes each
        memcpy(bar + filled, cell, 3);
        filled += 3;
    }
    bar[filled] = '\0';
    fprintf(stderr, "\r\033[K%s %s%s%.*s", p->label, bar, filled ? " " : "",
        columns - (int)strlen(p->label) - (width > 0 ? width : 0) - 3, tail);
    fflush(stderr);
    p->live = true;
}

void tt_progress_update(tt_progress *p, int64_t done, const char *note_format, ...) {
    p->done = done;
    if (log_rank != 0 || log_quiet) return;
    double now = tt_seconds(), wait = tt_terminal(STDERR_FILENO) ? 0.1 : 10;
    // Off a terminal, a task that ends before its first line is due prints none.
    const bool brief = p->shown == p->started;
    if (now - p->shown < wait && (done < p->total || brief)) return;
    p->shown = now;
    char note[160];
    va_list args;
    va_start(args, note_format);
    tt_format_list(note, sizeof note, note_format, args);
    va_end(args);
    draw_bar(p, note);
}

void tt_progress_close(tt_progress *p) {
    if (p->outer)
        wipe_bar(p);
    else if (p->live)
        fputc('\n', stderr);
    p->live = false;
    live_bar = p->outer;
}

static const char *volatile how_to_resume = "run the same command again to resume";

void tt_resume_by(const char *how) {
    how_to_resume = how;
}

const char *tt_how_to_resume(void) {
    return how_to_resume;
}

// What a signal handler may call, and one write. On a bar's line it takes the bar's place.
static void tell_end(void) {
    const char *const parts[] = {live_bar && live_bar->live ? "\r\033[K" : "",
        "tinythinker: ended at once by a signal; what was saved before is intact: ", how_to_resume, "\n"};
    char text[256];
    size_t n = 0;
    for (int i = 0; i < 4; ++i)
        for (const char *c = parts[i]; *c && n < sizeof text; ++c) text[n++] = *c;
    (void)!write(STDERR_FILENO, text, n);
}

// Launchers pass on a signal that the process group has received as well: the same request a moment later is no second one.
static void on_signal(int number) {
    static volatile double first; // when the first request came; 0: none
    const double now = tt_seconds();
    if (!deferred || (first > 0 && now - first > 0.1)) {
        tt_temporary_remove_all();
        if (resumes) tell_end();
        _exit(128 + number);
    }
    if (!(first > 0)) first = now;
    interrupted = 1;
}

// SIGUSR1 is what schedulers send ahead of the end: it asks, and leaves the next signal its full say.
static void on_warning(int number) {
    (void)number;
    interrupted = 1;
}

void tt_interrupt_hold(bool hold) {
    static const int requests[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof requests / sizeof *requests; ++i) sigaddset(&set, requests[i]);
    sigprocmask(hold ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
}

// The handler has a stack of its own: oneDNN's kernels use the stack pointer as one more register, and the frame of a
// signal that arrives meanwhile would overwrite the matrices it points to.
void tt_interrupt_install(void) {
    static char memory[64 << 10];
    const stack_t stack = {.ss_sp = memory, .ss_size = sizeof memory};
    struct sigaction action = {.sa_handler = on_signal};
    if (sigaltstack(&stack, NULL) == 0) action.sa_flags = SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    struct sigaction warning = action;
    warning.sa_handler = on_warning;
    sigaction(SIGUSR1, &warning, NULL);
    signal(SIGXFSZ,
        SIG_IGN); // a file beyond the limit of its size is an error of write(), which is told and tidied up
    struct sigaction before; // nohup ignores it, and that must stay so
    if (sigaction(SIGHUP, NULL, &before) == 0 && before.sa_handler != SIG_IGN)
        sigaction(SIGHUP, &action, NULL);
    tt_interrupt_hold(false); // those that came while the program was started anew
}

void tt_interrupt_defer(bool defer) {
    deferred = defer;
}

void tt_interrupt_resumes(void) {
    resumes = 1;
}

bool tt_interrupted(void) {
    return interrupted != 0;
}
