// What corpora, checkpoints and preference pairs need of HDF5, with every result checked and the library's own error
// messages silenced. All functions but tt_h5_has and tt_h5_has_attribute fail with TT_ERR_FORMAT where something is
// missing, damaged or of another shape, and with TT_ERR_IO where the file cannot be read or written.
#ifndef TT_DATA_HDF5_FILE_H
#define TT_DATA_HDF5_FILE_H

#include "host/base/output.h"

#include <hdf5.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_h5 {
    hid_t file;
    char path[4096];
    tt_output output; // of a file that is written
} tt_h5;

// Opens a file for reading. `kind` ("corpus", "checkpoint") is the value that the root attribute `tinythinker` must
// have: a foreign file is refused with what it is. The file is locked where the file system can.
tt_status tt_h5_open(tt_h5 *h, const char *path, const char *kind) TT_MUST_CHECK;
// Starts a temporary file beside `path`. tt_h5_commit closes it, fsyncs it and renames it to `path`; tt_h5_close without
// a commit removes it.
tt_status tt_h5_create(tt_h5 *h, const char *path, const char *kind) TT_MUST_CHECK;
tt_status tt_h5_commit(tt_h5 *h) TT_MUST_CHECK;
void tt_h5_close(tt_h5 *h);

// Whether the file has a group or data set of this path.
bool tt_h5_has(const tt_h5 *h, const char *name);
// Makes a group and its parents where they do not exist.
tt_status tt_h5_group(const tt_h5 *h, const char *name) TT_MUST_CHECK;

// The elements of a data set in memory. `type` is a native memory type (H5T_NATIVE_FLOAT, _INT32, _UINT8, _UINT16, ...);
// the file is little-endian.
typedef struct tt_h5_layout {
    hid_t type;
    size_t rows, columns; // columns 0: a vector, of rank 1
} tt_h5_layout;

// Writes a data set of rank 1 or 2, chunked with fletcher32 (HDF5 has it for numbers only).
tt_status tt_h5_write(const tt_h5 *h, const char *name, tt_h5_layout layout, const void *data) TT_MUST_CHECK;
// *columns is 0 for a data set of rank 1.
tt_status tt_h5_shape(const tt_h5 *h, const char *name, size_t *rows, size_t *columns) TT_MUST_CHECK;
// Reads into the caller's memory of rows x max(columns, 1) elements; the data set must have this shape.
tt_status tt_h5_read(const tt_h5 *h, const char *name, tt_h5_layout layout, void *data) TT_MUST_CHECK;
// Variable-length UTF-8 strings. Reading allocates one block of *n pointers and the texts behind them, which the caller
// releases with one free(*texts).
tt_status tt_h5_write_texts(
    const tt_h5 *h, const char *name, const char *const *texts, size_t n) TT_MUST_CHECK;
tt_status tt_h5_read_texts(const tt_h5 *h, const char *name, char ***texts, size_t *n) TT_MUST_CHECK;

// Attributes of the group or data set `where` ("/" = root). A text that is read is released with free().
tt_status tt_h5_put_i64(const tt_h5 *h, const char *where, const char *name, int64_t value) TT_MUST_CHECK;
tt_status tt_h5_put_f64(const tt_h5 *h, const char *where, const char *name, double value) TT_MUST_CHECK;
tt_status tt_h5_put_text(
    const tt_h5 *h, const char *where, const char *name, const char *value) TT_MUST_CHECK;
bool tt_h5_has_attribute(const tt_h5 *h, const char *where, const char *name);
tt_status tt_h5_get_i64(const tt_h5 *h, const char *where, const char *name, int64_t *value) TT_MUST_CHECK;
tt_status tt_h5_get_f64(const tt_h5 *h, const char *where, const char *name, double *value) TT_MUST_CHECK;
tt_status tt_h5_get_text(const tt_h5 *h, const char *where, const char *name, char **value) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
