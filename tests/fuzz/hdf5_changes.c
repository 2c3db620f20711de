#include "tests/fuzz/hdf5_changes.h"

#include "host/base/fs.h"
#include "host/data/hdf5_file.h"
#include "host/data/hdf5_seal.h"

#include <hdf5.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHANGE = 5 };

// ---- what a file contains

static herr_t list_attribute(hid_t object, const char *name, const H5A_info_t *info, void *context) {
    (void)info;
    fuzz_h5 *h = context;
    char owner[256], path[600];
    if (H5Iget_name(object, owner, sizeof owner) <= 0) return -1;
    snprintf(path, sizeof path, "%s@%s", owner, name);
    if (h->n < (int)(sizeof h->names / sizeof *h->names)) h->names[h->n++] = strdup(path);
    return 0;
}

static herr_t list_object(hid_t root, const char *name, const H5L_info_t *info, void *context) {
    (void)info;
    fuzz_h5 *h = context;
    char path[300];
    snprintf(path, sizeof path, "/%s", name);
    if (h->n < (int)(sizeof h->names / sizeof *h->names)) h->names[h->n++] = strdup(path);
    const hid_t object = H5Oopen(root, name, H5P_DEFAULT);
    const herr_t done = H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, NULL, list_attribute, h);
    H5Oclose(object);
    return done;
}

void fuzz_h5_open(fuzz_h5 *h, const char *path) {
    fuzz_must(tt_read_file(path, 0, &h->bytes, &h->size), "no file to change");
    const hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    fuzz_require(file >= 0, "no HDF5 file to change");
    const hid_t root = H5Gopen2(file, "/", H5P_DEFAULT);
    fuzz_require(H5Aiterate2(root, H5_INDEX_NAME, H5_ITER_INC, NULL, list_attribute, h) >= 0 &&
                     H5Lvisit(root, H5_INDEX_NAME, H5_ITER_INC, list_object, h) >= 0 && h->n > 0,
        "an HDF5 file without content");
    H5Gclose(root);
    H5Fclose(file);
}

// ---- content

// Values that a reader may not expect.
static const double doubles[] = {0, 1, -1, NAN, INFINITY, 1e300, 0.5, -0.0};
static const int64_t integers[] = {0, 1, -1, 2, 3, 255, 65536, INT32_MAX, INT32_MIN, (int64_t)1 << 32,
    INT64_MAX, INT64_MIN, (int64_t)1 << 60, 1000, 127, 26};

static hid_t make_type(uint8_t how) {
    static const char *const names[] = {"a", "b"};
    hid_t type;
    switch (how % 8) {
    case 0:
        return H5Tcopy(H5T_STD_I64LE);
    case 1:
        return H5Tcopy(H5T_IEEE_F64LE);
    case 2:
        return H5Tcopy(H5T_STD_U8LE);
    case 3:
        return H5Tcopy(H5T_IEEE_F32LE);
    case 4: // a text of fixed size
        type = H5Tcopy(H5T_C_S1);
        H5Tset_size(type, 8);
        return type;
    case 5: // a text of any size
        type = H5Tcopy(H5T_C_S1);
        H5Tset_size(type, H5T_VARIABLE);
        return type;
    case 6:
        type = H5Tcreate(H5T_COMPOUND, 16);
        H5Tinsert(type, names[0], 0, H5T_NATIVE_INT64);
        H5Tinsert(type, names[1], 8, H5T_NATIVE_DOUBLE);
        return type;
    default:
        return H5Tarray_create2(H5T_STD_I64LE, 1, (const hsize_t[]){16});
    }
}

static hid_t make_space(uint8_t how) {
    static const hsize_t sizes[] = {0, 1, 2, 3, 5, 100, 4096, 7};
    const hsize_t shape[2] = {sizes[how % 8], sizes[how / 8 % 8]};
    switch (how / 64) {
    case 0:
        return H5Screate(H5S_SCALAR);
    case 1:
        return H5Screate(H5S_NULL);
    case 2:
        return H5Screate_simple(1, shape, NULL);
    default:
        return H5Screate_simple(2, shape, NULL);
    }
}

// An attribute, or a data set, of another type, shape and value.
static void put_attribute(hid_t object, const char *name, uint8_t how, uint8_t value) {
    const hid_t type = make_type(how), space = make_space(value);
    H5Adelete(object, name);
    const hid_t attribute = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    const hssize_t n = H5Sget_simple_extent_npoints(space);
    const size_t bytes = (size_t)(n > 0 ? n : 0) * H5Tget_size(type);
    uint8_t *content = calloc(1, bytes + 1);
    if (content && how % 8 != 5) {
        for (size_t i = 0; i < bytes; ++i) content[i] = (uint8_t)(how >> 3);
        H5Awrite(attribute, type, content);
    }
    free(content);
    H5Aclose(attribute);
    H5Tclose(type);
    H5Sclose(space);
}

