#include "kernels/tally.h"

#include "host/base/memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct tt_tally_block {
    const void *at;
    size_t bytes;
    tt_memory_kind kind;
};

const char *tt_memory_kind_name(tt_memory_kind kind) {
    static const char *const names[] = {
#define X(code, word) word,
        TT_MEMORY_MAP(X)
#undef X
    };
    return names[kind];
}

tt_memory_kind tt_memory_kind_of(const char *what) {
    static const struct {
        const char *what;
        tt_memory_kind kind;
    } names[] = {
        {"weights", TT_MEMORY_WEIGHTS},
        {"weights for matrix products", TT_MEMORY_WEIGHTS},
        {"weights below adapters", TT_MEMORY_WEIGHTS},
        {"adapters", TT_MEMORY_WEIGHTS},
        {"adapters for matrix products", TT_MEMORY_WEIGHTS},
        {"gradients", TT_MEMORY_GRADIENTS},
        {"Adam's first moment", TT_MEMORY_MOMENTS},
        {"Adam's second moment", TT_MEMORY_MOMENTS},
        {"optimizer state", TT_MEMORY_MOMENTS},
        {"activations", TT_MEMORY_ACTIVATIONS},
        {"K/V cache", TT_MEMORY_CACHES},
        {"K/V of encoded sources", TT_MEMORY_CACHES},
        {"decoder", TT_MEMORY_CACHES},
        {"beam search", TT_MEMORY_CACHES},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; ++i)
        if (strcmp(names[i].what, what) == 0) return names[i].kind;
    return TT_MEMORY_WORKSPACE;
}

tt_status tt_tally_add(tt_tally *t, const void *at, size_t bytes, const char *what) {
    if (!at) return TT_OK;
    TT_TRY(tt_grow(&t->blocks, &t->capacity, t->n + 1, sizeof *t->blocks, "list of device memory"));
    const tt_memory_kind kind = tt_memory_kind_of(what);
    t->blocks[t->n++] = (struct tt_tally_block){at, bytes, kind};
    t->now.kind[kind] += bytes;
    t->now.all += bytes;
    if (t->now.all > t->peak.all) t->peak = t->now;
    return TT_OK;
}

void tt_tally_remove(tt_tally *t, const void *at) {
    for (size_t i = t->n; i-- > 0;) {
        const struct tt_tally_block b = t->blocks[i];
        if (b.at != at) continue;
        t->now.kind[b.kind] -= b.bytes;
        t->now.all -= b.bytes;
        t->blocks[i] = t->blocks[--t->n];
        return;
    }
}

const void *tt_tally_find(const tt_tally *t, const void *address) {
    const uintptr_t wanted = (uintptr_t)address;
    for (size_t i = 0; i < t->n; ++i) {
        const uintptr_t begin = (uintptr_t)t->blocks[i].at;
        if (wanted >= begin && wanted - begin < t->blocks[i].bytes) return t->blocks[i].at;
    }
    return NULL;
}

void tt_tally_restart(tt_tally *t) {
    t->peak = t->now;
}

void tt_tally_close(tt_tally *t) {
    free(t->blocks);
    *t = (tt_tally){0};
}
