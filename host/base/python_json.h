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

// Parses text[0..n) with jansson's `flags`: the entrance of all JSON that other programs wrote. A byte order mark is skipped;
// integers of 19 and more digits become reals. NaN, Infinity, -Infinity and reals beyond a double's range become objects, as
// tt_json_unusual tells, so that only a member that is needed refuses them. The caller releases the result with
// json_decref; NULL where it is not JSON, with the reason in *error (or NULL).
json_t *tt_json_load(const char *text, size_t n, size_t flags, json_error_t *error);
// "NaN", "Infinity" or "-Infinity" where the value is what tt_json_load made of that; else NULL.
const char *tt_json_unusual(const json_t *value);

// Parses text[0..n), which must be an object without a key given twice, at any depth. `name` stands for it in messages. The
// caller releases *out with json_decref. Errors: TT_ERR_FORMAT with the line; TT_ERR_INPUT as tt_text_check.
tt_status tt_python_json_parse(json_t **out, const char *name, const char *text, size_t n) TT_MUST_CHECK;
// The same for a file of at most 256 MiB. Errors: also TT_ERR_IO.
tt_status tt_python_json_read(json_t **out, const char *path) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
