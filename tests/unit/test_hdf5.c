// What an HDF5 file says about itself is checked before it is believed; failures come with their reason.
#include "host/base/checksum.h"
#include "host/base/fs.h"
#include "host/data/corpus.h"
#include "host/data/hdf5_file.h"
#include "host/data/hdf5_seal.h"
#include "tests/expect.h"

#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static const char *const path = "test_hdf5.h5";

// By the xxhash package of Python, of the bytes (7 i + 3) mod 256.
static void checksums_are_those_of_xxhash(void **state) {
    (void)state;
    static const struct {
        size_t n;
        uint64_t value;
    } known[] = {{0, 0xef46db3751d8e999}, {1, 0x1f25c8d0bc1f4bb6}, {3, 0x31d2363f52e564c9},
        {4, 0x9bb64b7d66ee9fda}, {7, 0x9a7b149959ce60d8}, {8, 0xdab99d95c6f90092}, {31, 0xa2aa5f33cc4a6119},
        {32, 0x23c3c17ef790fd97}, {33, 0x50a7cfc7ba588784}, {63, 0x5e3e54b431c7493c},
        {100, 0xa61f8d4c170fe531}, {1000, 0x5f235fa033f1a3fb}};
    unsigned char bytes[1000];
    for (int i = 0; i < 1000; ++i) bytes[i] = (unsigned char)(7 * i + 3);
    for (size_t i = 0; i < sizeof known / sizeof *known; ++i)
        for (size_t piece = 1; piece <= 1000; piece = 3 * piece + 1) {
            tt_checksum sum;
            tt_checksum_open(&sum);
            for (size_t at = 0; at < known[i].n; at += piece)
                tt_checksum_add(&sum, bytes + at, known[i].n - at < piece ? known[i].n - at : piece);
            if (tt_checksum_value(&sum) != known[i].value)
                fail_msg("%zu bytes in pieces of %zu: another checksum", known[i].n, piece);
        }
}

// A sealed file of the kind "thing", with what `make` puts into it by HDF5's own functions.
static void make_file(void (*make)(hid_t file)) {
    tt_h5 h;
    OK(tt_h5_create(&h, path, "thing"));
    OK(tt_h5_commit(&h));
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    assert_true(file >= 0);
    make(file);
    assert_true(H5Fclose(file) >= 0);
    OK(tt_seal_write(path));
}

static void says(tt_status status, const char *words) {
    if (status != TT_ERR_FORMAT || !strstr(tt_error_message(), words) || !strstr(tt_error_message(), path))
        fail_msg("status %d, \"%s\" lacks '%s' or the path", status, tt_error_message(), words);
}

static void attribute(hid_t file, const char *name, hid_t type, hid_t space, const void *value) {
    hid_t at = H5Acreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(at >= 0);
    if (value) assert_true(H5Awrite(at, type, value) >= 0);
    H5Aclose(at);
    H5Sclose(space);
}

static hid_t variable_text(void) {
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, H5T_VARIABLE);
    return type;
}

static void make_attributes(hid_t file) {
    static int64_t many[4096];
    static const hsize_t n = 4096, one = 1;
    const char *text = "hello";
    const int32_t narrow = 7;
    hid_t variable = variable_text(), list = H5Tarray_create2(H5T_NATIVE_INT64, 1, &n);
    attribute(file, "array", H5T_NATIVE_INT64, H5Screate_simple(1, &n, NULL), many);
    attribute(file, "one", H5T_NATIVE_INT64, H5Screate_simple(1, &one, NULL), many);
    attribute(file, "null", H5T_NATIVE_INT64, H5Screate(H5S_NULL), NULL);
    attribute(file, "list", list, H5Screate(H5S_SCALAR), many);
    attribute(file, "narrow", H5T_NATIVE_INT32, H5Screate(H5S_SCALAR), &narrow);
    attribute(file, "variable", variable, H5Screate(H5S_SCALAR), &text);
    attribute(file, "texts", variable, H5Screate(H5S_NULL), NULL);
    H5Tclose(variable);
    H5Tclose(list);
}

static void attributes_are_single_values_of_their_type(void **state) {
    (void)state;
    tt_h5 h;
    int64_t integer;
    double real;
    char *text;
    make_file(make_attributes);
    OK(tt_h5_open(&h, path, "thing"));
    says(tt_h5_get_i64(&h, "/", "array", &integer),
        "attribute array of / is an array, expected a single value");
    says(tt_h5_get_f64(&h, "/", "array", &real), "is an array");
    says(tt_h5_get_text(&h, "/", "array", &text), "is an array");
    says(tt_h5_get_i64(&h, "/", "one", &integer), "is an array");
    says(tt_h5_get_i64(&h, "/", "null", &integer), "has no values");
    says(tt_h5_get_i64(&h, "/", "list", &integer), "expected signed integers of 64 bits");
    says(tt_h5_get_i64(&h, "/", "narrow", &integer),
        "has signed integers of 32 bits, expected signed integers of 64");
    says(tt_h5_get_f64(&h, "/", "narrow", &real), "expected reals of 64 bits");
    says(tt_h5_get_text(&h, "/", "variable", &text), "has texts of variable length");
    says(tt_h5_get_text(&h, "/", "texts", &text), "has no values");
    says(tt_h5_get_text(&h, "/", "nowhere", &text), "attribute nowhere of / is missing");
    OK(tt_h5_get_text(&h, "/", "tinythinker", &text));
    assert_string_equal(text, "thing");
    free(text);
    tt_h5_close(&h);
}

