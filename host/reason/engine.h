// Continuous batching: prompts are encoded once in packed groups, each spawns its samples, a finished slot is
// refilled at once. What a sample becomes depends on (seed, example, sample, position) alone, not on slots or
// on what else is generated.
#ifndef TT_REASON_ENGINE_H
#define TT_REASON_ENGINE_H

#include "host/config/config.h"
#include "host/config/words.h"
#include "host/model/model.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_engine tt_engine;

// When beam search is over for a prompt: documented at TT_EARLY_STOPPING_MAP.
typedef enum tt_early_stopping { TT_EARLY_STOPPING_MAP(TT_WORD_CODE) TT_EARLY_STOPPINGS } tt_early_stopping;

// Words and numbers mean what they mean in Hugging Face's generate().
typedef struct tt_decoding {
    float temperature;        // 0 = greedy, or beam search
    float top_p;              // 1 = all
    int top_k;                // 0 = all
    int max_length;           // tokens, the start token counted
    int min_length;           // </s> is forbidden before so many tokens, the start token counted; 0 = off
    float repetition_penalty; // 0 or 1 = off; else see tt_penalise; the start token counts as seen
    uint64_t seed;
    int beams;            // 0 or 1 = no beam search
    float length_penalty; // a text's score is the sum of its log-probabilities / length^length_penalty
    tt_early_stopping early_stopping;
} tt_decoding;

// A word of TT_EARLY_STOPPING_MAP. Errors: TT_ERR_CONFIG for any other.
tt_status tt_early_stopping_parse(tt_early_stopping *out, const char *word) TT_MUST_CHECK;
// What the section `evaluation` of a configuration says.
tt_decoding tt_decoding_of(const tt_config *config);
// Tokens of a prompt wherever a configuration's student writes: pairs, validation of every phase, the final
// evaluation.
int tt_prompt_limit_of(const tt_config *config);

typedef struct tt_prompt {
    const int32_t *ids; // ends with </s>
    int n;
    uint64_t example;       // for sampling: what it is, not where it stands
    const int32_t *samples; // numbers of the samples to draw
    int n_samples;
} tt_prompt;

// Called once per sample, in the order in which they end: ids[0..n) without start token and </s>.
typedef tt_status (*tt_take_sample)(void *context, int prompt, int sample, const int32_t *ids, int n);

// Called for each new token of each sample, before tt_take_sample for its last one: ids[0..n) as above.
typedef tt_status (*tt_watch_sample)(void *context, int prompt, int sample, const int32_t *ids, int n);

// `slots` sequences at a time, of at most max_length tokens each. The model must outlive the engine.
tt_status tt_engine_open(tt_engine **out, tt_model *model, int slots, int max_length) TT_MUST_CHECK;
void tt_engine_close(tt_engine *engine);

// From now on `watch` (NULL = nothing) sees texts grow. With one slot prompts come one after another.
void tt_engine_watch(tt_engine *engine, tt_watch_sample watch, void *context);

// With beams > 1, each sample of a prompt is the best text of one beam search, and nobody watches.
// Errors: TT_ERR_INPUT for an empty prompt or one without samples; TT_ERR_CONFIG for a max_length beyond the
// engine's; TT_ERR_INTERRUPTED after Ctrl-C; what `take` and the watcher return.
tt_status tt_engine_generate(tt_engine *engine, const tt_prompt *prompts, int n, const tt_decoding *decoding,
    tt_take_sample take, void *context) TT_MUST_CHECK;

// Tokens generated since the engine was opened.
int64_t tt_engine_tokens(const tt_engine *engine);

#ifdef __cplusplus
}
#endif

#endif
