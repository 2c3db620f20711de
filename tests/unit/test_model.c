// The whole model: gradients by finite differences, packing, dropout, the two ways to run backward, decoding.
#include "host/base/philox.h"
#include "host/model/decoder.h"
#include "host/model/model.h"

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OK(expr)                                                                                             \
    do {                                                                                                     \
        if ((expr) != TT_OK) fail_msg("%s", tt_error_message());                                             \
    } while (0)

static const tt_model_config old_style = {.vocab_size = 41,
    .d_model = 12,
    .d_kv = 5,
    .d_ff = 19,
    .num_layers = 2,
    .num_decoder_layers = 3,
    .num_heads = 3,
    .relative_attention_num_buckets = 8,
    .relative_attention_max_distance = 16,
    .dropout_rate = 0,
    .layer_norm_epsilon = 1e-6f,
    .initializer_factor = 1,
    .tie_word_embeddings = true};

static tt_model_config new_style(void) {
    tt_model_config c = old_style;
    c.gated_gelu = true;
    c.tie_word_embeddings = false;
    return c;
}

static int draw(uint32_t a, uint32_t b, int below) {
    tt_rng rng;
    tt_rng_open(&rng, 7, TT_FOR_TEST, a, b);
    return (int)tt_rng_below(&rng, (uint32_t)below);
}

static void add_source(tt_batch *batch, int vocab, int n, uint32_t example) {
    int32_t ids[64];
    for (int i = 0; i < n; ++i) ids[i] = i == n - 1 ? 1 : draw(example, (uint32_t)i, vocab);
    OK(tt_batch_add_source(batch, ids, n, example));
}

static void add_target(tt_batch *batch, int vocab, int n, int source, uint32_t example) {
    int32_t ids[64];
    for (int i = 0; i < n; ++i) ids[i] = i == n - 1 ? 1 : draw(example + 100, (uint32_t)i, vocab);
    OK(tt_batch_add_target(batch, ids, n, source, 0, example));
}

// Three sources of lengths 1, 7 and 20; two have two targets each, the first none.
static void fill(tt_batch *batch, int vocab) {
    tt_batch_clear(batch);
    add_source(batch, vocab, 1, 0);
    add_source(batch, vocab, 7, 1);
    add_source(batch, vocab, 20, 2);
    add_target(batch, vocab, 5, 1, 3);
    add_target(batch, vocab, 1, 2, 4);
    add_target(batch, vocab, 18, 1, 5);
    add_target(batch, vocab, 9, 2, 6);
}

typedef struct fixture {
    tt_device *device;
    tt_model *model;
    tt_pass *pass;
    tt_batch batch;
    float dlogp[64], logp[64];
} fixture;

static void open_fixture(fixture *f, const tt_model_config *config) {
    memset(f, 0, sizeof *f);
    OK(tt_device_open(&f->device, "cpu", TT_FP32, 2));
    OK(tt_model_open(&f->model, config, f->device));
    OK(tt_model_init(f->model, TT_INIT_T5, 3));
    // Biases that matter, norms that are not one.
    tt_rng rng;
    tt_rng_open(&rng, 9, TT_FOR_TEST, 0, 0);
    for (int i = 0; i < f->model->n_parameters; ++i) {
        const tt_parameter *p = &f->model->parameters[i];
        const int touched = strstr(p->name, "layer_norm") || strstr(p->name, "relative");
        for (int j = 0; j < p->rows * p->columns && touched; ++j)
            f->model->w[p->offset + (size_t)j] += (float)(0.3 * tt_rng_normal(&rng));
    }
    OK(tt_model_train(f->model));
    OK(tt_pass_open(&f->pass, f->model));
    fill(&f->batch, config->vocab_size);
    for (int t = 0; t < f->batch.dec_tokens; ++t) f->dlogp[t] = (float)(0.2 + 0.1 * tt_rng_normal(&rng));
}

static void close_fixture(fixture *f) {
    tt_batch_close(&f->batch);
    tt_pass_close(f->pass);
    tt_model_close(f->model);
    tt_device_close(f->device);
}

static double loss(fixture *f, tt_dropout_key dropout) {
    float logp[64];
    OK(tt_forward(f->pass, &f->batch, dropout, logp));
    double sum = 0;
    for (int t = 0; t < f->batch.dec_tokens; ++t) sum += (double)f->dlogp[t] * logp[t];
    return sum;
}

