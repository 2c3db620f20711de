// What corpora, checkpoints and preference pairs need of HDF5, with every result checked and the library's own error
// messages silenced. All functions but tt_h5_has and tt_h5_has_attribute fail with TT_ERR_FORMAT where something is
// missing, damaged or of another shape or type, and with TT_ERR_IO where the file cannot be read or written.
//
// Files are sealed (hdf5_seal.h): what is opened is byte for byte what was written. Behind the seal, metadata and data sets
// have HDF5's own checksums. Nothing has a variable length, since HDF5 keeps that in a heap without a checksum, where one
// damaged bit can crash its library:
//
//   texts       a group with `bytes` (unsigned integers of 8 bits, UTF-8, one text after another) and `offsets` (unsigned
//               integers of 64 bits, one more than texts): text i is bytes[offsets[i]] .. bytes[offsets[i + 1]]
//   attributes  single values: integers of 64 bits, reals of 64 bits, texts of their own fixed length
//
//   h5dump -r -d /questions/text/bytes FILE
//   python: t = h5py.File(FILE)["questions/text"]; o = t["offsets"]; bytes(t["bytes"][o[i]:o[i + 1]]).decode()
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
    uint64_t bytes; // length of a file that is read: no data set can be larger
    char path[4096];
    tt_output output; // of a file that is written
} tt_h5;

// Opens a sealed file for reading, after its checksum: the whole file is read once for it. `kind` ("corpus", "checkpoint")
// is the value that the root attribute `tinythinker` must have: a foreign file is refused with what it is. The file is
// locked where the file system can.
tt_status tt_h5_open(tt_h5 *h, const char *path, const char *kind) TT_MUST_CHECK;
// Starts a temporary file beside `path`. tt_h5_commit closes it, seals it, fsyncs it and renames it to `path`; tt_h5_close
// without a commit removes it.
tt_status tt_h5_create(tt_h5 *h, const char *path, const char *kind) TT_MUST_CHECK;
// The same with the content of the sealed file `from`, which is to be changed.
tt_status tt_h5_edit(tt_h5 *h, const char *from, const char *path) TT_MUST_CHECK;
tt_status tt_h5_commit(tt_h5 *h) TT_MUST_CHECK;
void tt_h5_close(tt_h5 *h);

// Whether the file has a group or data set of this path. Links out of the file do not count.
bool tt_h5_has(const tt_h5 *h, const char *name);
// Makes a group and its parents where they do not exist.
tt_status tt_h5_group(const tt_h5 *h, const char *name) TT_MUST_CHECK;
// Makes the groups above `name` where they do not exist.
tt_status tt_h5_parents(const tt_h5 *h, const char *name) TT_MUST_CHECK;

// The elements of a data set in memory. `type` is a native memory type (H5T_NATIVE_FLOAT, _INT32, _UINT8, _UINT16, ...);
// the file has the same in little-endian, and nothing is converted.
typedef struct tt_h5_layout {
    hid_t type;
    size_t rows, columns; // columns 0: a vector, of rank 1
} tt_h5_layout;

// Writes a data set of rank 1 or 2, chunked with fletcher32.
tt_status tt_h5_write(const tt_h5 *h, const char *name, tt_h5_layout layout, const void *data) TT_MUST_CHECK;
// *columns is 0 for a data set of rank 1. rows x columns elements fit into the file, so that their memory can be allocated.
tt_status tt_h5_shape(const tt_h5 *h, const char *name, size_t *rows, size_t *columns) TT_MUST_CHECK;
// Reads into the caller's memory of rows x max(columns, 1) elements; the data set must have this shape and type.
tt_status tt_h5_read(const tt_h5 *h, const char *name, tt_h5_layout layout, void *data) TT_MUST_CHECK;

// Vectors that need not be in memory as a whole. The function gives, or takes, elements [from, from + n) of the vector, in
// order, without gaps; n is at most TT_H5_PIECE. The file is the same for tt_h5_write_pieces of every process.
enum { TT_H5_PIECE = 1 << 22 };
typedef struct tt_h5_pieces {
    void *self;
    tt_status (*piece)(void *self, size_t from, size_t n, void *data);
} tt_h5_pieces;
// Writes a data set of n elements of `type`, chunked and checksummed as by tt_h5_write. Errors also: those of the function.
tt_status tt_h5_write_pieces(
    const tt_h5 *h, const char *name, hid_t type, size_t n, tt_h5_pieces source) TT_MUST_CHECK;
// Elements [from, from + n) of a data set of `total`.
typedef struct tt_h5_range {
    size_t total, from, n;
} tt_h5_range;
// Reads them. Errors also: those of the function.
tt_status tt_h5_read_pieces(
    const tt_h5 *h, const char *name, hid_t type, tt_h5_range range, tt_h5_pieces sink) TT_MUST_CHECK;

// Texts (hdf5_texts.c). Reading allocates one block of *n pointers and the texts behind them, which the caller releases with
// one free(*texts).
tt_status tt_h5_write_texts(
    const tt_h5 *h, const char *name, const char *const *texts, size_t n) TT_MUST_CHECK;
tt_status tt_h5_read_texts(const tt_h5 *h, const char *name, char ***texts, size_t *n) TT_MUST_CHECK;
// The same for a single text of any length; free(*text).
tt_status tt_h5_write_text(const tt_h5 *h, const char *name, const char *text) TT_MUST_CHECK;
tt_status tt_h5_read_text(const tt_h5 *h, const char *name, char **text) TT_MUST_CHECK;

enum { TT_H5_WORD = 32768 }; // bytes of a text attribute at most: HDF5 limits attributes to 64 KiB

// Attributes (hdf5_attribute.c) of the group or data set `where` ("/" = root). These write one.
tt_status tt_h5_put_i64(const tt_h5 *h, const char *where, const char *name, int64_t value) TT_MUST_CHECK;
tt_status tt_h5_put_f64(const tt_h5 *h, const char *where, const char *name, double value) TT_MUST_CHECK;
// Errors also: TT_ERR_INPUT for a text of more than TT_H5_WORD bytes.
tt_status tt_h5_put_text(
    const tt_h5 *h, const char *where, const char *name, const char *value) TT_MUST_CHECK;
// Writes it over the one that is there.
tt_status tt_h5_set_text(
    const tt_h5 *h, const char *where, const char *name, const char *value) TT_MUST_CHECK;
// Whether there is an attribute of this name, of whatever type.
bool tt_h5_has_attribute(const tt_h5 *h, const char *where, const char *name);
// These read one. A text is released with free().
tt_status tt_h5_get_i64(const tt_h5 *h, const char *where, const char *name, int64_t *value) TT_MUST_CHECK;
tt_status tt_h5_get_f64(const tt_h5 *h, const char *where, const char *name, double *value) TT_MUST_CHECK;
tt_status tt_h5_get_text(const tt_h5 *h, const char *where, const char *name, char **value) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
