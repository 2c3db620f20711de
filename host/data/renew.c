#include "host/data/renew.h"

#include "host/base/fs.h"
#include "host/base/log.h"
#include "host/base/shipped.h"
#include "host/base/temporary.h"
#include "host/data/hdf5_check.h"
#include "host/data/hdf5_seal.h"
#include "host/data/renew_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

// What the child tells its parent, in memory that both see.
typedef struct report {
    bool finished;
    tt_status status;
    char message[2048], kind[32], temporary[4160];
} report;

static tt_status open_unsealed(tt_h5 *h, const char *path) {
    struct stat st;
    *h = (tt_h5){.file = H5I_INVALID_HID};
    if (strlen(path) >= sizeof h->path) return tt_fail(TT_ERR_IO, "%.64s...: path too long", path);
    strcpy(h->path, path);
    if (stat(path, &st) != 0) return tt_fail(TT_ERR_IO, "%s: cannot open: %s", path, strerror(errno));
    if (!tt_seal_lacking(path)) {
        TT_TRY(tt_seal_check(path, &h->bytes)); // says what else it is
        return tt_fail(TT_ERR_FORMAT, "%s: not an HDF5 file, or its beginning is damaged", path);
    }
    h->bytes = (uint64_t)st.st_size;
    const hid_t access = tt_h5_access_list();
    h->file = H5Fopen(path, H5F_ACC_RDONLY, access);
    H5Pclose(access);
    return h->file >= 0 ? TT_OK : tt_h5_failed(h, TT_ERR_FORMAT, "cannot open", "as HDF5");
}

static tt_status write_anew(const tt_h5 *from, const char *to, report *r) {
    tt_h5 h;
    TT_TRY(tt_h5_create(&h, to, r->kind));
    strcpy(r->temporary, h.output.temporary);
    tt_status status = tt_renew_copy(from, &h);
    if (status == TT_OK) status = tt_h5_commit(&h);
    tt_h5_close(&h);
    return status;
}

static const int stops[] = {SIGINT, SIGTERM, SIGHUP};
enum { STOPS = sizeof stops / sizeof *stops };

static bool is_stop(int number) {
    for (int i = 0; i < STOPS; ++i)
        if (stops[i] == number) return true;
    return false;
}

// Ends the child by the signal, without its temporary file.
static void end_by(int number) {
    tt_temporary_remove_all();
    signal(number, SIG_DFL);
    raise(number);
}

// Lets Ctrl-C or the end of its parent end this process, and a crash, whatever handlers its parent has, with nothing printed
// and no core left, and lets it compute for `seconds` at most.
static void expect_the_worst(rlim_t seconds, pid_t parent) {
    static const int crashes[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGXCPU};
    for (size_t i = 0; i < sizeof crashes / sizeof *crashes; ++i) signal(crashes[i], SIG_DFL);
    const struct sigaction end = {.sa_handler = end_by};
    for (int i = 0; i < STOPS; ++i) sigaction(stops[i], &end, NULL);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) raise(SIGTERM);
    const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nowhere >= 0) dup2(nowhere, STDERR_FILENO);
    setrlimit(RLIMIT_CPU, &(struct rlimit){seconds, seconds + 1}); // SIGXCPU first
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
}

// Lets this process take `bytes` more than it has.
static void limit_memory(rlim_t bytes) {
    unsigned long long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    const bool known = file && fscanf(file, "%*u %*u %*u %*u %*u %llu", &pages) == 1;
    if (file) fclose(file);
    bytes += (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE);
    if (known) setrlimit(RLIMIT_DATA, &(struct rlimit){bytes, bytes});
}

// What the child does.
static void renew(const char *path, const char *to, pid_t parent, report *r) {
    tt_h5 from;
    char *kind = NULL;
    struct stat st = {0};
    stat(path, &st);
    expect_the_worst(5 + (rlim_t)st.st_size / (4 << 20), parent); // a sound one takes a tenth of it
    limit_memory(((rlim_t)1 << 30) + 64 * (rlim_t)st.st_size);
    tt_status status = open_unsealed(&from, path);
    if (status == TT_OK) status = tt_renew_root_text(&from, "tinythinker", &kind);
    if (status == TT_OK) {
        snprintf(r->kind, sizeof r->kind, "%s", kind);
        status = write_anew(&from, to, r);
    }
    tt_h5_close(&from);
    snprintf(r->message, sizeof r->message, "%s", tt_error_message());
    r->status = status;
    r->finished = true;
}

