// Sizes at which the CUDA device changes its way, tested on both sides: fillers of batches that are replayed, chunks
// of the LM head.
#include "tests/cuda/pair.h"

#include "host/model/model.h"
#include "host/model/pass.h"

static const tt_model_config small = {.vocab_size = 48,
    .d_model = 16,
    .d_kv = 8,
    .d_ff = 16,
    .num_layers = 1,
    .num_decoder_layers = 1,
    .num_heads = 2,
    .relative_attention_num_buckets = 6,
    .relative_attention_max_distance = 12,
    .layer_norm_epsilon = 1e-6f,
    .initializer_factor = 1,
    .tie_word_embeddings = true};

// `sources` texts of `length` tokens, a target of `target` tokens for each.
static void fill(tt_batch *batch, int sources, int length, int target, uint64_t stream) {
    tt_batch_clear(batch);
    for (int i = 0; i < sources; ++i) {
        int32_t *ids = twin_ids((size_t)(length + target), small.vocab_size, stream * 1000 + (uint64_t)i);
        twin_ok(tt_batch_add_source(batch, ids, length, (uint32_t)i));
        twin_ok(tt_batch_add_target(batch, ids + length, target, i, 0, (uint32_t)i));
        free(ids);
    }
}

typedef struct student {
    tt_device *device;
    tt_model *model;
    tt_pass *pass;
} student;

static student open_student(tt_precision precision, bool plain) {
    student s = {0};
    twin_ok(tt_device_open(&s.device, "cuda", precision, 1));
    s.device->plain = plain;
    twin_ok(tt_model_open(&s.model, &small, s.device));
    twin_ok(tt_model_init(s.model, TT_INIT_T5, 5));
    twin_ok(tt_model_train(s.model));
    twin_ok(tt_pass_open(&s.pass, s.model));
    return s;
}

static void close_student(student *s) {
    tt_pass_close(s->pass);
    tt_model_close(s->model);
    tt_device_close(s->device);
}

static float *gradient(student *s, const tt_batch *batch, uint64_t step) {
    const size_t n = (size_t)batch->dec_tokens;
    float *dlogp = twin_alloc(n, sizeof *dlogp), *logp = twin_alloc(n, sizeof *logp);
    for (size_t t = 0; t < n; ++t) dlogp[t] = -1 / (float)n;
    twin_ok(tt_device_zero(s->device, s->model->g, s->model->size * sizeof(float)));
    twin_ok(tt_forward_backward(
        s->pass, batch, (tt_dropout_key){0.1f, tt_key(2, TT_FOR_DROPOUT, step)}, dlogp, logp));
    float *g = twin_alloc(s->model->size, sizeof *g);
    twin_ok(tt_device_download(s->device, g, s->model->g, s->model->size * sizeof *g));
    free(dlogp), free(logp);
    return g;
}

static void same_gradient(const float *got, const float *want, size_t n, double allowed, const char *what) {
    double difference = 0, size = 0;
    for (size_t i = 0; i < n; ++i) {
        difference += ((double)got[i] - (double)want[i]) * ((double)got[i] - (double)want[i]);
        size += (double)want[i] * (double)want[i];
    }
    assert_true(size > 0);
    if (sqrt(difference / size) <= allowed) return;
    print_error("%s: gradients are %.3g apart, allowed %.3g\n", what, sqrt(difference / size), allowed);
    fail();
}

