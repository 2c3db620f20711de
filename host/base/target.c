#include "host/base/target.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { MOST_LINKS = 40 };

// The link lies in /proc: what it leads to is known by the link alone and not by the text in it.
static bool is_in_proc(const char *link) {
    char folder[TT_PATH_MAX];
    struct statfs fs;
    return tt_path_dir(folder, sizeof folder, link) == TT_OK && statfs(folder, &fs) == 0 &&
           fs.f_type == PROC_SUPER_MAGIC;
}

// N for /proc/self/fd/N, whatever the way there and whether or not it is open; -1 for all others.
static int descriptor_of(const char *link) {
    char folder[TT_PATH_MAX], mine[64], real[PATH_MAX];
    const char *slash = strrchr(link, '/'), *name = slash ? slash + 1 : link;
    for (const char *p = name; *p; ++p)
        if (!isdigit((unsigned char)*p)) return -1;
    if (!*name || strlen(name) > 6 || tt_path_dir(folder, sizeof folder, link) != TT_OK) return -1;
    snprintf(mine, sizeof mine, "/proc/%ld/fd", (long)getpid());
    return realpath(folder, real) && strcmp(real, mine) == 0 ? atoi(name) : -1;
}

// Goes over from the link to what its text names.
static tt_status follow(tt_target *t, const char *path) {
    char text[TT_PATH_MAX], folder[TT_PATH_MAX];
    const ssize_t n = readlink(t->path, text, sizeof text - 1);
    if (n < 0) return tt_fail(TT_ERR_IO, "%s: cannot read the link %s: %s", path, t->path, strerror(errno));
    text[n] = '\0';
    TT_TRY(tt_path_dir(folder, sizeof folder, t->path));
    return tt_path_join(t->path, sizeof t->path, folder, text);
}

tt_status tt_target_find(tt_target *out, const char *path) {
    struct stat st;
    bool foreign = false; // a descriptor of another process, which is opened as it is
    *out = (tt_target){.descriptor = -1};
    if (strlen(path) >= sizeof out->path) return tt_fail(TT_ERR_IO, "%.64s...: path too long", path);
    strcpy(out->path, path);
    for (int i = 0;; ++i) {
        out->descriptor = strcmp(path, "-") == 0 ? STDOUT_FILENO : descriptor_of(out->path);
        if (out->descriptor >= 0 || lstat(out->path, &st) != 0 || !S_ISLNK(st.st_mode)) break;
        if (i == MOST_LINKS) return tt_fail(TT_ERR_IO, "%s: its links lead in a circle", path);
        // "/proc/self" and the like are folders.
        foreign = is_in_proc(out->path) && stat(out->path, &st) == 0 && !S_ISDIR(st.st_mode);
        if (foreign) break;
        TT_TRY(follow(out, path));
    }
    out->exists = (out->descriptor >= 0 ? fstat(out->descriptor, &out->st) : stat(out->path, &out->st)) == 0;
    out->direct = out->descriptor >= 0 || foreign ||
                  (out->exists && !S_ISREG(out->st.st_mode) && !S_ISDIR(out->st.st_mode));
    return TT_OK;
}

// What names the place of a file that need not exist: the folder's identity, and the name in it.
static bool same_place(const char *a, const char *b) {
    char first[TT_PATH_MAX], second[TT_PATH_MAX];
    struct stat x, y;
    const char *end_a = strrchr(a, '/'), *end_b = strrchr(b, '/');
    return strcmp(end_a ? end_a + 1 : a, end_b ? end_b + 1 : b) == 0 &&
           tt_path_dir(first, sizeof first, a) == TT_OK && tt_path_dir(second, sizeof second, b) == TT_OK &&
           stat(first, &x) == 0 && stat(second, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

bool tt_target_same(const char *a, const char *b) {
    tt_target x, y;
    if (tt_target_find(&x, a) != TT_OK || tt_target_find(&y, b) != TT_OK) return false;
    if (x.exists != y.exists) return false;
    if (!x.exists) return same_place(x.path, y.path);
    return x.st.st_dev == y.st.st_dev && x.st.st_ino == y.st.st_ino;
}

bool tt_target_is_stdout(const char *path) {
    tt_target t;
    return tt_target_find(&t, path) == TT_OK && t.descriptor == STDOUT_FILENO;
}

// In a folder such as /tmp only the owner of a file, or of the folder, may replace it, whoever may write to it.
static tt_status check_sticky(const tt_target *t, const char *path) {
    char folder[TT_PATH_MAX];
    struct stat st;
    const uid_t user = geteuid();
    if (t->direct || user == 0 || t->st.st_uid == user) return TT_OK;
    TT_TRY(tt_path_dir(folder, sizeof folder, t->path));
    if (stat(folder, &st) != 0 || !(st.st_mode & S_ISVTX) || st.st_uid == user) return TT_OK;
    return tt_fail(TT_ERR_IO,
        "%s: cannot write: it belongs to user %ld, and in the folder %s (sticky) only its owner may replace "
        "it; name another file",
        path, (long)t->st.st_uid, folder);
}

tt_status tt_target_check(const tt_target *t, const char *path, bool seekable) {
    if (t->descriptor >= 0 && !t->exists)
        return tt_fail(TT_ERR_IO, "%s: cannot write: descriptor %d is not open", path, t->descriptor);
    if (!t->exists) return TT_OK;
    if (S_ISDIR(t->st.st_mode))
        return tt_fail(TT_ERR_IO, "%s: is a folder; expected the name of a file to write", path);
    if (S_ISBLK(t->st.st_mode))
        return tt_fail(TT_ERR_IO, "%s: is a block device, which is not overwritten; name a file", path);
    if (seekable && t->direct)
        return tt_fail(TT_ERR_IO,
            "%s: is %s; this result is written out of order, which only a regular file can take", path,
            t->descriptor == STDOUT_FILENO ? "standard output" : tt_file_kind(&t->st));
    if (t->descriptor < 0 && faccessat(AT_FDCWD, t->path, W_OK, AT_EACCESS) != 0)
        return tt_fail(TT_ERR_IO, "%s: cannot write: %s", path, strerror(errno));
    return check_sticky(t, path);
}
