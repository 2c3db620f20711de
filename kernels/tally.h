// What a device's memory is used for: bytes by kind, now and when they were most.
#ifndef TT_KERNELS_TALLY_H
#define TT_KERNELS_TALLY_H

#include "host/base/status.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TT_MEMORY_MAP(X)                                                                                     \
    X(TT_MEMORY_WEIGHTS, "weights")                                                                          \
    X(TT_MEMORY_GRADIENTS, "gradients")                                                                      \
    X(TT_MEMORY_MOMENTS, "moments")                                                                          \
    X(TT_MEMORY_ACTIVATIONS, "activations")                                                                  \
    X(TT_MEMORY_CACHES, "caches")                                                                            \
    X(TT_MEMORY_WORKSPACE, "workspace")

typedef enum tt_memory_kind {
#define X(code, word) code,
    TT_MEMORY_MAP(X)
#undef X
        TT_MEMORY_KINDS
} tt_memory_kind;

const char *tt_memory_kind_name(tt_memory_kind kind); // a word of TT_MEMORY_MAP
// The kind of a block that tt_device_alloc got this name for; TT_MEMORY_WORKSPACE for names that it does not know.
tt_memory_kind tt_memory_kind_of(const char *what);

// Bytes of each kind, and of all.
typedef struct tt_memory_use {
    size_t kind[TT_MEMORY_KINDS], all;
} tt_memory_use;

// Zero-initialise.
typedef struct tt_tally {
    tt_memory_use now, peak; // peak: the moment with the largest sum
    struct tt_tally_block *blocks;
    size_t n, capacity;
} tt_tally;

// A block was allocated, or freed; NULL and unknown addresses are ignored. Errors: TT_ERR_NOMEM.
tt_status tt_tally_add(tt_tally *tally, const void *at, size_t bytes, const char *what) TT_MUST_CHECK;
void tt_tally_remove(tt_tally *tally, const void *at);
// The beginning of the block that the address lies in, or NULL.
const void *tt_tally_find(const tt_tally *tally, const void *address);
void tt_tally_restart(tt_tally *tally); // the peak is what there is now
void tt_tally_close(tt_tally *tally);

#ifdef __cplusplus
}
#endif

#endif
