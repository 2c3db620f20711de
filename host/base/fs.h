// Files and folders.
#ifndef TT_BASE_FS_H
#define TT_BASE_FS_H

#include "host/base/path.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

struct stat;

bool tt_file_exists(const char *path); // true for a regular file alone
// What stands at a place, for messages: "a folder", "a character device".
const char *tt_file_kind(const struct stat *st);
// Refuses what is not a regular file. `expected`: "an HDF5 file". Errors: TT_ERR_IO saying what stands there.
tt_status tt_file_check(const char *path, const char *expected) TT_MUST_CHECK;
// Whether `path` is a folder.
bool tt_dir_exists(const char *path);
// Makes a folder and its parents where they do not exist. Errors: TT_ERR_IO with the path and the reason.
tt_status tt_make_dirs(const char *path) TT_MUST_CHECK;
// Lets the system begin to write to the disk what a file has in memory, without waiting for it: so the disk works while the rest
// of a large file is made, and fsync finds little to do. Only a hint: what fails shows in fsync.
void tt_file_begin_writing(int file);
// Reads a whole file. *data receives its bytes and a NUL behind them, to be released with free(), *size their number.
// Errors: TT_ERR_IO, also for a file larger than `limit` bytes (0 = 4 GiB); TT_ERR_NOMEM.
tt_status tt_read_file(const char *path, size_t limit, char **data, size_t *size) TT_MUST_CHECK;
// Writes a whole file as output.h says, which has a way to write in parts, too: a regular file is replaced as a whole, and
// anything else is written directly. Errors: TT_ERR_IO; a file from before is then intact.
tt_status tt_write_file(const char *path, const void *data, size_t size) TT_MUST_CHECK;

// Copies the first `bytes` of a file (-1: all of it) to the open file `out`; `to`: its name, for messages. Errors: TT_ERR_IO,
// also for a file that is shorter.
tt_status tt_copy_bytes(const char *from, int64_t bytes, FILE *out, const char *to) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
