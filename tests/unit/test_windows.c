// Text files to windows, and JSONL files to pairs.
#include "host/base/fs.h"
#include "host/base/memory.h"
#include "host/base/str.h"
#include "host/train/reading_tasks.h"
#include "host/train/windows.h"
#include "tests/expect.h"

#include <stdlib.h>
#include <string.h>

static tt_tokenizer *tokenizer;

static int open_all(void **state) {
    (void)state;
    const char *texts[] = {
        "the hammer is made of steel", "a cup holds water", "steel is hard, water is soft"};
    const tt_tokenizer_training how = {.pieces = 30, .split_punctuation = true};
    OK(tt_tokenizer_train(texts, 3, &how, "test_windows.model"));
    OK(tt_tokenizer_load(&tokenizer, "test_windows.model", 4));
    return 0;
}

static int close_all(void **state) {
    (void)state;
    tt_tokenizer_close(tokenizer);
    return 0;
}

static void write_file(const char *path, const char *text) {
    OK(tt_write_file(path, text, strlen(text)));
}

// All tokens of the text, in order, in windows of 2 to `size` tokens.
static void check_windows(const char *text, int size) {
    write_file("windows.txt", text);
    tt_windows w = {0};
    OK(tt_windows_add_file(&w, "windows.txt", tokenizer, size));
    tt_ids ids = {0};
    int64_t at = 0;
    char *copy, *rest = NULL;
    OK(tt_strdup(&copy, text));
    for (char *line = strtok_r(copy, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        OK(tt_tokenizer_encode(tokenizer, line, false, &ids));
        for (int i = 0; i < ids.n; ++i) assert_int_equal(w.ids[at++], ids.items[i]);
    }
    assert_int_equal(at, w.offsets[w.n]);
    assert_int_equal(at, w.tokens);
    for (int i = 0; i < w.n; ++i) {
        const int64_t length = w.offsets[i + 1] - w.offsets[i];
        assert_in_range(length, 2, size);
    }
    free(ids.items);
    free(copy);
    tt_windows_close(&w);
}

static void windows_hold_the_whole_text(void **state) {
    (void)state;
    static const char text[] =
        "the hammer is made of steel\n\na cup holds water\nsteel is hard, water is soft\n"
        "the cup is made of steel and holds water and steel and water and steel and water";
    for (int size = 3; size < 200; size += size < 12 ? 1 : 17) check_windows(text, size);
}

static void documents_are_kept_whole_where_they_fit(void **state) {
    (void)state;
    write_file("windows.txt", "a cup holds water\na cup holds water\na cup holds water\n");
    tt_ids ids = {0};
    OK(tt_tokenizer_encode(tokenizer, "a cup holds water", false, &ids));
    const int n = ids.n;
    tt_windows w = {0};
    OK(tt_windows_add_file(&w, "windows.txt", tokenizer, 2 * n + 1));
    assert_int_equal(w.n, 2);
    assert_int_equal(w.offsets[1], 2 * n);
    assert_int_equal(w.offsets[2], 3 * n);
    tt_windows_close(&w);
    free(ids.items);
}

static void bad_texts_are_named(void **state) {
    (void)state;
    tt_windows w = {0};
    assert_int_equal(tt_windows_add_file(&w, "nowhere.txt", tokenizer, 16), TT_ERR_IO);
    write_file("windows.txt", "\n\n");
    assert_int_equal(tt_windows_add_file(&w, "windows.txt", tokenizer, 16), TT_ERR_INPUT);
    write_file("windows.txt", "water\nwat\xC3\x28");
    assert_int_equal(tt_windows_add_file(&w, "windows.txt", tokenizer, 16), TT_ERR_INPUT);
    assert_non_null(strstr(tt_error_message(), "windows.txt:2"));
    OK(tt_write_file("windows.txt", "steel\0water", 11));
    assert_int_equal(tt_windows_add_file(&w, "windows.txt", tokenizer, 16), TT_ERR_INPUT);
    tt_windows_close(&w);
}

static void pairs_are_read(void **state) {
    (void)state;
    tt_dataset d = {0};
    write_file("pairs.jsonl", "{\"input\": \"a cup\", \"target\": \"holds water\"}\r\n\n  \n"
                              "{\"target\": \"steel\", \"input\": \"the hammer\", \"more\": 1}");
    OK(tt_reading_tasks_add_file(&d, "pairs.jsonl", tokenizer, 64, 64));
    assert_int_equal(d.n, 2);
    const int32_t input[] = {5, 6, TT_EOS}, target[] = {7, TT_EOS};
    OK(tt_dataset_add_ids(&d, input, 3, target, 2)); // ids and texts may be mixed
    OK(tt_dataset_add(&d, &(tt_dataset_encoding){.tokenizer = tokenizer, .max_input = 64, .max_target = 64},
        "a cup", "water"));
    assert_int_equal(d.n, 4);
    assert_memory_equal(d.ids + d.offsets[4], input, sizeof input);
    assert_memory_equal(d.ids + d.offsets[5], target, sizeof target);
    for (int i = 0; i < 2 * d.n; ++i) assert_int_equal(d.ids[d.offsets[i + 1] - 1], TT_EOS);
    tt_dataset_close(&d);
}

static void bad_pairs_are_named(void **state) {
    (void)state;
    static const char *const bad[] = {"{\"input\": \"a cup\"}", "{\"input\": 1, \"target\": \"x\"}", "[1]",
        "{\"input\"", "{\"input\": \"\", \"target\": \"x\"}", "{\"input\": \"x\", \"target\": \"\"}",
        "nonsense"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i) {
        tt_dataset d = {0};
        tt_str text = {0};
        tt_str_format(&text, "{\"input\": \"a cup\", \"target\": \"water\"}\n%s\n", bad[i]);
        write_file("pairs.jsonl", tt_str_text(&text));
        assert_int_equal(tt_reading_tasks_add_file(&d, "pairs.jsonl", tokenizer, 64, 64), TT_ERR_INPUT);
        if (!strstr(tt_error_message(), "pairs.jsonl:2")) fail_msg("%s: %s", bad[i], tt_error_message());
        tt_str_close(&text);
        tt_dataset_close(&d);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(windows_hold_the_whole_text),
        cmocka_unit_test(documents_are_kept_whole_where_they_fit), cmocka_unit_test(bad_texts_are_named),
        cmocka_unit_test(pairs_are_read), cmocka_unit_test(bad_pairs_are_named)};
    return cmocka_run_group_tests(tests, open_all, close_all);
}
