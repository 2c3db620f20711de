// Decoding, the chain of stages, votes and intervals.
#include "host/base/philox.h"
#include "host/reason/chain.h"
#include "host/reason/portions.h"
#include "host/reason/vote.h"
#include "kernels/ops.h"
#include "tests/expect.h"

enum { PROMPTS = 40, SAMPLES = 6, LENGTH = 12 };
#include "tests/unit/engine_texts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void votes(void **state) {
    (void)state;
    static const struct {
        int answers[6], n, options, expected;
    } cases[] = {{{1, 2, 2}, 3, 4, 2}, {{3, 1, 1, 3}, 4, 4, 3}, {{-1, -1, -1, 0}, 4, 4, 0},
        {{-1, -1}, 2, 4, TT_NO_ANSWER}, {{7, 7, 7, 2}, 4, 4, 2}, {{0}, 0, 4, TT_NO_ANSWER},
        {{2, 0, 0, 2, 2}, 5, 3, 2}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i)
        assert_int_equal(tt_vote(cases[i].answers, cases[i].n, cases[i].options), cases[i].expected);
}

// Ends of Wilson's interval solve (p - x)^2 = z^2 x (1 - x) / n.
static void intervals(void **state) {
    (void)state;
    static const int cases[][2] = {{0, 10}, {10, 10}, {5, 10}, {190, 229}, {1, 1000}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        double ends[2];
        const double n = cases[i][1], p = cases[i][0] / n;
        tt_wilson(cases[i][0], cases[i][1], &ends[0], &ends[1]);
        assert_true(ends[0] <= p + 1e-12 && p <= ends[1] + 1e-12 && ends[0] < ends[1]);
        for (int e = 0; e < 2; ++e) {
            const double x = ends[e], residual = (p - x) * (p - x) - 3.841458820694124 * x * (1 - x) / n;
            assert_true(fabs(residual) < 1e-9);
        }
    }
}

static tt_device *device;
static tt_model *model;

static int open_with(int threads) {
    const tt_model_config c = {.vocab_size = 96,
        .d_model = 16,
        .d_kv = 4,
        .d_ff = 24,
        .num_layers = 2,
        .num_decoder_layers = 2,
        .num_heads = 4,
        .relative_attention_num_buckets = 8,
        .relative_attention_max_distance = 16,
        .layer_norm_epsilon = 1e-6f,
        .initializer_factor = 1,
        .tie_word_embeddings = false};
    OK(tt_device_open(&device, "cpu", TT_FP32, threads));
    OK(tt_model_open(&model, &c, device));
    OK(tt_model_init(model, TT_INIT_T5, 11));
    return 0;
}

static int open_model(void **state) {
    (void)state;
    return open_with(2);
}

static int open_single(void **state) {
    (void)state;
    return open_with(1);
}

static int close_model(void **state) {
    (void)state;
    tt_model_close(model);
    tt_device_close(device);
    return 0;
}

static int32_t ids[PROMPTS][30];
static const int32_t numbers[SAMPLES] = {0, 1, 2, 3, 4, 5};

static void make_prompts(tt_prompt *prompts, int samples) {
    for (int i = 0; i < PROMPTS; ++i) {
        tt_rng rng;
        tt_rng_open(&rng, 5, TT_FOR_TEST, (uint64_t)i, 0);
        const int n = 1 + (int)tt_rng_below(&rng, 29);
        for (int k = 0; k < n; ++k) ids[i][k] = k == n - 1 ? 1 : (int32_t)tt_rng_below(&rng, 96);
        prompts[i] = (tt_prompt){
            .ids = ids[i], .n = n, .example = (uint64_t)i * 977, .samples = numbers, .n_samples = samples};
    }
}

// What comes out does not depend on slots or company.
static void texts_do_not_depend_on_the_batch(void **state) {
    (void)state;
    static texts one, few, many, alone;
    tt_prompt prompts[PROMPTS];
    for (int sampled = 0; sampled < 2; ++sampled) {
        make_prompts(prompts, sampled ? 3 : 1);
        generate(model, 1, prompts, PROMPTS, sampled ? 0.7f : 0, &one);
        generate(model, 3, prompts, PROMPTS, sampled ? 0.7f : 0, &few);
        generate(model, 64, prompts, PROMPTS, sampled ? 0.7f : 0, &many);
        assert_int_equal(one.taken, PROMPTS * (sampled ? 3 : 1));
        assert_memory_equal(one.n, few.n, sizeof one.n);
        assert_memory_equal(one.ids, few.ids, sizeof one.ids);
        assert_memory_equal(one.n, many.n, sizeof one.n);
        assert_memory_equal(one.ids, many.ids, sizeof one.ids);
        generate(model, 5, prompts + 17, 1, sampled ? 0.7f : 0, &alone);
        assert_memory_equal(alone.ids[0], one.ids[17], sizeof alone.ids[0]);
    }
    int differing = 0; // samples of one prompt are draws of their own
    for (int i = 0; i < PROMPTS; ++i)
        differing += memcmp(many.ids[i][0], many.ids[i][1], sizeof many.ids[i][0]) != 0;
    assert_true(differing > PROMPTS / 2);
}

