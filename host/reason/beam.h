// Beam search as Hugging Face's generate(num_beams = ...) defines it.
#ifndef TT_REASON_BEAM_H
#define TT_REASON_BEAM_H

#include "host/reason/engine.h"

#ifdef __cplusplus
extern "C" {
#endif

// A finished text: `rank` 0 is the best, ids[0..n) without start token and </s>, score = sum of its
// log-probabilities (</s> included, as changed by penalties) / generated tokens^length_penalty.
typedef tt_status (*tt_take_beam)(
    void *context, int prompt, int rank, const int32_t *ids, int n, double score);

// The best `returned` texts of each prompt (fewer where fewer ended), prompt by prompt. `slots` >= beams
// sequences are decoded at a time; *tokens grows by those that were decoded. prompts[i].samples are not read.
// Errors: as tt_engine_generate; TT_ERR_CONFIG where slots, vocabulary or `returned` do not suit the beams.
tt_status tt_beam_search(tt_model *model, const tt_prompt *prompts, int n, const tt_decoding *decoding,
    int slots, int returned, tt_take_beam take, void *context, int64_t *tokens) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
