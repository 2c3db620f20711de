// Checkpoints: round trips, and every kind of broken file named.
#include "host/base/fs.h"
#include "host/base/number.h"
#include "host/data/hdf5_file.h"
#include "host/data/hdf5_seal.h"
#include "host/model/checkpoint.h"
#include "tests/expect.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
        .tie_word_embeddings = true,
        .scale_decoder_outputs = true};
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

// Both moments are the weights.
static tt_status weights_as_moments(void *self, tt_moment which, size_t from, size_t n, float *out) {
    const tt_model *m = self;
    (void)which;
    memcpy(out, m->w + from, n * sizeof *out);
    return TT_OK;
}

static void save(bool bf16) {
    OK(tt_checkpoint_save(path, &(tt_checkpoint_write){.model = model,
                                    .tokenizer = tokenizer,
                                    .bf16 = bf16,
                                    .moments = {model, weights_as_moments},
                                    .state = "{\"step\": 3}"}));
}

static void round_trip_is_exact(void **state) {
    (void)state;
    save(false);
    tt_checkpoint c;
    OK(tt_checkpoint_load(&c, path, device));
    assert_memory_equal(&c.model->config, &model->config, sizeof model->config);
    assert_memory_equal(c.model->w, model->w, model->size * sizeof(float));
    assert_true(c.has_moments);
    for (int i = 0; i < TT_MOMENTS; ++i) {
        float *moment = calloc(model->size, sizeof *moment);
        OK(tt_checkpoint_moments(&c, (tt_moment)i, 0, model->size, moment));
        assert_memory_equal(moment, model->w, model->size * sizeof(float));
        free(moment);
    }
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
    assert_false(again.has_moments);
    uint64_t hash, hash_again;
    OK(tt_checkpoint_hash(&c, &hash));
    OK(tt_checkpoint_hash(&again, &hash_again));
    assert_true(hash == hash_again && hash != 0);
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
    expect(TT_ERR_FORMAT, "damaged");
    OK(tt_seal_write(path));
    expect(TT_ERR_FORMAT, "shared.weight");
    free(bytes);

    save(false);
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    H5Ldelete(file, "/model/decoder.final_layer_norm.weight", H5P_DEFAULT);
    H5Fclose(file);
    OK(tt_seal_write(path));
    expect(TT_ERR_FORMAT, "decoder.final_layer_norm.weight is missing");
}

static void replace_set(const char *name, hid_t type, const void *data, size_t rows, size_t columns) {
    save(false);
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    assert_true(file >= 0 && H5Ldelete(file, name, H5P_DEFAULT) >= 0);
    if (data)
        OK(tt_h5_write(
            &(tt_h5){.file = file, .path = "test"}, name, (tt_h5_layout){type, rows, columns}, data));
    assert_true(H5Fclose(file) >= 0);
    OK(tt_seal_write(path));
}

static void replace_attribute(const char *name, hid_t type, const void *value) {
    save(false);
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT), group = H5Gopen2(file, "/model", H5P_DEFAULT);
    assert_true(H5Adelete(group, name) >= 0);
    if (value) {
        hid_t space = H5Screate(H5S_SCALAR),
              at = H5Acreate2(group, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
        assert_true(at >= 0 && H5Awrite(at, type, value) >= 0);
        H5Aclose(at);
        H5Sclose(space);
    }
    H5Gclose(group);
    assert_true(H5Fclose(file) >= 0);
    OK(tt_seal_write(path));
}