// Each greedy token is the likeliest one by the packed forward pass.
static void greedy_is_argmax(void **state) {
    (void)state;
    static texts greedy;
    tt_prompt prompts[PROMPTS];
    make_prompts(prompts, 1);
    generate(model, 8, prompts, PROMPTS, 0, &greedy);
    tt_pass *pass;
    tt_batch batch = {0};
    OK(tt_pass_open(&pass, model));
    for (int i = 0; i < PROMPTS; i += 9) {
        int32_t target[LENGTH];
        const int n = greedy.n[i][0];
        memcpy(target, greedy.ids[i][0], sizeof target);
        target[n] = 1;
        const int tokens = n == LENGTH - 1 ? n : n + 1;
        for (int at = 0; at < tokens; ++at) {
            float best = -INFINITY, chosen = 0;
            for (int v = 0; v < 96; ++v) {
                float logp[LENGTH];
                int32_t probe[LENGTH];
                memcpy(probe, target, sizeof probe);
                probe[at] = v;
                tt_batch_clear(&batch);
                OK(tt_batch_add_source(&batch, prompts[i].ids, prompts[i].n, 0));
                OK(tt_batch_add_target(
                    &batch, &(tt_batch_target){.ids = probe, .n = at + 1, .source = 0, .example = 0}));
                OK(tt_forward(pass, &batch, (tt_dropout_key){0}, logp));
                if (logp[at] > best) best = logp[at];
                if (v == target[at]) chosen = logp[at];
            }
            assert_true(chosen >= best - 1e-5f);
        }
    }
    tt_batch_close(&batch);
    tt_pass_close(pass);
}

// Nor on how often the host looks: texts that end just before, at and after a look, by length and by </s>, in slots
// that are refilled, with penalties and without.
static void texts_do_not_depend_on_looks(void **state) {
    (void)state;
    static texts every, some;
    tt_prompt prompts[PROMPTS];
    make_prompts(prompts, 3);
    int early = 0;
    for (int length = 4; length <= 10; length += length == 6 ? 2 : 1) // 3, 4, 5 and 7, 8, 9 tokens
        for (int way = 0; way < 4; ++way) {
            const tt_decoding how = {.temperature = way % 2 ? 0.9f : 0,
                .top_p = 1,
                .max_length = length,
                .seed = 3,
                .repetition_penalty = way < 2 ? 0 : 1.7f,
                .min_length = way < 2 ? 0 : 3};
            for (int i = 0; i < 7; ++i) {
                static const int looks[] = {1, 2, 4, 8, 8, 3, 4}, slots[] = {7, 7, 7, 7, 200, 1, 64};
                texts *out = i == 0 ? &every : &some;
                tt_engine *engine;
                memset(out, 0, sizeof *out);
                OK(tt_engine_open(&engine, model, slots[i], LENGTH));
                OK(tt_engine_look_every(engine, looks[i]));
                OK(tt_engine_generate(engine, &(tt_generation){prompts, PROMPTS, &how, take, out}));
                int64_t tokens = 0; // </s> counts where there was room for it
                for (int p = 0; p < PROMPTS; ++p)
                    for (int s = 0; s < 3; ++s)
                        tokens += out->n[p][s] + (out->n[p][s] < length - 1),
                            early += out->n[p][s] < length - 1;
                assert_int_equal(tt_engine_tokens(engine), tokens);
                tt_engine_close(engine);
                assert_memory_equal(out, &every, sizeof every);
            }
        }
    assert_true(early > 100);
}

// Rows that go through the LM head, the only product with 96 columns.
static const tt_ops *plain_ops;
static int64_t head_rows;
static tt_status count_rows(tt_device *on, const tt_gemm *product) {
    if (product->n == 96) head_rows += product->m;
    return plain_ops->gemm(on, product);
}

enum { SHARING = 12 }; // prompts of the test

// Tokens, </s> included where there was room for it.
static int tokens_of(const texts *t, int prompt, int sample) {
    return t->n[prompt][sample] + (t->n[prompt][sample] < LENGTH - 1);
}

// How many tokens come after a beginning that no sample has that began before and together with this one.
static int64_t count_distinct(const texts *t) {
    int64_t n = 0;
    for (int p = 0; p < SHARING; ++p)
        for (int s = 0; s < SAMPLES; ++s)
            for (int at = 0; at < tokens_of(t, p, s); ++at) {
                bool first = true;
                for (int other = 0; other < s; ++other)
                    first = first && !(tokens_of(t, p, other) > at && memcmp(t->ids[p][other], t->ids[p][s],
                                                                          (size_t)at * sizeof(int32_t)) == 0);
                n += first;
            }
    return n;
}