static void put_data_set(hid_t file, const char *name, uint8_t how, uint8_t value) {
    const hid_t type = make_type(how), space = make_space(value);
    H5Ldelete(file, name, H5P_DEFAULT);
    H5Dclose(H5Dcreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    H5Tclose(type);
    H5Sclose(space);
}

// One number of an attribute, which keeps its type and shape.
static void set_number(hid_t object, const char *name, uint8_t value) {
    const hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
    const hid_t type = H5Aget_type(attribute), space = H5Aget_space(attribute);
    const H5T_class_t class = H5Tget_class(type);
    if (H5Sget_simple_extent_type(space) == H5S_SCALAR && class == H5T_INTEGER)
        H5Awrite(attribute, H5T_NATIVE_INT64, &integers[value % 16]);
    if (H5Sget_simple_extent_type(space) == H5S_SCALAR && class == H5T_FLOAT)
        H5Awrite(attribute, H5T_NATIVE_DOUBLE, &doubles[value % 8]);
    H5Tclose(type);
    H5Sclose(space);
    H5Aclose(attribute);
}

// One element of a data set of numbers.
static void set_element(hid_t file, const char *name, uint8_t how, uint8_t value) {
    const hid_t set = H5Dopen2(file, name, H5P_DEFAULT);
    if (set < 0) return;
    const hid_t type = H5Dget_type(set), space = H5Dget_space(set);
    const H5T_class_t class = H5Tget_class(type);
    const int rank = H5Sget_simple_extent_ndims(space);
    hsize_t shape[2] = {1, 1}, at[2] = {how, 0};
    if ((rank == 1 || rank == 2) && (class == H5T_INTEGER || class == H5T_FLOAT)) {
        H5Sget_simple_extent_dims(space, shape, NULL);
        if (shape[0] > 0 && shape[1] > 0) {
            at[0] %= shape[0];
            at[1] = how % shape[1];
            const hid_t one = H5Screate(H5S_SCALAR);
            H5Sselect_elements(space, H5S_SELECT_SET, 1, at);
            const int64_t whole = value < 16 ? integers[value] : value;
            if (class == H5T_INTEGER)
                H5Dwrite(set, H5T_NATIVE_INT64, one, space, H5P_DEFAULT, &whole);
            else
                H5Dwrite(set, H5T_NATIVE_DOUBLE, one, space, H5P_DEFAULT, &doubles[value % 8]);
            H5Sclose(one);
        }
    }
    H5Tclose(type);
    H5Sclose(space);
    H5Dclose(set);
}

static void edit_content(const fuzz_h5 *h, hid_t file, const uint8_t change[CHANGE]) {
    char path[600];
    snprintf(path, sizeof path, "%s", h->names[(change[1] | change[2] << 8) % h->n]);
    char *at = strchr(path, '@');
    if (!at) {
        switch (change[0] % 4) {
        case 0:
        case 1:
            set_element(file, path, change[3], change[4]);
            break;
        case 2:
            put_data_set(file, path, change[3], change[4]);
            break;
        default:
            H5Ldelete(file, path, H5P_DEFAULT);
            break;
        }
        return;
    }
    *at = 0;
    const hid_t object = H5Oopen(file, *path ? path : "/", H5P_DEFAULT);
    if (object < 0) return;
    switch (change[0] % 4) {
    case 0:
        set_number(object, at + 1, change[4]);
        break;
    case 1:
    case 2:
        put_attribute(object, at + 1, change[3], change[4]);
        break;
    default:
        H5Adelete(object, at + 1);
        break;
    }
    H5Oclose(object);
}

static hid_t open_copy(const char *path) {
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_LATEST);
    const hid_t file = H5Fopen(path, H5F_ACC_RDWR, access);
    H5Pclose(access);
    fuzz_require(file >= 0, "a copy of a good file is not opened");
    return file;
}

// ---- bytes

// Flips a bit, sets a byte, or cuts the file; *size its size.
static bool damage_bytes(char *bytes, size_t *size, const uint8_t change[CHANGE]) {
    // Two bytes and a part of the third reach every place of files up to 4 MiB.
    const size_t at = ((size_t)change[1] | (size_t)change[2] << 8 | (size_t)(change[3] >> 2) << 16) % *size;
    const char before = bytes[at];
    switch (change[3] & 3) {
    case 0:
        *size = at + 1;
        return true;
    case 1:
        bytes[at] = (char)change[4];
        break;
    default:
        bytes[at] = (char)(bytes[at] ^ 1 << (change[4] & 7));
        break;
    }
    return bytes[at] != before;
}

fuzz_h5_change fuzz_h5_write(const fuzz_h5 *h, const char *path, const uint8_t *data, size_t size) {
    bool damaged = false, edited = false;
    fuzz_write(path, h->bytes, h->size);
    hid_t file = H5I_INVALID_HID;
    for (const uint8_t *c = data; c + CHANGE <= data + size; c += CHANGE)
        if (c[0] & 128) {
            if (file < 0) file = open_copy(path);
            edit_content(h, file, c);
            edited = true;
        }
    if (file >= 0) {
        fuzz_require(H5Fclose(file) >= 0, "a changed file is not closed");
        fuzz_must(tt_seal_write(path), "a changed file is not sealed");
    }
    char *bytes;
    size_t n;
    fuzz_must(tt_read_file(path, 0, &bytes, &n), "the copy is gone");
    const size_t whole = n;
    for (const uint8_t *c = data; c + CHANGE <= data + size; c += CHANGE)
        if (!(c[0] & 128)) damaged = damage_bytes(bytes, &n, c) || damaged;
    damaged = damaged || n != whole;
    if (damaged) fuzz_write(path, bytes, n);
    free(bytes);
    return edited ? FUZZ_H5_EDITED : damaged ? FUZZ_H5_DAMAGED : FUZZ_H5_SAME;
}
