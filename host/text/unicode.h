// Properties of characters in UTF-8 texts: white space, characters of words, and which characters a reader sees as one.
#ifndef TT_TEXT_UNICODE_H
#define TT_TEXT_UNICODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// All functions expect well-formed UTF-8 (tt_utf8_valid).

// Bytes of the character that starts with this byte: 1 to 4.
int tt_utf8_length(char first);
// Bytes of the last character of text[0..n), n >= 1.
int tt_utf8_last(const char *text, size_t n);
// The code point of the character at `text`.
uint32_t tt_utf8_code(const char *text);
bool tt_unicode_is_space(uint32_t code); // White_Space
bool tt_unicode_is_word(uint32_t code);  // what \w matches: letters, marks, digits, connecting punctuation
// Bytes of the grapheme cluster at the start of text[0..n), n >= 1 (Unicode Annex 29, extended clusters, without its rules
// for Hangul syllables and Indic conjuncts).
size_t tt_unicode_grapheme(const char *text, size_t n);

#ifdef __cplusplus
}
#endif

#endif