// Files that are sound HDF5 but not the checkpoint they say they are.
static void foreign_contents_are_named(void **state) {
    (void)state;
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(file >= 0 && H5Fclose(file) >= 0);
    expect(TT_ERR_FORMAT, "an HDF5 file of another program");
    replace_set("/model/decoder.block.1.layer.2.DenseReluDense.wo.weight", 0, NULL, 0, 0);
    expect(TT_ERR_FORMAT, "decoder.block.1.layer.2.DenseReluDense.wo.weight is missing");
    replace_set("/model/encoder.final_layer_norm.weight", H5T_NATIVE_FLOAT, model->w, 9, 0);
    expect(TT_ERR_FORMAT, "encoder.final_layer_norm.weight is [9, 0], expected [8, 0]");
    replace_set("/model/shared.weight", H5T_NATIVE_FLOAT, model->w, 48, 7);
    expect(TT_ERR_FORMAT, "shared.weight is [48, 7]");
    float *hurt = malloc(48 * 8 * sizeof *hurt);
    memcpy(hurt, model->w, 48 * 8 * sizeof *hurt);
    hurt[100] = NAN;
    replace_set("/model/shared.weight", H5T_NATIVE_FLOAT, hurt, 48, 8);
    expect(TT_ERR_FORMAT, "shared.weight contains nan at element 100");
    free(hurt);
    replace_set("/optimizer/v", H5T_NATIVE_FLOAT, model->w, 3, 0);
    expect(TT_ERR_FORMAT, "/optimizer/v is [3, 0]");
    replace_set("/tokenizer", H5T_NATIVE_UINT8, "nothing of the kind", 19, 0);
    expect(TT_ERR_FORMAT, "extra_ids");
    const int64_t huge = 1 << 16, none = 0;
    replace_attribute("d_model", H5T_NATIVE_INT64, &huge); // 12 GB if it were believed
    expect(TT_ERR_FORMAT, "the configuration says [48, 65536]");
    replace_attribute("num_heads", H5T_NATIVE_INT64, &none);
    expect(TT_ERR_FORMAT, "num_heads is 0");
    replace_attribute("d_ff", 0, NULL);
    expect(TT_ERR_FORMAT, "d_ff");
    const double infinite = INFINITY;
    replace_attribute("dropout_rate", H5T_NATIVE_DOUBLE, &infinite);
    expect(TT_ERR_FORMAT, "dropout_rate is inf");
}

static void a_failed_save_leaves_the_old_file(void **state) {
    (void)state;
    save(false);
    assert_int_not_equal(tt_checkpoint_save("no/such/folder/x.h5",
                             &(tt_checkpoint_write){.model = model, .tokenizer = tokenizer}),
        TT_OK);
    assert_non_null(strstr(tt_error_message(), "no/such/folder"));
    const float held = model->w[100];
    model->w[100] = NAN;
    assert_int_equal(
        tt_checkpoint_save(path, &(tt_checkpoint_write){.model = model, .tokenizer = tokenizer, .keep = 1}),
        TT_ERR_NUMERIC);
    model->w[100] = held;
    tt_checkpoint c;
    OK(tt_checkpoint_load(&c, path, device));
    tt_checkpoint_close(&c);
}

static void save_version(int number, int keep) {
    char state[32];
    snprintf(state, sizeof state, "{\"step\": %d}", number);
    OK(tt_checkpoint_save("kept/v.2/x.h5",
        &(tt_checkpoint_write){.model = model, .tokenizer = tokenizer, .state = state, .keep = keep}));
}

// Files of the folder, and which save each is from: "x.1.h5=3 x.h5=4".
static void expect_versions(const char *want) {
    struct dirent **entries;
    char got[512] = "";
    const int n = scandir("kept/v.2", &entries, NULL, alphasort);
    for (int i = 0; i < n; ++i) {
        tt_checkpoint c;
        char file[512];
        snprintf(file, sizeof file, "kept/v.2/%s", entries[i]->d_name);
        if (entries[i]->d_name[0] != '.') {
            OK(tt_checkpoint_load(&c, file, device));
            tt_format(got + strlen(got), sizeof got - strlen(got), "%s%s=%c", *got ? " " : "",
                entries[i]->d_name, c.state[9]);
            tt_checkpoint_close(&c);
        }
        free(entries[i]);
    }
    free(entries);
    assert_string_equal(got, want);
}

static void earlier_versions_stay(void **state) {
    (void)state;
    (void)!system("rm -rf kept");
    OK(tt_make_dirs("kept/v.2")); // the dot of a folder begins no extension
    save_version(1, 2);
    expect_versions("x.h5=1");
    save_version(2, 2);
    save_version(3, 2);
    expect_versions("x.1.h5=2 x.2.h5=1 x.h5=3");
    save_version(4, 2);
    expect_versions("x.1.h5=3 x.2.h5=2 x.h5=4");
    unlink("kept/v.2/x.h5"); // what a crash can leave on a file system without hard links
    save_version(5, 2);
    expect_versions("x.1.h5=3 x.2.h5=2 x.h5=5");
    save_version(6, 1);
    expect_versions("x.1.h5=5 x.h5=6");
    save_version(7, 0); // asks for no versions, and touches none
    expect_versions("x.1.h5=5 x.h5=7");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip_is_exact),
        cmocka_unit_test(bf16_is_close_and_idempotent),
        cmocka_unit_test(broken_files_are_named),
        cmocka_unit_test(foreign_contents_are_named),
        cmocka_unit_test(a_failed_save_leaves_the_old_file),
        cmocka_unit_test(earlier_versions_stay),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
