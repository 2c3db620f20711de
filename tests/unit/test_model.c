// The whole model: gradients under dropout by finite differences, packing, the two ways to run backward,
// names of parameters, memory. Gradients without dropout: test_forward.
#include "host/base/memory.h"
#include "host/base/str.h"
#include "tiny_t5.h"

#include <stdio.h>

static double loss(tiny *f, tt_dropout_key dropout) {
    float logp[TINY_TOKENS];
    OK(tt_forward(f->pass, &f->batch, dropout, logp));
    double sum = 0;
    for (int t = 0; t < f->batch.dec_tokens; ++t) sum += (double)f->dlogp[t] * logp[t];
    return sum;
}

// Along its own gradient g each parameter's directional derivative must be |g|.
static void check_gradients(const tt_model_config *config, tt_dropout_key dropout) {
    tiny f;
    tiny_open(&f, config);
    OK(tt_model_train(f.model));
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
    tiny_close(&f);
}

static void gradients_under_dropout(void **state) {
    (void)state;
    const tt_model_config c = tiny_1_1();
    check_gradients(&c, (tt_dropout_key){.rate = 0.2f, .key = 77});
    check_gradients(&tiny_1_0, (tt_dropout_key){.rate = 0.2f, .key = 78});
}

static void fused_pass_equals_two(void **state) {
    (void)state;
    tiny f;
    tiny_open(&f, &tiny_1_0);
    OK(tt_model_train(f.model));
    const tt_dropout_key dropout = {.rate = 0.1f, .key = 5};
    float logp[TINY_TOKENS];
    OK(tt_forward_backward(f.pass, &f.batch, dropout, f.dlogp, f.logp));
    float *g = malloc(f.model->size * sizeof *g);
    memcpy(g, f.model->g, f.model->size * sizeof *g);
    memset(f.model->g, 0, f.model->size * sizeof *g);
    OK(tt_forward(f.pass, &f.batch, dropout, logp));
    OK(tt_backward(f.pass, &f.batch, f.dlogp));
    assert_true(tiny_distance(logp, f.logp, (size_t)f.batch.dec_tokens) <= 1e-6);
    assert_true(tiny_distance(f.model->g, g, f.model->size) <= 1e-5);
    assert_int_not_equal(tt_backward(f.pass, &f.batch, f.dlogp), TT_OK); // nothing left to go back through
    free(g);
    tiny_close(&f);
}

// What was said to be complete, and its hash when it was said.
typedef struct report {
    const tt_model *model;
    int n;
    size_t from[32];
    uint64_t hash[32];
} report;

static uint64_t hash_from(const tt_model *model, size_t from) {
    return tt_hash(model->g + from, (model->size - from) * sizeof *model->g);
}

static tt_status take_report(void *context, size_t from) {
    report *r = context;
    assert_true(r->n < 32 && (r->n == 0 || from <= r->from[r->n - 1]));
    r->from[r->n] = from;
    r->hash[r->n++] = hash_from(r->model, from);
    return TT_OK;
}

// Weights' gradients, one by one or of several layers at once: the same bits, and a part of the gradient that is said to
// be complete does not change any more. What is not needed any more is NaN. The encoder has 5 layers, the decoder 10.
static void batches_of_weight_gradients(void **state) {
    (void)state;
    const struct {
        size_t busy;
        int reports; // with a watch
    } cases[] = {{0, 16}, {2 * 12 * 15 - 1, 16}, {2 * 12 * 15, 9}, {12 * 19 * 3, 7}, {1 << 20, 6}};
    for (int gated = 0; gated < 2; ++gated) {
        tt_model_config c = gated ? tiny_1_1() : tiny_1_0;
        c.num_layers = 5, c.num_decoder_layers = 10;
        uint64_t alone = 0;
        for (int i = 0; i < 10; ++i) {
            tiny f;
            tiny_open(&f, &c);
            f.device->busy_elements = cases[i / 2].busy;
            f.device->poison = true;
            OK(tt_model_train(f.model));
            report r = {.model = f.model};
            if (i % 2) tt_pass_watch(f.pass, (tt_gradient_watch){take_report, &r});
            OK(tt_forward_backward(
                f.pass, &f.batch, (tt_dropout_key){.rate = 0.1f, .key = 5}, f.dlogp, f.logp));
            if (i == 0) alone = hash_from(f.model, 0);
            if (hash_from(f.model, 0) != alone) fail_msg("gradient of case %d differs", i);
            for (int k = 0; k < r.n; ++k)
                if (hash_from(f.model, r.from[k]) != r.hash[k])
                    fail_msg("case %d: element %zu or a later one changed after report %d", i, r.from[k], k);
            assert_int_equal(
                r.n, i % 2 ? cases[i / 2].reports + gated : 0); // an untied head is complete first
            tiny_close(&f);
        }
    }
}

