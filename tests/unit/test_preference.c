// Preference objectives: by finite differences, at their fixed points, and against TRL's formulas computed by
// PyTorch (tests/golden/preference.h5).
#include "golden.h"
#include "host/train/preference.h"

static tt_preference open_preference(const char *kind, double beta, double smoothing, double nll, bool mean) {
    tt_preference p;
    OK(tt_preference_open(&p, &(tt_preference_options){kind, beta, smoothing, nll, mean}));
    return p;
}

enum { PAIRS = 3, TOKENS = 4 + 2 + 1 + 5 + 3 + 3 };
static const tt_preference_pair pairs[PAIRS] = {{4, 2, -7.5, -3.25}, {1, 5, -2, -11}, {3, 3, -6, -5.5}};

// The pairs are a part of a batch of 5 pairs, 17 chosen tokens.
static tt_preference_part part_of(const float *logp) {
    return (tt_preference_part){
        .logp = logp, .pairs = pairs, .n = PAIRS, .batch_pairs = 5, .batch_tokens = 17};
}

static double loss_of(const tt_preference *p, const float *logp) {
    float scrap[TOKENS];
    tt_preference_sums sums = {0};
    const tt_preference_part part = part_of(logp);
    tt_preference_gradient(p, &part, scrap, &sums);
    return sums.loss;
}

static void check_gradient(const char *what, const tt_preference *p) {
    float logp[TOKENS], dlogp[TOKENS];
    tt_rng rng;
    tt_rng_open(&rng, 3, TT_FOR_TEST, 0, 0);
    for (int t = 0; t < TOKENS; ++t) logp[t] = -0.25f * (float)(1 + tt_rng_below(&rng, 16));
    tt_preference_sums sums = {0};
    const tt_preference_part part = part_of(logp);
    tt_preference_gradient(p, &part, dlogp, &sums);
    for (int t = 0; t < TOKENS; ++t) {
        const float held = logp[t], h = 0x1p-10f; // exact in fp32 beside multiples of 1/4
        logp[t] = held + h;
        const double above = loss_of(p, logp);
        logp[t] = held - h;
        const double below = loss_of(p, logp);
        logp[t] = held;
        const double want = (above - below) / (2 * (double)h);
        if (!(fabs((double)dlogp[t] - want) <= 1e-6 * (1 + fabs(want))))
            fail_msg("%s, token %d: gradient %.9g, by differences %.9g", what, t, (double)dlogp[t], want);
    }
}

// Every loss of the table, plain, smoothed, as means over tokens, and with another weight of the NLL term.
static void gradients_by_finite_differences(void **state) {
    (void)state;
    static const char *const kinds[] = {TT_LOSS_MAP(TT_WORD_TEXT)};
    for (int k = 0; k < TT_PREFERENCE_KINDS; ++k) {
        const tt_preference all[] = {open_preference(kinds[k], 0.4, 0, 0.5, false),
            open_preference(kinds[k], 0.7, 0.3, 0, false), open_preference(kinds[k], 1.5, 0.2, 0, true),
            open_preference(kinds[k], 0.1, 0, 0.25, false)};
        for (size_t i = 0; i < sizeof all / sizeof *all; ++i) check_gradient(kinds[k], &all[i]);
    }
}

// Where the policy is the reference, sigmoid gives ln 2 plus the NLL term, to the last digit, whatever the
// texts; and pulls the chosen up and the rejected down.
static void begins_at_ln_2(void **state) {
    (void)state;
    const tt_preference p = open_preference("sigmoid", 0.1, 0, 0.5, false);
    const float logp[5] = {-1.25f, -0.5f, -3, -0.75f, -2};
    const tt_preference_pair same = {3, 2, -4.75, -2.75};
    float dlogp[5];
    tt_preference_sums sums = {0};
    const tt_preference_part part = {
        .logp = logp, .pairs = &same, .n = 1, .batch_pairs = 1, .batch_tokens = 3};
    tt_preference_gradient(&p, &part, dlogp, &sums);
    assert_true(sums.loss == log(2.0) + 0.5 * (4.75 / 3));
    assert_true(sums.reward_chosen == 0 && sums.reward_rejected == 0 && sums.accuracy == 0);
    for (int t = 0; t < 5; ++t) assert_true(t < 3 ? dlogp[t] < 0 : dlogp[t] > 0);
}

static void bad_settings_are_refused(void **state) {
    (void)state;
    tt_preference p;
    assert_int_equal(
        tt_preference_open(&p, &(tt_preference_options){"dpo", 0.1, 0, 0, false}), TT_ERR_CONFIG);
    assert_non_null(strstr(tt_error_message(), "sigmoid, hinge, ipo, robust"));
    assert_int_equal(
        tt_preference_open(&p, &(tt_preference_options){"robust", 0.1, 0.5, 0, false}), TT_ERR_CONFIG);
    assert_int_equal(
        tt_preference_open(&p, &(tt_preference_options){"hinge", 0, 0, 0, false}), TT_ERR_CONFIG);
    assert_int_equal(
        tt_preference_open(&p, &(tt_preference_options){"hinge", NAN, 0, 0, false}), TT_ERR_CONFIG);
}

