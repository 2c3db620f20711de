// Step-wise decoding: the same log-probabilities as the packed forward, whatever the order of slots.
#include "host/base/memory.h"
#include "host/model/decoder.h"
#include "tiny_t5.h"

#include <stdio.h>

enum { SLOTS = 6, LENGTH = 20, SOURCE_ROWS = 40, FIRST_ROW = 3 };

static double log_softmax(const float *logits, int vocab, int id) {
    double sum = 0;
    for (int v = 0; v < vocab; ++v) sum += exp((double)logits[v]);
    return logits[id] - log(sum);
}

// Decodes all targets of the batch side by side, sequence i in slot `slot_of[i]`, from the sources at
// FIRST_ROW.
static void expect_same(tiny *f, tt_decoder *decoder, const int32_t *slot_of) {
    int checked = 0;
    for (int position = 0; position < LENGTH; ++position) {
        int32_t slot[4], token[4], at[4], start[4], length[4];
        int row[4], n = 0;
        for (int i = 0; i < f->batch.dec_seqs; ++i) {
            const int first = f->batch.dec_offsets[i], source = f->batch.dec_source[i];
            if (first + position >= f->batch.dec_offsets[i + 1]) continue;
            slot[n] = slot_of[i];
            row[n] = first + position;
            token[n] = f->batch.dec_ids[row[n]];
            at[n] = position;
            start[n] = FIRST_ROW + f->batch.enc_offsets[source];
            length[n++] = f->batch.enc_offsets[source + 1] - f->batch.enc_offsets[source];
        }
        if (n == 0) break;
        float *logits;
        OK(tt_decoder_step(decoder,
            &(tt_decoder_slots){.n = n,
                .slot = slot,
                .token = token,
                .position = at,
                .source_start = start,
                .source_length = length},
            &logits));
        for (int i = 0; i < n; ++i, ++checked) {
            const int vocab = f->model->config.vocab_size;
            const double got = log_softmax(logits + (size_t)i * vocab, vocab, f->batch.dec_targets[row[i]]);
            const double want = (double)f->logp[row[i]];
            if (!(fabs(got - want) <= 1e-5 * fabs(want)))
                fail_msg("position %d: %.9g, forward %.9g", position, got, want);
        }
    }
    assert_int_equal(checked, f->batch.dec_tokens);
}

static void steps_equal_forward(void **state) {
    (void)state;
    const tt_model_config styles[2] = {tiny_1_0, tiny_1_1()};
    for (int style = 0; style < 2; ++style) {
        tiny f;
        tiny_open(&f, &styles[style]);
        OK(tt_forward(f.pass, &f.batch, (tt_dropout_key){0}, f.logp));
        tt_decoder *decoder;
        OK(tt_decoder_open(&decoder, f.model, SLOTS, LENGTH, SOURCE_ROWS));
        OK(tt_decoder_encode(decoder, &f.batch, FIRST_ROW));
        expect_same(&f, decoder, (const int32_t[]){5, 4, 3, 2});
        // Slots are used again, in another order, without being cleared; nothing is allocated any more.
        const long blocks = tt_alloc_count();
        OK(tt_decoder_encode(decoder, &f.batch, FIRST_ROW));
        expect_same(&f, decoder, (const int32_t[]){0, 2, 4, 5});
        assert_int_equal(tt_alloc_count(), blocks);
        tt_decoder_close(decoder);
        tiny_close(&f);
    }
}

// Sources encoded one batch after another lie side by side; half way two more slots go on from one, and from one of
// these another, and all of them go on alike.
static void slots_go_on_from_others(void **state) {
    (void)state;
    tiny f;
    tiny_open(&f, &tiny_1_0);
    tt_decoder *decoder;
    OK(tt_decoder_open(&decoder, f.model, SLOTS, LENGTH, SOURCE_ROWS));
    tt_batch source = {0};
    tiny_source(&source, tiny_1_0.vocab_size, 20, 2);
    OK(tt_decoder_encode(decoder, &source, 0));
    tt_batch_clear(&source);
    tiny_source(&source, tiny_1_0.vocab_size, 7, 1);
    OK(tt_decoder_encode(decoder, &source, 20));
    const int vocab = tiny_1_0.vocab_size;
    float *logits;
    for (int position = 0; position < 12; ++position) {
        const int half = 5, later = 8;
        const int n = position < half ? 2 : position < later ? 3 : 4;
        const int32_t token = position % 5, other = position + 7;
        OK(tt_decoder_step(decoder,
            &(tt_decoder_slots){.n = n,
                .slot = (const int32_t[]){1, 2, 4, 0},
                .token = (const int32_t[]){token, other, token, token},
                .position = (const int32_t[]){position, position, position, position},
                .source_start = (const int32_t[]){20, 0, 20, 20},
                .source_length = (const int32_t[]){7, 20, 7, 7},
                .parent = (const int32_t[]){1, 2, position == half ? 1 : 4, position == later ? 4 : 0}},
            &logits));
        for (int i = 2; i < n; ++i)
            assert_memory_equal(logits, logits + i * vocab, (size_t)vocab * sizeof(float));
        assert_true(tiny_distance(logits, logits + vocab, vocab) > 1e-2);
    }
    tt_batch_close(&source);
    tt_decoder_close(decoder);
    tiny_close(&f);
}

