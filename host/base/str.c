#include "host/base/str.h"

#include "host/base/controls.h"
#include "host/base/number.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool reserve_bytes(tt_str *s, size_t extra) {
    if (s->failed) return false;
    size_t need = s->length + extra + 1;
    if (need <= s->capacity) return true;
    size_t capacity = s->capacity ? s->capacity : 64;
    while (capacity < need) capacity *= 2;
    char *grown = realloc(s->data, capacity);
    if (!grown) {
        s->failed = true;
        return false;
    }
    s->data = grown;
    s->capacity = capacity;
    return true;
}

void tt_str_append_n(tt_str *s, const char *text, size_t n) {
    if (!reserve_bytes(s, n)) return;
    memcpy(s->data + s->length, text, n);
    s->length += n;
    s->data[s->length] = '\0';
}

void tt_str_append(tt_str *s, const char *text) {
    tt_str_append_n(s, text, strlen(text));
}

void tt_str_format_list(tt_str *s, const char *format, va_list arguments) {
    va_list again;
    va_copy(again, arguments);
    const int n = tt_format_list(NULL, 0, format, arguments);
    if (n >= 0 && reserve_bytes(s, (size_t)n)) {
        tt_format_list(s->data + s->length, (size_t)n + 1, format, again);
        s->length += (size_t)n;
    }
    va_end(again);
}

void tt_str_format(tt_str *s, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    tt_str_format_list(s, format, arguments);
    va_end(arguments);
}

void tt_str_append_visible(tt_str *s, const char *text) {
    for (size_t i = 0; text[i]; ++i) {
        if (!tt_is_control(text, i))
            tt_str_append_n(s, text + i, 1);
        else if ((unsigned char)text[i] != 0xC2) // once for two bytes
            tt_str_append(s, "\xEF\xBF\xBD");
    }
}

void tt_str_clear(tt_str *s) {
    s->length = 0;
    if (s->data) s->data[0] = '\0';
}

const char *tt_str_text(const tt_str *s) {
    return s->data ? s->data : "";
}

tt_status tt_str_status(const tt_str *s) {
    return s->failed ? tt_fail(TT_ERR_NOMEM, "no memory for a text of more than %zu bytes", s->length)
                     : TT_OK;
}

void tt_str_close(tt_str *s) {
    free(s->data);
    *s = (tt_str){0};
}

// Bytes of the white space character that text[0..n) begins with; 0 where it begins with another.
static size_t leading_space(const char *text, size_t n) {
    static const char *const wide[] = {"\xc2\x85", "\xc2\xa0", "\xe1\x9a\x80", "\xe2\x80\xa8", "\xe2\x80\xa9",
        "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80"};
    if (n == 0) return 0;
    if (text[0] == ' ' || (text[0] >= '\t' && text[0] <= '\r')) return 1;
    for (size_t i = 0; i < sizeof wide / sizeof *wide; ++i) {
        const size_t length = strlen(wide[i]);
        if (n >= length && memcmp(text, wide[i], length) == 0) return length;
    }
    // U+2000 to U+200A, spaces of various widths
    const unsigned char *u = (const unsigned char *)text;
    return n >= 3 && u[0] == 0xe2 && u[1] == 0x80 && u[2] >= 0x80 && u[2] <= 0x8a ? 3 : 0;
}

void tt_trim(const char **text, size_t *n) {
    for (size_t space; (space = leading_space(*text, *n)) > 0; *n -= space) *text += space;
    for (bool more = true; more;) {
        more = false;
        for (size_t length = 1; length <= 3 && length <= *n && !more; ++length)
            if (leading_space(*text + *n - length, length) == length) {
                *n -= length;
                more = true;
            }
    }
}

bool tt_ends_with(const char *text, const char *suffix) {
    size_t n = strlen(text), m = strlen(suffix);
    return n >= m && memcmp(text + n - m, suffix, m) == 0;
}

