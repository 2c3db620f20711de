// Attributes: single values in the header of their object, which is checksummed.
#include "host/base/memory.h"
#include "host/data/hdf5_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static tt_status put_attribute(
    const tt_h5 *h, const char *where, const char *name, hid_t type, const void *value) {
    hid_t object = H5Oopen(h->file, where, H5P_DEFAULT);
    if (object < 0) return tt_h5_failed(h, TT_ERR_IO, "cannot open", where);
    hid_t space = H5Screate(H5S_SCALAR), stored = tt_h5_stored_type(type);
    hid_t attribute = H5Acreate2(object, name, stored, space, H5P_DEFAULT, H5P_DEFAULT);
    tt_status status = TT_OK;
    if (attribute < 0 || H5Awrite(attribute, type, value) < 0)
        status = tt_h5_failed(h, TT_ERR_IO, "cannot write attribute", name);
    if (attribute >= 0) H5Aclose(attribute);
    H5Tclose(stored);
    H5Sclose(space);
    H5Oclose(object);
    return status;
}

// A text of its own length. An empty one has one NUL, since HDF5 has no type of length 0.
static hid_t text_type(size_t bytes) {
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, bytes ? bytes : 1);
    H5Tset_strpad(type, H5T_STR_NULLPAD);
    H5Tset_cset(type, H5T_CSET_UTF8);
    return type;
}

// Checks an attribute against the type of what it is read into (H5I_INVALID_HID: a text of any length up to TT_H5_WORD);
// *bytes receives its size.
static tt_status check_attribute(
    const tt_h5 *h, const char *label, hid_t attribute, hid_t wanted, size_t *bytes) {
    size_t shape[2];
    tt_h5_claim claim = {label, H5Aget_space(attribute), H5Aget_type(attribute), H5I_INVALID_HID, 0};
    tt_status status = TT_OK;
    *bytes = claim.type >= 0 ? H5Tget_size(claim.type) : 0;
    claim.expected =
        wanted >= 0 ? tt_h5_stored_type(wanted) : text_type(*bytes < TT_H5_WORD ? *bytes : TT_H5_WORD);
    if (claim.space < 0 || claim.type < 0)
        status = tt_h5_failed(h, TT_ERR_FORMAT, "cannot read", label);
    else
        status = tt_h5_check_claim(h, &claim, shape);
    H5Tclose(claim.expected);
    if (claim.space >= 0) H5Sclose(claim.space);
    if (claim.type >= 0) H5Tclose(claim.type);
    return status;
}

// Opens an attribute whose claims were checked; *attribute is H5I_INVALID_HID on failure.
static tt_status open_checked(
    const tt_h5 *h, const char *where, const char *name, hid_t wanted, hid_t *attribute, size_t *bytes) {
    char label[256];
    *attribute = H5I_INVALID_HID;
    snprintf(label, sizeof label, "attribute %s of %s", name, where);
    if (!tt_h5_has_attribute(h, where, name))
        return tt_fail(TT_ERR_FORMAT, "%s: %s is missing", h->path, label);
    const hid_t opened = H5Aopen_by_name(h->file, where, name, H5P_DEFAULT, H5P_DEFAULT);
    if (opened < 0) return tt_h5_failed(h, TT_ERR_FORMAT, "cannot open", label);
    tt_status status = check_attribute(h, label, opened, wanted, bytes);
    if (status == TT_OK)
        *attribute = opened;
    else
        H5Aclose(opened);
    return status;
}

static tt_status get_number(const tt_h5 *h, const char *where, const char *name, hid_t type, void *value) {
    hid_t attribute;
    size_t bytes;
    TT_TRY(open_checked(h, where, name, type, &attribute, &bytes));
    tt_status status = TT_OK;
    if (H5Aread(attribute, type, value) < 0)
        status = tt_h5_failed(h, TT_ERR_FORMAT, "cannot read attribute", name);
    H5Aclose(attribute);
    return status;
}

tt_status tt_h5_put_i64(const tt_h5 *h, const char *where, const char *name, int64_t value) {
    return put_attribute(h, where, name, H5T_NATIVE_INT64, &value);
}
tt_status tt_h5_put_f64(const tt_h5 *h, const char *where, const char *name, double value) {
    return put_attribute(h, where, name, H5T_NATIVE_DOUBLE, &value);
}
tt_status tt_h5_get_i64(const tt_h5 *h, const char *where, const char *name, int64_t *value) {
    return get_number(h, where, name, H5T_NATIVE_INT64, value);
}
tt_status tt_h5_get_f64(const tt_h5 *h, const char *where, const char *name, double *value) {
    return get_number(h, where, name, H5T_NATIVE_DOUBLE, value);
}

tt_status tt_h5_put_text(const tt_h5 *h, const char *where, const char *name, const char *value) {
    const size_t n = strlen(value);
    if (n > TT_H5_WORD)
        return tt_fail(TT_ERR_INPUT, "%s: the %s has %zu bytes; at most %d fit into the file", h->path, name,
            n, TT_H5_WORD);
    hid_t type = text_type(n);
    tt_status status = put_attribute(h, where, name, type, value);
    H5Tclose(type);
    return status;
}

tt_status tt_h5_set_text(const tt_h5 *h, const char *where, const char *name, const char *value) {
    if (tt_h5_has_attribute(h, where, name) && H5Adelete_by_name(h->file, where, name, H5P_DEFAULT) < 0)
        return tt_h5_failed(h, TT_ERR_IO, "cannot replace attribute", name);
    return tt_h5_put_text(h, where, name, value);
}

bool tt_h5_has_attribute(const tt_h5 *h, const char *where, const char *name) {
    return H5Aexists_by_name(h->file, where, name, H5P_DEFAULT) > 0;
}

tt_status tt_h5_get_text(const tt_h5 *h, const char *where, const char *name, char **value) {
    hid_t attribute;
    size_t bytes;
    *value = NULL;
    TT_TRY(open_checked(h, where, name, H5I_INVALID_HID, &attribute, &bytes));
    hid_t type = text_type(bytes);
    tt_status status = tt_alloc(value, bytes + 1, 1, name);
    if (status == TT_OK && H5Aread(attribute, type, *value) < 0)
        status = tt_h5_failed(h, TT_ERR_FORMAT, "cannot read attribute", name);
    H5Tclose(type);
    H5Aclose(attribute);
    if (status != TT_OK) {
        free(*value);
        *value = NULL;
    }
    return status;
}
