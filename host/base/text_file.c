#include "host/base/text_file.h"

#include "host/base/fs.h"
#include "host/base/signature.h"
#include "host/base/str.h"

#include <stdlib.h>
#include <string.h>

static const char byte_order_mark[] = "\xef\xbb\xbf";
enum { MARK = sizeof byte_order_mark - 1 };

// UTF-16 without a mark: every other byte of its ASCII characters is NUL.
static bool looks_like_utf16(const unsigned char *text, size_t size) {
    size_t even = 0, odd = 0;
    const size_t n = size < 64 ? size & ~(size_t)1 : 64;
    for (size_t i = 0; i < n; i += 2) {
        even += text[i] == 0;
        odd += text[i + 1] == 0;
    }
    return n >= 4 && (even > n / 4 || odd > n / 4) && (even == 0 || odd == 0);
}

tt_status tt_text_check(const char *path, const char *text, size_t size) {
    size_t bad = 0, line_begin = 0;
    const char *what, *advice;
    const bool valid = tt_utf8_valid(text, size, &bad), known = tt_signature_find(text, size, &what, &advice);
    if (known && (!valid || tt_signature_is_pointer(text, size)))
        return tt_fail(
            TT_ERR_INPUT, "%s:1: the file is %s; expected a text in UTF-8; %s", path, what, advice);
    if (valid) return TT_OK;
    if (looks_like_utf16((const unsigned char *)text, size))
        return tt_fail(TT_ERR_INPUT,
            "%s:1: the file looks like UTF-16; expected a text in UTF-8; convert it: iconv -f UTF-16%s -t "
            "UTF-8 "
            "OLD > NEW",
            path, text[0] ? "LE" : "BE");
    int line = 1;
    for (size_t i = 0; i < bad; ++i)
        if (text[i] == '\n') {
            ++line;
            line_begin = i + 1;
        }
    const unsigned byte = (unsigned char)text[bad];
    return tt_fail(TT_ERR_INPUT, "%s:%d: byte %zu of the line is %s; expected a text in UTF-8%s", path, line,
        bad - line_begin + 1, byte ? "not UTF-8" : "NUL",
        byte ? "; one in Latin-1 is converted by: iconv -f LATIN1 -t UTF-8 OLD > NEW"
             : "; remove the NUL bytes: tr -d '\\000' < OLD > NEW");
}

tt_status tt_text_read(const char *path, size_t limit, char **text, size_t *size) {
    TT_TRY(tt_read_file(path, limit, text, size));
    tt_status status = tt_text_check(path, *text, *size);
    if (status != TT_OK) {
        free(*text);
        *text = NULL;
        return status;
    }
    if (tt_text_mark(*text, *size)) {
        *size -= MARK;
        memmove(*text, *text + MARK, *size + 1);
    }
    return TT_OK;
}

size_t tt_text_mark(const char *text, size_t n) {
    return n >= MARK && memcmp(text, byte_order_mark, MARK) == 0 ? MARK : 0;
}

bool tt_lines_next(tt_lines *lines) {
    if (lines->at >= lines->end) return false;
    const size_t rest = (size_t)(lines->end - lines->at);
    const char *stop = memchr(lines->at, '\n', rest);
    lines->line = lines->at;
    lines->length = stop ? (size_t)(stop - lines->at) : rest;
    lines->at = stop ? stop + 1 : lines->end;
    ++lines->number;
    // Files that were joined have marks within.
    const size_t mark = tt_text_mark(lines->line, lines->length);
    lines->line += mark;
    lines->length -= mark;
    while (lines->length && lines->line[lines->length - 1] == '\r') --lines->length;
    return true;
}

bool tt_text_blank(const char *text, size_t n) {
    tt_trim(&text, &n);
    return n == 0;
}
