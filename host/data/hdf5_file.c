// Files, their kind and their groups.
#include "host/base/fs.h"
#include "host/base/shipped.h"
#include "host/data/hdf5_check.h"
#include "host/data/hdf5_seal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char kind_attribute[] = "tinythinker";

// Locks fail on many network file systems, and HDF5 would refuse to open a file there: it goes without locks, which files that
// are replaced as a whole do not need.
// Files are written in the format of HDF5 1.10, the first whose headers, attributes and indices carry checksums, so
// that a damaged file is refused instead of misread.
hid_t tt_h5_access_list(void) {
    tt_h5_listen();
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
#if H5_VERSION_GE(1, 10, 2)
    H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_LATEST);
#endif
#if H5_VERSION_GE(1, 12, 1) || (H5_VERS_MAJOR == 1 && H5_VERS_MINOR == 10 && H5_VERS_RELEASE >= 7)
    H5Pset_file_locking(access, 0, 1);
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
    TT_TRY(tt_seal_check(path, &h->bytes));
    hid_t access = tt_h5_access_list();
    h->file = H5Fopen(path, H5F_ACC_RDONLY, access);
    H5Pclose(access);
    if (h->file < 0) return tt_h5_failed(h, TT_ERR_FORMAT, "cannot open", "as HDF5");
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
    hid_t access = tt_h5_access_list(), creation = object_list(H5P_FILE_CREATE); // the root is a group, too
    H5Pset_userblock(creation, TT_SEAL_BYTES);
    h->file = H5Fcreate(h->output.temporary, H5F_ACC_TRUNC, creation, access);
    H5Pclose(creation);
    H5Pclose(access);
    if (h->file < 0) {
        const tt_status failed = tt_h5_failed(h, TT_ERR_IO, "cannot create", "the file");
        tt_output_drop(&h->output); // of a disk that had no room for its beginning
        return failed;
    }
    tt_status status = tt_h5_put_text(h, "/", kind_attribute, kind);
    if (status != TT_OK) tt_h5_close(h);
    return status;
}

// Into a file that is there.
static tt_status copy_over(const char *from, const char *to) {
    FILE *out = fopen(to, "r+e");
    if (!out) return tt_fail(TT_ERR_IO, "%s: cannot write: %s", to, strerror(errno));
    const tt_status status = tt_copy_bytes(from, -1, out, to);
    if (fclose(out) != 0 && status == TT_OK)
        return tt_fail(TT_ERR_IO, "%s: cannot write: %s", to, strerror(errno));
    return status;
}

tt_status tt_h5_edit(tt_h5 *h, const char *from, const char *path) {
    *h = (tt_h5){.file = H5I_INVALID_HID};
    if (strlen(path) >= sizeof h->path) return tt_fail(TT_ERR_IO, "%.64s...: path too long", path);
    strcpy(h->path, path);
    TT_TRY(tt_seal_check(from, &h->bytes));
    TT_TRY(tt_output_reserve(&h->output, path));
    tt_status status = copy_over(from, h->output.temporary);
    if (status == TT_OK) {
        hid_t access = tt_h5_access_list();
        h->file = H5Fopen(h->output.temporary, H5F_ACC_RDWR, access);
        H5Pclose(access);
        if (h->file < 0) status = tt_h5_failed(h, TT_ERR_FORMAT, "cannot open", "as HDF5");
    }
    if (status != TT_OK) tt_output_drop(&h->output);
    return status;
}

tt_status tt_h5_commit(tt_h5 *h) {
    const herr_t flushed = H5Fflush(h->file, H5F_SCOPE_GLOBAL);
    const herr_t closed = H5Fclose(h->file);
    h->file = H5I_INVALID_HID;
    if (flushed < 0 || closed < 0) {
        const tt_status failed = tt_h5_failed(h, TT_ERR_IO, "cannot write", "the file");
        tt_output_drop(&h->output);
        return failed;
    }
    return tt_output_close(&h->output, tt_seal_write(h->output.temporary));
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
    H5L_info_t link = {.type = H5L_TYPE_ERROR};
    const size_t n = strlen(name);
    if (n >= sizeof part) return false;
    for (size_t i = 1; i <= n; ++i) {
        if (name[i] != '/' && name[i] != '\0') continue;
        memcpy(part, name, i);
        part[i] = '\0';
        if (H5Lexists(h->file, part, H5P_DEFAULT) <= 0) return false;
        if (H5Lget_info(h->file, part, &link, H5P_DEFAULT) < 0 || link.type != H5L_TYPE_HARD) return false;
    }
    return true;
}

// Makes the group at `name` if it is not there; its parent must be.
static tt_status make_group(const tt_h5 *h, const char *name) {
    if (tt_h5_has(h, name)) return TT_OK;
    hid_t creation = object_list(H5P_GROUP_CREATE);
    hid_t group = H5Gcreate2(h->file, name, H5P_DEFAULT, creation, H5P_DEFAULT);
    H5Pclose(creation);
    if (group < 0) return tt_h5_failed(h, TT_ERR_IO, "cannot make group", name);
    H5Gclose(group);
    return TT_OK;
}

// One after another: groups that the library makes on the way would carry their time.
tt_status tt_h5_parents(const tt_h5 *h, const char *name) {
    char part[1024] = "";
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
    TT_TRY(tt_h5_parents(h, name));
    return make_group(h, name);
}
