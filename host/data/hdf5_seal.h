// The seal of an HDF5 file: its length and the checksum of its content, in the 512 bytes that HDF5 leaves to users before
// its own. It is checked by plain reading before the HDF5 library, which can crash on damaged files, sees one byte. Being
// text, `head -c 512 FILE` shows it; `tail -c +513 FILE | xxhsum -H64` computes the checksum; h5dump and h5py read the file
// as any other.
#ifndef TT_DATA_HDF5_SEAL_H
#define TT_DATA_HDF5_SEAL_H

#include "host/base/status.h"

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { TT_SEAL_BYTES = 512 };

// Whether a file begins as a sealed one does, which says nothing about its content.
bool tt_seal_there(const char *path);
// Whether a file begins as HDF5 without a seal does. The library itself looks for HDF5 behind any 512 bytes, too, but a file
// whose seal is damaged is not to be taken for one without.
bool tt_seal_lacking(const char *path);
// Computes the seal and writes it over the first 512 bytes, which the file must have kept free. Errors: TT_ERR_IO.
tt_status tt_seal_write(const char *path) TT_MUST_CHECK;
// Fails with TT_ERR_FORMAT unless the file is, byte for byte, what was sealed: truncated, longer, damaged, or without a
// seal. *bytes receives its length. It reads the whole file once. Errors also: TT_ERR_IO.
tt_status tt_seal_check(const char *path, uint64_t *bytes) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
