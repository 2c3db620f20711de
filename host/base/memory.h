// Memory of the host: zeroed blocks that fail with a status, and an arena for what lives one step.
#ifndef TT_BASE_MEMORY_H
#define TT_BASE_MEMORY_H

#include "host/base/status.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

// *out receives `count` x `size` zeroed bytes, 64-byte aligned, to be released with free(). count 0 gives a
// valid pointer. Errors: TT_ERR_NOMEM (also on overflow), naming `what`.
tt_status tt_alloc(void *out, size_t count, size_t size, const char *what) TT_MUST_CHECK;

// Grows *items (an array of *capacity elements of `size` bytes) to hold at least `need`; new bytes are zero.
tt_status tt_grow(void *items, size_t *capacity, size_t need, size_t size, const char *what) TT_MUST_CHECK;

// Blocks that this process has got so far from tt_alloc and arenas: a training step after warm-up gets none.
long tt_alloc_count(void);

// A copy of `text`; released with free().
tt_status tt_strdup(char **out, const char *text) TT_MUST_CHECK;

// Bump allocation: many small blocks that are released together. Zero-initialise; blocks never move.
typedef struct tt_arena {
    struct tt_arena_chunk *chunks;
} tt_arena;

// `bytes` bytes, 64-byte aligned, not zeroed. NULL when memory runs out (message set).
void *tt_arena_alloc(tt_arena *arena, size_t bytes);
char *tt_arena_strdup(tt_arena *arena, const char *text);
// Forgets all blocks and keeps the memory, merged to one chunk, so that a steady state allocates nothing.
void tt_arena_reset(tt_arena *arena);
void tt_arena_close(tt_arena *arena);
// Bytes held, for reports.
size_t tt_arena_bytes(const tt_arena *arena);

#ifdef __cplusplus
}
#endif

#endif
