#include "host/base/output.h"

#include "host/base/log.h"
#include "host/base/standard.h"
#include "host/base/target.h"
#include "host/base/temporary.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static int kept_stdout = -1; // a copy of standard output, once it is claimed

static tt_status cannot_write(const tt_output *out, int reason) {
    if (reason == EBADF)
        return tt_fail(TT_ERR_IO, "%s: cannot write: it is closed, or open for reading alone",
            tt_output_name(out->path));
    if (reason == 0) return tt_fail(TT_ERR_IO, "%s: cannot write", tt_output_name(out->path));
    return tt_fail(reason == EINTR ? TT_ERR_INTERRUPTED : TT_ERR_IO, "%s: cannot write: %s",
        tt_output_name(out->path), strerror(reason));
}

tt_status tt_output_claim_stdout(void) {
    if (kept_stdout >= 0) return TT_OK;
    tt_standard_flush();
    kept_stdout = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    if (kept_stdout < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
        return tt_fail(TT_ERR_IO, "standard output: cannot write: %s", strerror(errno));
    return TT_OK;
}

const char *tt_output_name(const char *path) {
    return strcmp(path, "-") == 0 ? "standard output" : path;
}

static tt_status find(tt_output *out, tt_target *target, const char *path, bool seekable) {
    *out = (tt_output){0};
    TT_TRY(tt_target_find(target, path));
    TT_TRY(tt_target_check(target, path, seekable));
    strcpy(out->path, path);
    strcpy(out->target, target->path);
    return TT_OK;
}

// A regular file is that of another process's descriptor: its old text goes, as by the shell's >.
static int open_directly(const tt_target *target) {
    const int mode = O_WRONLY | O_NOCTTY | O_CLOEXEC | (S_ISREG(target->st.st_mode) ? O_TRUNC : 0);
    if (target->descriptor < 0) return open(target->path, mode);
    tt_standard_flush(); // what was printed before comes before
    const bool claimed = target->descriptor == STDOUT_FILENO && kept_stdout >= 0;
    const int source = claimed ? kept_stdout : target->descriptor;
    if ((fcntl(source, F_GETFL) & O_ACCMODE) == O_RDONLY) {
        errno = EBADF;
        return -1;
    }
    return fcntl(source, F_DUPFD_CLOEXEC, 3);
}

tt_status tt_output_open(tt_output *out, const char *path) {
    tt_target target;
    int file;
    TT_TRY(find(out, &target, path, false));
    if (target.direct) {
        file = open_directly(&target);
        if (file < 0) return cannot_write(out, errno);
    } else {
        TT_TRY(tt_temporary_make(out->target, out->temporary, &file));
    }
    out->file = fdopen(file, "w");
    if (out->file) return TT_OK;
    const int reason = errno;
    close(file);
    if (*out->temporary) tt_temporary_remove(out->temporary);
    return cannot_write(out, reason);
}

tt_status tt_output_reserve(tt_output *out, const char *path) {
    tt_target target;
    int file;
    TT_TRY(find(out, &target, path, true));
    TT_TRY(tt_temporary_make(out->target, out->temporary, &file));
    close(file);
    return TT_OK;
}

// Writes what is still in the buffer, and says whether all that came before was written.
static tt_status flush(tt_output *out) {
    const bool bad = ferror(out->file) != 0;
    errno = 0;
    bool failed = fflush(out->file) != 0;
    int reason = errno;
    if (fclose(out->file) != 0 && !failed) {
        failed = true;
        reason = errno;
    }
    out->file = NULL;
    return failed || bad ? cannot_write(out, reason) : TT_OK;
}

tt_status tt_output_close(tt_output *out, tt_status status) {
    if (!out->file && !*out->temporary) return status;
    if (out->file && status == TT_OK)
        status = flush(out);
    else if (out->file)
        fclose(out->file);
    out->file = NULL;
    if (*out->temporary && status == TT_OK)
        status = tt_commit_file(out->temporary, out->target);
    else if (*out->temporary)
        tt_temporary_remove(out->temporary);
    *out->temporary = '\0';
    return status;
}

void tt_output_drop(tt_output *out) {
    if (out->file) fclose(out->file);
    out->file = NULL;
    if (*out->temporary) tt_temporary_remove(out->temporary);
    *out->temporary = '\0';
}

// ---- in one piece

// The new file takes the mode and, where this process may give it, the owner of the old one.
static tt_status take_over(int file, const struct stat *before, const char *path) {
    struct stat now;
    if (fstat(file, &now) != 0) return tt_fail(TT_ERR_IO, "%s: cannot write: %s", path, strerror(errno));
    if ((now.st_uid != before->st_uid || now.st_gid != before->st_gid) &&
        fchown(file, before->st_uid, before->st_gid) != 0) {
        if (now.st_gid != before->st_gid && fchown(file, (uid_t)-1, before->st_gid) == 0)
            now.st_gid = before->st_gid;
        tt_warn("%s: belonged to user %ld and group %ld, and belongs to user %ld and group %ld now", path,
            (long)before->st_uid, (long)before->st_gid, (long)now.st_uid, (long)now.st_gid);
    }
    if (fchmod(file, before->st_mode & 07777) != 0)
        return tt_fail(TT_ERR_IO, "%s: cannot keep its mode: %s", path, strerror(errno));
    return TT_OK;
}

// EINVAL: the file system does not fsync folders. Its files are as durable as it makes them.
static tt_status sync_folder(const char *path) {
    char folder[TT_PATH_MAX];
    TT_TRY(tt_path_dir(folder, sizeof folder, path));
    const int file = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file < 0) return TT_OK; // a folder that may be written but not read
    const int failed = fsync(file), reason = errno;
    close(file);
    if (failed && reason != EINVAL)
        return tt_fail(TT_ERR_IO, "%s: cannot fsync: %s", folder, strerror(reason));
    return TT_OK;
}

static tt_status put_in_place(const char *temporary, const char *path) {
    tt_target target;
    TT_TRY(tt_target_find(&target, path));
    TT_TRY(tt_target_check(&target, path, true));
    const int file = open(temporary, O_RDONLY | O_CLOEXEC);
    if (file < 0) return tt_fail(TT_ERR_IO, "%s: cannot open it to fsync: %s", temporary, strerror(errno));
    tt_status status = target.exists ? take_over(file, &target.st, path) : TT_OK;
    if (status == TT_OK && fsync(file) != 0)
        status = tt_fail(TT_ERR_IO, "%s: cannot fsync: %s", temporary, strerror(errno));
    close(file);
    if (status == TT_OK && rename(temporary, target.path) != 0)
        status = tt_fail(TT_ERR_IO, "%s: cannot rename to %s: %s", temporary, target.path, strerror(errno));
    return status == TT_OK ? sync_folder(target.path) : status;
}

tt_status tt_commit_file(const char *temporary, const char *path) {
    const tt_status status = put_in_place(temporary, path);
    if (status == TT_OK)
        tt_temporary_keep(temporary);
    else
        tt_temporary_remove(temporary);
    return status;
}

tt_status tt_write_file(const char *path, const void *data, size_t size) {
    tt_output out;
    TT_TRY(tt_output_open(&out, path));
    tt_status status = TT_OK;
    errno = 0;
    if (fwrite(data, 1, size, out.file) != size) status = cannot_write(&out, errno);
    return tt_output_close(&out, status);
}
