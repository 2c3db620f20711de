// What memory is counted: by hand for a small model, and as the CPU device allocates it for a step of training.
#include "tests/unit/tiny_t5.h"

#include "host/dist/comm.h"
#include "host/lab/memory_text.h"
#include "host/model/decoder.h"
#include "host/reason/engine.h"
#include "host/train/optimizer.h"
#include "kernels/counting.h"
#include "kernels/ops.h"

static void the_peak_is_the_moment_with_the_largest_sum(void **state) {
    (void)state;
    tt_tally t = {0};
    const char memory[1000] = {0};
    OK(tt_tally_add(&t, &memory[0], 100, "weights"));
    OK(tt_tally_add(&t, &memory[100], 70, "activations"));
    tt_tally_remove(&t, &memory[100]);
    OK(tt_tally_add(&t, &memory[200], 60, "K/V cache"));
    OK(tt_tally_add(&t, &memory[300], 5, "something new"));
    assert_int_equal(t.peak.all, 170);
    assert_int_equal(t.peak.kind[TT_MEMORY_ACTIVATIONS], 70);
    assert_int_equal(t.peak.kind[TT_MEMORY_CACHES], 0);
    OK(tt_tally_add(&t, &memory[400], 6, "weights"));
    assert_int_equal(t.peak.all, 171);
    assert_int_equal(t.peak.kind[TT_MEMORY_WEIGHTS], 106);
    assert_int_equal(t.peak.kind[TT_MEMORY_CACHES], 60);
    assert_int_equal(t.peak.kind[TT_MEMORY_WORKSPACE], 5);
    tt_tally_remove(&t, &memory[0]);
    tt_tally_remove(&t, &memory[700]); // nobody's
    tt_tally_restart(&t);
    assert_int_equal(t.peak.all, 71);
    assert_ptr_equal(tt_tally_find(&t, memory + 200 + 59), &memory[200]);
    assert_null(tt_tally_find(&t, memory + 200 + 60));
    tt_tally_close(&t);
}

// All sizes are multiples of 16, to which parameters are aligned:
//   embedding 64 x 16 = 1024
//   encoder   q, k, v, o 4 x 256, biases 8 x 2, feed-forward 2 x 512, three norms of 16 = 2112
//   decoder   the same and cross-attention, 4 x 256 and a norm = 3152
static const tt_model_config even = {.vocab_size = 64,
    .d_model = 16,
    .d_kv = 8,
    .d_ff = 32,
    .num_layers = 1,
    .num_decoder_layers = 1,
    .num_heads = 2,
    .relative_attention_num_buckets = 8,
    .relative_attention_max_distance = 16,
    .layer_norm_epsilon = 1e-6f,
    .initializer_factor = 1,
    .tie_word_embeddings = true,
    .scale_decoder_outputs = true};
enum { PARAMETERS = 1024 + 2112 + 3152 };

static void a_students_state_is_counted_by_kind(void **state) {
    (void)state;
    tt_device *device;
    tt_model *model;
    tt_optimizer optimizer;
    tt_decoder *decoder;
    OK(tt_counting_open(&device, &(tt_counting){.cuda = true, .precision = TT_BF16, .threads = 1}));
    assert_null(tt_ops_missing(device->ops));
    const tt_memory_use *now = &device->tally.now;
    OK(tt_model_open(&model, &even, device));
    assert_int_equal(model->size, PARAMETERS);
    assert_int_equal(now->kind[TT_MEMORY_WEIGHTS], (4 + 2) * PARAMETERS);
    OK(tt_optimizer_open(&optimizer, model));
    assert_int_equal(now->kind[TT_MEMORY_GRADIENTS], 4 * PARAMETERS);
    assert_int_equal(now->kind[TT_MEMORY_MOMENTS], 8 * PARAMETERS);
    tt_optimizer_close(&optimizer);
    assert_int_equal(now->kind[TT_MEMORY_MOMENTS], 0);
    // Keys and values of 16 x 4 + 16 and of 10 tokens, 32 elements each; for each of 16 slots 9 numbers of 64 and
    // 16 + 48 + 16 + 16 + 16 + 32 + 32 elements of bf16, 16 numbers of fp32, one rstd, 16 + 8 numbers of a step; two tables.
    OK(tt_decoder_open(&decoder, model, 16, 4, 10));
    const size_t caches = (80 + 10) * 32 * 2,
                 slots = 16 * (64 * 4 + (16 + 48 + 16 + 16 + 32 + 32) * 2 + 16 * 4 + 4 + (16 + 8) * 4);
    assert_int_equal(now->kind[TT_MEMORY_CACHES], caches + slots + 2 * 80 * 4);
    tt_decoder_close(decoder);
    tt_model_close(model);
    assert_int_equal(now->all, 0);
    tt_device_close(device);
}

