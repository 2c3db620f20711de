// Adapters on the CUDA device beside the CPU device: losses and adapters over training, recordings, merging.
#include "tests/cuda/pair.h"

#include "host/model/adapters.h"
#include "host/train/optimizer.h"

enum { STEPS = 8, MOST = 128 };

static const tt_model_config config = {.vocab_size = 48,
    .d_model = 24,
    .d_kv = 8,
    .d_ff = 28,
    .num_layers = 1,
    .num_decoder_layers = 1,
    .num_heads = 3,
    .relative_attention_num_buckets = 6,
    .relative_attention_max_distance = 12,
    .layer_norm_epsilon = 1e-6f,
    .initializer_factor = 1,
    .activation = TT_GATED_GELU};

typedef struct student {
    tt_device *device;
    tt_model *model;
    tt_pass *pass;
    tt_optimizer optimizer;
} student;

// All eight kinds of weights but k and wi (ReLU's): so that those of one matrix have a gap, and others do not.
static tt_adapter_options options(int rank) {
    tt_adapter_options o = {.rank = rank, .alpha = 2.5 * rank};
    static const char *const targets[] = {"q", "v", "o", "wi_0", "wi_1", "wo"};
    for (int i = 0; i < 6; ++i) twin_ok(tt_adapter_targets_add(&o.targets, targets[i]));
    return o;
}

static student open_student(const char *device, tt_precision precision, int rank) {
    student s = {0};
    const tt_adapter_options how = options(rank);
    twin_ok(tt_device_open(&s.device, device, precision, 1));
    twin_ok(tt_model_open(&s.model, &config, s.device));
    twin_ok(tt_model_init(s.model, TT_INIT_T5, 5));
    twin_ok(tt_adapters_open(s.model, &how));
    twin_ok(tt_adapters_init(s.model, 3, 0));
    twin_ok(tt_pass_open(&s.pass, s.model));
    twin_ok(tt_optimizer_open(&s.optimizer, s.model));
    s.optimizer.clip = 1;
    return s;
}

static void close_student(student *s) {
    tt_optimizer_close(&s->optimizer);
    tt_pass_close(s->pass);
    tt_model_close(s->model);
    tt_device_close(s->device);
}

static void fill(tt_batch *batch, int step) {
    tt_batch_clear(batch);
    for (uint32_t i = 0; i < 3; ++i) {
        const int n = (step * 5 + (int)i * 7) % 15 + 2, m = (step * 3 + (int)i * 5) % 9 + 2;
        int32_t *ids = twin_ids((size_t)n, config.vocab_size, 100 * (uint64_t)step + i),
                *target = twin_ids((size_t)m, config.vocab_size, 7 + i);
        twin_ok(tt_batch_add_source(batch, ids, n, i));
        twin_ok(tt_batch_add_target(
            batch, &(tt_batch_target){.ids = target, .n = m, .source = (int)i, .example = i}));
        free(ids), free(target);
    }
}

static double train(student *s, const tt_batch *batch, int step, bool fused) {
    float dlogp[MOST], logp[MOST];
    const tt_dropout_key dropout = {0.1f, tt_key(2, TT_FOR_DROPOUT, (uint64_t)step)};
    assert_true(batch->dec_tokens <= MOST);
    for (int t = 0; t < batch->dec_tokens; ++t) dlogp[t] = -1 / (float)batch->dec_tokens;
    if (fused) {
        twin_ok(tt_forward_backward(s->pass, batch, dropout, dlogp, logp));
    } else {
        twin_ok(tt_forward(s->pass, batch, dropout, logp));
        twin_ok(tt_backward(s->pass, batch, dlogp));
    }
    double loss = 0, norm;
    for (int t = 0; t < batch->dec_tokens; ++t) loss -= (double)logp[t] / batch->dec_tokens;
    twin_ok(tt_optimizer_update(&s->optimizer, 1e-2, &norm));
    assert_true(norm > 0);
    return loss;
}

static float *fetch(const student *s, const float *from, size_t n) {
    float *out = twin_alloc(n, sizeof *out);
    twin_ok(tt_device_download(s->device, out, from, n * sizeof *out));
    return out;
}

