// Data sets of numbers.
#include "host/data/hdf5_check.h"

#include "host/base/fs.h"
#include "host/base/memory.h"

#include <stdlib.h>
#include <string.h>

// The size of the fewest equal parts of n that are not larger than `most`: the last chunk is stored as large as the others.
static size_t even_part(size_t n, size_t most) {
    const size_t parts = (n + most - 1) / most;
    return (n + parts - 1) / parts;
}

enum { CHUNK = 1 << 18 }; // elements of a checksummed block at most

// Makes an empty data set; *out is H5I_INVALID_HID on failure.
static tt_status make_set(const tt_h5 *h, const char *name, tt_h5_layout layout, hid_t *out) {
    const size_t rows = layout.rows, columns = layout.columns;
    hsize_t shape[2] = {rows, columns}, chunk[2] = {rows, columns};
    const int rank = columns ? 2 : 1;
    *out = H5I_INVALID_HID;
    TT_TRY(tt_h5_parents(h, name));
    hid_t space = H5Screate_simple(rank, shape, NULL);
    hid_t creation = H5Pcreate(H5P_DATASET_CREATE), stored = tt_h5_stored_type(layout.type);
    H5Pset_obj_track_times(creation, 0); // the same content gives the same bytes
    if (rows) {
        const size_t width = columns ? columns : 1;
        chunk[0] = even_part(rows, CHUNK / width ? CHUNK / width : 1);
        chunk[1] = even_part(width, CHUNK);
        H5Pset_chunk(creation, rank, chunk);
        H5Pset_fletcher32(creation);
    }
    *out = H5Dcreate2(h->file, name, stored, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    const tt_status status = *out < 0 ? tt_h5_failed(h, TT_ERR_IO, "cannot make data set", name) : TT_OK;
    H5Tclose(stored);
    H5Pclose(creation);
    H5Sclose(space);
    return status;
}

// After a large data set, or a piece of one, has gone to the file.
static void begin_writing(const tt_h5 *h, size_t bytes) {
    enum { LARGE = 4 << 20 };
    void *file;
    if (bytes >= LARGE && H5Fget_vfd_handle(h->file, H5P_DEFAULT, &file) >= 0)
        tt_file_begin_writing(*(const int *)file);
}

static tt_status close_written(const tt_h5 *h, const char *name, hid_t set, tt_status status) {
    if (set >= 0 && H5Dclose(set) < 0 && status == TT_OK)
        return tt_h5_failed(h, TT_ERR_IO, "cannot write", name);
    return status;
}

tt_status tt_h5_write(const tt_h5 *h, const char *name, tt_h5_layout layout, const void *data) {
    hid_t set;
    tt_status status = make_set(h, name, layout, &set);
    if (status == TT_OK && layout.rows && H5Dwrite(set, layout.type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0)
        status = tt_h5_failed(h, TT_ERR_IO, "cannot write", name);
    status = close_written(h, name, set, status);
    if (status == TT_OK)
        begin_writing(h, layout.rows * (layout.columns ? layout.columns : 1) * H5Tget_size(layout.type));
    return status;
}

// Elements [from, from + n) of a vector's data set, to or from memory.
static herr_t move_piece(hid_t set, hid_t type, size_t from, size_t n, void *data, bool write) {
    const hsize_t begin = from, count = n;
    const hid_t there = H5Dget_space(set), here = H5Screate_simple(1, &count, NULL);
    herr_t done = -1;
    if (there >= 0 && here >= 0 &&
        H5Sselect_hyperslab(there, H5S_SELECT_SET, &begin, NULL, &count, NULL) >= 0)
        done = write ? H5Dwrite(set, type, here, there, H5P_DEFAULT, data)
                     : H5Dread(set, type, here, there, H5P_DEFAULT, data);
    if (here >= 0) H5Sclose(here);
    if (there >= 0) H5Sclose(there);
    return done;
}

// Pieces are whole chunks, so that each is written once.
static size_t piece_of(size_t n) {
    const size_t chunk = even_part(n, CHUNK);
    return TT_H5_PIECE / chunk * chunk;
}

tt_status tt_h5_write_pieces(const tt_h5 *h, const char *name, hid_t type, size_t n, tt_h5_pieces source) {
    const size_t most = n ? piece_of(n) : 0;
    hid_t set;
    void *data;
    TT_TRY(tt_alloc(&data, most < n ? most : n, H5Tget_size(type), name));
    tt_status status = make_set(h, name, (tt_h5_layout){type, n, 0}, &set);
    for (size_t from = 0; from < n && status == TT_OK; from += most) {
        const size_t count = n - from < most ? n - from : most;
        status = source.piece(source.self, from, count, data);
        if (status == TT_OK && move_piece(set, type, from, count, data, true) < 0)
            status = tt_h5_failed(h, TT_ERR_IO, "cannot write", name);
        if (status == TT_OK) begin_writing(h, count * H5Tget_size(type));
    }
    free(data);
    return close_written(h, name, set, status);
}

// Opens a data set whose claims were checked; *set is H5I_INVALID_HID on failure.
static tt_status open_checked(const tt_h5 *h, const char *name, hid_t expected, hid_t *set, size_t shape[2]) {
    *set = H5I_INVALID_HID;
    if (!tt_h5_has(h, name)) return tt_fail(TT_ERR_FORMAT, "%s: data set %s is missing", h->path, name);
    const hid_t opened = H5Dopen2(h->file, name, H5P_DEFAULT);
    if (opened < 0) return tt_h5_failed(h, TT_ERR_FORMAT, "cannot open data set", name);
    const tt_h5_claim claim = {name, H5Dget_space(opened), H5Dget_type(opened), expected, 2};
    tt_status status = TT_OK;
    if (claim.space < 0 || claim.type < 0)
        status = tt_h5_failed(h, TT_ERR_FORMAT, "cannot read the shape of", name);
    if (status == TT_OK) status = tt_h5_check_claim(h, &claim, shape);
    if (status == TT_OK) status = tt_h5_check_storage(h, name, opened, h->bytes);
    if (claim.space >= 0) H5Sclose(claim.space);
    if (claim.type >= 0) H5Tclose(claim.type);
    if (status == TT_OK)
        *set = opened;
    else
        H5Dclose(opened);
    return status;
}

tt_status tt_h5_shape(const tt_h5 *h, const char *name, size_t *rows, size_t *columns) {
    size_t shape[2] = {0, 0};
    hid_t set;
    *rows = *columns = 0;
    TT_TRY(open_checked(h, name, H5I_INVALID_HID, &set, shape));
    H5Dclose(set);
    *rows = shape[0];
    *columns = shape[1];
    return TT_OK;
}

// Opens a data set that must have this layout.
static tt_status open_layout(const tt_h5 *h, const char *name, tt_h5_layout layout, hid_t *set) {
    size_t shape[2] = {0, 0};
    hid_t stored = tt_h5_stored_type(layout.type);
    tt_status status = open_checked(h, name, stored, set, shape);
    H5Tclose(stored);
    if (status != TT_OK || (shape[0] == layout.rows && shape[1] == layout.columns)) return status;
    H5Dclose(*set);
    return tt_fail(TT_ERR_FORMAT, "%s: %s is [%zu, %zu], expected [%zu, %zu]", h->path, name, shape[0],
        shape[1], layout.rows, layout.columns);
}

tt_status tt_h5_read(const tt_h5 *h, const char *name, tt_h5_layout layout, void *data) {
    hid_t set;
    tt_status status = TT_OK;
    TT_TRY(open_layout(h, name, layout, &set));
    if (layout.rows && H5Dread(set, layout.type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0)
        status = tt_h5_failed(h, TT_ERR_FORMAT, "cannot read data set", name);
    H5Dclose(set);
    return status;
}

tt_status tt_h5_read_pieces(
    const tt_h5 *h, const char *name, hid_t type, tt_h5_range range, tt_h5_pieces sink) {
    const size_t most = range.n < TT_H5_PIECE ? range.n : TT_H5_PIECE;
    hid_t set;
    void *data;
    TT_TRY(open_layout(h, name, (tt_h5_layout){type, range.total, 0}, &set));
    tt_status status = tt_alloc(&data, most, H5Tget_size(type), name);
    for (size_t done = 0; done < range.n && status == TT_OK; done += most) {
        const size_t n = range.n - done < most ? range.n - done : most;
        if (move_piece(set, type, range.from + done, n, data, false) < 0)
            status = tt_h5_failed(h, TT_ERR_FORMAT, "cannot read data set", name);
        if (status == TT_OK) status = sink.piece(sink.self, range.from + done, n, data);
    }
    free(data);
    H5Dclose(set);
    return status;
}
