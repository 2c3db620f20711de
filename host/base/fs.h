// Files and folders.
#ifndef TT_BASE_FS_H
#define TT_BASE_FS_H

#include "host/base/status.h"

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

bool tt_file_exists(const char *path); // a regular file
bool tt_dir_exists(const char *path);  // a folder
// Makes a folder and its parents; one that exists is fine. Errors: TT_ERR_IO with the path and the reason.
tt_status tt_make_dirs(const char *path) TT_MUST_CHECK;
// Whole file into *data (NUL-terminated, released with free()), *size bytes. Errors: TT_ERR_IO; files beyond
// `limit` bytes (0 = 4 GiB) are refused. Shipped files are found from any working directory (shipped.h).
tt_status tt_read_file(const char *path, size_t limit, char **data, size_t *size) TT_MUST_CHECK;
// Replaces a file as a whole: written beside it, fsynced, renamed. A reader sees the old file or the new one.
tt_status tt_write_file(const char *path, const void *data, size_t size) TT_MUST_CHECK;
// The second half of that for files written by a library: fsyncs `temporary`, renames it to `path`, fsyncs
// the folder. On failure `temporary` is removed.
tt_status tt_commit_file(const char *temporary, const char *path) TT_MUST_CHECK;
// "dir/name" into out[size]; "name" alone if it is absolute or dir is empty. Errors: TT_ERR_IO if too long.
tt_status tt_path_join(char *out, size_t size, const char *dir, const char *name) TT_MUST_CHECK;
// Folder part of `path` ("." if it has none) into out[size].
tt_status tt_path_dir(char *out, size_t size, const char *path) TT_MUST_CHECK;

enum { TT_PATH_MAX = 4096 };

#ifdef __cplusplus
}
#endif

#endif
