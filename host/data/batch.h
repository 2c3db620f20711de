// A packed batch: encoder sequences once, any number of decoder sequences, each naming its source.
#ifndef TT_DATA_BATCH_H
#define TT_DATA_BATCH_H

#include "host/base/status.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// Plain host arrays, which the model uploads. Zero-initialise; a batch may be reused from step to step, since clearing
// keeps its memory; tt_batch_close releases it.
typedef struct tt_batch {
    int enc_seqs, enc_tokens;
    int32_t *enc_ids;       // [enc_tokens], each sequence ends with </s>
    int32_t *enc_offsets;   // [enc_seqs + 1]
    uint32_t *enc_example;  // [enc_tokens]: the example that the token belongs to, as dropout counts it
    uint32_t *enc_position; // [enc_tokens]: its position within its sequence
    int dec_seqs, dec_tokens;
    int32_t *dec_ids; // [dec_tokens]: the decoder's input, the start token (pad) and targets shifted right
    int32_t *dec_targets;                 // [dec_tokens], each sequence ends with </s>
    int32_t *dec_offsets;                 // [dec_seqs + 1]
    int32_t *dec_source;                  // [dec_seqs]: encoder sequence that it attends to
    uint32_t *dec_example, *dec_position; // [dec_tokens]: as enc_example and enc_position
    size_t enc_capacity, dec_capacity, enc_seq_capacity, dec_seq_capacity; // memory held, in elements
} tt_batch;

// Removes all sequences and keeps the memory.
void tt_batch_clear(tt_batch *batch);
void tt_batch_close(tt_batch *batch);

// Appends an encoder sequence of n ids, the last of which is </s>; its index is batch->enc_seqs - 1 afterwards.
// Errors: TT_ERR_INPUT where n < 1; TT_ERR_NOMEM.
tt_status tt_batch_add_source(tt_batch *batch, const int32_t *ids, int n, uint32_t example) TT_MUST_CHECK;

// A decoder sequence to append. Its input is `start` followed by all of `ids` but the last.
typedef struct tt_batch_target {
    const int32_t *ids; // [n], the last of which is </s>
    int n;
    int source;    // the encoder sequence that it attends to
    int32_t start; // the decoder's start token; 0, which is <pad>, where it is left out
    uint32_t example;
} tt_batch_target;

// Errors: TT_ERR_INPUT where n < 1; TT_ERR_INTERNAL for a source that the batch does not have; TT_ERR_NOMEM.
tt_status tt_batch_add_target(tt_batch *batch, const tt_batch_target *target) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
