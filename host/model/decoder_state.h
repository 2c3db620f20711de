// What a decoder consists of. Private to decoder.c and decoder_steps.c.
#ifndef TT_MODEL_DECODER_STATE_H
#define TT_MODEL_DECODER_STATE_H

#include "host/model/decoder.h"
#include "host/model/pass.h"

#ifdef __cplusplus
extern "C" {
#endif

// The numbers of a step, one row of `capacity` for each kind; behind them the random numbers of a run.
typedef enum tt_step_row {
    TT_STEP_TOKEN,
    TT_STEP_CACHE_ROW,
    TT_STEP_START,
    TT_STEP_LENGTH,
    TT_STEP_SOURCE_START,
    TT_STEP_SOURCE_LENGTH,
    TT_STEP_PARENT,
    TT_STEP_LEFT,
    TT_STEP_ROWS,
    // Of draws, with tt_decoder_draws.from: behind the random numbers of its one step.
    TT_STEP_FROM = TT_STEP_ROWS + 1,
    // Of beam search, which has no random numbers: sums of the texts' log-probabilities, fp64, so two rows.
    TT_STEP_TOTAL = TT_STEP_ROWS,
    TT_STEP_TOTAL_END = TT_STEP_TOTAL + 2
} tt_step_row;

// Rows of steps on devices that record come in multiples of this.
enum { TT_STEP_STRIDE = 16 };

// What is the same in all steps of a recording, beside the number of rows.
typedef struct tt_step_way {
    tt_decoder_choice choice; // steps 0: the caller chooses
    bool table;               // texts go on from others
    int beams;                // of each prompt; 0: no beam search
} tt_step_way;

// What is kept for steps of one number of rows.
typedef struct tt_step_size {
    tt_step_way way; // how the latest step (or run) of this size chose; the recording is of it
    bool seen;       // there was one
    tt_recording *recording;
} tt_step_size;

struct tt_decoder {
    tt_model *model;
    tt_pass *pass; // of the encoder
    int slots, max_length, source_tokens;
    int capacity; // slots, rounded up to a multiple of TT_STEP_STRIDE
    tt_operand **self_kv,
        **cross_kv;       // per layer: [slots * max_length + TT_STEP_STRIDE, 2I], [source_tokens, 2I]
    int32_t *ids, *table; // [slots * max_length + TT_STEP_STRIDE]: of each row of self_kv; see tt_enter
    float *x, *rstd, *logits;
    tt_operand *y, *qkv, *out, *branch, *h, *a;
    int32_t *step, *host;         // [TT_STEP_ROWS + TT_DECODER_STEPS, capacity]: device; host
    int32_t *chosen, *downloaded; // [TT_DECODER_STEPS, capacity]: device; host
    int32_t *parent_of;           // [slots], host
    int draws;                    // of the step, with TT_STEP_FROM; 0 = one from each row
    tt_step_way way;
    tt_step_size
        *sizes; // [capacity / TT_STEP_STRIDE + 1], by rows / TT_STEP_STRIDE; NULL: nothing is recorded
    // Of beam search, for so many beams (0: none yet). tops: [capacity, 2 beams] tokens, then as many scores; best:
    // [TT_DECODER_STEPS, capacity / beams, 2 beams], device; found: the same on the host.
    int beams;
    int32_t *tops;
    tt_beam_candidate *best, *found;
};

static inline const int32_t *tt_step_of(const tt_decoder *p, tt_step_row row) {
    return p->step + (size_t)row * (size_t)p->capacity;
}

// The layers for `rows` rows, row i reading ids[i] (device memory), up to the logits.
tt_status tt_decoder_compute(tt_decoder *p, int rows, const int32_t *ids) TT_MUST_CHECK;
// Marks as undefined what the last step left behind, except for the caches of texts that continue: a slot at
// position 0 begins a new text, and spare rows belong to none.
tt_status tt_decoder_discard_step(tt_decoder *p, const tt_decoder_slots *active) TT_MUST_CHECK;
// Forgets all recordings.
void tt_decoder_forget_steps(tt_decoder *p);

#ifdef __cplusplus
}
#endif

#endif
