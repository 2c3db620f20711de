#include "host/base/temporary.h"

#include "host/base/path.h"
#include "host/base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

// Files that a signal would leave behind. One more than fits is not removed by a signal, but works otherwise.
enum { MOST = 16, TRIES = 1000 };
static struct {
    volatile sig_atomic_t used;
    char name[TT_PATH_MAX];
} made[MOST];

void tt_temporary_note(const char *name) {
    for (int i = 0; i < MOST; ++i)
        if (!made[i].used) {
            snprintf(made[i].name, sizeof made[i].name, "%s", name);
            made[i].used = 1;
            return;
        }
}

void tt_temporary_keep(const char *name) {
    for (int i = 0; i < MOST; ++i)
        if (made[i].used && strcmp(made[i].name, name) == 0) made[i].used = 0;
}

void tt_temporary_remove(const char *name) {
    unlink(name);
    tt_temporary_keep(name);
}

void tt_temporary_remove_all(void) {
    for (int i = 0; i < MOST; ++i)
        if (made[i].used) unlink(made[i].name);
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

tt_status tt_temporary_make(const char *path, char *out, int *file) {
    const long first = (long)getpid();
    for (long number = first; number < first + TRIES; ++number) {
        TT_TRY(temporary_name(path, number, out));
        *file = open(out, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (*file >= 0) {
            tt_temporary_note(out);
            return TT_OK;
        }
        if (errno != EEXIST) return cannot_make(path, errno);
    }
    return tt_fail(TT_ERR_IO,
        "%s: cannot write: all names for a temporary file, from %s.%ld.tmp on, are taken", path, path, first);
}
