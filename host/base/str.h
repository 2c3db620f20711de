// Growing strings, and checks on text.
#ifndef TT_BASE_STR_H
#define TT_BASE_STR_H

#include "host/base/status.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// A growing byte string; zero-initialise, release with tt_str_close. `data` is NUL-terminated once anything was
// appended, else NULL. Appending returns nothing: out of memory sets `failed`, which tt_str_status() reports once at
// the end.
typedef struct tt_str {
    char *data;
    size_t length, capacity;
    bool failed;
} tt_str;

// Appends a NUL-terminated text; text[0..n); what a printf format says.
void tt_str_append(tt_str *s, const char *text);
void tt_str_append_n(tt_str *s, const char *text, size_t n);
// As printf in the C locale (number.h).
void tt_str_format(tt_str *s, const char *format, ...) TT_PRINTF(2, 3);
void tt_str_format_list(tt_str *s, const char *format, va_list arguments) TT_PRINTF(2, 0);
// Appends a text for a terminal: control characters other than line breaks and tabs become U+FFFD.
void tt_str_append_visible(tt_str *s, const char *text);
void tt_str_clear(tt_str *s);             // length 0; keeps the memory
const char *tt_str_text(const tt_str *s); // never NULL; valid until the string changes
// Errors: TT_ERR_NOMEM where something could not be appended.
tt_status tt_str_status(const tt_str *s) TT_MUST_CHECK;
void tt_str_close(tt_str *s);

// Narrows text[0..*n) by the white space at both ends (Unicode's White_Space in UTF-8).
void tt_trim(const char **text, size_t *n);
bool tt_ends_with(const char *text, const char *suffix);
bool tt_starts_with(const char *text, const char *prefix);
// Whether text[0..n) is well-formed UTF-8 without NUL (RFC 3629: no surrogates, no overlong forms). If it is not and
// `bad` is given, *bad receives the offset of the first bad byte.
bool tt_utf8_valid(const char *text, size_t n, size_t *bad);
// How many bytes of the text can be shown in `most` bytes without cutting a character of UTF-8.
size_t tt_utf8_fit(const char *text, size_t most);
// Levenshtein distance in characters (bytes where they are not UTF-8), but at most `limit` + 1, where the search stops.
int tt_edit_distance(const char *a, const char *b, int limit);
// The entry of names[0..n) nearest to `word` in edits, or NULL where none is near enough to suggest.
const char *tt_nearest(const char *word, const char *const *names, int n);
// FNV-1a, 64 bits, of n bytes: tells tokenizers and files apart; not a cryptographic hash.
uint64_t tt_hash(const void *bytes, size_t n);

#ifdef __cplusplus
}
#endif

#endif
