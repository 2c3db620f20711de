// Files of version 0.1.0 and of h5py: renewed with the same content, or refused, whatever is damaged in them.
// TT_DAMAGE=N tries N flipped bits (default 60).
#include "host/base/fs.h"
#include "host/base/philox.h"
#include "host/base/str.h"
#include "host/data/renew.h"
#include "host/model/checkpoint.h"
#include "tests/expect.h"
#include "tests/old_corpus.h"

#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *const old = "test_renew_old.h5", *const fresh = "test_renew_new.h5";

static void make_corpus(tt_corpus *c) {
    const char *const options[] = {"cup", "knife"}, *const specific[] = {"A cup fits.", "A knife does not."};
    *c = (tt_corpus){.name = "small", .provenance = "{\"seed\": 7}"};
    for (int i = 0; i < 5; ++i) {
        char id[8], text[64];
        snprintf(id, sizeof id, "q%d", i);
        snprintf(text, sizeof text, "Was h\xc3\xa4lt %d Liter?", i);
        OK(tt_corpus_add_question(
            c, &(tt_question){
                   .id = id, .text = text, .options = options, .n_options = 2, .split = (tt_split)(i % 3)}));
        OK(tt_corpus_add_reasoning(c, &(tt_reasoning){.question = i,
                                          .general = i ? "Hollow things hold water." : NULL,
                                          .specific = i % 2 ? specific : NULL,
                                          .source = "teacher"}));
    }
    OK(tt_corpus_save(c, fresh)); // for its hash
    OK(old_corpus_write(c, old));
    unlink(fresh);
}

static void content_is_kept(void **state) {
    (void)state;
    char kind[32];
    tt_corpus a, b;
    make_corpus(&a);
    OK(tt_corpus_load(&b, old)); // through a copy
    assert_true(a.hash == b.hash);
    tt_corpus_close(&b);
    OK(tt_h5_renew(old, fresh, kind));
    assert_string_equal(kind, "corpus");
    OK(tt_corpus_load(&b, fresh));
    assert_true(a.hash == b.hash && b.n_questions == 5 && b.n_reasoning == 5);
    assert_string_equal(b.name, "small");
    assert_string_equal(b.provenance, "{\"seed\": 7}");
    assert_string_equal(b.questions[4].text, "Was h\xc3\xa4lt 4 Liter?");
    assert_string_equal(b.reasoning[3].source, "teacher");
    assert_null(b.reasoning[0].general);
    tt_corpus_close(&a);
    tt_corpus_close(&b);
}

// The library reads it in a child: a crash there is a message here, and nothing stays behind.
static void damaged_files_are_refused(void **state) {
    (void)state;
    const char *asked = getenv("TT_DAMAGE");
    const int tries = asked ? atoi(asked) : 60;
    tt_corpus a, b;
    char *bytes, kind[32];
    size_t n;
    int refused = 0;
    tt_rng rng;
    glob_t left;
    make_corpus(&a);
    OK(tt_read_file(old, 0, &bytes, &n));
    tt_rng_open(&rng, 2, TT_FOR_TEST, 0, 0);
    for (int i = 0; i < tries; ++i) {
        const size_t at = tt_rng_below(&rng, (uint32_t)n), length = i % 6 == 5 ? at : n;
        const int file = open(old, O_WRONLY | O_CREAT, 0666);
        bytes[at] ^= (char)(1 << i % 8);
        assert_true(file >= 0 && write(file, bytes, length) == (ssize_t)length &&
                    ftruncate(file, (off_t)length) == 0 && close(file) == 0);
        bytes[at] ^= (char)(1 << i % 8);
        tt_status status = tt_h5_renew(old, fresh, kind);
        if (status == TT_OK) {
            status = tt_corpus_load(&b, fresh);
            assert_int_equal(status == TT_OK && b.hash != a.hash, 0);
            if (status == TT_OK) tt_corpus_close(&b);
            assert_int_equal(unlink(fresh), 0);
        } else if (!strstr(tt_error_message(), old)) {
            fail_msg("byte %zu: \"%s\"", at, tt_error_message());
        }
        refused += status != TT_OK;
    }
    assert_true(refused > tries / 10);
    assert_int_equal(glob("test_renew_new.h5*", 0, NULL, &left), GLOB_NOMATCH);
    free(bytes);
    tt_corpus_close(&a);
}

// A process group whose first process renews a file that never comes to its end, deaf to Ctrl-C itself.
static pid_t renew_endlessly(void) {
    char kind[32];
    unlink(old);
    assert_int_equal(mkfifo(old, 0600), 0);
    const pid_t group = fork();
    if (group == 0) {
        setpgid(0, 0);
        signal(SIGINT, SIG_IGN);
        _exit(tt_h5_renew(old, fresh, kind) == TT_ERR_INTERRUPTED ? 0 : 1);
    }
    setpgid(group, group);
    return group;
}

static void wait_a_little(void) {
    nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
}

