// A hash table of matmul primitives by shape (linear probing), with the engine and streams they run on.
#include "host/base/memory.h"
#include "kernels/cpu/matmul.h"

#include <stdlib.h>
#include <string.h>

enum {
    SLOTS = 2048,
    LARGEST = 1024 // primitives; with more, probing gets slow and memory fills up with shapes of the past
};

struct tt_matmul_cache {
    int threads;
    dnnl_engine_t engine;
    dnnl_stream_t *streams; // [threads]
    int count;
    tt_matmul slots[SLOTS]; // free where handle is NULL
};

static void clear_cache(tt_matmul_cache *cache) {
    for (int i = 0; i < SLOTS; ++i)
        if (cache->slots[i].handle) tt_matmul_close(&cache->slots[i], cache->threads);
    cache->count = 0;
}

tt_status tt_matmul_cache_open(tt_matmul_cache **out, int threads) {
    tt_matmul_cache *cache;
    *out = NULL;
    TT_TRY(tt_alloc(&cache, 1, sizeof *cache, "cache of matrix products"));
    cache->threads = threads;
    tt_status status = tt_alloc(&cache->streams, (size_t)threads, sizeof(void *), "oneDNN's streams");
    if (status == TT_OK) {
        dnnl_status_t made = dnnl_engine_create(&cache->engine, dnnl_cpu, 0);
        for (int t = 0; made == dnnl_success && t < threads; ++t)
            made = dnnl_stream_create(&cache->streams[t], cache->engine, dnnl_stream_default_flags);
        if (made != dnnl_success) status = tt_onednn_failed(made, "engine", 0, 0, 0);
    }
    if (status != TT_OK)
        tt_matmul_cache_close(cache);
    else
        *out = cache;
    return status;
}

void tt_matmul_cache_close(tt_matmul_cache *cache) {
    if (!cache) return;
    clear_cache(cache);
    for (int t = 0; cache->streams && t < cache->threads; ++t)
        if (cache->streams[t]) dnnl_stream_destroy(cache->streams[t]);
    free(cache->streams);
    if (cache->engine) dnnl_engine_destroy(cache->engine);
    free(cache);
}

void tt_matmul_cache_trim(tt_matmul_cache *cache) {
    if (cache->count > LARGEST) clear_cache(cache);
}

static uint32_t hash_shape(const tt_matmul_shape *s) {
    const int parts[] = {s->m, s->n, s->k, s->lda, s->ldb, s->ldc, s->trans_a, s->trans_b, s->accumulate};
    uint32_t hash = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; ++i)
        hash = (hash ^ (uint32_t)parts[i]) * 0x9E3779B1u;
    return hash >> 16;
}

tt_status tt_matmul_cache_get(const tt_matmul **out, tt_matmul_cache *cache, const tt_matmul_shape *shape) {
    uint32_t slot = hash_shape(shape) % SLOTS;
    while (cache->slots[slot].handle && memcmp(&cache->slots[slot].shape, shape, sizeof *shape) != 0)
        slot = (slot + 1) % SLOTS;
    tt_matmul *matmul = &cache->slots[slot];
    if (!matmul->handle) {
        TT_TRY(tt_matmul_open(matmul, shape, cache->engine, cache->threads));
        ++cache->count;
    }
    *out = matmul;
    return TT_OK;
}

dnnl_stream_t tt_matmul_cache_stream(const tt_matmul_cache *cache, int thread) {
    return cache->streams[thread];
}
