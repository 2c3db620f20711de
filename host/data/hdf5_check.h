// What every use of HDF5 shares: failures with the library's reason, and the checks of what a file says about itself. Private
// to host/data's hdf5_*.c and renew.c.
#ifndef TT_DATA_HDF5_CHECK_H
#define TT_DATA_HDF5_CHECK_H

#include "host/data/hdf5_file.h"

#ifdef __cplusplus
extern "C" {
#endif

// Silences the library and keeps the reason of its next failures. Called before any other use of it.
void tt_h5_listen(void);
// Fails with the file, what was being done, and the reason of the last failure since: the operating system's if it had one.
// A macro, as tt_fail is, so that analysers see that a failure is never TT_OK.
#define tt_h5_failed(h, code, doing, name) (tt_h5_blame(h, doing, name), tt_status_same(code))
// What the macro calls.
void tt_h5_blame(const tt_h5 *h, const char *doing, const char *name);

// How files are opened; H5Pclose releases it.
hid_t tt_h5_access_list(void);

// The little-endian type in which files store elements of this memory type; H5Tclose releases it.
hid_t tt_h5_stored_type(hid_t memory);
// Writes what a type is ("integers of 32 bits", "texts of variable length") to out[64].
void tt_h5_describe_type(hid_t type, char *out);
// What a file says about a data set or an attribute.
typedef struct tt_h5_claim {
    const char *name; // for messages
    hid_t space, type;
    hid_t expected; // the type that it must have; H5I_INVALID_HID: any
    int rank;       // 0: must be a single value; 2: must have 1 or 2 dimensions
} tt_h5_claim;
// Checks it before anything is read, and that all elements fit into the file. shape[2] receives rows and columns; columns is
// 0 for rank 1. Errors: TT_ERR_FORMAT.
tt_status tt_h5_check_claim(const tt_h5 *h, const tt_h5_claim *claim, size_t shape[2]) TT_MUST_CHECK;
// Checks, before anything of a data set is read, that its values lie in this file, whose checksum covers no other, and that no
// chunk of them takes more than `most` bytes, since the library allocates what a file claims. Errors: TT_ERR_FORMAT.
tt_status tt_h5_check_storage(const tt_h5 *h, const char *name, hid_t set, uint64_t most) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
