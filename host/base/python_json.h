// JSON as Python's json module writes it, which goes beyond RFC 8259: NaN, Infinity, integers of any length, and a byte
// order mark that an editor left at the start.
#ifndef TT_BASE_PYTHON_JSON_H
#define TT_BASE_PYTHON_JSON_H

#include "host/base/status.h"
#include "host/base/str.h"

#include <jansson.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

// Parses text[0..n), which must be an object without a key given twice, at any depth. `name` stands for it in messages.
// What a C program cannot hold as a number stays readable: integers of 19 and more digits become reals; NaN, Infinity,
// -Infinity and reals beyond a double's range become texts, so that only a key that needs a number refuses them. The caller
// releases *out with json_decref. Errors: TT_ERR_FORMAT with the line.
tt_status tt_python_json_parse(json_t **out, const char *name, const char *text, size_t n) TT_MUST_CHECK;
// The same for a file of at most 256 MiB. Errors: also TT_ERR_IO.
tt_status tt_python_json_read(json_t **out, const char *path) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
