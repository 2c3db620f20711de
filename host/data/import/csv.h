// CSV as in RFC 4180: fields separated by commas; a field in double quotes may contain commas, line breaks and, doubled,
// quotes. Also read: lines that end in LF alone, a byte-order mark, a last line without an end, empty lines (skipped).
#ifndef TT_DATA_IMPORT_CSV_H
#define TT_DATA_IMPORT_CSV_H

#include "host/base/status.h"

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

// An open file. `columns` are the names in its first record.
typedef struct tt_csv {
    const char *path; // borrowed
    const char **columns, **fields;
    size_t n_columns, n_fields, fields_capacity;
    int line; // where the latest record begins, counted from 1
    char *data, *at, *end;
    int next_line;
} tt_csv;

// Reads the file and its first record. Errors: TT_ERR_IO; TT_ERR_INPUT for an empty file, text that is not UTF-8, a column
// name that occurs twice, or as tt_csv_next.
tt_status tt_csv_open(tt_csv *csv, const char *path) TT_MUST_CHECK;
void tt_csv_close(tt_csv *csv);
// Reads the next record into csv->fields, which are valid until the file is closed; *more receives false at the end of the
// file. Errors: TT_ERR_INPUT naming file and line: more or fewer fields than columns, a quote that is not closed or stands
// inside an unquoted field, text after a closing quote, a carriage return without a line feed.
tt_status tt_csv_next(tt_csv *csv, bool *more) TT_MUST_CHECK;
// *out receives the place of a column. Errors: TT_ERR_INPUT naming the file, its nearest column, and all of them.
tt_status tt_csv_column(const tt_csv *csv, const char *name, size_t *out) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