// Chosen and rejected share one encoder sequence in our batch; PyTorch encoded it twice.
static void equals_trl(void **state) {
    (void)state;
    tt_h5 h;
    tt_device *device;
    tt_model *model;
    tt_pass *pass;
    tt_batch batch = {0};
    float logp[128], dlogp[128];
    golden_open(&h, "preference");
    golden_model(&h, TT_FP32, &device, &model);
    OK(tt_model_train(model));
    OK(tt_pass_open(&pass, model));
    golden_texts sources = golden_sequences(&h, "sources"), chosen = golden_sequences(&h, "chosen"),
                 rejected = golden_sequences(&h, "rejected");
    for (int i = 0; i < sources.n; ++i) {
        const golden_texts *texts[2] = {&chosen, &rejected};
        OK(tt_batch_add_source(&batch, sources.ids + sources.offsets[i], golden_length(&sources, i), 0));
        for (int k = 0; k < 2; ++k)
            OK(tt_batch_add_target(&batch, &(tt_batch_target){.ids = texts[k]->ids + texts[k]->offsets[i],
                                               .n = golden_length(texts[k], i),
                                               .source = i,
                                               .example = 0}));
    }
    assert_true(batch.dec_tokens <= 128);
    for (int k = 0; k < 7; ++k) {
        static const char *const kinds[] = {
            "sigmoid", "sigmoid", "sigmoid", "sigmoid", "hinge", "ipo", "robust"};
        char name[64];
        size_t n;
        snprintf(name, sizeof name, "preference/%d/settings", k);
        double *s = golden_doubles(&h, name, &n), *reference[2], *want;
        snprintf(name, sizeof name, "preference/%d/reference_chosen", k);
        reference[0] = golden_doubles(&h, name, &n);
        snprintf(name, sizeof name, "preference/%d/reference_rejected", k);
        reference[1] = golden_doubles(&h, name, &n);
        snprintf(name, sizeof name, "preference/%d/loss", k);
        want = golden_doubles(&h, name, &n);
        const tt_preference p = open_preference(kinds[k], s[0], s[1], s[2], s[3] != 0);
        tt_preference_pair of[8];
        for (int i = 0; i < sources.n; ++i) {
            const int nc = golden_length(&chosen, i), nr = golden_length(&rejected, i);
            const double c = s[3] != 0 ? nc : 1, r = s[3] != 0 ? nr : 1; // ours are sums
            of[i] = (tt_preference_pair){nc, nr, reference[0][i] * c, reference[1][i] * r};
        }
        tt_preference_sums sums = {0};
        OK(tt_forward(pass, &batch, (tt_dropout_key){0}, logp));
        const tt_preference_part part = {.logp = logp,
            .pairs = of,
            .n = sources.n,
            .batch_pairs = sources.n,
            .batch_tokens = chosen.offsets[chosen.n]};
        tt_preference_gradient(&p, &part, dlogp, &sums);
        if (!(fabs(sums.loss - want[0]) <= 1e-5 * fabs(want[0])))
            fail_msg("%s (%d): loss %.9g, TRL's formula %.9g", kinds[k], k, sums.loss, want[0]);
        assert_true(fabs(sums.nll - want[1]) <= 1e-5 * want[1]);
        if (s[2] > 0) {
            memset(model->g, 0, model->size * sizeof *model->g);
            OK(tt_backward(pass, &batch, dlogp));
            snprintf(name, sizeof name, "preference/%d/gradients", k);
            golden_near_each(&h, name, model, model->g, 1e-4);
        }
        free(s), free(reference[0]), free(reference[1]), free(want);
    }
    golden_texts_close(&sources), golden_texts_close(&chosen), golden_texts_close(&rejected);
    tt_batch_close(&batch);
    tt_pass_close(pass);
    tt_model_close(model);
    tt_device_close(device);
    tt_h5_close(&h);
}

// What the table of losses says, against what they compute.
static void descriptions_hold(void **state) {
    (void)state;
    static const char *const kinds[] = {TT_LOSS_MAP(TT_WORD_TEXT)};
    for (int k = 0; k < TT_PREFERENCE_KINDS; ++k) {
        const tt_preference_description *d = tt_preference_describe(kinds[k]);
        assert_non_null(d);
        const tt_preference plain = open_preference(kinds[k], 0.25, 0, 0, false),
                            smooth = open_preference(kinds[k], 0.25, 0.125, 0, false);
        double slope;
        const double zero = tt_preference_margin_loss(&plain, 0, &slope);
        const double said = strcmp(d->at_zero, "ln 2 = 0.693") == 0 ? log(2)
                            : strcmp(d->at_zero, "1") == 0          ? 1
                                                                    : 1 / (4 * 0.25 * 0.25);
        assert_true(fabs(zero - said) < 1e-12);
        const bool changes =
            tt_preference_margin_loss(&plain, 0.5, &slope) != tt_preference_margin_loss(&smooth, 0.5, &slope);
        assert_int_equal(changes, d->label_smoothing);
        assert_int_equal(strcmp(d->formula, d->smoothed) != 0, d->label_smoothing);
        assert_int_equal(plain.length_normalised, d->length_normalised);
    }
    assert_null(tt_preference_describe("dpo"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_by_finite_differences),
        cmocka_unit_test(begins_at_ln_2),
        cmocka_unit_test(bad_settings_are_refused),
        cmocka_unit_test(descriptions_hold),
        cmocka_unit_test(equals_trl),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
