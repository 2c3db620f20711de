#include "host/base/fs.h"

#include "host/base/shipped.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

bool tt_file_exists(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

bool tt_dir_exists(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

tt_status tt_make_dirs(const char *path) {
    char part[TT_PATH_MAX];
    if (strlen(path) >= sizeof part) return tt_fail(TT_ERR_IO, "%.64s...: path too long", path);
    strcpy(part, path);
    for (char *p = part + 1;; ++p) {
        if (*p != '/' && *p != '\0') continue;
        const char separator = *p;
        *p = '\0';
        if (mkdir(part, 0777) != 0 && errno != EEXIST)
            return tt_fail(TT_ERR_IO, "%s: cannot make this folder: %s", part, strerror(errno));
        *p = separator;
        if (separator == '\0') break;
    }
    if (!tt_dir_exists(path)) return tt_fail(TT_ERR_IO, "%s: exists and is not a folder", path);
    return TT_OK;
}

tt_status tt_read_file(const char *path, size_t limit, char **data, size_t *size) {
    char shipped[TT_PATH_MAX];
    if (limit == 0) limit = (size_t)4 << 30;
    *data = NULL;
    path = tt_shipped_find(path, shipped, sizeof shipped);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return tt_fail(TT_ERR_IO, "%s: cannot open: %s", path, strerror(errno));
    tt_status status = TT_OK;
    size_t used = 0, capacity = 1 << 16;
    char *buffer = malloc(capacity);
    if (!buffer) status = tt_fail(TT_ERR_NOMEM, "%s: no memory to read it", path);
    while (buffer) {
        if (used + 1 >= capacity) {
            capacity *= 2;
            char *grown = realloc(buffer, capacity);
            if (!grown) {
                status = tt_fail(TT_ERR_NOMEM, "%s: no memory to read it", path);
                break;
            }
            buffer = grown;
        }
        ssize_t n = read(fd, buffer + used, capacity - used - 1);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            status = tt_fail(TT_ERR_IO, "%s: cannot read: %s", path, strerror(errno));
            break;
        }
        used += (size_t)n;
        if (used > limit) {
            status = tt_fail(TT_ERR_IO, "%s: larger than %zu bytes", path, limit);
            break;
        }
        if (n == 0) break;
    }
    close(fd);
    if (status != TT_OK) {
        free(buffer);
        return status;
    }
    buffer[used] = '\0';
    *data = buffer;
    *size = used;
    return TT_OK;
}

tt_status tt_path_join(char *out, size_t size, const char *dir, const char *name) {
    int n = (name[0] == '/' || dir[0] == '\0') ? snprintf(out, size, "%s", name)
                                               : snprintf(out, size, "%s/%s", dir, name);
    if (n < 0 || (size_t)n >= size) return tt_fail(TT_ERR_IO, "%.64s.../%.64s: path too long", dir, name);
    return TT_OK;
}

const char *tt_name_fault(const char *name) {
    const size_t n = strlen(name);
    if (n == 0 || strspn(name, " ") == n) return "is empty";
    if (n > 255) return "is longer than 255 bytes";
    if (strchr(name, '/')) return "has a /";
    if (name[0] == '.') return "begins with a dot";
    for (const char *p = name; *p; ++p)
        if ((unsigned char)*p < ' ' || *p == 0x7f) return "has a control character";
    return NULL;
}

tt_status tt_path_dir(char *out, size_t size, const char *path) {
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (slash == path ? 1 : (size_t)(slash - path)) : 1;
    if (n >= size) return tt_fail(TT_ERR_IO, "%.64s...: path too long", path);
    memcpy(out, slash ? path : ".", n);
    out[n] = '\0';
    return TT_OK;
}

static tt_status sync_path(const char *path, int flags) {
    int fd = open(path, flags | O_CLOEXEC);
    if (fd < 0) return tt_fail(TT_ERR_IO, "%s: cannot open it to fsync: %s", path, strerror(errno));
    int failed = fsync(fd);
    int reason = errno;
    close(fd);
    // EINVAL: the file system does not fsync folders. Its files are as durable as it makes them.
    if (failed && reason != EINVAL) return tt_fail(TT_ERR_IO, "%s: cannot fsync: %s", path, strerror(reason));
    return TT_OK;
}

tt_status tt_commit_file(const char *temporary, const char *path) {
    char dir[TT_PATH_MAX];
    tt_status status = sync_path(temporary, O_RDONLY);
    if (status == TT_OK && rename(temporary, path) != 0)
        status = tt_fail(TT_ERR_IO, "%s: cannot rename to %s: %s", temporary, path, strerror(errno));
    if (status != TT_OK) {
        unlink(temporary);
        return status;
    }
    TT_TRY(tt_path_dir(dir, sizeof dir, path));
    return sync_path(dir, O_RDONLY | O_DIRECTORY);
}

tt_status tt_write_file(const char *path, const void *data, size_t size) {
    char temporary[TT_PATH_MAX];
    int n = snprintf(temporary, sizeof temporary, "%s.%ld.tmp", path, (long)getpid());
    if (n < 0 || (size_t)n >= sizeof temporary) return tt_fail(TT_ERR_IO, "%.64s...: path too long", path);
    FILE *file = fopen(temporary, "wbe");
    if (!file) return tt_fail(TT_ERR_IO, "%s: cannot write: %s", path, strerror(errno));
    bool written = fwrite(data, 1, size, file) == size;
    written = fflush(file) == 0 && written;
    int reason = errno;
    if (fclose(file) != 0) written = false;
    if (!written) {
        unlink(temporary);
        return tt_fail(TT_ERR_IO, "%s: cannot write: %s", path, strerror(reason));
    }
    return tt_commit_file(temporary, path);
}

bool tt_lock(int file) {
    const struct timespec pause = {.tv_nsec = 50000000};
    int tries = 100;
    while (flock(file, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EINTR && (errno != EWOULDBLOCK || --tries == 0)) return false;
        nanosleep(&pause, NULL);
    }
    return true;
}
