// Data sets of numbers.
#include "host/data/hdf5_check.h"

#include <string.h>

// The size of the fewest equal parts of n that are not larger than `most`: the last chunk is stored as large as the others.
static size_t even_part(size_t n, size_t most) {
    const size_t parts = (n + most - 1) / most;
    return (n + parts - 1) / parts;
}

tt_status tt_h5_write(const tt_h5 *h, const char *name, tt_h5_layout layout, const void *data) {
    const size_t rows = layout.rows, columns = layout.columns;
    hsize_t shape[2] = {rows, columns}, chunk[2] = {rows, columns};
    const int rank = columns ? 2 : 1;
    TT_TRY(tt_h5_parents(h, name));
    hid_t space = H5Screate_simple(rank, shape, NULL);
    hid_t creation = H5Pcreate(H5P_DATASET_CREATE), stored = tt_h5_stored_type(layout.type);
    H5Pset_obj_track_times(creation, 0); // the same content gives the same bytes
    if (rows) {                          // checksummed blocks of at most 256 Ki elements
        const size_t limit = (size_t)1 << 18, width = columns ? columns : 1;
        chunk[0] = even_part(rows, limit / width ? limit / width : 1);
        chunk[1] = even_part(width, limit);
        H5Pset_chunk(creation, rank, chunk);
        H5Pset_fletcher32(creation);
    }
    hid_t set = H5Dcreate2(h->file, name, stored, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    tt_status status = TT_OK;
    if (set < 0)
        status = tt_h5_failed(h, TT_ERR_IO, "cannot make data set", name);
    else if (rows && H5Dwrite(set, layout.type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0)
        status = tt_h5_failed(h, TT_ERR_IO, "cannot write", name);
    if (set >= 0 && H5Dclose(set) < 0 && status == TT_OK)
        status = tt_h5_failed(h, TT_ERR_IO, "cannot write", name);
    H5Tclose(stored);
    H5Pclose(creation);
    H5Sclose(space);
    return status;
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

tt_status tt_h5_read(const tt_h5 *h, const char *name, tt_h5_layout layout, void *data) {
    size_t shape[2] = {0, 0};
    hid_t set, stored = tt_h5_stored_type(layout.type);
    tt_status status = open_checked(h, name, stored, &set, shape);
    H5Tclose(stored);
    if (status != TT_OK) return status;
    if (shape[0] != layout.rows || shape[1] != layout.columns)
        status = tt_fail(TT_ERR_FORMAT, "%s: %s is [%zu, %zu], expected [%zu, %zu]", h->path, name, shape[0],
            shape[1], layout.rows, layout.columns);
    else if (layout.rows && H5Dread(set, layout.type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0)
        status = tt_h5_failed(h, TT_ERR_FORMAT, "cannot read data set", name);
    H5Dclose(set);
    return status;
}
