// Reads a resolved configuration (the text of tt_config_write) key by key, without its types: to compare and
// show the configurations of earlier runs, whatever version wrote them.
#ifndef TT_LAB_CONFIG_LINES_H
#define TT_LAB_CONFIG_LINES_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

// Start with {.rest = text}; the text must outlive it.
typedef struct tt_config_line {
    const char *rest;           // of the text, after this line
    char section[64], key[192]; // key: "section.key"
    const char *value;          // in the text, not terminated
    int length;
} tt_config_line;

// The next key that has a value; false at the end.
bool tt_config_line_next(tt_config_line *line);
// The line of `key` in the text; false where it has none.
bool tt_config_line_find(const char *yaml, const char *key, tt_config_line *out);
// The line's value without quotes around it, cut to size - 1 bytes.
void tt_config_line_text(const tt_config_line *line, char *out, size_t size);

#ifdef __cplusplus
}
#endif

#endif
