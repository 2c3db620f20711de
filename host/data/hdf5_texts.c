// Texts as bytes and offsets.
#include "host/base/memory.h"
#include "host/data/hdf5_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct columns {
    char *bytes;
    uint64_t *offsets;
    char bytes_name[1024], offsets_name[1024];
} columns;

static void close_columns(columns *c) {
    free(c->bytes);
    free(c->offsets);
}

static tt_status name_columns(const tt_h5 *h, const char *name, columns *c) {
    *c = (columns){0};
    const int n = snprintf(c->bytes_name, sizeof c->bytes_name, "%s/bytes", name);
    const int m = snprintf(c->offsets_name, sizeof c->offsets_name, "%s/offsets", name);
    if (n < 0 || m < 0 || (size_t)m >= sizeof c->offsets_name)
        return tt_fail(TT_ERR_INTERNAL, "%s: name too long: %.64s...", h->path, name);
    return TT_OK;
}

tt_status tt_h5_write_texts(const tt_h5 *h, const char *name, const char *const *texts, size_t n) {
    columns c;
    TT_TRY(name_columns(h, name, &c));
    TT_TRY(tt_alloc(&c.offsets, n + 1, sizeof *c.offsets, name));
    for (size_t i = 0; i < n; ++i) c.offsets[i + 1] = c.offsets[i] + strlen(texts[i]);
    tt_status status = tt_alloc(&c.bytes, c.offsets[n], 1, name);
    if (status == TT_OK) {
        for (size_t i = 0; i < n; ++i)
            memcpy(c.bytes + c.offsets[i], texts[i], c.offsets[i + 1] - c.offsets[i]);
        status = tt_h5_write(h, c.bytes_name, (tt_h5_layout){H5T_NATIVE_UINT8, c.offsets[n], 0}, c.bytes);
    }
    if (status == TT_OK)
        status = tt_h5_write(h, c.offsets_name, (tt_h5_layout){H5T_NATIVE_UINT64, n + 1, 0}, c.offsets);
    close_columns(&c);
    return status;
}

// Offsets rise from 0 to the number of bytes, and no text has a NUL, which would end it.
static bool good_columns(const columns *c, size_t n, size_t bytes) {
    bool good = c->offsets[0] == 0 && c->offsets[n] == bytes;
    for (size_t i = 0; i < n && good; ++i) good = c->offsets[i] <= c->offsets[i + 1];
    return good && (bytes == 0 || !memchr(c->bytes, '\0', bytes));
}

tt_status tt_h5_read_texts(const tt_h5 *h, const char *name, char ***texts, size_t *n) {
    columns c;
    size_t bytes, rows, width[2];
    *texts = NULL;
    *n = 0;
    TT_TRY(name_columns(h, name, &c));
    TT_TRY(tt_h5_shape(h, c.bytes_name, &bytes, &width[0]));
    TT_TRY(tt_h5_shape(h, c.offsets_name, &rows, &width[1]));
    if (rows == 0) return tt_fail(TT_ERR_FORMAT, "%s: %s is empty", h->path, c.offsets_name);
    const size_t count = rows - 1;
    tt_status status = tt_alloc(&c.bytes, bytes, 1, name);
    if (status == TT_OK) status = tt_alloc(&c.offsets, rows, sizeof *c.offsets, name);
    if (status == TT_OK)
        status = tt_h5_read(h, c.bytes_name, (tt_h5_layout){H5T_NATIVE_UINT8, bytes, 0}, c.bytes);
    if (status == TT_OK)
        status = tt_h5_read(h, c.offsets_name, (tt_h5_layout){H5T_NATIVE_UINT64, rows, 0}, c.offsets);
    if (status == TT_OK && !good_columns(&c, count, bytes))
        status = tt_fail(TT_ERR_FORMAT, "%s: the texts of %s are damaged", h->path, name);
    if (status == TT_OK) status = tt_alloc(texts, count * (sizeof(char *) + 1) + bytes, 1, name);
    if (status == TT_OK) {
        char *at = (char *)(*texts + count);
        for (size_t i = 0; i < count; ++i) {
            const size_t length = (size_t)(c.offsets[i + 1] - c.offsets[i]);
            memcpy(at, c.bytes + c.offsets[i], length);
            (*texts)[i] = at;
            at += length + 1; // the block is zeroed
        }
        *n = count;
    }
    close_columns(&c);
    return status;
}

tt_status tt_h5_write_text(const tt_h5 *h, const char *name, const char *text) {
    return tt_h5_write_texts(h, name, &text, 1);
}

tt_status tt_h5_read_text(const tt_h5 *h, const char *name, char **text) {
    char **texts;
    size_t n;
    *text = NULL;
    TT_TRY(tt_h5_read_texts(h, name, &texts, &n));
    tt_status status = n == 1 ? tt_strdup(text, texts[0])
                              : tt_fail(TT_ERR_FORMAT, "%s: %s has %zu texts, expected 1", h->path, name, n);
    free(texts);
    return status;
}
