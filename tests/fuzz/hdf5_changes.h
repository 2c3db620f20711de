// Changes to an HDF5 file: what a disk does to its bytes, and what another program does to its content. The latter go
// through the HDF5 library, so that checksums fit: behind them it is our reader that must not trust what it finds.
#ifndef TT_FUZZ_HDF5_CHANGES_H
#define TT_FUZZ_HDF5_CHANGES_H

#include "tests/fuzz/fuzz.h"

// A file to be changed. Zero-initialise.
typedef struct fuzz_h5 {
    char *bytes;
    size_t size;
    char *names[512]; // "/questions/id" a data set or group, "/@format" an attribute of the root
    int n;
} fuzz_h5;

// Reads the file and lists what it contains.
void fuzz_h5_open(fuzz_h5 *h, const char *path);

// What was done to a copy.
typedef enum fuzz_h5_change {
    FUZZ_H5_SAME,    // nothing
    FUZZ_H5_DAMAGED, // bytes were changed or cut off: refused, or the content is the same
    FUZZ_H5_EDITED   // content was changed
} fuzz_h5_change;

// Writes a changed copy to `path`. The input is a list of changes of five bytes: what, which (two bytes), how, value.
fuzz_h5_change fuzz_h5_write(const fuzz_h5 *h, const char *path, const uint8_t *data, size_t size);

#endif