// Steps of slots that are refilled at once, samples in their order.
static int64_t count_steps(const texts *t, int slots) {
    int left[SAMPLES + 1] = {0}, next = 0, active = 0;
    int64_t steps = 0;
    do {
        active = 0;
        for (int i = 0; i < slots; ++i) {
            if (left[i] == 0 && next < SHARING * SAMPLES) {
                left[i] = tokens_of(t, next / SAMPLES, next % SAMPLES);
                next++;
            }
            active += left[i] > 0;
            left[i] -= left[i] > 0;
        }
        steps += active > 0;
    } while (active > 0);
    return steps;
}

// Samples that agree are computed once, and say what they say alone: as far as they agree, hardly ever and always, with
// penalties and without. From 40 slots on, where an eighth of them may wait, all samples of a prompt start together; below 8 no
// slot ever waits.
static void samples_that_agree_share(void **state) {
    (void)state;
    static texts apart, together;
    tt_prompt prompts[PROMPTS];
    make_prompts(prompts, SAMPLES);
    plain_ops = device->ops;
    tt_ops counting = *plain_ops;
    counting.gemm = count_rows;
    device->ops = &counting;
    for (int way = 0; way < 4; ++way) {
        const tt_decoding how = {.temperature = way == 0 ? 5 : 0.4f,
            .top_p = 1,
            .top_k = way == 3 ? 1 : 0,
            .max_length = LENGTH,
            .seed = 8,
            .repetition_penalty = way == 2 ? 1.7f : 0,
            .min_length = way == 2 ? 3 : 0};
        static const int slots[] = {7, 1, 5, 6, 7, 39, 40, 64};
        for (int i = 0; i < 8; ++i) {
            texts *out = i == 0 ? &apart : &together;
            tt_engine *engine;
            memset(out, 0, sizeof *out);
            head_rows = 0;
            OK(tt_engine_open(&engine, model, slots[i], LENGTH));
            if (i == 0) OK(tt_engine_look_every(engine, 2)); // no sample shares
            OK(tt_engine_generate(engine, &(tt_generation){prompts, SHARING, &how, take, out}));
            const int64_t tokens = tt_engine_tokens(engine), shared = tt_engine_shared(engine),
                          steps = tt_engine_places(engine) / slots[i];
            tt_engine_close(engine);
            assert_int_equal(out->taken, SHARING * SAMPLES);
            if (i == 0) {
                assert_int_equal(shared, 0);
                continue;
            }
            assert_memory_equal(&apart, &together, sizeof apart);
            assert_int_equal(head_rows, tokens - shared);
            if (slots[i] < 8) assert_int_equal(steps, count_steps(&together, slots[i]));
            if (slots[i] == 1) assert_int_equal(shared, 0);
            if (slots[i] < 40) continue;
            assert_int_equal(head_rows, count_distinct(&together));
            if (way == 3) assert_int_equal(SAMPLES * head_rows, tokens);
            if (way == 1) assert_true(shared > SHARING * (SAMPLES - 1) && shared < tokens / 2);
        }
    }
    device->ops = plain_ops;
}

// Watched samples are looked at token by token, whatever the engine does otherwise.
static tt_status watch_tokens(void *context, int prompt, int sample, const int32_t *generated, int n) {
    (void)prompt, (void)sample, (void)generated;
    *(int *)context += n;
    return TT_OK;
}

static void looks_are_checked(void **state) {
    (void)state;
    static texts out;
    tt_engine *engine;
    tt_prompt prompts[PROMPTS];
    int watched = 0;
    make_prompts(prompts, 1);
    OK(tt_engine_open(&engine, model, 3, LENGTH));
    assert_int_equal(tt_engine_look_every(engine, 0), TT_ERR_CONFIG);
    assert_int_equal(tt_engine_look_every(engine, 9), TT_ERR_CONFIG);
    OK(tt_engine_look_every(engine, 8));
    tt_engine_watch(engine, watch_tokens, &watched);
    const tt_decoding how = {.top_p = 1, .max_length = 5};
    OK(tt_engine_generate(engine, &(tt_generation){prompts, 1, &how, take, &out}));
    assert_int_equal(out.n[0][0], 4);
    assert_int_equal(watched, 1 + 2 + 3 + 4);
    tt_engine_close(engine);
}

