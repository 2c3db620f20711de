// Low-rank adapters: against PEFT (tests/golden/adapters.h5), and what follows from the page.
#include "golden.h"
#include "host/model/adapters.h"
#include "host/train/objective.h"
#include "host/train/optimizer.h"

static const char *const files[] = {"t5_1_0_tied", "t5_1_1_untied"};
enum { FILES = sizeof files / sizeof *files };

typedef struct fixture {
    tt_h5 model_file, peft;
    tt_device *device;
    tt_model *model;
    tt_pass *pass;
    golden_texts sources, targets;
    tt_batch batch;
    float *logp, *dlogp;
    const char *name;
} fixture;

static tt_adapter_options options_of(const fixture *f) {
    char name[64];
    size_t n;
    tt_adapter_options o = {0};
    snprintf(name, sizeof name, "%s/rank", f->name);
    int32_t *rank = golden_ints(&f->peft, name, &n);
    snprintf(name, sizeof name, "%s/alpha", f->name);
    double *alpha = golden_doubles(&f->peft, name, &n);
    snprintf(name, sizeof name, "%s/targets", f->name);
    char **targets = golden_strings(&f->peft, name, &n);
    o.rank = *rank, o.alpha = *alpha;
    for (size_t i = 0; i < n; ++i) {
        OK(tt_adapter_targets_add(&o.targets, targets[i]));
        free(targets[i]);
    }
    free(rank), free(alpha), free(targets);
    return o;
}

static void open_fixture(fixture *f, const char *file) {
    *f = (fixture){.name = file};
    golden_open(&f->model_file, file);
    golden_open(&f->peft, "adapters");
    golden_model(&f->model_file, TT_FP32, &f->device, &f->model);
    f->sources = golden_sequences(&f->model_file, "sources");
    f->targets = golden_sequences(&f->model_file, "targets");
    golden_batch(&f->batch, &f->sources, &f->targets);
    OK(tt_alloc(&f->logp, (size_t)f->batch.dec_tokens, sizeof(float), "test"));
    OK(tt_alloc(&f->dlogp, (size_t)f->batch.dec_tokens, sizeof(float), "test"));
    OK(tt_pass_open(&f->pass, f->model));
}

static void close_fixture(fixture *f) {
    free(f->logp), free(f->dlogp);
    tt_batch_close(&f->batch);
    golden_texts_close(&f->sources);
    golden_texts_close(&f->targets);
    tt_pass_close(f->pass);
    tt_model_close(f->model);
    tt_device_close(f->device);
    tt_h5_close(&f->model_file);
    tt_h5_close(&f->peft);
}

// A or B of the golden file, as PEFT calls them.
static float *tensor_of(const fixture *f, const char *set, const tt_adapter *item, char which, size_t *n) {
    char name[256];
    const int stem = (int)(strlen(item->weight->name) - strlen(".weight"));
    snprintf(name, sizeof name, "%s/%s/%.*s.lora_%c.weight", f->name, set, stem, item->weight->name, which);
    return golden_floats(&f->peft, name, n);
}

static void load_start(const fixture *f) {
    const tt_adapters *a = f->model->adapters;
    size_t n, all = 0;
    for (int i = 0; i < a->n; ++i)
        for (int b = 0; b < 2; ++b) {
            float *w = tensor_of(f, "start", &a->items[i], b ? 'B' : 'A', &n);
            memcpy(a->w + (b ? a->items[i].b : a->items[i].a), w, n * sizeof *w);
            free(w);
            all += n;
        }
    assert_true(all <= a->size);
    OK(tt_adapters_written(f->model));
}

// Each A and B of buffers of the adapters' layout against the file's.
static void expect_near(const fixture *f, const char *set, const float *got, double tolerance) {
    const tt_adapters *a = f->model->adapters;
    for (int i = 0; i < a->n; ++i)
        for (int b = 0; b < 2; ++b) {
            size_t n;
            float *want = tensor_of(f, set, &a->items[i], b ? 'B' : 'A', &n);
            golden_near(
                a->items[i].weight->name, got + (b ? a->items[i].b : a->items[i].a), want, n, tolerance);
            free(want);
        }
}

