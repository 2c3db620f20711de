// HDF5 with every result checked.
#include "host/data/hdf5_file.h"

#include "host/base/memory.h"
#include "host/base/shipped.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char kind_attribute[] = "tinythinker";

// Keeps the operating system's message where the library quotes it, else the first line of the library's message.
static herr_t note_innermost(unsigned n, const H5E_error2_t *error, void *reason) {
    static const char quoted[] = "error message = '";
    if (n > 0 || !error->desc) return 0;
    const char *system = strstr(error->desc, quoted);
    const char *text = system ? system + strlen(quoted) : error->desc;
    snprintf(reason, 256, "%.*s", (int)strcspn(text, system ? "'" : "\n"), text);
    return 0;
}

// Fails with the file, what was being done, and the innermost message of the library.
static tt_status hdf5_failed(const tt_h5 *h, tt_status code, const char *doing, const char *name) {
    char reason[256] = "no reason given";
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, note_innermost, reason);
    return tt_fail(code, "%s: %s %s: %s", h->path, doing, name, reason);
}

// Locks fail on many network file systems, and HDF5 would refuse to open a file there: it goes without locks then.
// Files are written in the format of HDF5 1.10, the first whose headers, attributes and indices carry checksums, so
// that a damaged file is refused instead of misread.
static hid_t access_list(void) {
    // This module closes every file. One that a full disk kept from closing would crash the library's exit handler.
    H5dont_atexit();
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
#if H5_VERSION_GE(1, 10, 2)
    H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_LATEST);
#endif
#if H5_VERSION_GE(1, 12, 1) || (H5_VERS_MAJOR == 1 && H5_VERS_MINOR == 10 && H5_VERS_RELEASE >= 7)
    H5Pset_file_locking(access, 1, 1);
#else
    setenv("HDF5_USE_FILE_LOCKING", "FALSE", 0);
#endif
    return access;
}

static tt_status check_kind(tt_h5 *h, const char *kind) {
    char *found = NULL;
    if (!tt_h5_has_attribute(h, "/", kind_attribute))
        return tt_fail(TT_ERR_FORMAT, "%s: an HDF5 file of another program (it has no attribute '%s')",
            h->path, kind_attribute);
    TT_TRY(tt_h5_get_text(h, "/", kind_attribute, &found));
    tt_status status = TT_OK;
    if (strcmp(found, kind) != 0)
        status = tt_fail(TT_ERR_FORMAT, "%s: expected a %s, got a %s", h->path, kind, found);
    free(found);
    return status;
}

tt_status tt_h5_open(tt_h5 *h, const char *path, const char *kind) {
    char shipped[TT_PATH_MAX];
    *h = (tt_h5){.file = H5I_INVALID_HID};
    path = tt_shipped_find(path, shipped, sizeof shipped);
    if (strlen(path) >= sizeof h->path) return tt_fail(TT_ERR_IO, "%.64s...: path too long", path);
    strcpy(h->path, path);
    TT_TRY(tt_file_check(path, "an HDF5 file"));
    hid_t access = access_list();
    if (H5Fis_hdf5(path) <= 0) {
        H5Pclose(access);
        return tt_fail(
            TT_ERR_FORMAT, "%s: not an HDF5 file, or its beginning is damaged; expected a %s", path, kind);
    }
    h->file = H5Fopen(path, H5F_ACC_RDONLY, access);
    H5Pclose(access);
    if (h->file < 0) return hdf5_failed(h, TT_ERR_FORMAT, "cannot open (truncated or damaged?)", "as HDF5");
    tt_status status = check_kind(h, kind);
    if (status != TT_OK) tt_h5_close(h);
    return status;
}

// How groups and data sets are made: without times, so that the same content gives the same bytes; with all attributes
// in their header, which is checksummed, as the heap for many of them is not.
static hid_t object_list(hid_t class) {
    hid_t list = H5Pcreate(class);
    H5Pset_obj_track_times(list, 0);
    H5Pset_attr_phase_change(list, 1000, 500);
    return list;
}

