#include "host/base/temporary.h"

#include "host/base/path.h"
#include "host/base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

// Files that a signal would leave behind. One more than fits is not removed by a signal, but works otherwise. A handler reads
// the table while any thread may change it, so that a name counts only once it is whole.
enum { MOST = 32, TRIES = 1000 };
enum { FREE, TAKEN, NOTED };
static struct {
    atomic_int state;
    pid_t process; // that made it: a child between fork and exec has the table, too
    char name[TT_PATH_MAX];
} made[MOST];
static atomic_int making; // files that may be there without a note yet

void tt_temporary_note(const char *name) {
    for (int i = 0; i < MOST; ++i) {
        int expected = FREE;
        if (!atomic_compare_exchange_strong(&made[i].state, &expected, TAKEN)) continue;
        snprintf(made[i].name, sizeof made[i].name, "%s", name);
        made[i].process = getpid();
        atomic_store(&made[i].state, NOTED);
        return;
    }
}

void tt_temporary_keep(const char *name) {
    for (int i = 0; i < MOST; ++i)
        if (atomic_load(&made[i].state) == NOTED && strcmp(made[i].name, name) == 0)
            atomic_store(&made[i].state, FREE);
}

void tt_temporary_remove(const char *name) {
    unlink(name);
    tt_temporary_keep(name);
}

// A thread that makes a file has signals blocked, so that this runs in another one, and the note comes soon.
void tt_temporary_remove_all(void) {
    const struct timespec pause = {.tv_nsec = 1000000};
    for (int i = 0; i < 1000 && atomic_load(&making); ++i) nanosleep(&pause, NULL);
    for (int i = 0; i < MOST; ++i)
        if (atomic_load(&made[i].state) == NOTED && made[i].process == getpid()) unlink(made[i].name);
}

// Opens a file that does not exist, and notes it in the same breath.
static int open_noted(const char *name, mode_t mode) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    atomic_fetch_add(&making, 1);
    const int file = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode), reason = errno;
    if (file >= 0) tt_temporary_note(name);
    atomic_fetch_sub(&making, 1);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = reason;
    return file;
}

static tt_status cannot_make(const char *path, int reason) {
    char folder[TT_PATH_MAX];
    TT_TRY(tt_path_dir(folder, sizeof folder, path));
    if (reason == ENOENT)
        return tt_fail(TT_ERR_IO, "%s: cannot write: the folder '%s' does not exist", path, folder);
    if (reason == ENOTDIR) return tt_fail(TT_ERR_IO, "%s: cannot write: '%s' is not a folder", path, folder);
    if (reason == EACCES || reason == EROFS || reason == EPERM)
        return tt_fail(TT_ERR_IO,
            "%s: cannot write: no file can be made in its folder %s (%s); a result is written beside its "
            "place and then renamed",
            path, folder, strerror(reason));
    return tt_fail(TT_ERR_IO, "%s: cannot write: %s", path, strerror(reason));
}

// PATH.NUMBER.tmp into out[TT_PATH_MAX], the file's own name cut where it would be too long for a file system.
static tt_status temporary_name(const char *path, long number, char *out) {
    char end[32];
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    const size_t most = NAME_MAX - (size_t)snprintf(end, sizeof end, ".%ld.tmp", number);
    const int kept = (int)(name - path) + (int)tt_utf8_fit(name, most);
    const int n = snprintf(out, TT_PATH_MAX, "%.*s%s", kept, path, end);
    return n >= 0 && n < TT_PATH_MAX ? TT_OK : tt_fail(TT_ERR_IO, "%.64s...: path too long", path);
}

tt_status tt_temporary_make(const char *path, mode_t mode, char *out, int *file) {
    const long first = (long)getpid();
    for (long number = first; number < first + TRIES; ++number) {
        TT_TRY(temporary_name(path, number, out));
        *file = open_noted(out, mode);
        if (*file >= 0) return TT_OK;
        if (errno != EEXIST) return cannot_make(path, errno);
    }
    return tt_fail(TT_ERR_IO,
        "%s: cannot write: all names for a temporary file, from %s.%ld.tmp on, are taken", path, path, first);
}

tt_status tt_temporary_make_private(const char *name, char *out) {
    const char *folder = getenv("TMPDIR");
    char path[TT_PATH_MAX];
    int file;
    TT_TRY(tt_path_join(path, sizeof path, folder && *folder ? folder : "/tmp", name));
    TT_TRY(tt_temporary_make(path, S_IRUSR | S_IWUSR, out, &file));
    close(file);
    return TT_OK;
}