// A sequence's log-probabilities do not depend on what else is in the batch, dropout or not.
static void packing_changes_nothing(void **state) {
    (void)state;
    for (int dropped = 0; dropped < 2; ++dropped) {
        tiny f;
        tiny_open(&f, &tiny_1_0);
        OK(tt_model_train(f.model));
        const tt_dropout_key dropout = {.rate = dropped ? 0.3f : 0, .key = 5};
        float together[TINY_TOKENS], alone[TINY_TOKENS];
        OK(tt_forward(f.pass, &f.batch, dropout, together));
        const int first = f.batch.dec_offsets[2], n = f.batch.dec_offsets[3] - first;
        tt_batch_clear(&f.batch);
        tiny_source(&f.batch, tiny_1_0.vocab_size, 7, 1);
        tiny_target(&f.batch, tiny_1_0.vocab_size, 18, 0, 5);
        OK(tt_forward(f.pass, &f.batch, dropout, alone));
        assert_int_equal(n, f.batch.dec_tokens);
        assert_true(tiny_distance(alone, together + first, (size_t)n) <= 1e-5);
        tiny_close(&f);
    }
}

// Every name that Hugging Face's T5ForConditionalGeneration saves, spelled out once more.
static void expect_block(const tt_model *model, const char *side, int block, int *n) {
    static const char *const attention[] = {"q", "k", "v", "o"};
    const int decoder = side[0] == 'd', ffn = decoder ? 2 : 1;
    char name[128];
#define EXPECT(...)                                                                                          \
    snprintf(name, sizeof name, __VA_ARGS__);                                                                \
    if (!tt_model_find(model, name)) fail_msg("%s is missing", name);                                        \
    ++*n
    for (int i = 0; i < 4; ++i) {
        EXPECT("%s.block.%d.layer.0.SelfAttention.%s.weight", side, block, attention[i]);
        if (!decoder) continue;
        EXPECT("%s.block.%d.layer.1.EncDecAttention.%s.weight", side, block, attention[i]);
    }
    if (block == 0) {
        EXPECT("%s.block.0.layer.0.SelfAttention.relative_attention_bias.weight", side);
    }
    for (int i = 0; i <= ffn; ++i) {
        EXPECT("%s.block.%d.layer.%d.layer_norm.weight", side, block, i);
    }
    EXPECT("%s.block.%d.layer.%d.DenseReluDense.wi.weight", side, block, ffn);
    EXPECT("%s.block.%d.layer.%d.DenseReluDense.wo.weight", side, block, ffn);
#undef EXPECT
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
    int n = 0;
    for (int block = 0; block < 6; ++block) {
        expect_block(model, "encoder", block, &n);
        expect_block(model, "decoder", block, &n);
    }
    static const char *const others[] = {
        "shared.weight", "encoder.final_layer_norm.weight", "decoder.final_layer_norm.weight"};
    for (int i = 0; i < 3; ++i, ++n) assert_non_null(tt_model_find(model, others[i]));
    assert_int_equal(n, 131);
    // No padding: each slice begins where the one before ends.
    size_t end = 0;
    for (int i = 0; i < model->n_parameters; ++i) {
        assert_int_equal(model->parameters[i].offset, end);
        end += (size_t)model->parameters[i].rows * (size_t)model->parameters[i].columns;
    }
    assert_int_equal(end, model->size);
    tt_model_close(model);
    tt_device_close(device);
}

