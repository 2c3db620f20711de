// What changed from format 1 of corpora, preference pairs and checkpoints to format 2: texts of variable length became
// bytes and offsets; the root attribute `provenance` became the data set /provenance; /state lost its own checksum.
#include "host/data/renew_copy.h"

#include "host/base/memory.h"
#include "host/base/str.h"
#include "host/data/hdf5_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NEW_FORMAT = 2, MOST_COMPRESSED = 1032 }; // deflate makes 1032 bytes of one at most

typedef struct copy {
    const tt_h5 *from, *to;
    char path[512];      // of the group or data set at hand; "" is the root
    uint64_t state_hash; // of the text of /state
    tt_status status;
} copy;

static tt_status refuse(const copy *c, const char *what) {
    return tt_fail(TT_ERR_FORMAT, "%s: %s %s", c->from->path, c->path[0] ? c->path : "/", what);
}

static tt_status refuse_attribute(const copy *c, const char *name, const char *what) {
    return tt_fail(
        TT_ERR_FORMAT, "%s: attribute %s of %s %s", c->from->path, name, c->path[0] ? c->path : "/", what);
}

// n texts of a data set or an attribute, of fixed or variable length. free(*texts) releases the former; the latter stay
// until the process ends, which is soon.
static tt_status read_texts(const tt_h5 *h, hid_t object, hid_t stored, size_t n, char ***texts) {
    const bool variable = H5Tis_variable_str(stored) > 0, attribute = H5Iget_type(object) == H5I_ATTR;
    const size_t each = variable ? 0 : H5Tget_size(stored) + 1;
    TT_TRY(tt_alloc(texts, n, sizeof(char *) + each, "texts"));
    char *fixed = (char *)(*texts + n);
    void *to = variable ? (void *)*texts : fixed;
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, variable ? H5T_VARIABLE : each);
    H5Tset_cset(type, H5Tget_cset(stored));
    const herr_t failed =
        attribute ? H5Aread(object, type, to) : H5Dread(object, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, to);
    H5Tclose(type);
    if (failed < 0) {
        free(*texts);
        return tt_h5_failed(h, TT_ERR_FORMAT, "cannot read", "texts");
    }
    for (size_t i = 0; i < n; ++i) {
        size_t bad;
        if (!variable || !(*texts)[i]) (*texts)[i] = variable ? "" : fixed + i * each;
        if (tt_utf8_valid((*texts)[i], strlen((*texts)[i]), &bad)) continue;
        free(*texts);
        return tt_fail(TT_ERR_FORMAT, "%s: damaged: a text is not UTF-8", h->path);
    }
    return TT_OK;
}

static tt_status copy_text(copy *c, const char *name, hid_t attribute, hid_t type) {
    char **text;
    TT_TRY(read_texts(c->from, attribute, type, 1, &text));
    tt_status status = TT_OK;
    if (c->path[0])
        status = tt_h5_put_text(c->to, c->path, name, text[0]);
    else if (strcmp(name, "provenance") == 0)
        status = tt_h5_write_text(c->to, "/provenance", text[0]);
    else if (!tt_h5_has_attribute(c->to, "/", name)) // the kind is there
        status = tt_h5_put_text(c->to, "/", name, text[0]);
    free(text);
    return status;
}

static tt_status copy_number(copy *c, const char *name, hid_t attribute, hid_t type) {
    const char *where = c->path[0] ? c->path : "/";
    int64_t integer = 0;
    double real = 0;
    const bool is_real = H5Tget_class(type) == H5T_FLOAT;
    if (H5Aread(attribute, is_real ? H5T_NATIVE_DOUBLE : H5T_NATIVE_INT64,
            is_real ? (void *)&real : &integer) < 0)
        return tt_h5_failed(c->from, TT_ERR_FORMAT, "cannot read attribute", name);
    if (is_real) return tt_h5_put_f64(c->to, where, name, real);
    if (strcmp(where, "/state") == 0 && strcmp(name, "checksum") == 0)
        return (uint64_t)integer == c->state_hash ? TT_OK : refuse(c, "is damaged: its checksum differs");
    if (!c->path[0] && strcmp(name, "format") == 0 && integer == 1) integer = NEW_FORMAT;
    return tt_h5_put_i64(c->to, where, name, integer);
}

