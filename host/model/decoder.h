// Step-wise decoding with a K/V cache: each source is encoded once, and any number of slots decode from it.
#ifndef TT_MODEL_DECODER_H
#define TT_MODEL_DECODER_H

#include "host/data/batch.h"
#include "host/model/model.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_decoder tt_decoder;

// Memory for `slots` sequences of at most max_length tokens (start token included), and for encoded sources
// of at most source_tokens tokens in all. The caller closes it; the model must outlive it.
// Errors: TT_ERR_CONFIG, TT_ERR_NOMEM, TT_ERR_DEVICE.
tt_status tt_decoder_open(
    tt_decoder **out, tt_model *model, int slots, int max_length, int source_tokens) TT_MUST_CHECK;
void tt_decoder_close(tt_decoder *decoder);
// Device memory of one encoded source token: K and V of all layers, in bytes.
size_t tt_decoder_source_bytes(const tt_model *model);

// Encodes the encoder side of `batch` and stores each layer's cross-attention K and V at rows
// first_row, first_row + 1, ... of the source memory (rows = batch->enc_tokens). The caller decides
// which rows are in use.
tt_status tt_decoder_encode(tt_decoder *decoder, const tt_batch *batch, int first_row) TT_MUST_CHECK;

// Declares source rows unused until they are encoded again (tt_device_discard).
tt_status tt_decoder_forget(tt_decoder *decoder, int first_row, int rows) TT_MUST_CHECK;

// The slots of a step; arrays [n] in host memory. Slot slot[i] reads token[i] at position position[i] (0 = start
// token, counted per slot, each step one higher) and attends to the source rows source_start[i] ..
// source_start[i] + source_length[i] - 1. Decoding is fastest when slots of the same source are adjacent.
typedef struct tt_decoder_slots {
    int n; // 1 .. the decoder's slots
    const int32_t *slot, *token, *position, *source_start, *source_length;
} tt_decoder_slots;

// One step. *logits receives device memory [n, vocab_size], valid until the next call. Errors: TT_ERR_INTERNAL
// for numbers out of range; those of the device.
tt_status tt_decoder_step(tt_decoder *decoder, const tt_decoder_slots *active, float **logits) TT_MUST_CHECK;
// Copies positions 0..length-1 of the self-attention cache of slot `from` to slot `to` (beam search).
tt_status tt_decoder_copy(tt_decoder *decoder, int to, int from, int length) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