// Ctrl-C is no damage, and no child outlives its parent.
static void interrupts_are_no_damage(void **state) {
    (void)state;
    int how;
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    pid_t group = renew_endlessly();
    while (waitpid(group, &how, WNOHANG) == 0) {
        wait_a_little();
        kill(-group, SIGINT);
    }
    assert_true(WIFEXITED(how) && WEXITSTATUS(how) == 0);
    group = renew_endlessly();
    for (int i = 0; i < 10; ++i) wait_a_little();
    kill(group, SIGKILL);
    waitpid(group, &how, 0);
    int left = 500;
    while (waitpid(-group, &how, WNOHANG) == 0 && --left) wait_a_little();
    assert_true(left > 0 && WIFSIGNALED(how) && WTERMSIG(how) == SIGTERM);
    unlink(old);
}

// Replaces the attribute `format` of the old corpus by one of another type or shape.
static void put_format(hid_t type, hid_t space, const void *value) {
    tt_corpus a;
    make_corpus(&a);
    tt_corpus_close(&a);
    hid_t file = H5Fopen(old, H5F_ACC_RDWR, H5P_DEFAULT);
    assert_true(H5Adelete(file, "format") >= 0);
    hid_t at = H5Acreate2(file, "format", type, space, H5P_DEFAULT, H5P_DEFAULT);
    if (value) assert_true(H5Awrite(at, type, value) >= 0);
    H5Aclose(at);
    H5Sclose(space);
    assert_true(H5Fclose(file) >= 0);
}

static void strange_attributes_are_named(void **state) {
    (void)state;
    char kind[32];
    static int64_t many[5000];
    const hsize_t n = 5000, one = 1;
    const char *name = "x";
    put_format(H5T_NATIVE_INT64, H5Screate_simple(1, &n, NULL), many);
    assert_int_equal(tt_h5_renew(old, fresh, kind), TT_ERR_FORMAT);
    assert_non_null(strstr(tt_error_message(), "attribute format of / has several values or none"));
    put_format(H5T_NATIVE_INT64, H5Screate_simple(1, &one, NULL), many);
    assert_int_equal(tt_h5_renew(old, fresh, kind), TT_ERR_FORMAT);
    put_format(H5T_NATIVE_INT64, H5Screate(H5S_NULL), NULL);
    assert_int_equal(tt_h5_renew(old, fresh, kind), TT_ERR_FORMAT);
    assert_non_null(strstr(tt_error_message(), "attribute format of / has several values or none"));
    put_format(H5T_STD_REF_OBJ, H5Screate(H5S_SCALAR), many);
    assert_int_equal(tt_h5_renew(old, fresh, kind), TT_ERR_FORMAT);
    assert_non_null(strstr(tt_error_message(), "attribute format of / is neither a number nor a text"));
    hid_t text = old_text();
    put_format(text, H5Screate(H5S_SCALAR), &name); // a text is a text; the corpus's reader wants a number
    H5Tclose(text);
    OK(tt_h5_renew(old, fresh, kind));
    tt_corpus c;
    assert_int_equal(tt_corpus_load(&c, fresh), TT_ERR_FORMAT);
    assert_non_null(strstr(tt_error_message(),
        "attribute format of / has texts of 1 bytes, expected signed integers of 64 bits"));
}

