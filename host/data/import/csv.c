#include "host/data/import/csv.h"

#include "host/base/memory.h"
#include "host/base/str.h"
#include "host/base/text_file.h"

#include <stdlib.h>
#include <string.h>

static tt_status add_field(tt_csv *csv, const char *field) {
    TT_TRY(tt_grow(
        &csv->fields, &csv->fields_capacity, csv->n_fields + 1, sizeof *csv->fields, "fields of a CSV file"));
    csv->fields[csv->n_fields++] = field;
    return TT_OK;
}

// Steps over a line break at csv->at, if there is one.
static bool skip_break(tt_csv *csv) {
    if (csv->at < csv->end && *csv->at == '\r' && csv->at + 1 < csv->end && csv->at[1] == '\n') ++csv->at;
    if (csv->at == csv->end || *csv->at != '\n') return false;
    ++csv->at;
    ++csv->next_line;
    return true;
}

// Both read a field and leave csv->at behind its last byte. *stop receives the place for its NUL, which must not be
// written before the separator there has been read.
static tt_status read_quoted(tt_csv *csv, char **stop) {
    const int line = csv->next_line;
    char *to = ++csv->at;
    for (;; ++csv->at) {
        if (csv->at == csv->end)
            return tt_fail(TT_ERR_INPUT, "%s:%d: a quoted field is not closed by a quote", csv->path, line);
        if (*csv->at == '"' && (++csv->at == csv->end || *csv->at != '"')) break;
        csv->next_line += *csv->at == '\n';
        *to++ = *csv->at;
    }
    *stop = to;
    return TT_OK;
}

static tt_status read_plain(tt_csv *csv, char **stop) {
    for (; csv->at < csv->end && *csv->at != ',' && *csv->at != '\n'; ++csv->at) {
        if (*csv->at == '"')
            return tt_fail(TT_ERR_INPUT,
                "%s:%d: a quote inside a field that does not begin with one; such a field is written in "
                "quotes, its own quotes doubled",
                csv->path, csv->next_line);
        if (*csv->at == '\r') break;
    }
    *stop = csv->at;
    return TT_OK;
}

static tt_status read_record(tt_csv *csv) {
    csv->n_fields = 0;
    csv->line = csv->next_line;
    for (bool last = false; !last;) {
        const bool quoted = csv->at < csv->end && *csv->at == '"';
        char *field = csv->at + quoted, *stop;
        TT_TRY(quoted ? read_quoted(csv, &stop) : read_plain(csv, &stop));
        if (csv->at < csv->end && *csv->at == ',') {
            ++csv->at;
        } else if (csv->at == csv->end || skip_break(csv)) {
            last = true;
        } else if (*csv->at == '\r') {
            return tt_fail(TT_ERR_INPUT,
                "%s:%d: a carriage return without a line feed; save the file with "
                "CRLF or LF at the ends of lines",
                csv->path, csv->next_line);
        } else {
            return tt_fail(
                TT_ERR_INPUT, "%s:%d: text after the closing quote of a field", csv->path, csv->next_line);
        }
        *stop = '\0';
        TT_TRY(add_field(csv, field));
    }
    return TT_OK;
}

tt_status tt_csv_next(tt_csv *csv, bool *more) {
    while (skip_break(csv)) {
    }
    *more = csv->at < csv->end;
    if (!*more) return TT_OK;
    TT_TRY(read_record(csv));
    if (csv->n_columns && csv->n_fields != csv->n_columns)
        return tt_fail(TT_ERR_INPUT, "%s:%d: has %zu fields, the first record names %zu columns", csv->path,
            csv->line, csv->n_fields, csv->n_columns);
    return TT_OK;
}

static tt_status read_columns(tt_csv *csv) {
    bool more;
    TT_TRY(tt_csv_next(csv, &more));
    if (!more)
        return tt_fail(
            TT_ERR_INPUT, "%s: the file is empty; expected CSV with a line of column names", csv->path);
    for (size_t i = 0; i < csv->n_fields; ++i)
        for (size_t k = 0; k < i; ++k)
            if (strcmp(csv->fields[i], csv->fields[k]) == 0)
                return tt_fail(TT_ERR_INPUT, "%s:%d: two columns are named \"%s\"", csv->path, csv->line,
                    csv->fields[i]);
    csv->columns = csv->fields;
    csv->n_columns = csv->n_fields;
    csv->fields = NULL;
    csv->fields_capacity = 0;
    return TT_OK;
}

tt_status tt_csv_open(tt_csv *csv, const char *path) {
    size_t size;
    *csv = (tt_csv){.path = path, .next_line = 1};
    TT_TRY(tt_text_read(path, 0, &csv->data, &size));
    csv->at = csv->data;
    csv->end = csv->data + size;
    tt_status status = read_columns(csv);
    if (status != TT_OK) tt_csv_close(csv);
    return status;
}

void tt_csv_close(tt_csv *csv) {
    free(csv->columns);
    free(csv->fields);
    free(csv->data);
    *csv = (tt_csv){0};
}

tt_status tt_csv_column(const tt_csv *csv, const char *name, size_t *out) {
    for (size_t i = 0; i < csv->n_columns; ++i)
        if (strcmp(csv->columns[i], name) == 0) {
            *out = i;
            return TT_OK;
        }
    const char *other = csv->n_columns == 1 ? strpbrk(csv->columns[0], ";\t|") : NULL;
    if (other)
        return tt_fail(TT_ERR_INPUT,
            "%s:1: the columns seem to be separated by %s; expected commas; save the file as comma-separated "
            "CSV",
            csv->path,
            *other == ';'   ? "semicolons"
            : *other == '|' ? "|"
                            : "tabs");
    const char *nearest = tt_nearest(name, csv->columns, (int)csv->n_columns);
    tt_str all = {0};
    for (size_t i = 0; i < csv->n_columns; ++i) tt_str_format(&all, "%s%s", i ? ", " : "", csv->columns[i]);
    tt_fail(TT_ERR_INPUT, "%s: no column \"%s\"%s%s%s; it has: %s", csv->path, name,
        nearest ? "; did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?" : "", tt_str_text(&all));
    tt_str_close(&all);
    return TT_ERR_INPUT;
}
