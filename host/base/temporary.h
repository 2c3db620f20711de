// Temporary files: names that nobody else has, and none that stays behind.
#ifndef TT_BASE_TEMPORARY_H
#define TT_BASE_TEMPORARY_H

#include "host/base/status.h"

#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

// Makes an empty file beside `path`, PATH.NUMBER.tmp (a long name cut), that did not exist before, and opens it.
// out[TT_PATH_MAX] receives its name, *file its descriptor, which the caller closes. `mode` and the umask say who may read and
// write it. Errors: TT_ERR_IO naming `path`.
tt_status tt_temporary_make(const char *path, mode_t mode, char *out, int *file) TT_MUST_CHECK;
// The same in the folder for temporary files, TMPDIR or /tmp: an empty file for this process alone, NAME.NUMBER.tmp, closed.
tt_status tt_temporary_make_private(const char *name, char *out) TT_MUST_CHECK;
// The same care for a file that this process made in another way.
void tt_temporary_note(const char *name);
// The file was renamed or handed over: it stays.
void tt_temporary_keep(const char *name);
// Removes it.
void tt_temporary_remove(const char *name);
// Removes all that this process made and neither kept nor removed. May be called in a signal handler.
void tt_temporary_remove_all(void);

#ifdef __cplusplus
}
#endif

#endif