static void bad_configurations_are_named(void **state) {
    (void)state;
    tt_model_config c;
    assert_int_equal(tt_model_preset(&c, "t5-smal"), TT_ERR_CONFIG);
    assert_non_null(strstr(tt_error_message(), "did you mean t5-small"));
    const struct {
        size_t offset;
        int value;
        const char *word;
    } wrong[] = {
        {offsetof(tt_model_config, d_model), 0, "d_model is 0"},
        {offsetof(tt_model_config, num_heads), -3, "num_heads is -3"},
        {offsetof(tt_model_config, relative_attention_num_buckets), 7, "must be even"},
        {offsetof(tt_model_config, relative_attention_max_distance), 4, "must exceed half"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; ++i) {
        c = tiny_1_0;
        memcpy((char *)&c + wrong[i].offset, &wrong[i].value, sizeof(int));
        assert_int_equal(tt_model_config_check(&c), TT_ERR_CONFIG);
        assert_non_null(strstr(tt_error_message(), wrong[i].word));
    }
    const float bad_rates[] = {-0.1f, 1, NAN};
    for (int i = 0; i < 3; ++i) {
        c = tiny_1_0;
        c.dropout_rate = bad_rates[i];
        assert_int_equal(tt_model_config_check(&c), TT_ERR_CONFIG);
        assert_non_null(strstr(tt_error_message(), "dropout_rate"));
    }
}

static void bad_batches_are_refused(void **state) {
    (void)state;
    tiny f;
    tiny_open(&f, &tiny_1_0);
    assert_int_equal(tt_backward(f.pass, &f.batch, f.dlogp), TT_ERR_INTERNAL); // no gradients
    f.batch.dec_ids[4] = tiny_1_0.vocab_size;
    assert_int_equal(tt_forward(f.pass, &f.batch, (tt_dropout_key){0}, f.logp), TT_ERR_INPUT);
    assert_non_null(strstr(tt_error_message(), "id 41"));
    f.batch.dec_ids[4] = 1;
    f.batch.dec_targets[2] = -1;
    assert_int_equal(tt_forward(f.pass, &f.batch, (tt_dropout_key){0}, f.logp), TT_ERR_INPUT);
    tt_batch_clear(&f.batch);
    assert_int_equal(tt_forward(f.pass, &f.batch, (tt_dropout_key){0}, f.logp), TT_ERR_INPUT);
    tiny_close(&f);
}

static void a_steady_state_gets_no_memory(void **state) {
    (void)state;
    tiny f;
    tiny_open(&f, &tiny_1_0);
    OK(tt_model_train(f.model));
    const tt_dropout_key dropout = {.rate = 0.1f, .key = 5};
    OK(tt_forward_backward(f.pass, &f.batch, dropout, f.dlogp, f.logp));
    OK(tt_forward(f.pass, &f.batch, dropout, f.logp));
    OK(tt_backward(f.pass, &f.batch, f.dlogp));
    const long blocks = tt_alloc_count();
    for (int i = 0; i < 3; ++i) {
        tt_batch_clear(&f.batch);
        tiny_source(&f.batch, tiny_1_0.vocab_size, 7 + i, 1);
        tiny_target(&f.batch, tiny_1_0.vocab_size, 18 - i, 0, 5);
        OK(tt_forward_backward(f.pass, &f.batch, dropout, f.dlogp, f.logp));
        OK(tt_forward(f.pass, &f.batch, dropout, f.logp));
        OK(tt_backward(f.pass, &f.batch, f.dlogp));
    }
    assert_int_equal(tt_alloc_count(), blocks);
    tiny_close(&f);
}

// What a pass holds without backward does not grow with the number of layers.
static void evaluation_needs_one_layer(void **state) {
    (void)state;
    size_t bytes[2];
    for (int deep = 0; deep < 2; ++deep) {
        tt_model_config c = tiny_1_0;
        if (deep) c.num_layers = c.num_decoder_layers = 9;
        tiny f;
        tiny_open(&f, &c);
        OK(tt_forward(f.pass, &f.batch, (tt_dropout_key){0}, f.logp));
        bytes[deep] = tt_pass_bytes(f.pass);
        tiny_close(&f);
    }
    assert_int_equal(bytes[0], bytes[1]);
}

// Threads draw the initial weights part by part: the numbers are those of one stream from its beginning, on both sides of where
// parts meet.
static void initial_weights_are_one_stream(void **state) {
    (void)state;
    tt_model_config config = tiny_1_0;
    config.vocab_size = 3000; // x 12: three parts of 16,384
    tt_device *device;
    tt_model *model;
    OK(tt_device_open(&device, "cpu", TT_FP32, 3));
    OK(tt_model_open(&model, &config, device));
    OK(tt_model_init(model, TT_INIT_T5, 5));
    const tt_parameter *p = tt_model_find(model, "shared.weight");
    const float *w = model->w + p->offset;
    tt_rng rng;
    const char *name = "shared.weight";
    tt_rng_open(&rng, 5, TT_FOR_INIT, tt_hash(name, strlen(name)), 0);
    for (int i = 0; i < 3000 * 12; ++i) {
        const float expected = (float)tt_rng_normal(&rng);
        if (memcmp(&w[i], &expected, sizeof expected) != 0)
            fail_msg("element %d: expected %.9g, got %.9g", i, (double)expected, (double)w[i]);
    }
    tt_model_close(model);
    tt_device_close(device);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(initial_weights_are_one_stream),
        cmocka_unit_test(gradients_under_dropout),
        cmocka_unit_test(fused_pass_equals_two),
        cmocka_unit_test(batches_of_weight_gradients),
        cmocka_unit_test(packing_changes_nothing),
        cmocka_unit_test(parameters_of_t5_small),
        cmocka_unit_test(bad_configurations_are_named),
        cmocka_unit_test(bad_batches_are_refused),
        cmocka_unit_test(a_steady_state_gets_no_memory),
        cmocka_unit_test(evaluation_needs_one_layer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
