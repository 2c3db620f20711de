// Text files: UTF-8 without NUL bytes, read as a whole and by lines.
#ifndef TT_BASE_TEXT_FILE_H
#define TT_BASE_TEXT_FILE_H

#include "host/base/status.h"

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

// Reads a text file of at most `limit` bytes (0 = 4 GiB). *text receives its bytes without a byte order mark and a NUL
// behind them, to be released with free(), *size their number. Errors: TT_ERR_IO and TT_ERR_NOMEM as tt_read_file;
// TT_ERR_INPUT as tt_text_check.
tt_status tt_text_read(const char *path, size_t limit, char **text, size_t *size) TT_MUST_CHECK;

// Checks that text[0..size), the contents of the file `path`, is UTF-8 without NUL bytes. Errors: TT_ERR_INPUT as
// `file:line: ...` with the byte within the line; UTF-16, Parquet and other known formats are named, with how to convert them.
tt_status tt_text_check(const char *path, const char *text, size_t size) TT_MUST_CHECK;

// The length of the byte order mark that text[0..n) begins with; 0 for none.
size_t tt_text_mark(const char *text, size_t n);

// A place in a text that is read line by line; begin with {.at = text, .end = text + size}.
typedef struct tt_lines {
    const char *at, *end;
    const char *line; // the latest line, without its end, carriage returns before that, and a byte order mark
    size_t length;    // of the latest line in bytes
    int number;       // of the latest line, counted from 1
} tt_lines;

// Steps to the next line; false at the end of the text. An empty line behind the last line feed is none.
bool tt_lines_next(tt_lines *lines);

// Whether text[0..n) is white space alone.
bool tt_text_blank(const char *text, size_t n);

#ifdef __cplusplus
}
#endif

#endif
