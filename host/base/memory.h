// Host memory: zeroed blocks that fail with a status, and an arena for many blocks that are released together.
#ifndef TT_BASE_MEMORY_H
#define TT_BASE_MEMORY_H

#include "host/base/status.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

// Allocates `count` x `size` zeroed bytes, 64-byte aligned. `out` points to a pointer of any object type, which
// receives the block; the caller releases it with free(). A count of 0 gives a valid pointer too. `what` names the
// block in messages. Errors: TT_ERR_NOMEM, also where count x size overflows; the pointer is then NULL.
tt_status tt_alloc(void *out, size_t count, size_t size, const char *what) TT_MUST_CHECK;

// Grows an array to at least `need` elements. `items` points to the array's pointer (NULL at first), *capacity is
// its number of elements of `size` bytes; both are updated, the array may move, new bytes are zero. Errors:
// TT_ERR_NOMEM; the array is then unchanged.
tt_status tt_grow(void *items, size_t *capacity, size_t need, size_t size, const char *what) TT_MUST_CHECK;

// Number of blocks that this process has allocated so far through tt_alloc and arenas. Tests use it: a training
// step after warm-up allocates none.
long tt_alloc_count(void);

// *out receives a copy of `text`, which the caller releases with free(). Errors: TT_ERR_NOMEM.
tt_status tt_strdup(char **out, const char *text) TT_MUST_CHECK;

// Bump allocation: many small blocks that are released together. Zero-initialise; blocks never move.
typedef struct tt_arena {
    struct tt_arena_chunk *chunks;
} tt_arena;

// Blocks that the arena owns: `bytes` bytes, 64-byte aligned, not zeroed; a copy of a text. NULL when memory runs
// out, with the message set (the caller returns TT_ERR_NOMEM).
void *tt_arena_alloc(tt_arena *arena, size_t bytes);
char *tt_arena_strdup(tt_arena *arena, const char *text);
// Releases all blocks at once.
void tt_arena_close(tt_arena *arena);

#ifdef __cplusplus
}
#endif

#endif
