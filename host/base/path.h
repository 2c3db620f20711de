// Names of files, as texts alone.
#ifndef TT_BASE_PATH_H
#define TT_BASE_PATH_H

#include "host/base/status.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { TT_PATH_MAX = 4096 };

// Writes "dir/name" to out[size]; "name" alone where it is absolute or dir is empty. Errors: TT_ERR_IO where it does
// not fit.
tt_status tt_path_join(char *out, size_t size, const char *dir, const char *name) TT_MUST_CHECK;
// Why `name` cannot name a file or folder within another folder, e.g. "has a /"; NULL where it can. A name must not lead
// elsewhere, must be visible and fit on every file system: no /, no dot at its beginning, no control characters, not blank,
// at most 255 bytes.
const char *tt_name_fault(const char *name);
// Writes the folder part of `path` ("." where there is none) to out[size]. Errors: TT_ERR_IO where it does not fit.
tt_status tt_path_dir(char *out, size_t size, const char *path) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
