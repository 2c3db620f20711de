// Generates texts by continuous batching: prompts are encoded once, in packed groups; each prompt starts its
// samples in free decoder slots; a slot whose sample has ended is refilled at once, if there is room for the next prompts, or,
// where samples share what they have in common (tt_engine_shared), as soon as a prompt's samples can start together or more than
// an eighth of the slots is idle. What is drawn depends on (seed, example, sample, position) alone, so a text does not depend on
// slots or on what else is generated, up to the rounding of matrix products, whose last bits on CPUs depend on the number of their
// rows. Tokens are chosen on the device; the host looks at them every few tokens.
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

// Names and values mean the same as in Hugging Face's generate().
typedef struct tt_decoding {
    float temperature;        // 0 = greedy, or beam search
    float top_p;              // 1 = all
    int top_k;                // 0 = all
    int max_length;           // tokens, the start token counted
    int min_length;           // no </s> before this many tokens, the start token counted; 0 = off
    float repetition_penalty; // 0 or 1 = off; see tt_penalise; the start token counts as seen
    uint64_t seed;
    int beams;            // 0 or 1 = no beam search
    float length_penalty; // a text's score is the sum of its log-probabilities / length^length_penalty
    tt_early_stopping early_stopping;
} tt_decoding;

enum { TT_DECODING_NAME = 32 };
// What texts that are not sampled are called: "greedy", or "5 beams".
void tt_decoding_name(char out[TT_DECODING_NAME], int beams);
// A word of TT_EARLY_STOPPING_MAP. Errors: TT_ERR_CONFIG for any other.
tt_status tt_early_stopping_parse(tt_early_stopping *out, const char *word) TT_MUST_CHECK;
// The settings of the section `evaluation` of a configuration.
tt_decoding tt_decoding_of(const tt_config *config);
// The most tokens of a prompt, `</s>` included, wherever a configuration's student writes: for pairs, in the
// validation of every phase, in the final evaluation.
int tt_prompt_limit_of(const tt_config *config);

typedef struct tt_prompt {
    const int32_t *ids; // [n]; ends with </s>
    int n;
    uint64_t example;       // key of its random draws: identifies the content, not the place in a list
    const int32_t *samples; // [n_samples]: numbers of the samples to draw
    int n_samples;
} tt_prompt;

// Called once per sample, in the order in which they end (it depends on the slots and on tt_engine_look_every): ids[0..n)
// without start token and </s>.
typedef tt_status (*tt_take_sample)(void *context, int prompt, int sample, const int32_t *ids, int n);

// Called for each new token of each sample, before tt_take_sample for its last one: ids[0..n) as above.
typedef tt_status (*tt_watch_sample)(void *context, int prompt, int sample, const int32_t *ids, int n);

// All pointers are borrowed for the call.
typedef struct tt_generation {
    const tt_prompt *prompts; // [n]
    int n;
    const tt_decoding *decoding;
    tt_take_sample take;
    void *context; // for `take`
} tt_generation;

// `slots` (at least 1) sequences are decoded at a time, of at most max_length tokens (at least 2), the start token
// counted. The model must outlive the engine; the caller closes it. Errors: TT_ERR_CONFIG, TT_ERR_NOMEM.
tt_status tt_engine_open(tt_engine **out, tt_model *model, int slots, int max_length) TT_MUST_CHECK;
void tt_engine_close(tt_engine *engine);

// The host looks at the tokens after every `tokens` of them: 1 to 8. Texts do not depend on it. At first it is what suits
// the device: 4 where steps are recorded, else 1. While samples are watched, it looks at each. Errors: TT_ERR_CONFIG.
tt_status tt_engine_look_every(tt_engine *engine, int tokens) TT_MUST_CHECK;

// From now on `watch` (NULL = none) is called for each new token. With one slot, samples are generated one after
// another.
void tt_engine_watch(tt_engine *engine, tt_watch_sample watch, void *context);

// Generates all samples of all prompts. With beams > 1, every sample of a prompt is the best text of one beam
// search, and `watch` is not called. Errors: TT_ERR_INPUT for an empty prompt or one without samples;
// TT_ERR_CONFIG for a max_length beyond the engine's; TT_ERR_INTERRUPTED after Ctrl-C; what `take` and `watch`
// return.
tt_status tt_engine_generate(tt_engine *engine, const tt_generation *request) TT_MUST_CHECK;

// Tokens generated since the engine was opened.
int64_t tt_engine_tokens(const tt_engine *engine);
// How many of them were not computed: another sample of the prompt had begun with the same tokens, and both were computed at once.
// Devices that record steps share none.
int64_t tt_engine_shared(const tt_engine *engine);
// Places for tokens since then: steps times slots. Beam search counts its tokens alone.
int64_t tt_engine_places(const tt_engine *engine);

#ifdef __cplusplus
}
#endif

#endif
