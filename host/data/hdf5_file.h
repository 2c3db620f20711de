// The few things we do with HDF5, with every result checked and the library's own error printing silenced.
// Shared by corpora, checkpoints and preference pairs.
#ifndef TT_DATA_HDF5_FILE_H
#define TT_DATA_HDF5_FILE_H

#include "host/base/status.h"

#include <hdf5.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_h5 {
    hid_t file;
    bool writing;
    char path[4096], temporary[4160];
} tt_h5;

// Opens for reading. `kind` is the value of the root attribute `tinythinker` that the file must have
// ("corpus", "checkpoint"), so that a foreign file is refused by name. File locking is best effort.
tt_status tt_h5_open(tt_h5 *h, const char *path, const char *kind) TT_MUST_CHECK;
// Starts a file beside `path`; tt_h5_commit closes, fsyncs and renames it; tt_h5_close drops it.
tt_status tt_h5_create(tt_h5 *h, const char *path, const char *kind) TT_MUST_CHECK;
tt_status tt_h5_commit(tt_h5 *h) TT_MUST_CHECK;
void tt_h5_close(tt_h5 *h);

// Whether the file has a data set or group of this name.
bool tt_h5_has(const tt_h5 *h, const char *name);
tt_status tt_h5_group(const tt_h5 *h, const char *name) TT_MUST_CHECK; // and its parents

// Data sets of rank 1 or 2 (columns 0 = rank 1), chunked with fletcher32 (HDF5 has it for numbers only).
// `type` is a native memory type (H5T_NATIVE_FLOAT, _INT32, _UINT8, _UINT16, ...); little-endian in the file.
tt_status tt_h5_write(const tt_h5 *h, const char *name, hid_t type, const void *data, size_t rows,
    size_t columns) TT_MUST_CHECK;
tt_status tt_h5_shape(const tt_h5 *h, const char *name, size_t *rows, size_t *columns) TT_MUST_CHECK;
// Into memory of the caller for rows x max(columns, 1) elements, shape checked first.
tt_status tt_h5_read(
    const tt_h5 *h, const char *name, hid_t type, void *data, size_t rows, size_t columns) TT_MUST_CHECK;
// Variable-length UTF-8 strings. Read: *texts is an array of *n pointers into one block: release with
// free(*texts) alone.
tt_status tt_h5_write_texts(
    const tt_h5 *h, const char *name, const char *const *texts, size_t n) TT_MUST_CHECK;
tt_status tt_h5_read_texts(const tt_h5 *h, const char *name, char ***texts, size_t *n) TT_MUST_CHECK;

// Attributes of the object `where` ("/" = root).
tt_status tt_h5_put_i64(const tt_h5 *h, const char *where, const char *name, int64_t value) TT_MUST_CHECK;
tt_status tt_h5_put_f64(const tt_h5 *h, const char *where, const char *name, double value) TT_MUST_CHECK;
tt_status tt_h5_put_text(
    const tt_h5 *h, const char *where, const char *name, const char *value) TT_MUST_CHECK;
bool tt_h5_has_attribute(const tt_h5 *h, const char *where, const char *name);
tt_status tt_h5_get_i64(const tt_h5 *h, const char *where, const char *name, int64_t *value) TT_MUST_CHECK;
tt_status tt_h5_get_f64(const tt_h5 *h, const char *where, const char *name, double *value) TT_MUST_CHECK;
tt_status tt_h5_get_text(
    const tt_h5 *h, const char *where, const char *name, char **value) TT_MUST_CHECK; // free()

#ifdef __cplusplus
}
#endif

#endif
