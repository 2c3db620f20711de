// XXH64 with seed 0 (xxHash by Yann Collet): a checksum of 64 bits that keeps up with memory, for telling damaged files from
// sound ones. `xxhsum -H64` and Python's xxhash compute the same. Against chance, not against forgers.
#ifndef TT_BASE_CHECKSUM_H
#define TT_BASE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_checksum {
    uint64_t lanes[4], bytes;
    unsigned char rest[32]; // the last bytes % 32, not mixed yet
} tt_checksum;

// Starts a checksum of no bytes.
void tt_checksum_open(tt_checksum *sum);
// Appends n bytes.
void tt_checksum_add(tt_checksum *sum, const void *bytes, size_t n);
// The checksum of all bytes so far; more may follow.
uint64_t tt_checksum_value(const tt_checksum *sum);

#ifdef __cplusplus
}
#endif

#endif
