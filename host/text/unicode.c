#include "host/text/unicode.h"

// Classes of the property Grapheme_Cluster_Break.
typedef enum grapheme_class {
    OTHER,
    CONTROL,
    EXTEND,
    ZWJ,
    SPACING,
    PREPEND,
    REGIONAL,
    PICTOGRAPH
} grapheme_class;

static const struct {
    uint32_t first, last;
    uint8_t class, word;
} ranges[] = {
#include "host/text/unicode_ranges.inc"
};
enum { RANGES = sizeof ranges / sizeof *ranges };

int tt_utf8_length(char first) {
    const unsigned char c = (unsigned char)first;
    return c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

int tt_utf8_last(const char *text, size_t n) {
    int length = 1;
    while ((size_t)length < n && ((unsigned char)text[n - (size_t)length] & 0xc0) == 0x80) ++length;
    return length;
}

uint32_t tt_utf8_code(const char *text) {
    const unsigned char *p = (const unsigned char *)text;
    switch (tt_utf8_length(*text)) {
    case 1:
        return p[0];
    case 2:
        return (uint32_t)(p[0] & 0x1f) << 6 | (p[1] & 0x3f);
    case 3:
        return (uint32_t)(p[0] & 0x0f) << 12 | (uint32_t)(p[1] & 0x3f) << 6 | (p[2] & 0x3f);
    default:
        return (uint32_t)(p[0] & 0x07) << 18 | (uint32_t)(p[1] & 0x3f) << 12 | (uint32_t)(p[2] & 0x3f) << 6 |
               (p[3] & 0x3f);
    }
}

// The range that has this code point, or -1.
static int range_of(uint32_t code) {
    int low = 0, high = RANGES;
    while (low < high) {
        const int middle = (low + high) / 2;
        if (ranges[middle].last < code)
            low = middle + 1;
        else
            high = middle;
    }
    return low < RANGES && ranges[low].first <= code ? low : -1;
}

bool tt_unicode_is_space(uint32_t code) {
    return (code >= 9 && code <= 13) || code == 0x20 || code == 0x85 || code == 0xa0 || code == 0x1680 ||
           (code >= 0x2000 && code <= 0x200a) || code == 0x2028 || code == 0x2029 || code == 0x202f ||
           code == 0x205f || code == 0x3000;
}

bool tt_unicode_is_word(uint32_t code) {
    const int i = range_of(code);
    return i >= 0 && ranges[i].word;
}

static grapheme_class class_of(uint32_t code) {
    const int i = range_of(code);
    return i < 0 ? OTHER : (grapheme_class)ranges[i].class;
}

size_t tt_unicode_grapheme(const char *text, size_t n) {
    size_t length = (size_t)tt_utf8_length(*text);
    uint32_t code = tt_utf8_code(text);
    grapheme_class before = class_of(code);
    if (code == '\r' && length < n && text[length] == '\n') return length + 1;
    bool pictograph = before == PICTOGRAPH,
         paired = false; // a pictograph and its extensions so far; two letters of a flag
    while (length < n && before != CONTROL) {
        code = tt_utf8_code(text + length);
        const grapheme_class next = class_of(code);
        const bool flag = before == REGIONAL && next == REGIONAL && !paired;
        const bool join = next == EXTEND || next == ZWJ || next == SPACING ||
                          (before == PREPEND && next != CONTROL) ||
                          (before == ZWJ && pictograph && next == PICTOGRAPH) || flag;
        if (!join) break;
        paired |= flag;
        if (next != EXTEND && next != ZWJ) pictograph = next == PICTOGRAPH;
        before = next;
        length += (size_t)tt_utf8_length(text[length]);
    }
    return length;
}
