// Settings of decoding, read from words and configurations.
#include "host/reason/engine.h"

#include <stdio.h>

void tt_decoding_name(char out[TT_DECODING_NAME], int beams) {
    snprintf(out, TT_DECODING_NAME, beams > 1 ? "%d beams" : "greedy", beams);
}

tt_status tt_early_stopping_parse(tt_early_stopping *out, const char *word) {
    static const char *const names[] = {TT_EARLY_STOPPING_MAP(TT_WORD_TEXT)};
    static const tt_words words = {
        .what = "early_stopping", .words = names, .n = TT_EARLY_STOPPINGS, .error = TT_ERR_CONFIG};
    int index;
    TT_TRY(tt_word_parse(&words, word, &index));
    *out = (tt_early_stopping)index;
    return TT_OK;
}

int tt_prompt_limit_of(const tt_config *c) {
    return (int)(c->evaluation.max_input > 0 ? c->evaluation.max_input : c->acquisition.max_input);
}

tt_decoding tt_decoding_of(const tt_config *c) {
    tt_decoding d = {.temperature = (float)c->evaluation.temperature,
        .top_p = (float)c->evaluation.top_p,
        .top_k = (int)c->evaluation.top_k,
        .max_length = (int)c->evaluation.max_length,
        .min_length = (int)c->evaluation.min_length,
        .repetition_penalty = (float)c->evaluation.repetition_penalty,
        .seed = (uint64_t)c->seed,
        .beams = (int)c->evaluation.beams,
        .length_penalty = (float)c->evaluation.length_penalty};
    if (tt_early_stopping_parse(&d.early_stopping, c->evaluation.early_stopping) != TT_OK)
        d.early_stopping = TT_STOP_HEURISTIC; // the table of keys allows these words alone
    return d;
}