static void put_set(hid_t file, const char *name, hid_t type, hid_t space, hid_t creation) {
    hid_t set = H5Dcreate2(file, name, type, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    assert_true(set >= 0);
    H5Dclose(set);
    H5Sclose(space);
    if (creation != H5P_DEFAULT) H5Pclose(creation);
}

static void make_sets(hid_t file) {
    const hsize_t three[3] = {2, 2, 2}, huge[2] = {(hsize_t)1 << 40, (hsize_t)1 << 23}, few = 4,
                  chunk = 1 << 20, endless = H5S_UNLIMITED, chunks[2] = {16, 16}, empty[2] = {4, 0};
    hid_t variable = variable_text(), chunked = H5Pcreate(H5P_DATASET_CREATE),
          wide = H5Pcreate(H5P_DATASET_CREATE), outside = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(chunked, 2, chunks);
    H5Pset_chunk(wide, 1, &chunk);
    H5Pset_external(outside, "test_hdf5.h5", 0, 16);
    put_set(file, "scalar", H5T_NATIVE_INT32, H5Screate(H5S_SCALAR), H5P_DEFAULT);
    put_set(file, "null", H5T_NATIVE_INT32, H5Screate(H5S_NULL), H5P_DEFAULT);
    put_set(file, "cube", H5T_NATIVE_INT32, H5Screate_simple(3, three, NULL), H5P_DEFAULT);
    put_set(file, "empty", H5T_NATIVE_INT32, H5Screate_simple(2, empty, NULL), H5P_DEFAULT);
    put_set(file, "huge", H5T_NATIVE_INT32, H5Screate_simple(2, huge, NULL), chunked);
    put_set(file, "chunks", H5T_NATIVE_INT32, H5Screate_simple(1, &few, &endless), wide);
    put_set(file, "outside", H5T_NATIVE_INT32, H5Screate_simple(1, &few, NULL), outside);
    put_set(file, "wide", H5T_NATIVE_INT64, H5Screate_simple(1, &few, NULL), H5P_DEFAULT);
    put_set(file, "texts", variable, H5Screate_simple(1, &few, NULL), H5P_DEFAULT);
    assert_true(H5Lcreate_soft("wide", file, "link", H5P_DEFAULT, H5P_DEFAULT) >= 0);
    assert_true(H5Lcreate_external("other.h5", "/", file, "link out", H5P_DEFAULT, H5P_DEFAULT) >= 0);
    H5Tclose(variable);
}

static void sizes_and_types_of_data_sets_are_not_trusted(void **state) {
    (void)state;
    tt_h5 h;
    size_t rows, columns;
    int32_t four[4];
    char **texts;
    make_file(make_sets);
    OK(tt_h5_open(&h, path, "thing"));
    says(tt_h5_shape(&h, "/scalar", &rows, &columns), "has rank 0, expected 1 or 2");
    says(tt_h5_shape(&h, "/null", &rows, &columns), "has no values");
    says(tt_h5_shape(&h, "/cube", &rows, &columns), "has rank 3");
    says(tt_h5_shape(&h, "/empty", &rows, &columns), "/empty has rows without values");
    says(tt_h5_shape(&h, "/huge", &rows, &columns),
        "/huge claims to have [1099511627776, 8388608] values, more than the file can hold");
    says(tt_h5_shape(&h, "/chunks", &rows, &columns), "has chunks larger than the file");
    says(tt_h5_shape(&h, "/outside", &rows, &columns), "lies in another file");
    says(tt_h5_shape(&h, "/link", &rows, &columns), "data set /link is missing");
    assert_false(tt_h5_has(&h, "/link out"));
    OK(tt_h5_shape(&h, "/wide", &rows, &columns));
    assert_true(rows == 4 && columns == 0);
    says(tt_h5_read(&h, "/wide", (tt_h5_layout){H5T_NATIVE_INT32, 4, 0}, four),
        "/wide has signed integers of 64 bits, expected signed integers of 32 bits");
    says(tt_h5_read(&h, "/texts", (tt_h5_layout){H5T_NATIVE_INT32, 4, 0}, four), "texts of variable length");
    says(tt_h5_read_texts(&h, "/texts", &texts, &rows), "data set /texts/bytes is missing");
    tt_h5_close(&h);
}

static void save_columns(const char *bytes, size_t n, const uint64_t *offsets, size_t rows) {
    tt_h5 h;
    OK(tt_h5_create(&h, path, "thing"));
    OK(tt_h5_write(&h, "/words/bytes", (tt_h5_layout){H5T_NATIVE_UINT8, n, 0}, bytes));
    OK(tt_h5_write(&h, "/words/offsets", (tt_h5_layout){H5T_NATIVE_UINT64, rows, 0}, offsets));
    OK(tt_h5_commit(&h));
}

static void texts_come_back_or_are_refused(void **state) {
    (void)state;
    static const char *const words[] = {"", "a", "\xc3\xa4\xe2\x82\xac", "", "two\nlines"};
    static const uint64_t bad[][3] = {{0, 4, 3}, {1, 2, 3}, {0, 1, 2}, {0, 1, 4}, {0, UINT64_MAX, 3}};
    char **texts;
    size_t n;
    tt_h5 h;
    OK(tt_h5_create(&h, path, "thing"));
    OK(tt_h5_write_texts(&h, "/deep/er/words", words, 5));
    OK(tt_h5_write_texts(&h, "/none", NULL, 0));
    OK(tt_h5_commit(&h));
    OK(tt_h5_open(&h, path, "thing"));
    OK(tt_h5_read_texts(&h, "/deep/er/words", &texts, &n));
    assert_int_equal(n, 5);
    for (int i = 0; i < 5; ++i) assert_string_equal(texts[i], words[i]);
    free(texts);
    OK(tt_h5_read_texts(&h, "/none", &texts, &n));
    assert_int_equal(n, 0);
    free(texts);
    tt_h5_close(&h);
    for (size_t i = 0; i <= sizeof bad / sizeof *bad; ++i) {
        const bool nul = i == sizeof bad / sizeof *bad;
        save_columns(nul ? "a\0c" : "abc", 3, nul ? (const uint64_t[]){0, 2, 3} : bad[i], 3);
        OK(tt_h5_open(&h, path, "thing"));
        says(tt_h5_read_texts(&h, "/words", &texts, &n), "the texts of /words are damaged");
        assert_null(texts);
        tt_h5_close(&h);
    }
}

// Attributes hold 64 KiB; where a corpus comes from can take more.
static void long_provenance_is_kept(void **state) {
    (void)state;
    enum { LONG = 300000 };
    const char *const options[] = {"a", "b"};
    char *provenance = malloc(LONG + 1), *name = malloc(TT_H5_WORD + 2);
    memset(provenance, 'p', LONG);
    provenance[LONG] = '\0';
    memset(name, 'n', TT_H5_WORD + 1);
    name[TT_H5_WORD + 1] = '\0';
    tt_corpus c = {.provenance = provenance, .name = name + 1}, back;
    OK(tt_corpus_add_question(
        &c, &(tt_question){.id = "q", .text = "Q?", .options = options, .n_options = 2}));
    OK(tt_corpus_save(&c, path));
    OK(tt_corpus_load(&back, path));
    assert_string_equal(back.provenance, provenance);
    assert_string_equal(back.name, name + 1);
    tt_corpus_close(&back);
    c.name = name;
    assert_int_equal(tt_corpus_save(&c, path), TT_ERR_INPUT);
    assert_non_null(strstr(tt_error_message(), "the name has 32769 bytes; at most 32768 fit"));
    OK(tt_corpus_load(&back, path)); // the one from before
    tt_corpus_close(&back);
    tt_corpus_close(&c);
    free(provenance);
    free(name);
}

// A limit on file sizes stands for a full disk: the reason is the system's, and nothing temporary stays. The limits are
// passed while data is written, while the file is closed, and while it is sealed or shortly before.
static void full_disks_are_named(void **state) {
    (void)state;
    static const rlim_t limits[] = {0, 300, 2000, 40000, 100000};
    float *values = calloc(100000, sizeof *values);
    struct rlimit before;
    glob_t left;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_IGN);
    unlink(path);
    for (size_t i = 0; i < sizeof limits / sizeof *limits; ++i) {
        tt_h5 h;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){limits[i], before.rlim_max}), 0);
        tt_status status = tt_h5_create(&h, path, "thing");
        if (status == TT_OK) {
            status =
                tt_h5_write(&h, "/values", (tt_h5_layout){H5T_NATIVE_FLOAT, i < 3 ? 20 : 100000, 0}, values);
            if (status == TT_OK) status = tt_h5_commit(&h);
            tt_h5_close(&h);
        }
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        if (status != TT_ERR_IO || !strstr(tt_error_message(), path) ||
            !strstr(tt_error_message(), "File too large"))
            fail_msg("limit %d: status %d, \"%s\"", (int)limits[i], status, tt_error_message());
        assert_int_equal(glob("test_hdf5.h5*", 0, NULL, &left), GLOB_NOMATCH);
    }
    free(values);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checksums_are_those_of_xxhash),
        cmocka_unit_test(attributes_are_single_values_of_their_type),
        cmocka_unit_test(sizes_and_types_of_data_sets_are_not_trusted),
        cmocka_unit_test(texts_come_back_or_are_refused),
        cmocka_unit_test(long_provenance_is_kept),
        cmocka_unit_test(full_disks_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