// Prompts of 1,000 tokens, of which eight are encoded together: all slots have a text before the first token is chosen.
static void slots_do_not_wait_for_the_encoder(void **state) {
    (void)state;
    static texts out;
    static int32_t long_prompt[1000];
    static const int cases[] = {8, 9, 10, 32};
    for (int k = 0; k < 999; ++k) long_prompt[k] = 2 + k % 90;
    long_prompt[999] = 1;
    const tt_decoding how = {.top_p = 1, .max_length = 4, .min_length = 4}; // three tokens
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        tt_engine *engine;
        tt_prompt prompts[32];
        for (int k = 0; k < cases[i]; ++k)
            prompts[k] = (tt_prompt){.ids = long_prompt, .n = 1000, .samples = numbers, .n_samples = 1};
        OK(tt_engine_open(&engine, model, cases[i], LENGTH));
        memset(&out, 0, sizeof out);
        OK(tt_engine_generate(engine, &(tt_generation){prompts, cases[i], &how, take, &out}));
        assert_int_equal(out.taken, cases[i]);
        assert_int_equal(tt_engine_places(engine), 3 * cases[i]);
        tt_engine_close(engine);
    }
}

static void bad_prompts(void **state) {
    (void)state;
    static texts out;
    tt_engine *engine;
    OK(tt_engine_open(&engine, model, 4, LENGTH));
    const tt_decoding how = {.top_p = 1, .max_length = LENGTH};
    const tt_prompt empty = {.ids = ids[0], .n = 0, .samples = numbers, .n_samples = 1};
    assert_int_equal(tt_engine_generate(engine, &(tt_generation){&empty, 1, &how, take, &out}), TT_ERR_INPUT);
    const tt_decoding longer = {.top_p = 1, .max_length = LENGTH + 1};
    assert_int_equal(
        tt_engine_generate(engine, &(tt_generation){&empty, 1, &longer, take, &out}), TT_ERR_CONFIG);
    tt_engine_close(engine);
}

// On the CPU, which records no steps, a piece has about 64 texts, whatever the slots.
static void questions_are_cut_into_even_pieces(void **state) {
    (void)state;
    enum { N = 100 };
    int sizes[N];
    tt_portions p;
    for (int i = 0; i < N; ++i) sizes[i] = 5;
    OK(tt_portions_cut(&p, sizes, 12, device, 256)); // 60 texts
    assert_int_equal(p.n, 1);
    assert_int_equal(p.ends[0], 12);
    tt_portions_close(&p);
    OK(tt_portions_cut(
        &p, sizes, N, device, 1)); // 500 texts: seven pieces of 71.4, the k-th ends with question 14.29 k
    const int ends[] = {15, 29, 43, 58, 72, 86, 100};
    assert_int_equal(p.n, 7);
    assert_memory_equal(p.ends, ends, sizeof ends);
    assert_int_equal(tt_portion_begin(&p, 0), 0);
    assert_int_equal(tt_portion_begin(&p, 6), 86);
    tt_portions_join(&p, 3, 50); // three have 43 questions
    assert_int_equal(p.n, 2);
    assert_int_equal(p.ends[0], 58);
    assert_int_equal(p.ends[1], 100);
    tt_portions_join(&p, 2, 1000); // the last one has what is left
    assert_int_equal(p.n, 1);
    assert_int_equal(p.ends[0], 100);
    tt_portions_close(&p);
    OK(tt_portions_cut(&p, sizes, N, device, 1));
    tt_portions_join(&p, 3, 43);
    const int joined[] = {43, 86, 100};
    assert_int_equal(p.n, 3);
    assert_memory_equal(p.ends, joined, sizeof joined);
    tt_portions_close(&p);
    sizes[0] = 1000; // is a piece of its own
    OK(tt_portions_cut(&p, sizes, 2, device, 1));
    assert_int_equal(p.n, 2);
    assert_int_equal(p.ends[0], 1);
    tt_portions_close(&p);
    const tt_question five = {.n_options = 5};
    assert_int_equal(tt_widest_stage(TT_SET_ALL, 0, &five), 5);
    assert_int_equal(tt_widest_stage(TT_SET_ALL, 10, &five), 50);
    assert_int_equal(tt_widest_stage(TT_SET_STEP_BY_STEP, 10, &five), 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(questions_are_cut_into_even_pieces, open_model, close_model),
        cmocka_unit_test(votes),
        cmocka_unit_test(intervals),
        cmocka_unit_test_setup_teardown(texts_do_not_depend_on_the_batch, open_model, close_model),
        cmocka_unit_test_setup_teardown(greedy_is_argmax, open_model, close_model),
        cmocka_unit_test_setup_teardown(texts_do_not_depend_on_looks, open_model, close_model),
        cmocka_unit_test_setup_teardown(samples_that_agree_share, open_single, close_model),
        cmocka_unit_test_setup_teardown(looks_are_checked, open_model, close_model),
        cmocka_unit_test_setup_teardown(slots_do_not_wait_for_the_encoder, open_model, close_model),
        cmocka_unit_test_setup_teardown(bad_prompts, open_model, close_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