// Along its own gradient g each parameter's directional derivative must be |g|.
static void check_gradients(const tt_model_config *config, tt_dropout_key dropout) {
    fixture f;
    open_fixture(&f, config);
    OK(tt_forward_backward(f.pass, &f.batch, dropout, f.dlogp, f.logp));
    float *g = malloc(f.model->size * sizeof *g), *w = malloc(f.model->size * sizeof *w);
    memcpy(g, f.model->g, f.model->size * sizeof *g);
    memcpy(w, f.model->w, f.model->size * sizeof *w);
    for (int i = 0; i < f.model->n_parameters; ++i) {
        const tt_parameter *p = &f.model->parameters[i];
        const size_t n = (size_t)p->rows * (size_t)p->columns;
        double square = 0;
        for (size_t j = 0; j < n; ++j) square += (double)g[p->offset + j] * g[p->offset + j];
        const double norm = sqrt(square);
        if (!(norm > 1e-4)) fail_msg("%s: gradient of norm %g", p->name, norm);
        double side[2];
        const double step = 1.5e-3 / (1 + norm); // steep directions bend sooner
        for (int s = 0; s < 2; ++s) {
            for (size_t j = 0; j < n; ++j)
                f.model->w[p->offset + j] =
                    (float)(w[p->offset + j] + (s ? step : -step) * g[p->offset + j] / norm);
            side[s] = loss(&f, dropout);
        }
        memcpy(f.model->w, w, f.model->size * sizeof *w);
        const double numeric = (side[1] - side[0]) / (2 * step);
        if (!(fabs(numeric - norm) <= 1e-2 * norm + 1e-3))
            fail_msg("%s: |gradient| %.6g, by differences %.6g", p->name, norm, numeric);
    }
    free(g);
    free(w);
    close_fixture(&f);
}

static void gradients_of_t5_1_0(void **state) {
    (void)state;
    check_gradients(&old_style, (tt_dropout_key){0});
}

static void gradients_of_t5_1_1(void **state) {
    (void)state;
    const tt_model_config c = new_style();
    check_gradients(&c, (tt_dropout_key){0});
}

static void gradients_under_dropout(void **state) {
    (void)state;
    const tt_model_config c = new_style();
    check_gradients(&c, (tt_dropout_key){.rate = 0.2f, .key = 77});
    check_gradients(&old_style, (tt_dropout_key){.rate = 0.2f, .key = 78});
}

static double distance(const float *a, const float *b, size_t n) {
    double difference = 0, size = 0;
    for (size_t i = 0; i < n; ++i) {
        difference += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        size += (double)b[i] * b[i];
    }
    return sqrt(difference / size);
}

static void fused_pass_equals_two(void **state) {
    (void)state;
    fixture f;
    open_fixture(&f, &old_style);
    const tt_dropout_key dropout = {.rate = 0.1f, .key = 5};
    float logp[64];
    OK(tt_forward_backward(f.pass, &f.batch, dropout, f.dlogp, f.logp));
    float *g = malloc(f.model->size * sizeof *g);
    memcpy(g, f.model->g, f.model->size * sizeof *g);
    memset(f.model->g, 0, f.model->size * sizeof *g);
    OK(tt_forward(f.pass, &f.batch, dropout, logp));
    OK(tt_backward(f.pass, &f.batch, f.dlogp));
    assert_true(distance(logp, f.logp, (size_t)f.batch.dec_tokens) <= 1e-6);
    assert_true(distance(f.model->g, g, f.model->size) <= 1e-5);
    assert_int_not_equal(tt_backward(f.pass, &f.batch, f.dlogp), TT_OK); // nothing left to go back through
    free(g);
    close_fixture(&f);
}

// A sequence's log-probabilities do not depend on what else is in the batch, dropout or not.
static void packing_changes_nothing(void **state) {
    (void)state;
    for (int dropped = 0; dropped < 2; ++dropped) {
        fixture f;
        open_fixture(&f, &old_style);
        const tt_dropout_key dropout = {.rate = dropped ? 0.3f : 0, .key = 5};
        float together[64], alone[64];
        OK(tt_forward(f.pass, &f.batch, dropout, together));
        const int first = f.batch.dec_offsets[2], n = f.batch.dec_offsets[3] - first;
        tt_batch_clear(&f.batch);
        add_source(&f.batch, old_style.vocab_size, 7, 1);
        add_target(&f.batch, old_style.vocab_size, 18, 0, 5);
        OK(tt_forward(f.pass, &f.batch, dropout, alone));
        assert_int_equal(n, f.batch.dec_tokens);
        assert_true(distance(alone, together + first, (size_t)n) <= 1e-5);
        close_fixture(&f);
    }
}