// Fillers are up to 16, 32, 64 and 128 tokens long, below and from 1,024, 2,048, 4,096 and 8,192 tokens on, here
// longer than every text and as long as possible. Shapes come in turn, so that they are done plainly, recorded and
// replayed, each after another one has left its numbers in the same memory.
static void fillers(tt_precision precision, double allowed) {
    static const struct {
        int texts, length, target;
    } batches[] = {{85, 12, 12}, {128, 8, 8}, {137, 30, 30}, {455, 18, 9}, {1024, 8, 8}};
    student plain = open_student(precision, true), replayed = open_student(precision, false);
    tt_batch batch = {0};
    for (uint64_t step = 0; step < 4; ++step)
        for (size_t i = 0; i < sizeof batches / sizeof *batches; ++i) {
            char what[100];
            fill(&batch, batches[i].texts, batches[i].length, batches[i].target, step);
            snprintf(what, sizeof what, "%d texts of %d and %d tokens, time %d", batches[i].texts,
                batches[i].length, batches[i].target, (int)step);
            float *want = gradient(&plain, &batch, step), *got = gradient(&replayed, &batch, step);
            same_gradient(got, want, plain.model->size, allowed, what);
            free(want), free(got);
        }
    tt_batch_close(&batch);
    close_student(&plain), close_student(&replayed);
}

static void fillers_in_fp32(void **state) {
    (void)state;
    fillers(TT_FP32, 1e-5);
}

static void fillers_in_bf16(void **state) {
    (void)state;
    fillers(TT_BF16, 2e-2);
}

// The LM head of T5: 522 rows are one chunk of logits, 523 are two. Apart and fused, against the CPU's.
static void head(tt_precision precision, int rows) {
    enum { D = 16, VOCABULARY = 32128 };
    pair p = pair_open(precision);
    const size_t n = (size_t)rows * D, all = (size_t)VOCABULARY * D;
    int32_t *targets = twin_ids((size_t)rows, VOCABULARY, 5), *gpu_targets = pair_ints(&p, targets, (size_t)rows);
    tensor h = tensor_operand(&p, n, 1, 1), w = tensor_operand(&p, all, 1, 2),
           dlogp = tensor_f32(&p, (size_t)rows, 1, 3);
    for (int fused = 0; fused < 2; ++fused) {
        tensor lse = tensor_f32(&p, (size_t)rows, 1, 6), logp = tensor_f32(&p, (size_t)rows, 1, 7),
               dh = tensor_operand(&p, n, 1, 8), dw = tensor_f32(&p, all, 1, 9);
        for (int side = 0; side < 2; ++side) {
            tt_device *device = side ? p.gpu : p.cpu;
            const tt_lmhead op = {.rows = rows,
                .d = D,
                .vocab = VOCABULARY,
                .scale = 0.3f,
                .h = side ? h.gpu : h.cpu,
                .w = side ? w.gpu : w.cpu,
                .targets = side ? gpu_targets : targets,
                .lse = side ? lse.gpu : lse.cpu,
                .logp = side ? logp.gpu : logp.cpu,
                .dlogp = side ? dlogp.gpu : dlogp.cpu,
                .dh = side ? dh.gpu : dh.cpu,
                .dw = side ? dw.gpu : dw.cpu};
            if (!fused) twin_ok(device->ops->lmhead_fwd(device, &op));
            if (!fused) twin_ok(device->ops->lmhead_bwd(device, &op));
            if (fused) twin_ok(device->ops->lmhead_fused(device, &op));
        }
        tensor_compare(&p, "lse", &lse), tensor_compare(&p, "logp", &logp);
        tensor_compare(&p, "dh", &dh), tensor_compare(&p, "dw", &dw);
        tensor_close(&p, &lse), tensor_close(&p, &logp), tensor_close(&p, &dh), tensor_close(&p, &dw);
    }
    tensor_close(&p, &h), tensor_close(&p, &w), tensor_close(&p, &dlogp);
    tt_device_free(p.gpu, gpu_targets);
    free(targets);
    pair_close(&p);
}

static void chunks_of_the_head(void **state) {
    (void)state;
    head(TT_FP32, 522);
    head(TT_FP32, 523);
    head(TT_BF16, 600);
}

int main(void) {
    PAIR_NEEDS_GPU();
    const struct CMUnitTest tests[] = {cmocka_unit_test(fillers_in_fp32), cmocka_unit_test(fillers_in_bf16),
        cmocka_unit_test(chunks_of_the_head)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