static void bad_steps_are_refused(void **state) {
    (void)state;
    tiny f;
    tiny_open(&f, &tiny_1_0);
    tt_decoder *decoder;
    assert_int_equal(tt_decoder_open(&decoder, f.model, 0, 1, 1), TT_ERR_CONFIG);
    assert_null(decoder);
    OK(tt_decoder_open(&decoder, f.model, 2, LENGTH, f.batch.enc_tokens));
    assert_int_not_equal(tt_decoder_encode(decoder, &f.batch, 1), TT_OK); // one row too far
    assert_int_not_equal(tt_decoder_encode(decoder, &f.batch, -1), TT_OK);
    OK(tt_decoder_encode(decoder, &f.batch, 0));
    const struct {
        int32_t n, slot, token, position, start, length;
    } wrong[] = {{0, 0, 0, 0, 0, 1}, {3, 0, 0, 0, 0, 1}, {1, 2, 0, 0, 0, 1}, {1, -1, 0, 0, 0, 1},
        {1, 0, 41, 0, 0, 1}, {1, 0, 0, LENGTH, 0, 1}, {1, 0, 0, -1, 0, 1}, {1, 0, 0, 0, 0, 0},
        {1, 0, 0, 0, 27, 2}, {1, 0, 0, 0, -1, 2}};
    float *logits;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; ++i) {
        const tt_decoder_slots active = {.n = wrong[i].n,
            .slot = &wrong[i].slot,
            .token = &wrong[i].token,
            .position = &wrong[i].position,
            .source_start = &wrong[i].start,
            .source_length = &wrong[i].length};
        assert_int_not_equal(tt_decoder_step(decoder, &active, &logits), TT_OK);
    }
    // Parents: no slots, or slots that go on from another one themselves.
    static const int32_t parents[][2] = {{0, 2}, {0, -1}, {1, 0}}, slot[] = {0, 1}, at[] = {3, 3},
                         one[] = {1, 1};
    for (size_t i = 0; i < sizeof parents / sizeof *parents; ++i) {
        const tt_decoder_slots active = {.n = 2,
            .slot = slot,
            .token = one,
            .position = at,
            .source_start = one,
            .source_length = one,
            .parent = parents[i]};
        assert_int_not_equal(tt_decoder_step(decoder, &active, &logits), TT_OK);
    }
    // Draws of a run: of a row that is not there, in a second step, none, more than slots.
    static const int32_t from[][3] = {{0, 1, 0}, {0, -1, 0}, {0, 0, 0}, {0, 0, 0}, {0, 0, 0}},
                         draws[] = {2, 2, 2, 0, 3}, some[] = {2, 2, 2};
    for (size_t i = 0; i < sizeof draws / sizeof *draws; ++i) {
        int32_t token[6];
        const tt_decoder_slots active = {
            .n = 1, .slot = slot, .token = one, .position = at, .source_start = one, .source_length = one};
        assert_int_equal(
            tt_decoder_run(decoder, &active,
                &(tt_decoder_choice){.steps = i == 2 ? 2 : 1, .top_p = 1, .repetition_penalty = 1},
                &(tt_decoder_draws){.left = some, .token = token, .from = from[i], .n = draws[i]}),
            TT_ERR_INTERNAL);
    }
    // Forks: slots that are not there, a slot from itself, no token, more than there is room for.
    static const int forks[][3] = {
        {2, 0, 1}, {0, 2, 1}, {-1, 0, 1}, {0, -1, 1}, {1, 1, 1}, {0, 1, 0}, {0, 1, LENGTH + 1}};
    for (size_t i = 0; i < sizeof forks / sizeof *forks; ++i)
        assert_int_equal(tt_decoder_fork(decoder, forks[i][0], forks[i][1], forks[i][2]), TT_ERR_INTERNAL);
    OK(tt_decoder_fork(decoder, 0, 1, LENGTH));
    // Runs: too few or too many steps, no token left, more than fit.
    static const int32_t runs[][2] = {{0, 2}, {TT_DECODER_STEPS + 1, 2}, {2, 0}, {2, LENGTH - 2}};
    for (size_t i = 0; i < sizeof runs / sizeof *runs; ++i) {
        int32_t token[TT_DECODER_STEPS];
        const int32_t left[] = {runs[i][1]};
        const tt_decoder_slots active = {
            .n = 1, .slot = slot, .token = one, .position = at, .source_start = one, .source_length = one};
        const tt_decoder_choice choice = {.steps = runs[i][0], .top_p = 1, .repetition_penalty = 1};
        assert_int_not_equal(
            tt_decoder_run(decoder, &active, &choice, &(tt_decoder_draws){.left = left, .token = token}),
            TT_OK);
    }
    // Slots that go on from others.
    {
        static const int32_t parent[] = {0}, left[] = {2}, first[] = {0};
        int32_t token[1];
        const tt_decoder_slots active = {.n = 1,
            .slot = slot,
            .token = one,
            .position = first,
            .source_start = one,
            .source_length = one,
            .parent = parent};
        const tt_decoder_choice choice = {.steps = 1, .top_p = 1, .repetition_penalty = 1};
        assert_int_equal(
            tt_decoder_run(decoder, &active, &choice, &(tt_decoder_draws){.left = left, .token = token}),
            TT_ERR_INTERNAL);
    }
    tt_decoder_close(decoder);
    tiny_close(&f);
}

