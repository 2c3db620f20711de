// Layers that backward computes again: the same bits, in as much less memory as the shapes say.
#include "tiny_t5.h"

static size_t block(int rows, int columns) {
    return ((size_t)rows * (size_t)columns * sizeof(float) + 63) / 64 * 64;
}

// What a layer keeps besides its input, by the table of activations: each norm's x, y and rstd; qkv, output and lse of
// each attention; the feed-forward's inside. A decoder layer has encoder_rows > 0.
static size_t inside(const tt_model_config *c, int rows, int encoder_rows) {
    const int d = c->d_model, inner = c->num_heads * c->d_kv, norms = encoder_rows ? 3 : 2;
    size_t bytes = (size_t)norms * (2 * block(rows, d) + block(rows, 1)) - block(rows, d);
    bytes += block(rows, 3 * inner) + block(rows, inner) + block(rows, c->num_heads);
    if (encoder_rows)
        bytes += 2 * block(rows, inner) + block(encoder_rows, 2 * inner) + block(rows, c->num_heads);
    const size_t mask = ((size_t)rows * (size_t)((c->d_ff + 7) / 8) + 63) / 64 * 64; // a bit for each element
    return bytes + (c->activation == TT_RELU ? block(rows, c->d_ff) + mask
                                             : block(rows, 2 * c->d_ff) + block(rows, c->d_ff));
}

// Three steps' gradients; the log-probabilities of the last.
static void compute(tiny *f, bool fused, float *g) {
    memset(f->model->g, 0, f->model->size * sizeof *g);
    for (int step = 0; step < 3; ++step) {
        const tt_dropout_key dropout = {0.2f, tt_key(3, TT_FOR_DROPOUT, (uint64_t)step)};
        if (fused) {
            OK(tt_forward_backward(f->pass, &f->batch, dropout, f->dlogp, f->logp));
        } else {
            OK(tt_forward(f->pass, &f->batch, dropout, f->logp));
            OK(tt_backward(f->pass, &f->batch, f->dlogp));
        }
    }
    memcpy(g, f->model->g, f->model->size * sizeof *g);
}

static void expect_same(const tt_model_config *config) {
    for (int fused = 0; fused < 2; ++fused) {
        float *g[2], logp[2][TINY_TOKENS];
        size_t bytes[2], size = 0;
        int rows[2] = {0};
        for (int again = 0; again < 2; ++again) {
            tiny f;
            tiny_open(&f, config);
            OK(tt_model_train(f.model));
            tt_pass_recompute(f.pass, again);
            size = f.model->size;
            g[again] = malloc(size * sizeof(float));
            compute(&f, fused, g[again]);
            memcpy(logp[again], f.logp, sizeof f.logp);
            bytes[again] = tt_pass_bytes(f.pass);
            rows[0] = f.batch.enc_tokens, rows[1] = f.batch.dec_tokens;
            tiny_close(&f);
        }
        assert_memory_equal(g[0], g[1], size * sizeof(float));
        assert_memory_equal(logp[0], logp[1], (size_t)rows[1] * sizeof(float));
        free(g[0]), free(g[1]);
        const size_t saved = (size_t)(config->num_layers - 1) * inside(config, rows[0], 0) +
                             (size_t)(config->num_decoder_layers - 1) * inside(config, rows[1], rows[0]);
        // A pass holds an eighth more than it needs.
        assert_int_equal((bytes[0] - bytes[1]) * 8, saved * 9);
    }
}

static void layers_computed_again_have_the_same_bits(void **state) {
    (void)state;
    const tt_model_config gated = tiny_1_1();
    tt_model_config flat = tiny_1_0;
    expect_same(&tiny_1_0);
    expect_same(&gated);
    flat.num_layers = flat.num_decoder_layers = 1; // nothing to compute again
    expect_same(&flat);
}

// A pass may change its mind between batches.
static void a_pass_changes_its_mind(void **state) {
    (void)state;
    tiny f;
    tiny_open(&f, &tiny_1_0);
    OK(tt_model_train(f.model));
    float *g[3];
    for (int i = 0; i < 3; ++i) {
        g[i] = malloc(f.model->size * sizeof(float));
        tt_pass_recompute(f.pass, i == 1);
        compute(&f, true, g[i]);
    }
    assert_memory_equal(g[0], g[1], f.model->size * sizeof(float));
    assert_memory_equal(g[0], g[2], f.model->size * sizeof(float));
    OK(tt_forward(f.pass, &f.batch, (tt_dropout_key){0}, f.logp));
    tt_pass_recompute(f.pass, true);
    assert_int_equal(
        tt_backward(f.pass, &f.batch, f.dlogp), TT_ERR_INTERNAL); // that forward kept other things
    for (int i = 0; i < 3; ++i) free(g[i]);
    tiny_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(layers_computed_again_have_the_same_bits),
        cmocka_unit_test(a_pass_changes_its_mind)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
