// What files begin with: formats that are known by their first bytes, for messages about a file of another kind.
#ifndef TT_BASE_SIGNATURE_H
#define TT_BASE_SIGNATURE_H

#include "host/base/status.h"

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

// Whether a file that begins with begin[0..n) has a known format: *what receives its name with its article, *advice what to do
// to get what is expected. Both are constants.
bool tt_signature_find(const char *begin, size_t n, const char **what, const char **advice);
// Whether it is a pointer of Git LFS, a text in place of a large file.
bool tt_signature_is_pointer(const char *begin, size_t n);
// Fails with TT_ERR_FORMAT as "the file is ...; expected `expected`; ..." where begin[0..n) has a known format; else TT_OK. To
// be called where the file `path` is none of the expected format.
tt_status tt_signature_refuse(
    const char *path, const char *begin, size_t n, const char *expected) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
