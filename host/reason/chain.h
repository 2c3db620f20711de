// The three stages, one after another, for many questions at once: all recalls, then all analyses, then all
// summaries, each stage one generation of the engine.
#ifndef TT_REASON_CHAIN_H
#define TT_REASON_CHAIN_H

#include "host/data/corpus.h"
#include "host/reason/engine.h"
#include "host/text/stages.h"
#include "host/text/tokenizer.h"

#ifdef __cplusplus
extern "C" {
#endif

// One way through the stages. Texts belong to the tt_chain; NULL where the stage set lacks the stage.
typedef struct tt_chain_run {
    const char *general;
    const char **specific; // [n_options]
    const char *summary;
    int answer; // option, or TT_NO_ANSWER where none of the options could be read
} tt_chain_run;

// Called as a text grows and once more, with `ended`, when it stands as it enters the next stage. `option` is
// 0 but for analyze.
typedef tt_status (*tt_watch_text)(
    void *context, int question, tt_stage stage, int option, const char *text, bool ended);

typedef struct tt_chain_options {
    tt_stage_set set;
    int samples;             // 0 = one greedy run; else runs per question
    bool sampled[TT_STAGES]; // stages that draw in each run (with samples > 0); the others are greedy
    // Texts that are given, so that their stages are left out; or NULL.
    const char *const *general;         // [n questions]
    const char *const *const *specific; // [n questions][n_options]
    tt_decoding decoding;               // temperature, top_k and top_p of what is sampled; max_length; seed
    int max_input;                      // tokens of a prompt; longer ones lose their last words (limit.h)
    const char *label;                  // of the progress bar; NULL = none
    tt_watch_text watch; // NULL = nobody watches; for one run of few questions on an engine with one slot
    void *watch_context;
} tt_chain_options;

// What a stage wrote. Texts that runs share count once.
typedef struct tt_stage_use {
    int64_t texts;
    int64_t tokens;  // without </s>
    int64_t unended; // texts that reached max_length
} tt_stage_use;

typedef struct tt_chain {
    tt_chain_run *runs; // [n questions, runs]
    int n, runs_each;
    int64_t prompts, cut; // how many there were; how many were longer than max_input
    tt_stage_use use[TT_STAGES];
    tt_arena memory;
} tt_chain;

// `questions` [n] are borrowed for the call. The result is released with tt_chain_close. A question's
// sampling is keyed by its id.
tt_status tt_chain_generate(tt_chain *out, tt_engine *engine, const tt_tokenizer *tokenizer,
    const tt_question *const *questions, int n, const tt_chain_options *options) TT_MUST_CHECK;
void tt_chain_close(tt_chain *chain);

#ifdef __cplusplus
}
#endif

#endif