static double apart(const float *a, const float *b, size_t n) {
    double difference = 0, size = 0;
    for (size_t i = 0; i < n; ++i) {
        difference += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
        size += (double)b[i] * (double)b[i];
    }
    return sqrt(difference / size);
}

static void same_training(tt_precision precision, int rank, double allowed) {
    student cpu = open_student("cpu", TT_FP32, rank), gpu = open_student("cuda", precision, rank);
    tt_batch batch = {0};
    double first = 0, last = 0;
    for (int step = 0; step < STEPS; ++step) {
        fill(&batch, 0);
        const double a = train(&cpu, &batch, step, step % 2), b = train(&gpu, &batch, step, step % 2);
        if (!(fabs(a - b) <= allowed * a))
            fail_msg("step %d: loss %.8g: expected %.8g, the CPU's", step, b, a);
        if (step == 0) first = a;
        last = a;
    }
    assert_true(last < 0.9 * first);
    const size_t n = cpu.model->adapters->size;
    float *a = fetch(&cpu, cpu.model->adapters->w, n), *b = fetch(&gpu, gpu.model->adapters->w, n);
    if (!(apart(b, a, n) <= 10 * allowed))
        fail_msg("adapters after %d steps: %.3g apart", STEPS, apart(b, a, n));
    free(a), free(b);
    tt_batch_close(&batch);
    close_student(&cpu), close_student(&gpu);
}

static void training_in_fp32(void **state) {
    (void)state;
    same_training(TT_FP32, 8, 1e-5);
    same_training(TT_FP32, 3, 1e-5);
}

static void training_in_bf16(void **state) {
    (void)state;
    same_training(TT_BF16, 8, 2e-2);
    same_training(TT_BF16, 1, 2e-2);
}

// The weights that products read, as 16 or 32 bits each.
static void *operands(const student *s) {
    const size_t bytes = s->model->size * s->device->operand_size;
    void *out = twin_alloc(bytes, 1);
    twin_ok(tt_device_download(s->device, out, s->model->operands, bytes));
    return out;
}

static tt_status (*replay)(tt_device *, tt_recording *);
static const tt_model *counted; // replays of its W', not of its passes
static int replays;

static tt_status counted_replay(tt_device *device, tt_recording *recording) {
    replays += recording == counted->adapters->recording;
    return replay(device, recording);
}

// Recorded or not, merged or not: the same bits of what products read. Losses that are computed after a merge, too.
static void recorded_and_merged_are_the_same(void **state) {
    (void)state;
    for (int half = 0; half < 2; ++half) {
        void *got[2];
        size_t bytes = 0;
        for (int recorded = 0; recorded < 2; ++recorded) {
            student gpu = open_student("cuda", half ? TT_BF16 : TT_FP32, 4);
            const tt_memory *own = gpu.device->memory;
            tt_memory memory = *own;
            replay = memory.replay;
            memory.replay = counted_replay;
            gpu.device->memory = &memory;
            gpu.device->plain = !recorded;
            tt_batch batch = {0};
            counted = gpu.model, replays = 0;
            for (int step = 0; step < 5; ++step) {
                fill(&batch, step);
                train(&gpu, &batch, step, true);
            }
            assert_int_equal(replays, recorded ? 4 : 0); // W' of steps 2 to 5; that of the first was recorded
            gpu.device->memory = own;
            got[recorded] = operands(&gpu);
            bytes = gpu.model->size * gpu.device->operand_size;
            tt_optimizer_close(&gpu.optimizer);
            twin_ok(tt_adapters_merge(gpu.model));
            void *merged = operands(&gpu);
            assert_memory_equal(merged, got[recorded], bytes);
            // In bf16 the merged weights are fp32 and round to the same operands.
            twin_ok(tt_model_written(gpu.model));
            void *again = operands(&gpu);
            assert_memory_equal(again, got[recorded], bytes);
            free(merged), free(again);
            tt_batch_close(&batch);
            close_student(&gpu);
        }
        assert_memory_equal(got[0], got[1], bytes);
        free(got[0]), free(got[1]);
    }
}

int main(void) {
    PAIR_NEEDS_GPU();
    const struct CMUnitTest tests[] = {cmocka_unit_test(training_in_fp32), cmocka_unit_test(training_in_bf16),
        cmocka_unit_test(recorded_and_merged_are_the_same)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