tt_status tt_h5_create(tt_h5 *h, const char *path, const char *kind) {
    *h = (tt_h5){.file = H5I_INVALID_HID};
    if (strlen(path) >= sizeof h->path) return tt_fail(TT_ERR_IO, "%.64s...: path too long", path);
    strcpy(h->path, path);
    TT_TRY(tt_output_reserve(&h->output, path));
    hid_t access = access_list(), creation = object_list(H5P_FILE_CREATE); // the root is a group, too
    h->file = H5Fcreate(h->output.temporary, H5F_ACC_TRUNC, creation, access);
    H5Pclose(creation);
    H5Pclose(access);
    if (h->file < 0) {
        const tt_status failed = hdf5_failed(h, TT_ERR_IO, "cannot create", h->output.temporary);
        tt_output_drop(&h->output);
        return failed;
    }
    tt_status status = tt_h5_put_text(h, "/", kind_attribute, kind);
    if (status != TT_OK) tt_h5_close(h);
    return status;
}

tt_status tt_h5_commit(tt_h5 *h) {
    const herr_t flushed = H5Fflush(h->file, H5F_SCOPE_GLOBAL);
    const herr_t closed = H5Fclose(h->file);
    h->file = H5I_INVALID_HID;
    if (flushed < 0 || closed < 0) {
        const tt_status failed = hdf5_failed(h, TT_ERR_IO, "cannot write (disk full?)", h->output.temporary);
        tt_output_drop(&h->output);
        return failed;
    }
    return tt_output_close(&h->output, TT_OK);
}

void tt_h5_close(tt_h5 *h) {
    if (h->file < 0) return;
    H5Fclose(h->file);
    h->file = H5I_INVALID_HID;
    tt_output_drop(&h->output);
}

// HDF5 requires that every link of a path exists before it is asked for the next.
bool tt_h5_has(const tt_h5 *h, const char *name) {
    char part[4096];
    const size_t n = strlen(name);
    if (n >= sizeof part) return false;
    for (size_t i = 1; i <= n; ++i) {
        if (name[i] != '/' && name[i] != '\0') continue;
        memcpy(part, name, i);
        part[i] = '\0';
        if (H5Lexists(h->file, part, H5P_DEFAULT) <= 0) return false;
    }
    return true;
}

// Makes the group at `name` if it is not there; its parent must be.
static tt_status make_group(const tt_h5 *h, const char *name) {
    if (tt_h5_has(h, name)) return TT_OK;
    hid_t creation = object_list(H5P_GROUP_CREATE);
    hid_t group = H5Gcreate2(h->file, name, H5P_DEFAULT, creation, H5P_DEFAULT);
    H5Pclose(creation);
    if (group < 0) return hdf5_failed(h, TT_ERR_IO, "cannot make group", name);
    H5Gclose(group);
    return TT_OK;
}

// Makes the groups above `name`, one after another: those that the library makes on the way would carry their time.
static tt_status make_parents(const tt_h5 *h, const char *name) {
    char part[1024];
    if (strlen(name) >= sizeof part)
        return tt_fail(TT_ERR_INTERNAL, "%s: name too long: %.64s...", h->path, name);
    for (size_t i = 0; name[i]; ++i) {
        part[i] = name[i];
        if (i == 0 || name[i + 1] != '/') continue;
        part[i + 1] = '\0';
        TT_TRY(make_group(h, part));
    }
    return TT_OK;
}

tt_status tt_h5_group(const tt_h5 *h, const char *name) {
    TT_TRY(make_parents(h, name));
    return make_group(h, name);
}

// The type in little-endian, as files have it.
static hid_t file_type(hid_t memory) {
    hid_t type = H5Tcopy(memory);
    if (H5Tget_class(memory) == H5T_INTEGER || H5Tget_class(memory) == H5T_FLOAT)
        H5Tset_order(type, H5T_ORDER_LE);
    return type;
}

