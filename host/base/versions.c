#include "host/base/versions.h"

#include "host/base/path.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

// `path` with `middle` before its extension.
static tt_status insert(const char *path, const char *middle, char *out) {
    const char *slash = strrchr(path, '/'), *dot = strrchr(slash ? slash : path, '.');
    const int stem = (int)(dot ? (size_t)(dot - path) : strlen(path));
    const int n = snprintf(out, TT_PATH_MAX, "%.*s%s%s", stem, path, middle, path + stem);
    return n >= 0 && n < TT_PATH_MAX ? TT_OK : tt_fail(TT_ERR_IO, "%.64s...: path too long", path);
}

static tt_status name(const char *path, int age, const char *end, char *out) {
    char middle[32];
    if (age > 0)
        snprintf(middle, sizeof middle, ".%d%s", age, end);
    else
        snprintf(middle, sizeof middle, "%s", end);
    return insert(path, middle, out);
}

tt_status tt_version_name(const char *path, int age, char *out) {
    return name(path, age, "", out);
}

tt_status tt_version_damaged_name(const char *path, int age, char *out) {
    return name(path, age, ".damaged", out);
}

// More than one where `keep` was larger before.
tt_status tt_versions_remove(const char *path, int keep) {
    char old[TT_PATH_MAX];
    for (int age = keep + 1;; ++age) {
        TT_TRY(tt_version_name(path, age, old));
        if (unlink(old) == 0) continue;
        if (errno == ENOENT) return TT_OK;
        return tt_fail(TT_ERR_IO, "%s: cannot remove: %s", old, strerror(errno));
    }
}

static tt_status move(const char *from, const char *to) {
    if (rename(from, to) == 0 || errno == ENOENT) return TT_OK;
    return tt_fail(TT_ERR_IO, "%s: cannot rename to %s: %s", from, to, strerror(errno));
}

tt_status tt_versions_shift(const char *path, int keep) {
    char from[TT_PATH_MAX], to[TT_PATH_MAX];
    if (access(path, F_OK) != 0) return TT_OK; // the versions stay as they are
    for (int age = keep; age > 1; --age) {
        TT_TRY(tt_version_name(path, age - 1, from));
        TT_TRY(tt_version_name(path, age, to));
        TT_TRY(move(from, to));
    }
    TT_TRY(tt_version_name(path, 1, to));
    if (unlink(to) != 0 && errno != ENOENT)
        return tt_fail(TT_ERR_IO, "%s: cannot remove: %s", to, strerror(errno));
    if (link(path, to) != 0) TT_TRY(move(path, to)); // a file system without hard links
    return tt_versions_remove(path, keep);
}
