// Packed batches: growing arrays that are kept from step to step.
#include "host/data/batch.h"

#include "host/base/memory.h"

#include <stdlib.h>
#include <string.h>

void tt_batch_clear(tt_batch *batch) {
    batch->enc_seqs = batch->enc_tokens = batch->dec_seqs = batch->dec_tokens = 0;
}

void tt_batch_close(tt_batch *b) {
    void *const arrays[] = {b->enc_ids, b->enc_offsets, b->enc_example, b->enc_position, b->dec_ids,
        b->dec_targets, b->dec_offsets, b->dec_source, b->dec_example, b->dec_position};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; ++i) free(arrays[i]);
    *b = (tt_batch){0};
}

// Grows arrays of four-byte elements that share one capacity.
static tt_status grow_arrays(void **const *arrays, int n, size_t *capacity, size_t need) {
    size_t grown = *capacity;
    for (int i = 0; i < n; ++i) {
        grown = *capacity;
        TT_TRY(tt_grow(arrays[i], &grown, need, sizeof(int32_t), "batch"));
    }
    *capacity = grown;
    return TT_OK;
}

tt_status tt_batch_add_source(tt_batch *b, const int32_t *ids, int n, uint32_t example) {
    if (n < 1) return tt_fail(TT_ERR_INPUT, "batch: example %u has an empty input", example);
    void **const tokens[] = {(void **)&b->enc_ids, (void **)&b->enc_example, (void **)&b->enc_position};
    void **const seqs[] = {(void **)&b->enc_offsets};
    TT_TRY(grow_arrays(tokens, 3, &b->enc_capacity, (size_t)b->enc_tokens + (size_t)n));
    TT_TRY(grow_arrays(seqs, 1, &b->enc_seq_capacity, (size_t)b->enc_seqs + 2));
    memcpy(b->enc_ids + b->enc_tokens, ids, (size_t)n * sizeof *ids);
    for (int i = 0; i < n; ++i) {
        b->enc_example[b->enc_tokens + i] = example;
        b->enc_position[b->enc_tokens + i] = (uint32_t)i;
    }
    b->enc_offsets[b->enc_seqs++] = b->enc_tokens;
    b->enc_tokens += n;
    b->enc_offsets[b->enc_seqs] = b->enc_tokens;
    return TT_OK;
}

tt_status tt_batch_add_target(tt_batch *b, const tt_batch_target *target) {
    const int n = target->n, source = target->source;
    const uint32_t example = target->example;
    if (n < 1) return tt_fail(TT_ERR_INPUT, "batch: example %u has an empty target", example);
    if (source < 0 || source >= b->enc_seqs)
        return tt_fail(
            TT_ERR_INTERNAL, "batch: example %u names source %d of %d", example, source, b->enc_seqs);
    void **const tokens[] = {
        (void **)&b->dec_ids, (void **)&b->dec_targets, (void **)&b->dec_example, (void **)&b->dec_position};
    void **const seqs[] = {(void **)&b->dec_offsets, (void **)&b->dec_source};
    TT_TRY(grow_arrays(tokens, 4, &b->dec_capacity, (size_t)b->dec_tokens + (size_t)n));
    TT_TRY(grow_arrays(seqs, 2, &b->dec_seq_capacity, (size_t)b->dec_seqs + 2));
    for (int i = 0; i < n; ++i) {
        const int t = b->dec_tokens + i;
        b->dec_ids[t] = i == 0 ? target->start : target->ids[i - 1];
        b->dec_targets[t] = target->ids[i];
        b->dec_example[t] = example;
        b->dec_position[t] = (uint32_t)i;
    }
    b->dec_source[b->dec_seqs] = source;
    b->dec_offsets[b->dec_seqs++] = b->dec_tokens;
    b->dec_tokens += n;
    b->dec_offsets[b->dec_seqs] = b->dec_tokens;
    return TT_OK;
}
