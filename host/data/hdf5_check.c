#include "host/data/hdf5_check.h"

#include <stdio.h>
#include <string.h>

// The reason of this thread's last failure. It is noted when the library fails, since the next call of the library, if only
// to close something, clears its own record.
static _Thread_local struct {
    char text[256];
    bool system; // it is the operating system's
} reason;

// Keeps the operating system's message where the library quotes it, else the first line of the library's message.
static herr_t note_innermost(unsigned n, const H5E_error2_t *error, void *unused) {
    static const char quoted[] = "error message = '";
    (void)unused;
    if (n > 0 || !error->desc) return 0;
    const char *system = strstr(error->desc, quoted);
    if (reason.system && !system) return 0; // what follows a full disk explains less
    const char *text = system ? system + strlen(quoted) : error->desc;
    snprintf(reason.text, sizeof reason.text, "%.*s", (int)strcspn(text, system ? "'" : "\n"), text);
    reason.system = system != NULL;
    return 0;
}

static herr_t note_failure(hid_t stack, void *unused) {
    return H5Ewalk2(stack, H5E_WALK_UPWARD, note_innermost, unused);
}

void tt_h5_listen(void) {
    // This module closes every file. One that a full disk kept from closing would crash the library's exit handler.
    H5dont_atexit();
    H5Eset_auto2(H5E_DEFAULT, note_failure, NULL);
    reason.text[0] = '\0';
    reason.system = false;
}

void tt_h5_blame(const tt_h5 *h, const char *doing, const char *name) {
    tt_message_set("%s: %s %s%s%s", h->path, doing, name, reason.text[0] ? ": " : "", reason.text);
    reason.text[0] = '\0';
    reason.system = false;
}

hid_t tt_h5_stored_type(hid_t memory) {
    hid_t type = H5Tcopy(memory);
    if (H5Tget_class(memory) == H5T_INTEGER || H5Tget_class(memory) == H5T_FLOAT)
        H5Tset_order(type, H5T_ORDER_LE);
    return type;
}

void tt_h5_describe_type(hid_t type, char *out) {
    const size_t bits = 8 * H5Tget_size(type);
    const H5T_class_t class = H5Tget_class(type);
    if (class == H5T_INTEGER)
        snprintf(out, 64, "%s integers of %zu bits%s",
            H5Tget_sign(type) == H5T_SGN_NONE ? "unsigned" : "signed", bits,
            H5Tget_order(type) == H5T_ORDER_BE ? ", big-endian" : "");
    else if (class == H5T_FLOAT)
        snprintf(
            out, 64, "reals of %zu bits%s", bits, H5Tget_order(type) == H5T_ORDER_BE ? ", big-endian" : "");
    else if (class == H5T_STRING)
        snprintf(out, 64, H5Tis_variable_str(type) > 0 ? "texts of variable length" : "texts of %zu bytes",
            bits / 8);
    else
        snprintf(out, 64, "values of another class");
}

// What else tells types of texts apart.
static void describe_details(hid_t type, char out[64]) {
    const H5T_str_t padding = H5Tget_strpad(type);
    snprintf(out, 64, "%s, %s", H5Tget_cset(type) == H5T_CSET_UTF8 ? "UTF-8" : "ASCII",
        padding == H5T_STR_SPACEPAD  ? "filled up with blanks"
        : padding == H5T_STR_NULLPAD ? "filled up with NUL"
                                     : "ended by NUL");
}

static tt_status check_type(const tt_h5 *h, const tt_h5_claim *claim) {
    char found[64], wanted[64];
    if (claim->expected < 0 || H5Tequal(claim->type, claim->expected) > 0) return TT_OK;
    tt_h5_describe_type(claim->type, found);
    tt_h5_describe_type(claim->expected, wanted);
    if (strcmp(found, wanted) == 0 && H5Tget_class(claim->type) == H5T_STRING) {
        describe_details(claim->type, found);
        describe_details(claim->expected, wanted);
        return tt_fail(
            TT_ERR_FORMAT, "%s: %s has texts that are %s; expected %s", h->path, claim->name, found, wanted);
    }
    return tt_fail(TT_ERR_FORMAT, "%s: %s has %s, expected %s", h->path, claim->name, found, wanted);
}

tt_status tt_h5_check_claim(const tt_h5 *h, const tt_h5_claim *claim, size_t shape[2]) {
    hsize_t sizes[2] = {1, 1}, bytes = H5Tget_size(claim->type);
    shape[0] = shape[1] = 0;
    const H5S_class_t kind = H5Sget_simple_extent_type(claim->space);
    const int rank = kind == H5S_SIMPLE || kind == H5S_SCALAR ? H5Sget_simple_extent_ndims(claim->space) : -1;
    if (rank < 0) return tt_fail(TT_ERR_FORMAT, "%s: %s has no values", h->path, claim->name);
    if (claim->rank == 0 && rank != 0)
        return tt_fail(TT_ERR_FORMAT, "%s: %s is an array, expected a single value", h->path, claim->name);
    if (claim->rank == 2 && rank != 1 && rank != 2)
        return tt_fail(TT_ERR_FORMAT, "%s: %s has rank %d, expected 1 or 2", h->path, claim->name, rank);
    if (rank > 0 && H5Sget_simple_extent_dims(claim->space, sizes, NULL) < 0)
        return tt_h5_failed(h, TT_ERR_FORMAT, "cannot read the shape of", claim->name);
    if (bytes == 0 || __builtin_mul_overflow(bytes, sizes[0], &bytes) ||
        __builtin_mul_overflow(bytes, sizes[1], &bytes) || bytes > h->bytes)
        return tt_fail(TT_ERR_FORMAT,
            "%s: %s claims to have [%llu, %llu] values, more than the file can hold", h->path, claim->name,
            (unsigned long long)sizes[0], (unsigned long long)sizes[1]);
    if (rank == 2 && sizes[1] == 0)
        return tt_fail(TT_ERR_FORMAT, "%s: %s has rows without values", h->path, claim->name);
    shape[0] = (size_t)sizes[0];
    shape[1] = rank == 2 ? (size_t)sizes[1] : 0;
    return check_type(h, claim);
}

tt_status tt_h5_check_storage(const tt_h5 *h, const char *name, hid_t set, uint64_t most) {
    const hid_t creation = H5Dget_create_plist(set), type = H5Dget_type(set);
    const H5D_layout_t layout = creation < 0 ? H5D_LAYOUT_ERROR : H5Pget_layout(creation);
    tt_status status = TT_OK;
    if (layout == H5D_LAYOUT_ERROR || type < 0)
        status = tt_h5_failed(h, TT_ERR_FORMAT, "cannot read the layout of", name);
    else if (layout == H5D_VIRTUAL || H5Pget_external_count(creation) != 0)
        status = tt_fail(TT_ERR_FORMAT, "%s: %s lies in another file", h->path, name);
    if (status == TT_OK && layout == H5D_CHUNKED) {
        hsize_t chunk[H5S_MAX_RANK] = {0}, bytes = H5Tget_size(type);
        const int rank = H5Pget_chunk(creation, H5S_MAX_RANK, chunk);
        for (int i = 0; i < rank && bytes <= most; ++i)
            if (__builtin_mul_overflow(bytes, chunk[i], &bytes)) bytes = UINT64_MAX;
        if (rank < 0 || bytes > most)
            status = tt_fail(TT_ERR_FORMAT, "%s: %s has chunks larger than the file", h->path, name);
    }
    if (type >= 0) H5Tclose(type);
    if (creation >= 0) H5Pclose(creation);
    return status;
}
