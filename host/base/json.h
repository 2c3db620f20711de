// JSON (RFC 8259) that people and other programs wrote. Beyond the RFC: a member that is given twice is an error, a member
// that is null is absent, and numbers that only Python writes stand as tt_json_load leaves them (python_json.h).
#ifndef TT_BASE_JSON_H
#define TT_BASE_JSON_H

#include "host/base/status.h"
#include "host/base/str.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// Parses text[0..n), which begins in line `line` of `path`, as one list or object. The caller releases *out with
// json_decref(). Errors: TT_ERR_INPUT as `path:line: not JSON: ...`, also for nesting beyond 2,048 levels.
tt_status tt_json_parse(json_t **out, const char *path, int line, const char *text, size_t n) TT_MUST_CHECK;
// The same for a file of at most `limit` bytes (0 = 4 GiB). Errors: also those of tt_text_read.
tt_status tt_json_read(json_t **out, const char *path, size_t limit) TT_MUST_CHECK;

// *out receives the member `name`, which must be a string; the object owns it. Errors: TT_ERR_INPUT naming `where` and
// the member.
tt_status tt_json_text(
    const json_t *object, const char *name, const char *where, const char **out) TT_MUST_CHECK;
// Whether a value is a whole number, which 1.0 is, too; *out receives it.
bool tt_json_whole(const json_t *value, int64_t *out);
// What a value is, for messages: "a string", "a list", ...; "nothing" for NULL.
const char *tt_json_kind(const json_t *value);
// Appends the value itself, for messages where it matters: `the string "12"`, `1.5`, `true`; of others the kind.
void tt_json_show(tt_str *out, const json_t *value);

#ifdef __cplusplus
}
#endif

#endif
