// The whole model on the CUDA device beside the CPU device: losses and weights over training, texts.
#include "tests/cuda/pair.h"

#include "host/base/memory.h"
#include "host/reason/engine.h"
#include "host/train/optimizer.h"

enum { STEPS = 12, MOST = 128 };

static tt_model_config config_of(bool v1_1, int d_kv) {
    return (tt_model_config){.vocab_size = 48,
        .d_model = 20,
        .d_kv = d_kv,
        .d_ff = 28,
        .num_layers = 2,
        .num_decoder_layers = 2,
        .num_heads = 3,
        .relative_attention_num_buckets = 6,
        .relative_attention_max_distance = 12,
        .layer_norm_epsilon = 1e-6f,
        .initializer_factor = 1,
        .activation = v1_1 ? TT_GATED_GELU : TT_RELU,
        .tie_word_embeddings = !v1_1,
        .scale_decoder_outputs = !v1_1};
}

static void fill(tt_batch *batch, int vocab, int step) {
    tt_batch_clear(batch);
    for (uint32_t i = 0; i < 4; ++i) {
        const int n = (step * 5 + (int)i * 7) % 15 + 2, m = (step * 3 + (int)i * 5) % 9 + 2;
        int32_t *ids = twin_ids((size_t)n, vocab, 100 * (uint64_t)step + i);
        ids[n - 1] = 1;
        twin_ok(tt_batch_add_source(batch, ids, n, i));
        for (int t = 0; t < m; ++t) ids[t % n] = (ids[t % n] + 3) % vocab; // something that can be learnt
        int32_t *target = twin_ids((size_t)m, vocab, 7 + i);
        target[m - 1] = 1;
        twin_ok(tt_batch_add_target(
            batch, &(tt_batch_target){.ids = target, .n = m, .source = (int)i, .example = i}));
        if (i % 2)
            twin_ok(tt_batch_add_target(
                batch, &(tt_batch_target){.ids = target, .n = m, .source = (int)i, .example = i + 10}));
        free(ids), free(target);
    }
}

typedef struct student {
    tt_device *device;
    tt_model *model;
    tt_pass *pass;
    tt_optimizer optimizer;
} student;

static student open_student(const char *device, tt_precision precision, const tt_model_config *config) {
    student s = {0};
    twin_ok(tt_device_open(&s.device, device, precision, 1));
    twin_ok(tt_model_open(&s.model, config, s.device));
    twin_ok(tt_model_init(s.model, TT_INIT_T5, 5));
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

// Loss of a step; `fused`: with the LM head's one pass.
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
    twin_ok(tt_optimizer_update(&s->optimizer, 3e-3, &norm));
    assert_true(norm > 0);
    return loss;
}

static float *weights(const student *s) {
    float *w = twin_alloc(s->model->size, sizeof *w);
    twin_ok(tt_device_download(s->device, w, s->model->w, s->model->size * sizeof *w));
    return w;
}

static double apart(const float *a, const float *b, size_t n) {
    double difference = 0, size = 0;
    for (size_t i = 0; i < n; ++i) {
        difference += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
        size += (double)b[i] * (double)b[i];
    }
    return sqrt(difference / size);
}

static void same_training(tt_precision precision, bool v1_1, int d_kv, double allowed) {
    const tt_model_config config = config_of(v1_1, d_kv);
    student cpu = open_student("cpu", TT_FP32, &config), gpu = open_student("cuda", precision, &config);
    tt_batch batch = {0};
    double first = 0, last = 0;
    for (int step = 0; step < STEPS; ++step) {
        fill(&batch, config.vocab_size, step);
        const double a = train(&cpu, &batch, step, step % 2), b = train(&gpu, &batch, step, step % 2);
        if (!(fabs(a - b) <= allowed * a)) {
            print_error("step %d: loss %.8g on the CPU, %.8g on the GPU\n", step, a, b);
            fail();
        }
        if (step == 0) first = a;
        last = a;
    }
    assert_true(last < 0.9 * first);
    float *a = weights(&cpu), *b = weights(&gpu);
    const double distance = apart(b, a, cpu.model->size);
    if (!(distance <= 10 * allowed)) {
        print_error("weights after %d steps: %.3g apart\n", STEPS, distance);
        fail();
    }
    free(a), free(b);
    tt_batch_close(&batch);
    close_student(&cpu), close_student(&gpu);
}

static void training_in_fp32(void **state) {
    (void)state;
    same_training(TT_FP32, false, 5, 1e-5);
    same_training(TT_FP32, true, 16, 1e-5);
}