// A step on the CPU device, and the same on a device that counts for it.
static tt_memory_use step_of(tt_device *device, const tt_model_config *config) {
    tt_model *model;
    tt_optimizer optimizer;
    tt_pass *pass;
    tt_batch batch = {0};
    float dlogp[TINY_TOKENS] = {0}, logp[TINY_TOKENS];
    double norm;
    OK(tt_model_open(&model, config, device));
    OK(tt_optimizer_open(&optimizer, model));
    OK(tt_pass_open(&pass, model));
    tiny_fill(&batch, config->vocab_size);
    OK(tt_forward_backward(pass, &batch, (tt_dropout_key){.rate = 0.1f, .key = 1}, dlogp, logp));
    OK(tt_optimizer_update(&optimizer, 1e-3, &norm));
    const tt_memory_use peak = device->tally.peak;
    tt_batch_close(&batch);
    tt_pass_close(pass);
    tt_optimizer_close(&optimizer);
    tt_model_close(model);
    return peak;
}

static void a_step_takes_what_is_counted(void **state) {
    (void)state;
    const tt_model_config configs[] = {tiny_1_0, tiny_1_1(), even};
    for (int run = 0; run < (tt_cpu_bf16() == TT_BF16_NONE ? 3 : 6); ++run) {
        const int i = run % 3;
        const tt_precision precision = run < 3 ? TT_FP32 : TT_BF16;
        tt_device *real, *counting;
        OK(tt_device_open(&real, "cpu", precision, 2));
        OK(tt_counting_open(&counting, &(tt_counting){.precision = precision, .threads = 2}));
        const tt_memory_use taken = step_of(real, &configs[i]), counted = step_of(counting, &configs[i]);
        for (int k = 0; k < TT_MEMORY_WORKSPACE; ++k) assert_int_equal(counted.kind[k], taken.kind[k]);
        // The longest sequences are known to the next multiple of 64 alone: here 64 for 20 and 18.
        assert_true(counted.kind[TT_MEMORY_WORKSPACE] >= taken.kind[TT_MEMORY_WORKSPACE]);
        assert_true(counted.kind[TT_MEMORY_WORKSPACE] <= 4 * taken.kind[TT_MEMORY_WORKSPACE]);
        assert_true(taken.kind[TT_MEMORY_WORKSPACE] > 0);
        tt_device_close(real);
        tt_device_close(counting);
    }
}

// 4000 tokens of words, of which every fifth ends a text; numbers are zeros.
static void texts_are_of_words(void **state) {
    (void)state;
    enum { N = 4000 };
    static int32_t tokens[N];
    tt_device *device;
    int32_t *memory;
    int ends = 0, seen[3] = {0};
    OK(tt_counting_open(&device, &(tt_counting){.precision = TT_FP32, .threads = 1}));
    tt_counting_write(device, &(tt_counting_texts){.words = {7, 8, 9}, .n = 3, .end = 1, .length = 5});
    OK(tt_device_alloc(device, &memory, N, sizeof *memory, "decoder"));
    tokens[0] = 42;
    OK(tt_device_download(device, tokens, memory, sizeof tokens));
    assert_int_equal(tokens[0], 0);
    OK(device->ops->sample(device, &(tt_sample){.rows = 1, .vocab = 64, .top_p = 1, .token = memory + 8}));
    OK(tt_device_download(device, tokens, memory, sizeof tokens));
    for (int i = 0; i < N; ++i) {
        assert_true(tokens[i] == 1 || (tokens[i] >= 7 && tokens[i] <= 9));
        ends += tokens[i] == 1;
        if (tokens[i] != 1) ++seen[tokens[i] - 7];
    }
    assert_in_range(ends, N / 5 - 100, N / 5 + 100); // four standard deviations
    for (int w = 0; w < 3; ++w) assert_true(seen[w] > N / 5);
    tt_device_free(device, memory);
    tt_device_close(device);
}

