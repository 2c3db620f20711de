// Step-wise decoding with a K/V cache: each source is encoded once, and any number of slots decode from it.
#ifndef TT_MODEL_DECODER_H
#define TT_MODEL_DECODER_H

#include "host/data/batch.h"
#include "host/model/model.h"
#include "kernels/ops.h"

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
// source_start[i] + source_length[i] - 1. Slots of one source should be neighbours: they read the same rows at one time.
typedef struct tt_decoder_slots {
    int n; // 1 .. the decoder's slots
    const int32_t *slot, *token, *position, *source_start, *source_length;
    // NULL, or (beam search) the slot whose text slot[i] goes on from: itself, or another one that is not in this step
    // or goes on from itself. Then all steps of a text have it.
    const int32_t *parent;
} tt_decoder_slots;

// One step. *logits receives device memory [n, vocab_size], valid until the next call. Errors: TT_ERR_INTERNAL
// for numbers out of range; those of the device.
tt_status tt_decoder_step(tt_decoder *decoder, const tt_decoder_slots *active, float **logits) TT_MUST_CHECK;

enum { TT_DECODER_STEPS = 8 }; // the most of a run

// How a run of steps chooses tokens.
typedef struct tt_decoder_choice {
    int steps;                // 1 .. TT_DECODER_STEPS
    float temperature, top_p; // as in tt_sample
    int top_k;
    float repetition_penalty; // as in tt_penalise
    int min_length;           // tokens, the start token counted, before which there is no </s>; 0 = off
} tt_decoder_choice;

// What a run draws from, and what it draws: host memory.
typedef struct tt_decoder_draws {
    const int32_t *left;  // [n]: the most tokens that a slot may choose, at least 1
    const float *uniform; // [steps, n]: random numbers in [0, 1); not read when the temperature is 0
    int32_t *token;       // [steps, n]: what was chosen; 0 for slots that had ended, by </s> or `left`
    // NULL: each active slot draws once. Else, in a run of one step alone: draw i is from what active slot from[i] (an index)
    // computed; draws from one slot are neighbours.
    const int32_t *from;
    int n; // with `from`: draws, at most the decoder's slots; the n of all arrays above
} tt_decoder_draws;

// Steps, each reading the tokens that the one before chose; the host waits for all of them at once. What a slot
// chooses does not depend on how many steps a run has. With penalties, every step of a text has to be one of a run
// with penalties. Errors: as tt_decoder_step; TT_ERR_NUMERIC for NaN or inf among the logits of slots that have not
// ended; TT_ERR_INTERNAL for slots with parents, for several draws from a slot in a run of more than one step, and for
// several draws where steps are recorded.
tt_status tt_decoder_run(tt_decoder *decoder, const tt_decoder_slots *active, const tt_decoder_choice *choice,
    const tt_decoder_draws *draws) TT_MUST_CHECK;

// From now on the slot `to` has read the first `tokens` tokens that the slot `from` has read, as if it had read them itself.
// Neither has a parent. Errors: TT_ERR_INTERNAL for slots out of range; those of the device.
tt_status tt_decoder_fork(tt_decoder *decoder, int from, int to, int tokens) TT_MUST_CHECK;

// A run of steps of beam search. Slots come prompt by prompt, `beams` each, best first.
typedef struct tt_decoder_beams {
    int steps;                // 1 .. TT_DECODER_STEPS
    int beams;                // 2 .. TT_MOST_BEAMS, at most half of the vocabulary
    float repetition_penalty; // as in tt_decoder_choice
    int min_length;
    // [n]: sums of log-probabilities; -inf: an empty place. Before the first step each prompt has one text, and nothing
    // goes on from the other places.
    const double *total;
    // [steps, n / beams, 2 * beams], host memory: what each step found.
    tt_beam_candidate *best;
} tt_decoder_beams;

// Steps of which each goes on from the texts that the one before chose (tt_beam_step); the host waits for all of them at
// once. `active` has whole prompts with parents, those of a prompt at the same position. What is found does not depend on how
// many steps a run has. Errors: as tt_decoder_step; TT_ERR_NUMERIC for NaN or inf among the logits; TT_ERR_NOMEM where the
// number of beams changes; TT_ERR_INTERNAL for slots without parents, numbers that do not fit, or steps beyond the
// decoder's max_length.
tt_status tt_decoder_run_beams(
    tt_decoder *decoder, const tt_decoder_slots *active, const tt_decoder_beams *run) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
