#include "host/base/output.h"

#include "host/base/log.h"
#include "host/base/standard.h"
#include "host/base/str.h"
#include "host/base/target.h"
#include "host/base/temporary.h"
#include "host/base/versions.h"

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

// A file that is to replace another is private until it has the other's owner and mode.
static tt_status make_temporary(tt_output *out, const tt_target *target, int *file) {
    const tt_status status =
        tt_temporary_make(out->target, target->exists ? 0600 : 0666, out->temporary, file);
    if (status != TT_OK) *out->temporary = '\0';
    return status;
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
        TT_TRY(make_temporary(out, &target, &file));
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
    TT_TRY(make_temporary(out, &target, &file));
    close(file);
    return TT_OK;
}

// Gives the new file the owner, where this process may, and the mode of the file that it replaces; *owner receives who has
// it then.
static tt_status take_over(int file, const struct stat *before, struct stat *owner) {
    if (fstat(file, owner) != 0) return TT_ERR_IO;
    if (owner->st_uid != before->st_uid || owner->st_gid != before->st_gid) {
        if (fchown(file, before->st_uid, before->st_gid) != 0) (void)!fchown(file, (uid_t)-1, before->st_gid);
        if (fstat(file, owner) != 0) return TT_ERR_IO;
    }
    return fchmod(file, before->st_mode & 07777) == 0 ? TT_OK : TT_ERR_IO;
}

// What the file that was replaced had and the new one has not.
static void tell_changes(const char *path, const struct stat *before, const struct stat *now) {
    if (now->st_uid != before->st_uid || now->st_gid != before->st_gid)
        tt_warn("%s: belonged to user %ld and group %ld, and belongs to user %ld and group %ld now", path,
            (long)before->st_uid, (long)before->st_gid, (long)now->st_uid, (long)now->st_gid);
    if (before->st_nlink > 1)
        tt_warn("%s: the file had %ld names (hard links); this name has the new content, and the others keep "
                "the content from before",
            path, (long)before->st_nlink);
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

static tt_status put_in_place(const tt_output *out) {
    tt_target target;
    struct stat owner = {0};
    TT_TRY(tt_target_find(&target, out->target));
    TT_TRY(tt_target_check(&target, out->path, true));
    const int file = open(out->temporary, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return tt_fail(TT_ERR_IO, "%s: cannot write: its temporary file %s is gone (%s)", out->path,
            out->temporary, strerror(errno));
    tt_status status = target.exists ? take_over(file, &target.st, &owner) : TT_OK;
    if (status != TT_OK)
        status = tt_fail(TT_ERR_IO, "%s: cannot keep its mode: %s", out->path, strerror(errno));
    if (status == TT_OK && fsync(file) != 0)
        status = tt_fail(TT_ERR_IO, "%s: cannot fsync: %s", out->path, strerror(errno));
    close(file);
    if (status == TT_OK && out->keep > 0) status = tt_versions_shift(target.path, out->keep);
    if (status == TT_OK && rename(out->temporary, target.path) != 0)
        status =
            tt_fail(TT_ERR_IO, "%s: cannot put the new file in its place: %s", out->path, strerror(errno));
    if (out->keep > 0) target.st.st_nlink = 1; // its other name is a version of it
    if (status == TT_OK && target.exists) tell_changes(out->path, &target.st, &owner);
    return status == TT_OK ? sync_folder(target.path) : status;
}

static tt_status commit(const tt_output *out) {
    const tt_status status = put_in_place(out);
    if (status == TT_OK)
        tt_temporary_keep(out->temporary);
    else
        tt_temporary_remove(out->temporary);
    return status;
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

// Names the output in the present message where that names the temporary file, of which nobody else has heard.
static void name_output(const tt_output *out) {
    const char *text = tt_error_message(), *at;
    const size_t length = strlen(out->temporary);
    tt_str message = {0};
    if (!length || !strstr(text, out->temporary)) return;
    for (; (at = strstr(text, out->temporary)); text = at + length) {
        tt_str_append_n(&message, text, (size_t)(at - text));
        tt_str_append(&message, out->path);
    }
    tt_str_append(&message, text);
    if (!message.failed) tt_message_set("%s", tt_str_text(&message));
    tt_str_close(&message);
}

tt_status tt_output_close(tt_output *out, tt_status status) {
    if (!out->file && !*out->temporary) return status;
    if (out->file && status == TT_OK)
        status = flush(out);
    else if (out->file)
        fclose(out->file);
    out->file = NULL;
    if (*out->temporary && status == TT_OK)
        status = commit(out);
    else if (*out->temporary)
        tt_temporary_remove(out->temporary);
    if (status != TT_OK) name_output(out);
    *out->temporary = '\0';
    return status;
}

void tt_output_drop(tt_output *out) {
    if (out->file) fclose(out->file);
    out->file = NULL;
    if (*out->temporary) tt_temporary_remove(out->temporary);
    name_output(out);
    *out->temporary = '\0';
}

// ---- in one piece

tt_status tt_write_file(const char *path, const void *data, size_t size) {
    tt_output out;
    TT_TRY(tt_output_open(&out, path));
    tt_status status = TT_OK;
    errno = 0;
    if (fwrite(data, 1, size, out.file) != size) status = cannot_write(&out, errno);
    return tt_output_close(&out, status);
}
