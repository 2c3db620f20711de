#define _GNU_SOURCE
// Checkpoints: round trips, and every kind of broken file named.
#include "host/base/fs.h"
#include "host/data/hdf5_file.h"
#include "host/model/checkpoint.h"

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
#include <unistd.h>

#define OK(expr)                                                                                             \
    do {                                                                                                     \
        if ((expr) != TT_OK) fail_msg("%s", tt_error_message());                                             \
    } while (0)

static const char *const path = "test_checkpoint.h5";
static tt_device *device;
static tt_model *model;
static tt_tokenizer *tokenizer;

static int open_all(void **state) {
    (void)state;
    const char *texts[] = {
        "the hammer is made of steel", "a cup holds water", "steel is hard, water is soft"};
    const tt_tokenizer_training how = {.pieces = 30, .split_punctuation = true};
    OK(tt_tokenizer_train(texts, 3, &how, "test_checkpoint.model"));
    OK(tt_tokenizer_load(&tokenizer, "test_checkpoint.model", 4));
    OK(tt_device_open(&device, "cpu", TT_FP32, 1));
    const tt_model_config config = {.vocab_size = 48,
        .d_model = 8,
        .d_kv = 4,
        .d_ff = 12,
        .num_layers = 1,
        .num_decoder_layers = 2,
        .num_heads = 2,
        .relative_attention_num_buckets = 8,
        .relative_attention_max_distance = 16,
        .dropout_rate = 0.1f,
        .layer_norm_epsilon = 1e-6f,
        .initializer_factor = 1,
        .tie_word_embeddings = true};
    OK(tt_model_open(&model, &config, device));
    OK(tt_model_init(model, TT_INIT_T5, 5));
    return 0;
}

static int close_all(void **state) {
    (void)state;
    tt_model_close(model);
    tt_tokenizer_close(tokenizer);
    tt_device_close(device);
    return 0;
}

static void save(bool bf16) {
    OK(tt_checkpoint_save(path, &(tt_checkpoint_write){.model = model,
                                    .tokenizer = tokenizer,
                                    .bf16 = bf16,
                                    .m = model->w,
                                    .v = model->w,
                                    .state = "{\"step\": 3}"}));
}

static void round_trip_is_exact(void **state) {
    (void)state;
    save(false);
    tt_checkpoint c;
    OK(tt_checkpoint_load(&c, path, device));
    assert_memory_equal(&c.model->config, &model->config, sizeof model->config);
    assert_memory_equal(c.model->w, model->w, model->size * sizeof(float));
    assert_memory_equal(c.m, model->w, model->size * sizeof(float));
    assert_memory_equal(c.v, model->w, model->size * sizeof(float));
    assert_string_equal(c.state, "{\"step\": 3}");
    assert_true(tt_tokenizer_hash(c.tokenizer) == tt_tokenizer_hash(tokenizer));
    tt_checkpoint_close(&c);
}

static void bf16_is_close_and_idempotent(void **state) {
    (void)state;
    save(true);
    tt_checkpoint c, again;
    OK(tt_checkpoint_load(&c, path, device));
    for (size_t i = 0; i < model->size; ++i)
        assert_true(fabsf(c.model->w[i] - model->w[i]) <= fabsf(model->w[i]) / 256);
    OK(tt_checkpoint_save(
        path, &(tt_checkpoint_write){.model = c.model, .tokenizer = tokenizer, .bf16 = true}));
    OK(tt_checkpoint_load(&again, path, device));
    assert_memory_equal(c.model->w, again.model->w, model->size * sizeof(float));
    assert_null(again.m);
    assert_true(c.hash == again.hash);
    tt_checkpoint_close(&c);
    tt_checkpoint_close(&again);
}

static void expect(tt_status status, const char *word) {
    tt_checkpoint c;
    assert_int_equal(tt_checkpoint_load(&c, path, device), status);
    if (!strstr(tt_error_message(), word) || !strstr(tt_error_message(), path))
        fail_msg("message \"%s\" lacks '%s' or the path", tt_error_message(), word);
}

static void broken_files_are_named(void **state) {
    (void)state;
    unlink(path);
    expect(TT_ERR_IO, "no such file");
    OK(tt_write_file(path, "hello", 5));
    expect(TT_ERR_FORMAT, "not an HDF5 file");

    tt_h5 h;
    OK(tt_h5_create(&h, path, "corpus"));
    OK(tt_h5_commit(&h));
    expect(TT_ERR_FORMAT, "expected a checkpoint");

    save(false);
    char *bytes;
    size_t n;
    OK(tt_read_file(path, 0, &bytes, &n));
    OK(tt_write_file(path, bytes, n / 2));
    expect(TT_ERR_FORMAT, "truncated");
    // Damage one byte of the embedding: found by its value's bytes.
    char *hit = memmem(bytes, n, model->w, 64);
    assert_non_null(hit);
    hit[9] ^= 0x10;
    OK(tt_write_file(path, bytes, n));
    expect(TT_ERR_FORMAT, "shared.weight");
    free(bytes);

    const float held = model->w[100];
    model->w[100] = NAN;
    save(false);
    model->w[100] = held;
    expect(TT_ERR_FORMAT, "shared.weight holds nan");

    save(false);
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    H5Ldelete(file, "/model/decoder.final_layer_norm.weight", H5P_DEFAULT);
    H5Fclose(file);
    expect(TT_ERR_FORMAT, "decoder.final_layer_norm.weight is missing");
}

static void a_failed_save_leaves_the_old_file(void **state) {
    (void)state;
    save(false);
    assert_int_not_equal(tt_checkpoint_save("no/such/folder/x.h5",
                             &(tt_checkpoint_write){.model = model, .tokenizer = tokenizer}),
        TT_OK);
    assert_non_null(strstr(tt_error_message(), "no/such/folder"));
    tt_checkpoint c;
    OK(tt_checkpoint_load(&c, path, device));
    tt_checkpoint_close(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip_is_exact),
        cmocka_unit_test(bf16_is_close_and_idempotent),
        cmocka_unit_test(broken_files_are_named),
        cmocka_unit_test(a_failed_save_leaves_the_old_file),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
