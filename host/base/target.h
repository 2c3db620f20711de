// Where an output path leads: links are followed to their end, and what stands there is told.
#ifndef TT_BASE_TARGET_H
#define TT_BASE_TARGET_H

#include "host/base/fs.h"

#include <sys/stat.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_target {
    char path[TT_PATH_MAX]; // behind all links; it need not exist
    bool exists;
    bool direct;    // no regular file: it is written directly, and nothing is renamed over it
    int descriptor; // of this process, that the path stands for ("-", /dev/stdout, /dev/fd/N); -1 for all others
    struct stat st; // where it exists
} tt_target;

// "-" is standard output. Errors: TT_ERR_IO for links that lead in a circle or cannot be read. What cannot be looked at
// does not exist.
tt_status tt_target_find(tt_target *out, const char *path) TT_MUST_CHECK;
// Whether two paths lead to the same place, whether or not a file is there. False if that cannot be told.
bool tt_target_same(const char *a, const char *b);
// Whether a path stands for this process's standard output.
bool tt_target_is_stdout(const char *path);
// Refuses what no result can be written to: a folder, a block device; a file that this process may not write, or not
// replace; where `seekable`, also whatever is not a regular file. Errors: TT_ERR_IO naming the path and what stands there.
tt_status tt_target_check(const tt_target *target, const char *path, bool seekable) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
