// Device memory for people.
#ifndef TT_LAB_MEMORY_TEXT_H
#define TT_LAB_MEMORY_TEXT_H

#include "host/base/str.h"
#include "kernels/tally.h"

#ifdef __cplusplus
extern "C" {
#endif

// Appends "12.3 GB of device memory (weights 1.2, gradients 1.2, ...)"; kinds of which there is none are left out.
void tt_memory_text(tt_str *out, const tt_memory_use *use);
// The unit that suits so many bytes, and its size in bytes: B, kB, MB, GB or TB.
const char *tt_memory_unit(double bytes, double *size);
// Reads "80G", "80g", "512M", "1.5T", "64GiB", "80 GB": G is 10^9 bytes, GiB 2^30; capitals or not. Errors: TT_ERR_USAGE.
tt_status tt_memory_parse(double *bytes, const char *text) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
