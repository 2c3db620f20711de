// What a terminal can show.
#ifndef TT_BASE_TERMINAL_H
#define TT_BASE_TERMINAL_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

// Whether lines there can be drawn again: a terminal, but not one with TERM=dumb.
bool tt_terminal(int file);
// Whether text there may be bold or coloured: so, and NO_COLOR is not set (no-color.org) or empty.
bool tt_terminal_styled(int file);

#ifdef __cplusplus
}
#endif

#endif
