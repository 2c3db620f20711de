#include "host/base/memory.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { ALIGN = 64, CHUNK = 1 << 16 };
// Blocks of this size and more consist of huge pages where the system has them: one page fault instead of 512.
enum { HUGE_PAGE = 2 << 20, LARGE = 4 * HUGE_PAGE };

static atomic_long blocks;

long tt_alloc_count(void) {
    return atomic_load(&blocks);
}

struct tt_arena_chunk {
    struct tt_arena_chunk *next;
    size_t used, size;
    unsigned char *bytes;
};

// Of the whole huge pages within; aligned to them, blocks would leave holes in the heap.
static void ask_for_huge_pages(unsigned char *block, size_t bytes) {
#ifdef MADV_HUGEPAGE
    const size_t before = -(uintptr_t)block % HUGE_PAGE, whole = (bytes - before) / HUGE_PAGE * HUGE_PAGE;
    (void)!madvise(block + before, whole, MADV_HUGEPAGE);
#else
    (void)block, (void)bytes;
#endif
}

tt_status tt_alloc(void *out, size_t count, size_t size, const char *what) {
    void **slot = out;
    *slot = NULL;
    if (size && count > (SIZE_MAX - ALIGN) / size)
        return tt_fail(TT_ERR_NOMEM, "%s: %zu x %zu bytes overflow", what, count, size);
    size_t bytes = (count * size + ALIGN - 1) / ALIGN * ALIGN;
    if (bytes == 0) bytes = ALIGN;
    void *block = aligned_alloc(ALIGN, bytes);
    if (!block) return tt_fail(TT_ERR_NOMEM, "%s: no memory for %.1f MB", what, (double)bytes / 1e6);
    if (bytes >= LARGE) ask_for_huge_pages(block, bytes);
    atomic_fetch_add(&blocks, 1);
    *slot = memset(block, 0, bytes);
    return TT_OK;
}

tt_status tt_grow(void *items, size_t *capacity, size_t need, size_t size, const char *what) {
    if (need <= *capacity) return TT_OK;
    void **slot = items;
    size_t wanted = *capacity ? *capacity : 16;
    while (wanted < need) {
        if (wanted > SIZE_MAX / 2) return tt_fail(TT_ERR_NOMEM, "%s: too many elements", what);
        wanted *= 2;
    }
    void *grown;
    TT_TRY(tt_alloc(&grown, wanted, size, what));
    if (*slot) memcpy(grown, *slot, *capacity * size);
    free(*slot);
    *slot = grown;
    *capacity = wanted;
    return TT_OK;
}

tt_status tt_strdup(char **out, const char *text) {
    size_t n = strlen(text) + 1;
    TT_TRY(tt_alloc(out, n, 1, "text"));
    memcpy(*out, text, n);
    return TT_OK;
}

static struct tt_arena_chunk *chunk_open(size_t size) {
    struct tt_arena_chunk *chunk = malloc(sizeof *chunk);
    if (!chunk) return NULL;
    chunk->bytes = aligned_alloc(ALIGN, size);
    if (!chunk->bytes) {
        free(chunk);
        return NULL;
    }
    atomic_fetch_add(&blocks, 1);
    chunk->next = NULL;
    chunk->used = 0;
    chunk->size = size;
    return chunk;
}

static void chunk_close(struct tt_arena_chunk *chunk) {
    free(chunk->bytes);
    free(chunk);
}

void *tt_arena_alloc(tt_arena *arena, size_t bytes) {
    if (bytes > SIZE_MAX / 4) {
        tt_fail(TT_ERR_NOMEM, "out of memory: cannot allocate %zu bytes", bytes);
        return NULL;
    }
    size_t rounded = (bytes + ALIGN - 1) / ALIGN * ALIGN;
    if (rounded == 0) rounded = ALIGN;
    struct tt_arena_chunk *chunk = arena->chunks;
    if (!chunk || chunk->size - chunk->used < rounded) {
        size_t size = chunk ? chunk->size * 2 : CHUNK;
        if (size < rounded) size = rounded;
        struct tt_arena_chunk *fresh = chunk_open(size);
        if (!fresh) {
            tt_fail(TT_ERR_NOMEM, "arena: no memory for %.1f MB", (double)size / 1e6);
            return NULL;
        }
        fresh->next = chunk;
        arena->chunks = chunk = fresh;
    }
    void *block = chunk->bytes + chunk->used;
    chunk->used += rounded;
    return block;
}

char *tt_arena_strdup(tt_arena *arena, const char *text) {
    size_t n = strlen(text) + 1;
    char *copy = tt_arena_alloc(arena, n);
    if (copy) memcpy(copy, text, n);
    return copy;
}

void tt_arena_close(tt_arena *arena) {
    while (arena->chunks) {
        struct tt_arena_chunk *next = arena->chunks->next;
        chunk_close(arena->chunks);
        arena->chunks = next;
    }
}