static void parameters_of_t5_small(void **state) {
    (void)state;
    tt_device *device;
    tt_model *model;
    tt_model_config c;
    OK(tt_device_open(&device, "cpu", TT_FP32, 1));
    OK(tt_model_preset(&c, "t5-small"));
    OK(tt_model_open(&model, &c, device));
    assert_int_equal(model->size, 60506624);
    assert_int_equal(model->n_parameters, 131);
    assert_non_null(tt_model_find(model, "decoder.block.5.layer.2.DenseReluDense.wo.weight"));
    assert_null(tt_model_find(model, "lm_head.weight"));
    tt_model_close(model);
    tt_device_close(device);
    assert_int_equal(tt_model_preset(&c, "t5-smal"), TT_ERR_CONFIG);
    assert_non_null(strstr(tt_error_message(), "did you mean t5-small"));
}

// Each step's log-softmax at the target equals the packed forward's log-probability.
static void decoding_equals_forward(void **state) {
    (void)state;
    const tt_model_config styles[2] = {old_style, new_style()};
    for (int style = 0; style < 2; ++style) {
        fixture f;
        open_fixture(&f, &styles[style]);
        OK(tt_forward(f.pass, &f.batch, (tt_dropout_key){0}, f.logp));
        tt_decoder *decoder;
        OK(tt_decoder_open(&decoder, f.model, 6, 20, 40));
        OK(tt_decoder_encode(decoder, &f.batch, 3));
        double worst = 0;
        int checked = 0;
        for (int position = 0; position < 18; ++position) {
            int32_t slot[4], token[4], at[4], start[4], length[4];
            int row[4], n = 0;
            for (int i = 0; i < f.batch.dec_seqs; ++i) {
                const int first = f.batch.dec_offsets[i], source = f.batch.dec_source[i];
                if (first + position >= f.batch.dec_offsets[i + 1]) continue;
                slot[n] = 5 - i;
                row[n] = first + position;
                token[n] = f.batch.dec_ids[row[n]];
                at[n] = position;
                start[n] = 3 + f.batch.enc_offsets[source];
                length[n++] = f.batch.enc_offsets[source + 1] - f.batch.enc_offsets[source];
            }
            float *logits;
            OK(tt_decoder_step(decoder, n, slot, token, at, start, length, &logits));
            for (int i = 0; i < n; ++i, ++checked) {
                const float *z = logits + (size_t)i * (size_t)styles[style].vocab_size;
                double sum = 0;
                for (int v = 0; v < styles[style].vocab_size; ++v) sum += exp((double)z[v]);
                const double logp = z[f.batch.dec_targets[row[i]]] - log(sum);
                const double error = fabs(logp - f.logp[row[i]]) / (1 + fabs(logp));
                if (!(error <= worst)) worst = error;
            }
        }
        assert_int_equal(checked, f.batch.dec_tokens);
        if (!(worst <= 1e-5)) fail_msg("worst difference %g", worst);
        tt_decoder_close(decoder);
        close_fixture(&f);
    }
}

static void steady_state_keeps_its_memory(void **state) {
    (void)state;
    fixture f;
    open_fixture(&f, &old_style);
    OK(tt_forward_backward(f.pass, &f.batch, (tt_dropout_key){0}, f.dlogp, f.logp));
    const size_t bytes = tt_pass_bytes(f.pass);
    for (int i = 0; i < 3; ++i)
        OK(tt_forward_backward(f.pass, &f.batch, (tt_dropout_key){0}, f.dlogp, f.logp));
    assert_true(bytes > 0 && tt_pass_bytes(f.pass) == bytes);
    close_fixture(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_of_t5_1_0),
        cmocka_unit_test(gradients_of_t5_1_1),
        cmocka_unit_test(gradients_under_dropout),
        cmocka_unit_test(fused_pass_equals_two),
        cmocka_unit_test(packing_changes_nothing),
        cmocka_unit_test(parameters_of_t5_small),
        cmocka_unit_test(decoding_equals_forward),
        cmocka_unit_test(steady_state_keeps_its_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
