// SentencePiece's precompiled table of replacements ("precompiled_charsmap"), read as the `tokenizers` package reads it.
// Private to host/text.
#ifndef TT_TEXT_CHARSMAP_H
#define TT_TEXT_CHARSMAP_H

#include "host/base/status.h"
#include "host/base/str.h"

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_charsmap tt_charsmap;

// Reads a table of n bytes. On success the caller closes *out. Errors: TT_ERR_FORMAT for one that is damaged: offsets that lead out of it, replacements that are
// not UTF-8.
tt_status tt_charsmap_parse(tt_charsmap **out, const void *bytes, size_t n) TT_MUST_CHECK;
// The same for a table in base64.
tt_status tt_charsmap_open(tt_charsmap **out, const char *base64) TT_MUST_CHECK;
void tt_charsmap_close(tt_charsmap *map);
// Whether the ASCII character c stays as it is wherever another one or nothing follows it.
bool tt_charsmap_keeps(const tt_charsmap *map, unsigned char c);
// What the longest key at the start of text[0..n) is replaced by, owned by the map, and that key's length; NULL where there is
// none. So SentencePiece itself reads the table.
const char *tt_charsmap_longest(const tt_charsmap *map, const char *text, size_t n, size_t *length);
// Appends text[0..n), well-formed UTF-8, with its replacements to `out`, as the package does.
void tt_charsmap_apply(const tt_charsmap *map, const char *text, size_t n, tt_str *out);

#ifdef __cplusplus
}
#endif

#endif
