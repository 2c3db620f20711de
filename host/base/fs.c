#include "host/base/fs.h"

#include "host/base/shipped.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool tt_file_exists(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

const char *tt_file_kind(const struct stat *st) {
    switch (st->st_mode & S_IFMT) {
    case S_IFREG:
        return "a file";
    case S_IFDIR:
        return "a folder";
    case S_IFIFO:
        return "a pipe";
    case S_IFCHR:
        return "a character device";
    case S_IFBLK:
        return "a block device";
    case S_IFSOCK:
        return "a socket";
    default:
        return "no regular file";
    }
}

tt_status tt_file_check(const char *path, const char *expected) {
    struct stat st;
    if (stat(path, &st) != 0 && errno == ENOENT) return tt_fail(TT_ERR_IO, "%s: no such file", path);
    if (stat(path, &st) != 0) return tt_fail(TT_ERR_IO, "%s: cannot open: %s", path, strerror(errno));
    if (S_ISREG(st.st_mode)) return TT_OK;
    return tt_fail(TT_ERR_IO, "%s: is %s; expected %s", path, tt_file_kind(&st), expected);
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

void tt_file_begin_writing(int file) {
#ifdef SYNC_FILE_RANGE_WRITE
    const int reason = errno;
    (void)sync_file_range(file, 0, 0, SYNC_FILE_RANGE_WRITE);
    errno = reason;
#else
    (void)file;
#endif
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

tt_status tt_copy_bytes(const char *from, int64_t bytes, FILE *out, const char *to) {
    enum { BLOCK = 1 << 16 };
    char block[BLOCK];
    tt_status status = TT_OK;
    FILE *in = fopen(from, "re");
    if (!in) return tt_fail(TT_ERR_IO, "%s: cannot read: %s", from, strerror(errno));
    for (size_t n = 1; status == TT_OK && bytes != 0 && n > 0;) {
        n = fread(block, 1, bytes > 0 && bytes < BLOCK ? (size_t)bytes : BLOCK, in);
        if (bytes > 0) bytes -= (int64_t)n;
        if (n > 0 && fwrite(block, 1, n, out) != n)
            status = tt_fail(TT_ERR_IO, "%s: cannot write: %s", to, strerror(errno));
    }
    if (status == TT_OK && (ferror(in) || bytes > 0)) status = tt_fail(TT_ERR_IO, "%s: cannot be read", from);
    fclose(in);
    return status;
}
