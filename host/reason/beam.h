// Beam search as Hugging Face's generate(num_beams = ...) defines it.
#ifndef TT_REASON_BEAM_H
#define TT_REASON_BEAM_H

#include "host/reason/engine.h"

#ifdef __cplusplus
extern "C" {
#endif

// A finished text.
typedef struct tt_beam_text {
    int prompt, rank;   // rank 0 is the best
    const int32_t *ids; // [n] without start token and </s>; valid during the call
    int n;
    // Sum of its log-probabilities (</s> included, as changed by penalties) / generated tokens^length_penalty.
    double score;
} tt_beam_text;

typedef tt_status (*tt_take_beam)(void *context, const tt_beam_text *text);

// All pointers are borrowed for the call.
typedef struct tt_beam_request {
    const tt_prompt *prompts; // [n]; their `samples` are ignored
    int n;
    const tt_decoding *decoding;
    int slots;    // sequences decoded at a time, at least as many as beams
    int steps;    // between two looks at the device: 1 .. TT_DECODER_STEPS; texts do not depend on it
    int returned; // texts of each prompt, at most as many as beams
    tt_take_beam take;
    void *context; // for `take`
} tt_beam_request;

// Calls `take` for the best texts of each prompt (fewer where fewer ended), prompt by prompt, best first. Adds the
// number of decoded tokens to *tokens; steps that the device did for a prompt that was done already do not count.
// Errors: TT_ERR_CONFIG where slots, steps, vocabulary or `returned` do not suit the beams; TT_ERR_INPUT for an empty prompt; TT_ERR_INTERRUPTED after Ctrl-C; what `take` returns.
tt_status tt_beam_search(tt_model *model, const tt_beam_request *request, int64_t *tokens) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