static tt_status copy_attribute(copy *c, const char *name, hid_t attribute) {
    const hid_t space = H5Aget_space(attribute), type = H5Aget_type(attribute);
    const H5T_class_t class = H5Tget_class(type);
    tt_status status;
    if (H5Sget_simple_extent_type(space) != H5S_SCALAR)
        status = refuse_attribute(c, name, "has several values or none, expected a single value");
    else if (class == H5T_STRING)
        status = copy_text(c, name, attribute, type);
    else if (class == H5T_INTEGER || class == H5T_FLOAT)
        status = copy_number(c, name, attribute, type);
    else
        status = refuse_attribute(c, name, "is neither a number nor a text");
    H5Sclose(space);
    H5Tclose(type);
    return status;
}

static herr_t next_attribute(hid_t object, const char *name, const H5A_info_t *info, void *context) {
    copy *c = context;
    (void)info;
    const hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
    c->status = attribute < 0 ? tt_h5_failed(c->from, TT_ERR_FORMAT, "cannot open attribute", name)
                              : copy_attribute(c, name, attribute);
    if (attribute >= 0) H5Aclose(attribute);
    return c->status == TT_OK ? 0 : -1;
}

static tt_status copy_attributes(copy *c, hid_t object) {
    if (H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, NULL, next_attribute, c) < 0 && c->status == TT_OK)
        return tt_h5_failed(c->from, TT_ERR_FORMAT, "cannot read the attributes of", c->path);
    return c->status;
}

