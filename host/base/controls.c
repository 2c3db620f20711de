#include "host/base/controls.h"

#include <string.h>

bool tt_is_control(const char *text, size_t i) {
    const unsigned char c = (unsigned char)text[i];
    if (c == 0xC2) return (text[i + 1] & 0xE0) == 0x80;
    return (c < 0x20 && c != '\n' && c != '\t') || c == 0x7F ||
           ((c & 0xE0) == 0x80 && i > 0 && (unsigned char)text[i - 1] == 0xC2);
}

void tt_escape_controls(char *text, size_t size) {
    enum { MORE = 3 }; // bytes that one takes then
    static const char digits[] = "0123456789abcdef";
    size_t n = strlen(text), extra = 0;
    for (size_t i = 0; i < n; ++i) extra += tt_is_control(text, i) ? MORE : 0;
    while (n + extra >= size) extra -= tt_is_control(text, --n) ? MORE : 0;
    text[n + extra] = '\0';
    for (size_t from = n, to = n + extra; from-- > 0;) {
        const unsigned char c = (unsigned char)text[from];
        if (tt_is_control(text, from)) {
            text[--to] = digits[c & 15];
            text[--to] = digits[c >> 4];
            text[--to] = 'x';
            text[--to] = '\\';
        } else {
            text[--to] = (char)c;
        }
    }
}