bool tt_starts_with(const char *text, const char *prefix) {
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

// Length of the well-formed UTF-8 sequence at s (n >= 1 bytes left), or 0.
static size_t utf8_sequence(const unsigned char *s, size_t n) {
    if (s[0] < 0x80) return s[0] != 0;
    size_t length = s[0] >= 0xF0 ? 4 : s[0] >= 0xE0 ? 3 : 2;
    if (s[0] < 0xC2 || s[0] > 0xF4 || n < length) return 0;
    for (size_t i = 1; i < length; ++i)
        if ((s[i] & 0xC0) != 0x80) return 0;
    if (s[0] == 0xE0 && s[1] < 0xA0) return 0; // overlong
    if (s[0] == 0xED && s[1] > 0x9F) return 0; // surrogate
    if (s[0] == 0xF0 && s[1] < 0x90) return 0; // overlong
    if (s[0] == 0xF4 && s[1] > 0x8F) return 0; // above U+10FFFF
    return length;
}

// Whether eight bytes are ASCII and none is NUL.
static bool plain_eight(const char *text) {
    const uint64_t ones = 0x0101010101010101u, high = 0x8080808080808080u;
    uint64_t eight;
    memcpy(&eight, text, sizeof eight);
    return ((eight | (eight - ones)) & high) == 0; // a NUL borrows and leaves its high bit
}

bool tt_utf8_valid(const char *text, size_t n, size_t *bad) {
    for (size_t i = 0; i < n;) {
        if (n - i >= 8 && plain_eight(text + i)) {
            i += 8;
            continue;
        }
        size_t length = utf8_sequence((const unsigned char *)text + i, n - i);
        if (length == 0) {
            if (bad) *bad = i;
            return false;
        }
        i += length;
    }
    return true;
}

// The characters of a text, or its bytes where they are not UTF-8; their number.
static int characters_of(const char *text, uint32_t *out) {
    const unsigned char *p = (const unsigned char *)text;
    size_t rest = strlen(text);
    int n = 0;
    while (rest > 0) {
        const size_t length = utf8_sequence(p, rest);
        uint32_t character = 0;
        for (size_t i = 0; i < (length ? length : 1); ++i) character = character << 8 | p[i];
        out[n++] = character;
        p += length ? length : 1;
        rest -= length ? length : 1;
    }
    return n;
}

// Only cells within `limit` of the diagonal can be part of a distance that small (Ukkonen 1985).
static int banded_distance(const uint32_t *a, int n, const uint32_t *b, int m, int limit, int *row) {
    if (abs(n - m) > limit) return limit + 1;
    for (int j = 0; j <= m; ++j) row[j] = j <= limit ? j : limit + 1;
    for (int i = 1; i <= n; ++i) {
        const int first = i > limit ? i - limit : 1, last = i + limit < m ? i + limit : m;
        int diagonal = row[first - 1], best = row[first - 1] = first == 1 && i <= limit ? i : limit + 1;
        for (int j = first; j <= last; ++j) {
            const int replaced = diagonal + (a[i - 1] != b[j - 1]);
            const int above = j == i + limit ? limit + 1 : row[j]; // beyond the band of the row before
            const int kept = (above < row[j - 1] ? above : row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = replaced < kept ? replaced : kept;
            if (row[j] < best) best = row[j];
        }
        if (best > limit) return limit + 1;
    }
    return row[m] > limit ? limit + 1 : row[m];
}

int tt_edit_distance(const char *a, const char *b, int limit) {
    const size_t n = strlen(a), m = strlen(b);
    uint32_t *memory = malloc((n + m + m + 1) * sizeof *memory);
    if (!memory) return limit + 1;
    const int n_a = characters_of(a, memory), n_b = characters_of(b, memory + n);
    const int distance = banded_distance(memory, n_a, memory + n, n_b, limit, (int *)(memory + n + m));
    free(memory);
    return distance;
}

const char *tt_nearest(const char *word, const char *const *names, int n) {
    int limit = (int)strlen(word) / 2;
    if (limit < 1) limit = 1;
    const char *nearest = NULL;
    int best = limit + 1;
    for (int i = 0; i < n; ++i) {
        int distance = tt_edit_distance(word, names[i], limit);
        if (distance < best) {
            best = distance;
            nearest = names[i];
        }
    }
    return nearest;
}

uint64_t tt_hash(const void *bytes, size_t n) {
    const unsigned char *p = bytes;
    uint64_t h = 0xCBF29CE484222325ull;
    for (size_t i = 0; i < n; ++i) h = (h ^ p[i]) * 0x100000001B3ull;
    return h;
}

size_t tt_utf8_fit(const char *text, size_t most) {
    size_t n = strnlen(text, most + 1);
    if (n <= most) return n;
    for (n = most; n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80;) --n;
    return n;
}