static tt_status copy_numbers(copy *c, hid_t set, hid_t type, const hsize_t shape[2]) {
    void *data;
    const hid_t native = H5Tget_native_type(type, H5T_DIR_ASCEND);
    if (native < 0) return tt_h5_failed(c->from, TT_ERR_FORMAT, "cannot read the type of", c->path);
    const tt_h5_layout layout = {native, (size_t)shape[0], (size_t)shape[1]};
    tt_status status =
        tt_alloc(&data, layout.rows * (layout.columns ? layout.columns : 1), H5Tget_size(native), c->path);
    if (status == TT_OK && H5Dread(set, native, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0)
        status = tt_h5_failed(c->from, TT_ERR_FORMAT, "cannot read data set", c->path);
    if (status == TT_OK) status = tt_h5_write(c->to, c->path, layout, data);
    free(data);
    H5Tclose(native);
    return status;
}

static tt_status copy_texts(copy *c, hid_t set, hid_t type, size_t n) {
    char **texts;
    TT_TRY(read_texts(c->from, set, type, n, &texts));
    if (n == 1) c->state_hash = tt_hash(texts[0], strlen(texts[0]));
    tt_status status = tt_h5_write_texts(c->to, c->path, (const char *const *)texts, n);
    free(texts);
    return status;
}

static tt_status copy_set(copy *c, hid_t set) {
    const hid_t space = H5Dget_space(set), type = H5Dget_type(set);
    const H5T_class_t class = H5Tget_class(type);
    const int rank = H5Sget_simple_extent_type(space) == H5S_SIMPLE ? H5Sget_simple_extent_ndims(space) : -1;
    hsize_t shape[2] = {0, 0}, bytes = H5Tget_size(type);
    tt_status status = TT_OK;
    if (rank == 1 || rank == 2) H5Sget_simple_extent_dims(space, shape, NULL);
    if (__builtin_mul_overflow(bytes, shape[0], &bytes) ||
        __builtin_mul_overflow(bytes, rank == 2 ? shape[1] : 1, &bytes) ||
        bytes / MOST_COMPRESSED > c->from->bytes)
        status = refuse(c, "claims to have more values than the file can hold");
    else if (class == H5T_STRING && rank == 1)
        status = copy_texts(c, set, type, (size_t)shape[0]);
    else if ((class == H5T_INTEGER || class == H5T_FLOAT) && (rank == 1 || (rank == 2 && shape[1] > 0)))
        status = copy_numbers(c, set, type, shape);
    else
        status = refuse(c, "is neither a vector of texts nor a vector or matrix of numbers");
    H5Sclose(space);
    H5Tclose(type);
    return status;
}

static tt_status copy_group(copy *c, hid_t group);

static tt_status copy_object(copy *c, hid_t object) {
    const H5I_type_t kind = H5Iget_type(object);
    if (kind == H5I_GROUP) {
        TT_TRY(tt_h5_group(c->to, c->path));
        return copy_group(c, object);
    }
    if (kind != H5I_DATASET) return refuse(c, "is neither a group nor a data set");
    TT_TRY(tt_h5_check_storage(c->from, c->path, object, c->from->bytes * MOST_COMPRESSED));
    TT_TRY(copy_set(c, object));
    return copy_attributes(c, object);
}

static herr_t next_object(hid_t group, const char *name, const H5L_info_t *info, void *context) {
    copy *c = context;
    const size_t before = strlen(c->path);
    const int n = snprintf(c->path + before, sizeof c->path - before, "/%s", name);
    if (info->type != H5L_TYPE_HARD) {
        c->status = refuse(c, "is a link");
    } else if (n < 0 || (size_t)n >= sizeof c->path - before) {
        c->status = refuse(c, "lies too deep");
    } else {
        const hid_t object = H5Oopen(group, name, H5P_DEFAULT);
        c->status = object < 0 ? tt_h5_failed(c->from, TT_ERR_FORMAT, "cannot open", c->path)
                               : copy_object(c, object);
        if (object >= 0) H5Oclose(object);
    }
    c->path[before] = '\0';
    return c->status == TT_OK ? 0 : -1;
}

static tt_status copy_group(copy *c, hid_t group) {
    TT_TRY(copy_attributes(c, group));
    if (H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, NULL, next_object, c) < 0 && c->status == TT_OK)
        return tt_h5_failed(c->from, TT_ERR_FORMAT, "cannot read group", c->path);
    return c->status;
}

tt_status tt_renew_copy(const tt_h5 *from, const tt_h5 *to) {
    copy c = {.from = from, .to = to};
    const hid_t root = H5Gopen2(from->file, "/", H5P_DEFAULT);
    if (root < 0) return tt_h5_failed(from, TT_ERR_FORMAT, "cannot open", "/");
    tt_status status = copy_group(&c, root);
    H5Gclose(root);
    return status;
}

tt_status tt_renew_root_text(const tt_h5 *from, const char *name, char **text) {
    char **texts;
    *text = NULL;
    if (!tt_h5_has_attribute(from, "/", name))
        return tt_fail(TT_ERR_FORMAT, "%s: an HDF5 file of another program (it has no attribute '%s')",
            from->path, name);
    const hid_t attribute = H5Aopen_by_name(from->file, "/", name, H5P_DEFAULT, H5P_DEFAULT);
    if (attribute < 0) return tt_h5_failed(from, TT_ERR_FORMAT, "cannot open attribute", name);
    const hid_t space = H5Aget_space(attribute), type = H5Aget_type(attribute);
    tt_status status = TT_OK;
    if (H5Sget_simple_extent_type(space) != H5S_SCALAR || H5Tget_class(type) != H5T_STRING)
        status = tt_fail(TT_ERR_FORMAT, "%s: attribute %s of / is not a single text", from->path, name);
    if (status == TT_OK) status = read_texts(from, attribute, type, 1, &texts);
    if (status == TT_OK) {
        status = tt_strdup(text, texts[0]);
        free(texts);
    }
    H5Sclose(space);
    H5Tclose(type);
    H5Aclose(attribute);
    return status;
}
