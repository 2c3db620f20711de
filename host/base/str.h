// Growing strings, and checks on text.
#ifndef TT_BASE_STR_H
#define TT_BASE_STR_H

#include "host/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// A growing byte string; zero-initialise. `data` is NUL-terminated once anything was appended, else NULL.
// Appending never fails visibly: out of memory sets `failed`, which tt_str_status() reports once at the end.
typedef struct tt_str {
    char *data;
    size_t length, capacity;
    bool failed;
} tt_str;

// Append text, its first n bytes, or what printf would print.
void tt_str_append(tt_str *s, const char *text);
void tt_str_append_n(tt_str *s, const char *text, size_t n);
void tt_str_format(tt_str *s, const char *format, ...) TT_PRINTF(2, 3);
void tt_str_clear(tt_str *s);                           // length 0, memory kept
const char *tt_str_text(const tt_str *s);               // never NULL
tt_status tt_str_status(const tt_str *s) TT_MUST_CHECK; // TT_ERR_NOMEM if an append failed
void tt_str_close(tt_str *s); // releases the text; the string is empty and can be used again

// Narrows text[0..*n) to what is left without white space at either end (Unicode's White_Space in UTF-8).
void tt_trim(const char **text, size_t *n);
bool tt_ends_with(const char *text, const char *suffix);
bool tt_starts_with(const char *text, const char *prefix);
// True where text[0..n) is well-formed UTF-8 without NUL (RFC 3629: no surrogates, no overlong forms).
// If false and `bad` is given, *bad receives the offset of the first bad byte.
bool tt_utf8_valid(const char *text, size_t n, size_t *bad);
// Levenshtein distance in bytes; at most `limit` + 1 (the search stops there).
int tt_edit_distance(const char *a, const char *b, int limit);
// The entry of names[0..n) nearest to `word` in edits, or NULL if none is near enough to suggest.
const char *tt_nearest(const char *word, const char *const *names, int n);
// FNV-1a, 64 bits, of n bytes: identity of a tokenizer or file, not a cryptographic hash.
uint64_t tt_hash(const void *bytes, size_t n);

#ifdef __cplusplus
}
#endif

#endif