static void training_in_bf16(void **state) {
    (void)state;
    same_training(TT_BF16, false, 8, 2e-2);
    same_training(TT_BF16, true, 16, 2e-2);
}

// Twice the same: the same bits.
static void training_repeats(void **state) {
    (void)state;
    const tt_model_config config = config_of(true, 8);
    float *w[2];
    size_t n = 0;
    for (int run = 0; run < 2; ++run) {
        student gpu = open_student("cuda", TT_BF16, &config);
        tt_batch batch = {0};
        for (int step = 0; step < 3; ++step) {
            fill(&batch, config.vocab_size, step);
            train(&gpu, &batch, step, true);
        }
        w[run] = weights(&gpu);
        n = gpu.model->size;
        tt_batch_close(&batch);
        close_student(&gpu);
    }
    twin_same_bits("weights of two runs", w[0], w[1], n, 4);
    free(w[0]), free(w[1]);
}

// What the device was asked to replay, and what the gradient's watcher was told.
enum { TOLD = 256 };
static int replays, told;
static size_t complete_from[TOLD];
static tt_status (*replay)(tt_device *, tt_recording *);

static tt_status counted_replay(tt_device *device, tt_recording *recording) {
    ++replays;
    return replay(device, recording);
}

static tt_status hear(void *context, size_t from) {
    (void)context;
    assert_in_range(told, 0, TOLD - 1);
    complete_from[told++] = from;
    return TT_OK;
}

// Steps of shapes that come again are replayed: the same bits, and the watcher is told the same. First both
// passes at once and watched, then one after the other and not.
static void replayed_steps_equal_plain_ones(void **state) {
    (void)state;
    tt_model_config config = config_of(false, 8);
    config.num_layers = config.num_decoder_layers = 1;
    float *w[2];
    int32_t *more = twin_ids(40, config.vocab_size, 3); // more than the 32 rows that shapes differ by
    size_t n = 0, first_from[TOLD];
    for (int recorded = 0; recorded < 2; ++recorded) {
        student gpu = open_student("cuda", TT_BF16, &config);
        const tt_memory *own = gpu.device->memory;
        tt_memory memory = *own;
        replay = memory.replay;
        memory.replay = counted_replay;
        gpu.device->memory = &memory;
        gpu.device->plain = !recorded;
        tt_pass_close(gpu.pass);
        twin_ok(tt_pass_open(&gpu.pass, gpu.model));
        tt_pass_watch(gpu.pass, (tt_gradient_watch){hear, NULL});
        replays = told = 0;
        tt_batch batch = {0};
        for (int step = 0; step < 14; ++step) {
            if (step == 7) tt_pass_watch(gpu.pass, (tt_gradient_watch){0});
            fill(&batch, config.vocab_size, step / 2 % 2); // texts of other lengths fill up the same rows
            if (step % 2) twin_ok(tt_batch_add_source(&batch, more, 40, 9));
            if (step % 2)
                twin_ok(tt_batch_add_target(&batch,
                    &(tt_batch_target){.ids = more, .n = 3, .source = batch.enc_seqs - 1, .example = 9}));
            train(&gpu, &batch, step, step < 7);
        }
        // From its third step on a shape is replayed, counted from step 1, whose batch needs more memory than
        // the pass has: steps 5 and 6 in three pieces, 11 to 13 in two passes.
        assert_int_equal(replays, recorded ? 2 * 3 + 3 * 2 : 0);
        assert_int_equal(told, 7 * 3);
        if (recorded) assert_memory_equal(complete_from, first_from, sizeof(size_t) * (size_t)told);
        memcpy(first_from, complete_from, sizeof first_from);
        w[recorded] = weights(&gpu);
        n = gpu.model->size;
        tt_batch_close(&batch);
        gpu.device->memory = own;
        close_student(&gpu);
    }
    twin_same_bits("weights after plain and after replayed steps", w[0], w[1], n, 4);
    free(w[0]), free(w[1]), free(more);
}

