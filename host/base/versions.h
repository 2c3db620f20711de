// Earlier versions of a file that is replaced again and again: those of x.h5 are x.1.h5, the one before it, x.2.h5, ...
#ifndef TT_BASE_VERSIONS_H
#define TT_BASE_VERSIONS_H

#include "host/base/status.h"

#ifdef __cplusplus
extern "C" {
#endif

// The path of the version that is `age` replacements old into out[TT_PATH_MAX]; age 0 is `path` itself. Errors: TT_ERR_IO where
// it is too long.
tt_status tt_version_name(const char *path, int age, char *out) TT_MUST_CHECK;
// x.damaged.h5, x.1.damaged.h5, ...: where a version that cannot be read is put aside.
tt_status tt_version_damaged_name(const char *path, int age, char *out) TT_MUST_CHECK;
// Just before `path` is replaced: the file that stands there also becomes version 1, version 1 becomes version 2, ...,
// and what is older than `keep` versions is removed. `keep` is at least 1. Where the process ends in the middle, or the file
// system has no hard links, `path` may be missing, but then version 1 is there. Errors: TT_ERR_IO.
tt_status tt_versions_shift(const char *path, int keep) TT_MUST_CHECK;

// Removes the versions that are older than `keep` replacements. Errors: TT_ERR_IO.
tt_status tt_versions_remove(const char *path, int keep) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