static tt_status take_beam(void *context, int prompt, int sample, const int32_t *ids, int n) {
    (void)prompt, (void)sample, (void)ids;
    int *lengths = context;
    lengths[0]++, lengths[1] += n;
    return TT_OK;
}

// Beams go on in a device without memory: two prompts get texts as long as they may be, with what the search allocates counted.
static void beams_are_counted(void **state) {
    (void)state;
    enum { N = 12 };
    for (int cuda = 0; cuda < 2; ++cuda) {
        tt_device *device;
        tt_model *model;
        tt_engine *engine;
        int lengths[2] = {0};
        const int32_t ids[3] = {5, 6, 1}, sample = 0;
        const tt_prompt prompts[2] = {{.ids = ids, .n = 3, .samples = &sample, .n_samples = 1},
            {.ids = ids, .n = 3, .samples = &sample, .n_samples = 1}};
        const tt_decoding decoding = {.top_p = 1, .max_length = N, .beams = 3, .length_penalty = 1};
        OK(tt_counting_open(&device, &(tt_counting){.cuda = cuda, .precision = TT_FP32, .threads = 1}));
        tt_counting_write(device, &(tt_counting_texts){.words = {7, 8, 9}, .n = 3, .end = 1, .length = 2});
        OK(tt_model_open(&model, &even, device));
        OK(tt_engine_open(&engine, model, 6, N));
        const size_t before = device->tally.now.all;
        OK(tt_engine_generate(engine, &(tt_generation){prompts, 2, &decoding, take_beam, lengths}));
        assert_int_equal(lengths[0], 2);
        assert_int_equal(lengths[1], 2 * (N - 1));
        assert_true(device->tally.peak.all > before);
        tt_engine_close(engine);
        tt_model_close(model);
        tt_device_close(device);
    }
}

static void the_other_ranks_give_what_this_one_gives(void **state) {
    (void)state;
    tt_comm *comm;
    OK(tt_comm_pretend(&comm, 3));
    int64_t number = 5;
    int32_t mine = 7, all[3] = {0};
    OK(tt_comm_max_i64(comm, &number, 1));
    OK(tt_comm_agree(comm, TT_OK));
    OK(tt_comm_gather_equal(comm, &mine, sizeof mine, all));
    assert_int_equal(number, 5);
    for (int r = 0; r < 3; ++r) assert_int_equal(all[r], 7);
    tt_comm_close_part(comm);
}

static void amounts_of_memory_are_read(void **state) {
    (void)state;
    const struct {
        const char *text;
        double bytes;
    } right[] = {{"80G", 80e9}, {"80GB", 80e9}, {"80 GB", 80e9}, {"79.5GiB", 79.5 * 1073741824},
        {"512M", 512e6}, {"512Mi", 512.0 * 1048576}, {"1.5T", 1.5e12}, {"64k", 64e3}, {"64KB", 64e3},
        {"80g", 80e9}, {"80gb", 80e9}, {"80Gb", 80e9}, {"80 gib", 80 * 1073741824.0},
        {"80GiB", 80 * 1073741824.0}, {"1.5t", 1.5e12}};
    for (size_t i = 0; i < sizeof right / sizeof *right; ++i) {
        double bytes;
        OK(tt_memory_parse(&bytes, right[i].text));
        assert_true(bytes == right[i].bytes);
    }
    static const char *const wrong[] = {"banana", "", "80", "80B", "-80G", "0G", "G", "80 ", "80GBs", "80iB",
        "80p", "80 G B", "1e3G", "nanG", "infG", "0x10G"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; ++i) {
        double bytes;
        assert_int_equal(tt_memory_parse(&bytes, wrong[i]), TT_ERR_USAGE);
        assert_non_null(strstr(tt_error_message(), "80G"));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_peak_is_the_moment_with_the_largest_sum),
        cmocka_unit_test(a_students_state_is_counted_by_kind),
        cmocka_unit_test(a_step_takes_what_is_counted),
        cmocka_unit_test(texts_are_of_words),
        cmocka_unit_test(beams_are_counted),
        cmocka_unit_test(the_other_ranks_give_what_this_one_gives),
        cmocka_unit_test(amounts_of_memory_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
