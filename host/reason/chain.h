// The student's stages, one after another, for many questions at once: all recalls, then all analyses, then all
// summaries. Each stage is one call of the engine.
#ifndef TT_REASON_CHAIN_H
#define TT_REASON_CHAIN_H

#include "host/data/corpus.h"
#include "host/reason/engine.h"
#include "host/text/stages.h"
#include "host/text/tokenizer.h"

#ifdef __cplusplus
extern "C" {
#endif

// One run of a question through the stages. Texts belong to the tt_chain; NULL where the stage set leaves a stage
// out.
typedef struct tt_chain_run {
    const char *general;
    const char **specific; // [n_options]
    const char *summary;
    int answer; // option, or TT_NO_ANSWER where none of the options could be read
} tt_chain_run;

// A text while it is written.
typedef struct tt_chain_text {
    int question; // index
    tt_stage stage;
    int option;       // that is analyzed; 0 in the other stages
    const char *text; // so far; valid during the call
    bool ended;       // it is complete, as the next stage reads it
} tt_chain_text;

// Called each time a text grows, and once more when it has ended.
typedef tt_status (*tt_watch_text)(void *context, const tt_chain_text *text);

// All pointers are borrowed for the call.
typedef struct tt_chain_options {
    const tt_tokenizer *tokenizer; // of the student
    tt_stage_set set;
    int samples;             // 0 = one greedy run; else runs per question
    bool sampled[TT_STAGES]; // stages that are sampled in each run (with samples > 0); the others are greedy
    // Texts that are given, so that their stages are left out; NULL = the student writes them.
    const char *const *general;         // [n questions]
    const char *const *const *specific; // [n questions][n_options]
    tt_decoding decoding; // temperature, top_k and top_p of the sampled stages; max_length; seed
    int max_input;        // tokens of a prompt; longer ones lose their last words (limit.h)
    const char *label;    // of the progress bar; NULL = none
    tt_watch_text watch;  // NULL = none; meant for one run of few questions on an engine with one slot
    void *watch_context;
} tt_chain_options;

// What a stage wrote. A text that several runs share counts once: greedy texts of equal prompts are one.
typedef struct tt_stage_counts {
    int64_t asked;   // texts that runs need
    int64_t texts;   // texts written: equal greedy prompts share one
    int64_t tokens;  // without </s>
    int64_t unended; // texts that reached max_length
} tt_stage_counts;

typedef struct tt_chain {
    tt_chain_run *runs;   // [n, runs_each]
    int n, runs_each;     // questions; runs of a question
    int64_t prompts, cut; // how many there were; how many were longer than max_input
    tt_stage_counts counts[TT_STAGES];
    tt_arena memory;
} tt_chain;

// Runs questions[0..n) through the stages; they are borrowed for the call, given texts must outlive `out`. The
// caller closes the result. Draws are keyed by the question's id, stage and option. Errors: those of
// tt_engine_generate; TT_ERR_NOMEM; what `watch` returns. After an error `out` is empty.
tt_status tt_chain_generate(tt_chain *out, tt_engine *engine, const tt_question *const *questions, int n,
    const tt_chain_options *options) TT_MUST_CHECK;
void tt_chain_close(tt_chain *chain);

#ifdef __cplusplus
}
#endif

#endif