// Replaces /questions/gold of the old corpus by a data set of this creation list, [5] integers of 32 bits.
static void put_gold(hid_t creation) {
    const hsize_t shape = 5, any = H5S_UNLIMITED;
    tt_corpus a;
    make_corpus(&a);
    tt_corpus_close(&a);
    hid_t file = H5Fopen(old, H5F_ACC_RDWR, H5P_DEFAULT),
          space = H5Screate_simple(1, &shape, H5Pget_layout(creation) == H5D_CHUNKED ? &any : NULL);
    assert_true(H5Ldelete(file, "/questions/gold", H5P_DEFAULT) >= 0);
    hid_t set =
        H5Dcreate2(file, "/questions/gold", H5T_NATIVE_INT32, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    assert_true(set >= 0);
    H5Dclose(set);
    H5Sclose(space);
    H5Pclose(creation);
    assert_true(H5Fclose(file) >= 0);
}

// Values of another file, which anybody may have named, are not read.
static void values_of_other_files_are_refused(void **state) {
    (void)state;
    static const int32_t secret[5] = {1, 1, 1, 1, 1};
    const hsize_t shape = 5, chunk = 1 << 28;
    char kind[32];
    FILE *other = fopen("test_renew_other", "wb");
    assert_true(other && fwrite(secret, sizeof secret, 1, other) == 1 && fclose(other) == 0);
    hid_t list = H5Pcreate(H5P_DATASET_CREATE);
    assert_true(H5Pset_external(list, "test_renew_other", 0, sizeof secret) >= 0);
    put_gold(list);
    assert_int_equal(tt_h5_renew(old, fresh, kind), TT_ERR_FORMAT);
    assert_string_equal(tt_error_message(), "test_renew_old.h5: /questions/gold lies in another file");
    list = H5Pcreate(H5P_DATASET_CREATE);
    hid_t space = H5Screate_simple(1, &shape, NULL);
    assert_true(H5Pset_virtual(list, space, "test_renew_other", "/x", space) >= 0);
    H5Sclose(space);
    put_gold(list);
    assert_int_equal(tt_h5_renew(old, fresh, kind), TT_ERR_FORMAT);
    assert_string_equal(tt_error_message(), "test_renew_old.h5: /questions/gold lies in another file");
    list = H5Pcreate(H5P_DATASET_CREATE);
    assert_true(H5Pset_chunk(list, 1, &chunk) >= 0 && H5Pset_alloc_time(list, H5D_ALLOC_TIME_INCR) >= 0);
    put_gold(list);
    assert_int_equal(tt_h5_renew(old, fresh, kind), TT_ERR_FORMAT);
    assert_string_equal(
        tt_error_message(), "test_renew_old.h5: /questions/gold has chunks larger than the file");
    unlink("test_renew_other");
    unlink(old);
}

// A checkpoint as version 0.1.0 wrote it: words of variable length, and the trainer's state as one with a checksum beside it.
static void make_checkpoint(const tt_checkpoint_write *what, int64_t checksum) {
    OK(tt_checkpoint_save(fresh, what));
    const int64_t format = 1;
    const char *const kind = "checkpoint", *const dtype = "fp32";
    hid_t from = H5Fopen(fresh, H5F_ACC_RDONLY, H5P_DEFAULT),
          to = H5Fcreate(old, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), text = old_text();
    assert_true(H5Ocopy(from, "/model", to, "/model", H5P_DEFAULT, H5P_DEFAULT) >= 0);
    assert_true(H5Ocopy(from, "/tokenizer", to, "/tokenizer", H5P_DEFAULT, H5P_DEFAULT) >= 0);
    old_attribute(to, "tinythinker", text, &kind);
    old_attribute(to, "format", H5T_NATIVE_INT64, &format);
    hid_t model = H5Gopen2(to, "/model", H5P_DEFAULT);
    assert_true(H5Adelete(model, "dtype") >= 0);
    old_attribute(model, "dtype", text, &dtype);
    H5Gclose(model);
    old_column(to, "/state", text, &what->state, 1);
    hid_t state = H5Dopen2(to, "/state", H5P_DEFAULT);
    old_attribute(state, "checksum", H5T_NATIVE_INT64, &checksum);
    H5Dclose(state);
    H5Tclose(text);
    H5Fclose(from);
    assert_true(H5Fclose(to) >= 0);
    unlink(fresh);
}

static void checkpoints_keep_weights_and_state(void **state) {
    (void)state;
    static const char json[] = "{\"step\": 3, \"note\": \"\xc3\xa4\"}";
    const char *const texts[] = {"the hammer is made of steel", "a cup holds water"};
    const tt_tokenizer_training how = {.pieces = 28, .split_punctuation = true};
    const tt_model_config config = {.vocab_size = 48,
        .d_model = 4,
        .d_kv = 2,
        .d_ff = 6,
        .num_layers = 1,
        .num_decoder_layers = 1,
        .num_heads = 2,
        .relative_attention_num_buckets = 8,
        .relative_attention_max_distance = 16,
        .layer_norm_epsilon = 1e-6f,
        .initializer_factor = 1};
    char kind[32];
    tt_tokenizer *tokenizer;
    tt_model *model;
    tt_device *device;
    tt_checkpoint c;
    OK(tt_device_open(&device, "cpu", TT_FP32, 1));
    OK(tt_tokenizer_train(texts, 2, &how, "test_renew.model"));
    OK(tt_tokenizer_load(&tokenizer, "test_renew.model", 4));
    OK(tt_model_open(&model, &config, device));
    OK(tt_model_init(model, TT_INIT_T5, 5));
    const tt_checkpoint_write what = {.model = model, .tokenizer = tokenizer, .state = json};
    make_checkpoint(&what, (int64_t)tt_hash(json, strlen(json)));
    OK(tt_h5_renew(old, fresh, kind));
    assert_string_equal(kind, "checkpoint");
    OK(tt_checkpoint_load(&c, fresh, device));
    assert_memory_equal(c.model->w, model->w, model->size * sizeof(float));
    assert_string_equal(c.state, json);
    tt_checkpoint_close(&c);
    unlink(fresh);
    make_checkpoint(&what, 1);
    assert_int_equal(tt_h5_renew(old, fresh, kind), TT_ERR_FORMAT);
    assert_non_null(strstr(tt_error_message(), "/state is damaged"));
    tt_model_close(model);
    tt_tokenizer_close(tokenizer);
    tt_device_close(device);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(content_is_kept),
        cmocka_unit_test(checkpoints_keep_weights_and_state),
        cmocka_unit_test(damaged_files_are_refused),
        cmocka_unit_test(interrupts_are_no_damage),
        cmocka_unit_test(strange_attributes_are_named),
        cmocka_unit_test(values_of_other_files_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