static double loss_and_gradient(fixture *f) {
    const int n = f->batch.dec_tokens;
    tt_cross_entropy_gradient(f->dlogp, n, n);
    OK(tt_forward_backward(f->pass, &f->batch, (tt_dropout_key){0}, f->dlogp, f->logp));
    return tt_cross_entropy_loss(f->logp, n, n);
}

static void open_adapted(fixture *f, const char *file) {
    open_fixture(f, file);
    const tt_adapter_options options = options_of(f);
    OK(tt_adapters_open(f->model, &options));
    load_start(f);
}

// Losses, norms and gradients of six updates by AdamW, and what they end with, merged into the weights.
static void six_updates_as_in_peft(void **state) {
    (void)state;
    for (int k = 0; k < FILES; ++k) {
        fixture f;
        size_t n;
        char name[256];
        open_adapted(&f, files[k]);
        snprintf(name, sizeof name, "%s/loss", f.name);
        double *losses = golden_doubles(&f.peft, name, &n);
        snprintf(name, sizeof name, "%s/norm", f.name);
        double *norms = golden_doubles(&f.peft, name, &n);
        assert_int_equal(n, 6);
        tt_optimizer optimizer;
        OK(tt_optimizer_open(&optimizer, f.model));
        assert_null(f.model->g); // there is no gradient of the whole model
        optimizer.eps = 1e-6, optimizer.weight_decay = 0.01, optimizer.clip = 0.5;
        for (int step = 0; step < 6; ++step) {
            double norm;
            const double loss = loss_and_gradient(&f);
            if (!(fabs(loss - losses[step]) <= 1e-6 * losses[step]))
                fail_msg("%s, step %d: loss %.9g, PEFT %.9g", f.name, step, loss, losses[step]);
            if (step == 0) expect_near(&f, "gradients", f.model->adapters->g, 2e-5);
            OK(tt_optimizer_update(&optimizer, 3e-3, &norm));
            if (!(fabs(norm - norms[step]) <= 2e-6 * norms[step]))
                fail_msg("%s, step %d: norm %.9g, PEFT %.9g", f.name, step, norm, norms[step]);
        }
        expect_near(&f, "end", f.model->adapters->w, 2e-5);
        tt_optimizer_close(&optimizer);
        OK(tt_adapters_merge(f.model));
        assert_null(f.model->adapters);
        const tt_parameter *v = tt_model_find(f.model, "encoder.block.0.layer.0.SelfAttention.v.weight");
        snprintf(name, sizeof name, "%s/merged/%s", f.name, v->name);
        float *want = golden_floats(&f.peft, name, &n);
        golden_near("merged", f.model->w + v->offset, want, n, 1e-6);
        free(want), free(losses), free(norms);
        close_fixture(&f);
    }
}

static bool is_adapted(const tt_model *model, size_t element) {
    const tt_adapters *a = model->adapters;
    for (int i = 0; i < a->n; ++i) {
        const tt_parameter *p = a->items[i].weight;
        if (element >= p->offset && element < p->offset + (size_t)p->rows * (size_t)p->columns) return true;
    }
    return false;
}

// Zero adapters change no bit, others no bit of the weights that they are not for; merged, they compute the same.
static void the_rest_stays(void **state) {
    (void)state;
    fixture f;
    open_fixture(&f, files[1]);
    const size_t size = f.model->size, tokens = (size_t)f.batch.dec_tokens;
    float *before = malloc(size * sizeof *before), *logp = malloc(tokens * sizeof *logp);
    memcpy(before, f.model->w, size * sizeof *before);
    OK(tt_forward(f.pass, &f.batch, (tt_dropout_key){0}, logp));
    const tt_adapter_options options = options_of(&f);
    OK(tt_adapters_open(f.model, &options));
    OK(tt_adapters_init(f.model, 1, 0));
    OK(tt_forward(f.pass, &f.batch, (tt_dropout_key){0}, f.logp));
    assert_memory_equal(f.logp, logp, tokens * sizeof *logp);
    load_start(&f);
    for (size_t i = 0; i < size; ++i)
        if (!is_adapted(f.model, i)) assert_true(before[i] == f.model->w[i]);
    OK(tt_forward(f.pass, &f.batch, (tt_dropout_key){0}, logp));
    assert_memory_not_equal(f.logp, logp, tokens * sizeof *logp);
    OK(tt_adapters_merge(f.model));
    OK(tt_forward(f.pass, &f.batch, (tt_dropout_key){0}, f.logp));
    assert_memory_equal(f.logp, logp, tokens * sizeof *logp);
    free(before), free(logp);
    close_fixture(&f);
}