static tt_status wait_for(pid_t child, int *how) {
    while (waitpid(child, how, 0) < 0)
        if (errno != EINTR) return tt_fail(TT_ERR_IO, "cannot wait for a process: %s", strerror(errno));
    return TT_OK;
}

static tt_status judge(const report *r, int how, const char *path) {
    if (r->finished) return r->status == TT_OK ? TT_OK : tt_fail(r->status, "%s", r->message);
    const int number = WIFSIGNALED(how) ? WTERMSIG(how) : 0;
    if (is_stop(number)) return tt_fail(TT_ERR_INTERRUPTED, "%s: interrupted while reading it", path);
    if (number == SIGKILL)
        return tt_fail(TT_ERR_IO,
            "%s: the process that reads it was killed, perhaps since no memory was left; the file may be "
            "sound",
            path);
    return tt_fail(TT_ERR_FORMAT, "%s: damaged: the HDF5 library %s while reading it (%s)", path,
        number == SIGXCPU ? "did not end" : "crashed", number ? strsignal(number) : "without a signal");
}

tt_status tt_h5_renew(const char *path, const char *to, char kind[32]) {
    int how = 0;
    report *r = mmap(NULL, sizeof *r, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (r == MAP_FAILED) return tt_fail(TT_ERR_NOMEM, "%s: no memory to read it", path);
    fflush(NULL); // or the child would print it again
    const pid_t parent = getpid(), child = fork();
    if (child == 0) {
        renew(path, to, parent, r);
        _exit(0);
    }
    tt_status status =
        child < 0 ? tt_fail(TT_ERR_IO, "%s: cannot start a process to read it: %s", path, strerror(errno))
                  : wait_for(child, &how);
    if (status == TT_OK) status = judge(r, how, path);
    if (status != TT_OK) {
        if (r->temporary[0]) unlink(r->temporary); // of a child that crashed or was killed
        unlink(to);
    }
    snprintf(kind, 32, "%s", r->kind);
    munmap(r, sizeof *r);
    return status;
}

enum { MOST_COPIED = 256 << 20 };

static bool copied_unasked(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= MOST_COPIED && tt_seal_lacking(path);
}

static void warn_once(const char *path) {
    static char last[TT_PATH_MAX];
    if (strcmp(last, path) == 0) return;
    snprintf(last, sizeof last, "%s", path);
    tt_warn("%s: has no checksum, since an earlier version or another program wrote it; it is read through a "
            "checked "
            "copy. 'tinythinker renew %s' writes it anew",
        path, path);
}

tt_status tt_h5_open_any(tt_h5 *h, const char *path, const char *kind) {
    char shipped[TT_PATH_MAX], copy[TT_PATH_MAX], found[32];
    const char *there = tt_shipped_find(path, shipped, sizeof shipped), *folder = getenv("TMPDIR");
    if (!copied_unasked(there)) return tt_h5_open(h, path, kind);
    *h = (tt_h5){.file = H5I_INVALID_HID};
    TT_TRY(tt_path_join(copy, sizeof copy, folder && *folder ? folder : "/tmp", "tinythinker-XXXXXX"));
    const int made = mkstemp(copy);
    if (made < 0)
        return tt_fail(TT_ERR_IO, "%s: cannot make a checked copy: %s: %s", path, copy, strerror(errno));
    tt_temporary_note(copy);
    close(made);
    tt_status status = tt_h5_renew(there, copy, found);
    if (status == TT_OK) status = tt_h5_open(h, copy, kind);
    tt_temporary_remove(copy);
    if (status == TT_ERR_IO) return tt_context(status, "%s: cannot make a checked copy", path);
    if (status != TT_OK) return status;
    snprintf(h->path, sizeof h->path, "%s", there);
    warn_once(there);
    return TT_OK;
}
