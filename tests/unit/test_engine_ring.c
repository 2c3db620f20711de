// The ring of encoded prompts, made so small that it wraps, fills and is too small all the time: texts are those of one slot.
#define TT_ENGINE_SIZES
enum { GROUP_TOKENS = 48, RING_TOKENS = 128, MAX_GROUP = 5, MAX_ALIVE = 9 };
#include "host/reason/engine.c"

enum { PROMPTS = 60, SAMPLES = 3, LENGTH = 9, LONGEST = 140 };
#include "tests/unit/engine_texts.h"
#include "tests/unit/tiny_model.h"

// Longest: of a prompt, as most are short. Prompts of more than the ring's 128 make a ring of their size.
static void make_prompts(
    tt_prompt *prompts, int32_t ids[PROMPTS][LONGEST], int longest, uint64_t seed, int samples) {
    static const int32_t numbers[SAMPLES] = {0, 1, 2};
    for (int i = 0; i < PROMPTS; ++i) {
        tt_rng rng;
        tt_rng_open(&rng, seed, TT_FOR_TEST, (uint64_t)i, 0);
        const int most = tt_rng_below(&rng, 4) ? 20 : longest,
                  n = 1 + (int)tt_rng_below(&rng, (uint32_t)most);
        for (int k = 0; k < n; ++k) ids[i][k] = k == n - 1 ? TT_EOS : 2 + (int32_t)tt_rng_below(&rng, 90);
        prompts[i] = (tt_prompt){
            .ids = ids[i], .n = n, .example = (uint64_t)i, .samples = numbers, .n_samples = samples};
    }
}

static void texts_do_not_depend_on_the_ring(void **state) {
    (void)state;
    static texts one, many;
    static int32_t ids[PROMPTS][LONGEST];
    static const int slots[] = {2, 3, 8, 40}, longest[] = {47, 48, 49, 127, 128, 129, 140};
    tt_device *device;
    tt_model *model;
    tiny_model_open(&device, &model, 96);
    for (size_t l = 0; l < sizeof longest / sizeof *longest; ++l)
        for (int samples = 1; samples <= SAMPLES; samples += 2) {
            tt_prompt prompts[PROMPTS];
            make_prompts(prompts, ids, longest[l], l, samples);
            const float temperature = samples > 1 ? 0.7f : 0;
            generate(model, 1, prompts, PROMPTS, temperature, &one);
            assert_int_equal(one.taken, PROMPTS * samples);
            for (size_t i = 0; i < sizeof slots / sizeof *slots; ++i) {
                generate(model, slots[i], prompts, PROMPTS, temperature, &many);
                assert_memory_equal(&one, &many, sizeof one);
            }
        }
    tt_model_close(model);
    tt_device_close(device);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(texts_do_not_depend_on_the_ring)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