// Layers computed again, in plain steps and in replayed ones: the same in less memory. Kept layers make some products together,
// which a card's library may add up in another order; cusim's adds all in the same one.
static void recomputed_layers_equal_kept_ones(void **state) {
    (void)state;
    const tt_model_config config = config_of(true, 8);
    for (int half = 0; half < 2; ++half) {
        float *w[2], *start = NULL;
        size_t n = 0, bytes[2];
        for (int again = 0; again < 2; ++again) {
            student gpu = open_student("cuda", half ? TT_BF16 : TT_FP32, &config);
            free(start);
            start = weights(&gpu);
            const tt_memory *own = gpu.device->memory;
            tt_memory memory = *own;
            replay = memory.replay;
            memory.replay = counted_replay;
            gpu.device->memory = &memory;
            tt_pass_recompute(gpu.pass, again);
            replays = 0;
            tt_batch batch = {0};
            fill(&batch, config.vocab_size, 1);
            for (int step = 0; step < 6; ++step) train(&gpu, &batch, step, step < 3);
            assert_int_equal(replays, 1 + 2); // the third step of each kind, in one part and in two
            w[again] = weights(&gpu);
            n = gpu.model->size;
            bytes[again] = tt_pass_bytes(gpu.pass);
            tt_batch_close(&batch);
            gpu.device->memory = own;
            close_student(&gpu);
        }
        if (pair_emulated()) twin_same_bits("weights with layers kept and computed again", w[0], w[1], n, 4);
        // Of what training moved: rounding decides the sign of the smallest gradients, and with it a step of Adam.
        double moved = 0, between = 0;
        for (size_t i = 0; i < n; ++i) {
            moved += ((double)w[0][i] - (double)start[i]) * ((double)w[0][i] - (double)start[i]);
            between += ((double)w[1][i] - (double)w[0][i]) * ((double)w[1][i] - (double)w[0][i]);
        }
        const double distance = sqrt(between / moved), allowed = half ? 0.3 : 0.03;
        if (!(distance <= allowed)) {
            print_error("weights with layers kept and computed again: %.3g of what training moved apart, "
                        "allowed %.3g\n",
                distance, allowed);
            fail();
        }
        assert_true(bytes[1] < bytes[0]);
        free(w[0]), free(w[1]), free(start);
    }
}

enum { PROMPTS = 3, SAMPLES = 4, LENGTH = 24 };
typedef struct texts {
    int32_t ids[PROMPTS][SAMPLES][LENGTH];
    int n[PROMPTS][SAMPLES];
} texts;

static tt_status take(void *context, int prompt, int sample, const int32_t *ids, int n) {
    texts *t = context;
    memcpy(t->ids[prompt][sample], ids, (size_t)n * sizeof *ids);
    t->n[prompt][sample] = n;
    return TT_OK;
}

// `looks`: tokens between looks, 0: the engine's own.
static void generate(const char *device, const tt_decoding *decoding, int looks, texts *out) {
    const tt_model_config config = config_of(true, 16);
    student s = open_student(device, TT_FP32, &config);
    tt_engine *engine;
    twin_ok(tt_engine_open(&engine, s.model, 5, LENGTH)); // fewer slots than samples: they are refilled
    if (looks > 0) twin_ok(tt_engine_look_every(engine, looks));
    static const int32_t numbers[SAMPLES] = {0, 1, 2, 3};
    int32_t *ids[PROMPTS];
    tt_prompt prompts[PROMPTS];
    for (int i = 0; i < PROMPTS; ++i) {
        ids[i] = twin_ids(9 + 3 * (size_t)i, config.vocab_size, 50 + (uint64_t)i);
        ids[i][8 + 3 * i] = 1;
        prompts[i] = (tt_prompt){ids[i], 9 + 3 * i, (uint64_t)i, numbers, SAMPLES};
    }
    memset(out, 0, sizeof *out);
    twin_ok(tt_engine_generate(engine, &(tt_generation){prompts, PROMPTS, decoding, take, out}));
    for (int i = 0; i < PROMPTS; ++i) free(ids[i]);
    tt_engine_close(engine);
    close_student(&s);
}

static void same_texts(void **state) {
    (void)state;
    const tt_decoding ways[] = {{.top_p = 1, .max_length = LENGTH},
        {.temperature = 1, .top_p = 0.9f, .top_k = 20, .max_length = LENGTH, .seed = 3},
        {.top_p = 1, .max_length = LENGTH, .repetition_penalty = 1.5f, .min_length = 4},
        {.top_p = 1, .max_length = LENGTH, .beams = 3, .length_penalty = 1}};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; ++i) {
        texts cpu, gpu;
        generate("cpu", &ways[i], 0, &cpu);
        generate("cuda", &ways[i], (int)(8 * (i % 2)), &gpu); // looks: the engine's own, and every 8 tokens
        assert_true(cpu.n[0][0] > 0);
        assert_memory_equal(&cpu, &gpu, sizeof cpu);
    }
}

int main(void) {
    PAIR_NEEDS_GPU();
    const struct CMUnitTest tests[] = {cmocka_unit_test(training_in_fp32), cmocka_unit_test(training_in_bf16),
        cmocka_unit_test(training_repeats), cmocka_unit_test(replayed_steps_equal_plain_ones),
        cmocka_unit_test(recomputed_layers_equal_kept_ones), cmocka_unit_test(same_texts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