tt_status tt_h5_write(const tt_h5 *h, const char *name, tt_h5_layout layout, const void *data) {
    const size_t rows = layout.rows, columns = layout.columns;
    hsize_t shape[2] = {rows, columns}, chunk[2] = {rows, columns};
    const int rank = columns ? 2 : 1;
    TT_TRY(make_parents(h, name));
    hid_t space = H5Screate_simple(rank, shape, NULL);
    hid_t creation = H5Pcreate(H5P_DATASET_CREATE), stored = file_type(layout.type);
    H5Pset_obj_track_times(creation, 0);            // the same content gives the same bytes
    if (rows && !H5Tis_variable_str(layout.type)) { // checksummed blocks of at most 256 Ki elements
        const hsize_t limit = (hsize_t)1 << 18, width = columns ? columns : 1;
        if (chunk[0] > limit / width) chunk[0] = limit / width ? limit / width : 1;
        if (columns && chunk[1] > limit) chunk[1] = limit;
        H5Pset_chunk(creation, rank, chunk);
        H5Pset_fletcher32(creation);
    }
    hid_t set = H5Dcreate2(h->file, name, stored, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    tt_status status = TT_OK;
    if (set < 0)
        status = hdf5_failed(h, TT_ERR_IO, "cannot make data set", name);
    else if (rows && H5Dwrite(set, layout.type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0)
        status = hdf5_failed(h, TT_ERR_IO, "cannot write (disk full?)", name);
    if (set >= 0 && H5Dclose(set) < 0 && status == TT_OK)
        status = hdf5_failed(h, TT_ERR_IO, "cannot write", name);
    H5Tclose(stored);
    H5Pclose(creation);
    H5Sclose(space);
    return status;
}

tt_status tt_h5_shape(const tt_h5 *h, const char *name, size_t *rows, size_t *columns) {
    *rows = *columns = 0;
    if (!tt_h5_has(h, name)) return tt_fail(TT_ERR_FORMAT, "%s: data set %s is missing", h->path, name);
    hid_t set = H5Dopen2(h->file, name, H5P_DEFAULT);
    if (set < 0) return hdf5_failed(h, TT_ERR_FORMAT, "cannot open data set", name);
    hid_t space = H5Dget_space(set);
    hsize_t shape[2] = {0, 0};
    const int rank = H5Sget_simple_extent_ndims(space);
    if (rank == 1 || rank == 2) H5Sget_simple_extent_dims(space, shape, NULL);
    H5Sclose(space);
    H5Dclose(set);
    if (rank != 1 && rank != 2)
        return tt_fail(TT_ERR_FORMAT, "%s: %s has rank %d, expected 1 or 2", h->path, name, rank);
    *rows = (size_t)shape[0];
    *columns = rank == 2 ? (size_t)shape[1] : 0;
    return TT_OK;
}

tt_status tt_h5_read(const tt_h5 *h, const char *name, tt_h5_layout layout, void *data) {
    size_t found_rows, found_columns;
    TT_TRY(tt_h5_shape(h, name, &found_rows, &found_columns));
    if (found_rows != layout.rows || found_columns != layout.columns)
        return tt_fail(TT_ERR_FORMAT, "%s: %s is [%zu, %zu], expected [%zu, %zu]", h->path, name, found_rows,
            found_columns, layout.rows, layout.columns);
    if (layout.rows == 0) return TT_OK;
    hid_t set = H5Dopen2(h->file, name, H5P_DEFAULT);
    tt_status status = TT_OK;
    if (set < 0)
        status = hdf5_failed(h, TT_ERR_FORMAT, "cannot open data set", name);
    else if (H5Dread(set, layout.type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0)
        status = hdf5_failed(h, TT_ERR_FORMAT, "cannot read (damaged?) data set", name);
    if (set >= 0) H5Dclose(set);
    return status;
}

static hid_t text_type(void) {
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, H5T_VARIABLE);
    H5Tset_cset(type, H5T_CSET_UTF8);
    return type;
}

tt_status tt_h5_write_texts(const tt_h5 *h, const char *name, const char *const *texts, size_t n) {
    hid_t type = text_type();
    tt_status status = tt_h5_write(h, name, (tt_h5_layout){type, n, 0}, texts);
    H5Tclose(type);
    return status;
}

// Copies n texts of the library into one block: the pointers, then the bytes.
static tt_status gather_texts(char *const *from, size_t n, char ***texts) {
    size_t bytes = n * sizeof(char *);
    for (size_t i = 0; i < n; ++i) bytes += (from[i] ? strlen(from[i]) : 0) + 1;
    TT_TRY(tt_alloc(texts, bytes, 1, "texts"));
    char *at = (char *)(*texts + n);
    for (size_t i = 0; i < n; ++i) {
        (*texts)[i] = at;
        strcpy(at, from[i] ? from[i] : "");
        at += strlen(at) + 1;
    }
    return TT_OK;
}

tt_status tt_h5_read_texts(const tt_h5 *h, const char *name, char ***texts, size_t *n) {
    size_t columns;
    *texts = NULL;
    TT_TRY(tt_h5_shape(h, name, n, &columns));
    char **raw;
    TT_TRY(tt_alloc(&raw, *n, sizeof *raw, "texts"));
    hid_t type = text_type();
    tt_status status = tt_h5_read(h, name, (tt_h5_layout){type, *n, 0}, raw);
    if (status == TT_OK) {
        status = gather_texts(raw, *n, texts);
        hsize_t count = *n;
        hid_t space = H5Screate_simple(1, &count, NULL);
        if (count) H5Dvlen_reclaim(type, space, H5P_DEFAULT, raw);
        H5Sclose(space);
    }
    H5Tclose(type);
    free(raw);
    return status;
}

static tt_status put_attribute(
    const tt_h5 *h, const char *where, const char *name, hid_t type, const void *value) {
    hid_t object = H5Oopen(h->file, where, H5P_DEFAULT);
    if (object < 0) return hdf5_failed(h, TT_ERR_IO, "cannot open", where);
    hid_t space = H5Screate(H5S_SCALAR);
    hid_t attribute = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    tt_status status = TT_OK;
    if (attribute < 0 || H5Awrite(attribute, type, value) < 0)
        status = hdf5_failed(h, TT_ERR_IO, "cannot write attribute", name);
    if (attribute >= 0) H5Aclose(attribute);
    H5Sclose(space);
    H5Oclose(object);
    return status;
}

static tt_status get_attribute(const tt_h5 *h, const char *where, const char *name, hid_t type, void *value) {
    if (!tt_h5_has_attribute(h, where, name))
        return tt_fail(TT_ERR_FORMAT, "%s: attribute %s of %s is missing", h->path, name, where);
    hid_t attribute = H5Aopen_by_name(h->file, where, name, H5P_DEFAULT, H5P_DEFAULT);
    tt_status status = TT_OK;
    if (attribute < 0 || H5Aread(attribute, type, value) < 0)
        status = hdf5_failed(h, TT_ERR_FORMAT, "cannot read attribute", name);
    if (attribute >= 0) H5Aclose(attribute);
    return status;
}

tt_status tt_h5_put_i64(const tt_h5 *h, const char *where, const char *name, int64_t value) {
    return put_attribute(h, where, name, H5T_NATIVE_INT64, &value);
}
tt_status tt_h5_put_f64(const tt_h5 *h, const char *where, const char *name, double value) {
    return put_attribute(h, where, name, H5T_NATIVE_DOUBLE, &value);
}
tt_status tt_h5_get_i64(const tt_h5 *h, const char *where, const char *name, int64_t *value) {
    return get_attribute(h, where, name, H5T_NATIVE_INT64, value);
}
tt_status tt_h5_get_f64(const tt_h5 *h, const char *where, const char *name, double *value) {
    return get_attribute(h, where, name, H5T_NATIVE_DOUBLE, value);
}

tt_status tt_h5_put_text(const tt_h5 *h, const char *where, const char *name, const char *value) {
    hid_t type = text_type();
    tt_status status = put_attribute(h, where, name, type, &value);
    H5Tclose(type);
    return status;
}

bool tt_h5_has_attribute(const tt_h5 *h, const char *where, const char *name) {
    return H5Aexists_by_name(h->file, where, name, H5P_DEFAULT) > 0;
}

tt_status tt_h5_get_text(const tt_h5 *h, const char *where, const char *name, char **value) {
    char *raw = NULL;
    *value = NULL;
    hid_t type = text_type();
    tt_status status = get_attribute(h, where, name, type, &raw);
    H5Tclose(type);
    if (status != TT_OK) return status;
    status = tt_strdup(value, raw ? raw : "");
    H5free_memory(raw);
    return status;
}
