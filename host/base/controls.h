// Control characters, which a terminal would obey.
#ifndef TT_BASE_CONTROLS_H
#define TT_BASE_CONTROLS_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

// Whether text[i] is a control character other than a line feed and a tab, or a byte of one that has two in UTF-8 (U+0080 to
// U+009F). The text ends with NUL behind i.
bool tt_is_control(const char *text, size_t i);
// Writes control characters of text[size] as \x1b, so that no terminal obeys them; line feeds and tabs stay. What does not fit
// then is cut off at the end.
void tt_escape_controls(char *text, size_t size);

#ifdef __cplusplus
}
#endif

#endif