// Beams: no or too many steps, one beam, slots that are no whole prompts, more than half of the vocabulary, no parents, texts at
// different positions, steps beyond the end; the last is right.
static void bad_beams_are_refused(void **state) {
    (void)state;
    enum { MOST = 21 }; // half of the vocabulary of 41 is 20
    tiny f;
    tiny_open(&f, &tiny_1_0);
    tt_decoder *decoder;
    OK(tt_decoder_open(&decoder, f.model, MOST, LENGTH, f.batch.enc_tokens));
    OK(tt_decoder_encode(decoder, &f.batch, 0));
    static const struct {
        int steps, beams, slots, position, second;
        bool parents;
    } cases[] = {{0, 2, 2, 0, 0, true}, {TT_DECODER_STEPS + 1, 2, 2, 0, 0, true}, {1, 1, 2, 0, 0, true},
        {1, 3, 2, 0, 0, true}, {1, 2, 1, 0, 0, true}, {1, MOST, MOST, 0, 0, true}, {1, 2, 2, 0, 0, false},
        {1, 2, 2, 1, 0, true}, {2, 2, 2, LENGTH - 1, LENGTH - 1, true},
        {1, 2, 2, LENGTH - 1, LENGTH - 1, true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        double total[MOST] = {0};
        int32_t slots[MOST], ones[MOST], places[MOST];
        static tt_beam_candidate best[2 * MOST * (TT_DECODER_STEPS + 1)];
        for (int k = 0; k < MOST; ++k)
            slots[k] = k, ones[k] = 1, places[k] = k == 1 ? cases[i].second : cases[i].position;
        const tt_decoder_slots active = {.n = cases[i].slots,
            .slot = slots,
            .token = ones,
            .position = places,
            .source_start = ones,
            .source_length = ones,
            .parent = cases[i].parents ? slots : NULL};
        assert_int_equal(tt_decoder_run_beams(decoder, &active,
                             &(tt_decoder_beams){.steps = cases[i].steps,
                                 .beams = cases[i].beams,
                                 .repetition_penalty = 1,
                                 .total = total,
                                 .best = best}),
            i + 1 < sizeof cases / sizeof *cases ? TT_ERR_INTERNAL : TT_OK);
    }
    tt_decoder_close(decoder);
    tiny_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_equal_forward),
        cmocka_unit_test(slots_go_on_from_others),
        cmocka_unit_test(bad_steps_are_refused),
        cmocka_unit_test(bad_beams_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