// A within +-1 / sqrt(in), spread over it; B zero; the same for one seed and stream, others for another.
static void begins_as_peft(void **state) {
    (void)state;
    fixture f;
    open_fixture(&f, files[1]);
    const tt_adapter_options options = options_of(&f);
    OK(tt_adapters_open(f.model, &options));
    const tt_adapters *a = f.model->adapters;
    float *first = malloc(a->size * sizeof *first);
    OK(tt_adapters_init(f.model, 7, 1));
    memcpy(first, a->w, a->size * sizeof *first);
    double squares = 0, mean = 0, n = 0;
    for (int i = 0; i < a->n; ++i) {
        const tt_parameter *p = a->items[i].weight;
        const double bound = 1 / sqrt(p->columns);
        for (int k = 0; k < options.rank * p->columns; ++k) {
            const double x = a->w[a->items[i].a + (size_t)k] / bound;
            assert_true(fabs(x) <= 1);
            mean += x, squares += x * x, n++;
        }
        for (int k = 0; k < p->rows * options.rank; ++k) assert_true(a->w[a->items[i].b + (size_t)k] == 0);
    }
    assert_true(fabs(mean / n) < 0.06 && fabs(squares / n - 1.0 / 3) < 0.03); // 1,024 numbers
    OK(tt_adapters_init(f.model, 7, 2));
    assert_memory_not_equal(first, a->w, a->size * sizeof *first);
    OK(tt_adapters_init(f.model, 8, 1));
    assert_memory_not_equal(first, a->w, a->size * sizeof *first);
    OK(tt_adapters_init(f.model, 7, 1));
    assert_memory_equal(first, a->w, a->size * sizeof *first);
    free(first);
    close_fixture(&f);
}

static void refused(tt_model *model, int rank, const char *targets, const char *message) {
    tt_adapter_options options = {.rank = rank, .alpha = 1};
    char word[8];
    for (const char *t = targets; *t; t += strlen(word) + (t[strlen(word)] == ' ')) {
        sscanf(t, "%7s", word);
        OK(tt_adapter_targets_add(&options.targets, word));
    }
    assert_int_equal(tt_adapters_open(model, &options), TT_ERR_CONFIG);
    if (!strstr(tt_error_message(), message)) fail_msg("'%s' lacks '%s'", tt_error_message(), message);
    assert_null(model->adapters);
}

static void what_does_not_fit_is_named(void **state) {
    (void)state;
    fixture f;
    open_fixture(&f, "t5_1_1_untied"); // d_model 16, 4 heads of 4, d_ff 24
    refused(f.model, 0, "q", "SelfAttention.q.weight [16, 16]: expected a rank of 1 to 16");
    refused(f.model, -3, "q", "adapters of rank -3");
    refused(f.model, 17, "wo", "DenseReluDense.wo.weight [16, 24]: expected a rank of 1 to 16");
    refused(f.model, 4, "q wi",
        "adapters for wi, which this model does not have: its weights are q, k, v, o, wi_0, wi_1, wo");
    refused(f.model, 4, "", "name at least one of q, k");
    tt_adapter_targets targets = 0;
    assert_int_equal(tt_adapter_targets_add(&targets, "query"), TT_ERR_CONFIG);
    assert_non_null(strstr(tt_error_message(), "wi_0"));
    OK(tt_adapters_open(f.model, &(tt_adapter_options){.rank = 16, .alpha = 1, .targets = 1}));
    close_fixture(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(six_updates_as_in_peft),
        cmocka_unit_test(the_rest_stays), cmocka_unit_test(begins_as_peft),
        cmocka_unit_test(what_does_not_fit_is_named)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
