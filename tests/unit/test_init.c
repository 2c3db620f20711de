// Random starts: their statistics are those of Hugging Face's T5, their values depend on seed and name alone.
#include "kernels/ops.h"
#include "tiny_t5.h"

#include <stdio.h>

static const tt_model_config shape = {.vocab_size = 300,
    .d_model = 48,
    .d_kv = 12,
    .d_ff = 80,
    .num_layers = 2,
    .num_decoder_layers = 2,
    .num_heads = 5,
    .relative_attention_num_buckets = 32,
    .relative_attention_max_distance = 128,
    .dropout_rate = 0.1f,
    .layer_norm_epsilon = 1e-6f,
    .initializer_factor = 0.7f,
    .activation = TT_GATED_GELU,
    .tie_word_embeddings = false};

static tt_device *device;

static int open_device(void **state) {
    (void)state;
    OK(tt_device_open(&device, "cpu", TT_FP32, 1));
    return 0;
}

static int close_device(void **state) {
    (void)state;
    tt_device_close(device);
    return 0;
}

static tt_model *start(const tt_model_config *config, tt_init how, uint64_t seed) {
    tt_model *model;
    OK(tt_model_open(&model, config, device));
    OK(tt_model_init(model, how, seed));
    return model;
}

// T5PreTrainedModel._init_weights with factor 1.
static double expected_std(const char *name) {
    static const struct {
        const char *part;
        double variance;
    } table[] = {{"layer_norm", 0}, {"shared", 1}, {"lm_head", 1}, {".q.", 1.0 / (48 * 12)},
        {".k.", 1.0 / 48}, {".v.", 1.0 / 48}, {".o.", 1.0 / (5 * 12)}, {".wi_0.", 1.0 / 48},
        {".wi_1.", 1.0 / 48}, {".wo.", 1.0 / 80}, {"relative_attention_bias", 1.0 / 48}};
    for (size_t i = 0; i < sizeof table / sizeof *table; ++i)
        if (strstr(name, table[i].part)) return sqrt(table[i].variance);
    fail_msg("no variance for %s", name);
    return 0;
}

// With n values mean and std of a normal sample stray by std/sqrt(n) and std/sqrt(2n); 4.5 of those at most
// (once in 150,000). The largest of n shows the tails: beyond 2 std even for the shortest tensor.
static void statistics_of_t5(void **state) {
    (void)state;
    tt_model *model = start(&shape, TT_INIT_T5, 3);
    for (int i = 0; i < model->n_parameters; ++i) {
        const tt_parameter *p = &model->parameters[i];
        const float *w = model->w + p->offset;
        const size_t n = (size_t)p->rows * (size_t)p->columns;
        const double std = 0.7 * expected_std(p->name);
        double mean = 0, square = 0, top = 0;
        for (size_t j = 0; j < n; ++j) {
            mean += (double)w[j] / (double)n;
            square += (double)w[j] * (double)w[j] / (double)n;
            top = fmax(top, fabs((double)w[j]));
            if (std == 0 && !(w[j] == 1)) fail_msg("%s holds %g, expected 1", p->name, (double)w[j]);
        }
        if (std == 0) continue;
        const double stray = 4.5 * std / sqrt((double)n);
        if (!(fabs(mean) <= stray && fabs(sqrt(square) - std) <= stray / sqrt(2) && top > 2 * std &&
                top < 6 * std))
            fail_msg(
                "%s: mean %g, std %g, largest %g; expected std %g", p->name, mean, sqrt(square), top, std);
    }
    tt_model_close(model);
}

// One more layer does not change the others' weights; another seed changes all; no two tensors are alike.
static void values_depend_on_seed_and_name(void **state) {
    (void)state;
    tt_model_config deeper = shape;
    deeper.num_layers++;
    tt_model *a = start(&shape, TT_INIT_T5, 3), *b = start(&deeper, TT_INIT_T5, 3),
             *c = start(&shape, TT_INIT_T5, 4);
    for (int i = 0; i < a->n_parameters; ++i) {
        const tt_parameter *p = &a->parameters[i], *q = tt_model_find(b, p->name);
        const size_t n = (size_t)p->rows * (size_t)p->columns;
        assert_non_null(q);
        assert_memory_equal(a->w + p->offset, b->w + q->offset, n * sizeof(float));
        if (strstr(p->name, "layer_norm")) continue;
        assert_true(tiny_distance(a->w + p->offset, c->w + p->offset, n) > 0.5);
        for (int j = 0; j < i; ++j) {
            const tt_parameter *r = &a->parameters[j];
            if (r->rows == p->rows && r->columns == p->columns)
                assert_true(tiny_distance(a->w + p->offset, a->w + r->offset, n) > 0.5);
        }
    }
    tt_model_close(a);
    tt_model_close(b);
    tt_model_close(c);
}

// The promises of the structured start, see init.c.
static void structure_of_copy(void **state) {
    (void)state;
    tt_model_config c = shape;
    c.num_heads = 4;
    c.initializer_factor = 1;
    c.activation = TT_RELU;
    c.tie_word_embeddings = c.scale_decoder_outputs = true;
    tt_model *model = start(&c, TT_INIT_COPY, 3);
    const int d = c.d_model;
#define AT(name) (model->w + tt_model_find(model, name)->offset)
    double square = 0;
    for (int i = 0; i < c.vocab_size * d; ++i) square += pow((double)AT("shared.weight")[i], 2);
    assert_true(fabs(sqrt(square / (c.vocab_size * d)) - 0.3) < 0.01);
    const char *const bias[2] = {"encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight",
        "decoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"};
    for (int side = 0; side < 2; ++side) {
        double sum = 0;
        for (int i = 0; i < 32 * 4; ++i) sum += (double)AT(bias[side])[i];
        assert_true(AT(bias[side])[tt_relative_bucket(-1, side == 0, 32, 128) * 4] == 4);
        // All else is 0; offsets -6 to -9 share three buckets.
        assert_true(sum == (side == 0 ? 4 + 4 + 3 * 3 : 4));
    }
    for (int layer = 0; layer < 2; ++layer) {
        char name[128];
        const float *w[4];
        for (int i = 0; i < 4; ++i) {
            snprintf(
                name, sizeof name, "decoder.block.%d.layer.1.EncDecAttention.%c.weight", layer, "qkvo"[i]);
            w[i] = AT(name);
        }
        for (int i = 0; i < d; ++i)
            for (int j = 0; j < d; ++j) {
                double dot = 0;
                for (int k = 0; k < d; ++k) dot += (double)w[2][i * d + k] * (double)w[2][j * d + k];
                assert_true(fabs(dot - (i == j)) < 1e-4);
                assert_true(fabsf(w[3][j * d + i] - 0.3f * w[2][i * d + j]) < 1e-6f);
                assert_true(fabsf(w[0][i * d + j] - w[1][i * d + j] / sqrtf(12)) < 1e-6f);
            }
    }
#undef AT
    tt_model_close(model);
    c.num_heads = 5;
    OK(tt_model_open(&model, &c, device));
    assert_int_equal(tt_model_init(model, TT_INIT_COPY, 3), TT_ERR_CONFIG);
    assert_non_null(strstr(tt_error_message(), "5 x 12 and 48"));
    tt_model_close(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statistics_of_t5),
        cmocka_unit_test(values_depend_on_seed_and_name),
        cmocka_unit_test(structure_of_copy),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
