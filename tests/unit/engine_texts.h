// What a decoding engine has written, for tests that compare texts. Before it is included, PROMPTS, SAMPLES and LENGTH are defined: of
// how many prompts, with how many samples each, and the most tokens of a text, the start token counted.
#ifndef TT_TESTS_ENGINE_TEXTS_H
#define TT_TESTS_ENGINE_TEXTS_H

#include "host/reason/engine.h"
#include "tests/expect.h"

#include <string.h>

typedef struct texts {
    int32_t ids[PROMPTS][SAMPLES][LENGTH];
    int n[PROMPTS][SAMPLES], taken;
} texts;

static inline tt_status take(void *context, int prompt, int sample, const int32_t *ids, int n) {
    texts *t = context;
    assert_true(n < LENGTH);
    memcpy(t->ids[prompt][sample], ids, (size_t)n * sizeof *ids);
    t->n[prompt][sample] = n;
    t->taken++;
    return TT_OK;
}

static inline void generate(
    tt_model *model, int slots, const tt_prompt *prompts, int n, float temperature, texts *out) {
    tt_engine *engine;
    memset(out, 0, sizeof *out);
    OK(tt_engine_open(&engine, model, slots, LENGTH));
    const tt_decoding how = {.temperature = temperature, .top_p = 1, .max_length = LENGTH, .seed = 3};
    OK(tt_engine_generate(engine, &(tt_generation){prompts, n, &how, take, out}));
    tt_engine_close(engine);
}

#endif
