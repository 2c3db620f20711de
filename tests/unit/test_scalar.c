// What scalars of YAML 1.1 mean: values as PyYAML's safe_load gives them (except 1e3, which it takes for a string).
#include "host/base/fs.h"
#include "host/base/str.h"
#include "host/config/config.h"
#include "host/config/scalar.h"
#include "host/config/yaml_file.h"
#include "tests/expect.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

static void kinds(void **state) {
    (void)state;
    static const struct {
        const char *text;
        tt_scalar_kind kind;
        double value; // of a number; 1 and 0 of true and false
    } cases[] = {
        {"", TT_SCALAR_NULL, 0},
        {"~", TT_SCALAR_NULL, 0},
        {"null", TT_SCALAR_NULL, 0},
        {"Null", TT_SCALAR_NULL, 0},
        {"NULL", TT_SCALAR_NULL, 0},
        {"nULL", TT_SCALAR_STRING, 0},
        {"true", TT_SCALAR_BOOL, 1},
        {"True", TT_SCALAR_BOOL, 1},
        {"TRUE", TT_SCALAR_BOOL, 1},
        {"tRUE", TT_SCALAR_STRING, 0},
        {"Yes", TT_SCALAR_BOOL, 1},
        {"ON", TT_SCALAR_BOOL, 1},
        {"False", TT_SCALAR_BOOL, 0},
        {"no", TT_SCALAR_BOOL, 0},
        {"Off", TT_SCALAR_BOOL, 0},
        {"y", TT_SCALAR_STRING, 0},
        {"0", TT_SCALAR_INTEGER, 0},
        {"-12", TT_SCALAR_INTEGER, -12},
        {"+5", TT_SCALAR_INTEGER, 5},
        {"1_000", TT_SCALAR_INTEGER, 1000},
        {"0x10", TT_SCALAR_INTEGER, 16},
        {"-0xfF", TT_SCALAR_INTEGER, -255},
        {"0xg", TT_SCALAR_STRING, 0},
        {"0x", TT_SCALAR_STRING, 0},
        {"0b101", TT_SCALAR_INTEGER, 5},
        {"0b12", TT_SCALAR_STRING, 0},
        {"010", TT_SCALAR_INTEGER, 8},
        {"007", TT_SCALAR_INTEGER, 7},
        {"08", TT_SCALAR_STRING, 0},
        {"0o10", TT_SCALAR_STRING, 0},
        {"1:30", TT_SCALAR_INTEGER, 90},
        {"1:90", TT_SCALAR_STRING, 0},
        {"190:20:30", TT_SCALAR_INTEGER, 685230},
        {"1.5", TT_SCALAR_REAL, 1.5},
        {"-.5", TT_SCALAR_REAL, -0.5},
        {"3.", TT_SCALAR_REAL, 3},
        {"1e3", TT_SCALAR_REAL, 1000},
        {"1e-3", TT_SCALAR_REAL, 0.001},
        {"1.0e+3", TT_SCALAR_REAL, 1000},
        {"08.5", TT_SCALAR_REAL, 8.5},
        {".inf", TT_SCALAR_REAL, INFINITY},
        {"-.INF", TT_SCALAR_REAL, -INFINITY},
        {".", TT_SCALAR_STRING, 0},
        {"-", TT_SCALAR_STRING, 0},
        {"e3", TT_SCALAR_STRING, 0},
        {"1e", TT_SCALAR_STRING, 0},
        {"1 2", TT_SCALAR_STRING, 0},
        {"_1", TT_SCALAR_STRING, 0},
        {"inf", TT_SCALAR_STRING, 0},
        {"nan", TT_SCALAR_STRING, 0},
        {"0x1p4", TT_SCALAR_STRING, 0},
        {"2024-01-31", TT_SCALAR_STRING, 0},
        {"1.2.3", TT_SCALAR_STRING, 0},
        {"1e-400", TT_SCALAR_STRING, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        const tt_scalar s = tt_scalar_read(cases[i].text);
        const double value = s.kind == TT_SCALAR_BOOL ? s.yes : s.number;
        if (s.kind != cases[i].kind || !(value == cases[i].value))
            fail_msg("'%s': kind %d, value %g; expected kind %d, value %g", cases[i].text, (int)s.kind, value,
                (int)cases[i].kind, cases[i].value);
    }
    assert_true(isnan(tt_scalar_read(".nan").number));
}

// Texts that are numbers stay what they are, unless YAML would write the number in another way.
static void texts_of_numbers(void **state) {
    (void)state;
    static const char *const same[] = {"0", "12", "-3", "0.5", "1.0", "2024-01-31", "1.2.3", "a1"};
    static const char *const other[] = {"0x10", "1_000", "010", "1.10", "+5", ".5", "3.", "1:30", ".inf"};
    for (size_t i = 0; i < sizeof same / sizeof *same; ++i) assert_false(tt_scalar_read(same[i]).changes);
    for (size_t i = 0; i < sizeof other / sizeof *other; ++i) assert_true(tt_scalar_read(other[i]).changes);
}

// Paths, names and sentences that begin as numbers do: no number, and so no text that YAML would write in another way.
static void texts_like_numbers(void **state) {
    (void)state;
    static const char *const texts[] = {"./my_runs", "../p/a_b/x.yaml", ".hidden_file", "2026_run", "2026_a",
        "2a_b", "50 ____ make a dollar", "+1 for yes", "+1_a", "-x_y", "0x_g", "0b1_2", "1:90_a", "08_9",
        "+.", "1_e", "-_", ".inf_", "+.nan"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; ++i) {
        const tt_scalar s = tt_scalar_read(texts[i]);
        if (s.kind != TT_SCALAR_STRING || s.changes || s.unclear)
            fail_msg("'%s' was not read as a text", texts[i]);
    }
}

static tt_status load(tt_config *config, const char *text) {
    OK(tt_write_file("scalar_test.yaml", text, strlen(text)));
    return tt_config_read(config, "scalar_test.yaml");
}

// All ways to write a value that keys take; values as PyYAML gives them.
static void configurations(void **state) {
    (void)state;
    tt_config c;
    OK(load(&c, "\xef\xbb\xbf"
                "acquisition: {steps: 0x10, interval: 1_0, enabled: Yes, learning_rate: 1.e-3}\r\n"
                "model: {start: ~, tokenizer: null, shape: 'custom'}\r\n"
                "reflection: {length_normalised: True, beta: +0.5}\r\n"
                "evaluation: {early_stopping: True, splits: [test, 'train']}\r\n"
                "corpus:\r\n"
                "output: ./my_runs\r\n"
                "name: \"8\"\r\n"));
    assert_int_equal(c.acquisition.steps, 16);
    assert_int_equal(c.acquisition.interval, 10);
    assert_true(c.acquisition.enabled && c.reflection.length_normalised);
    assert_true(c.acquisition.learning_rate == 0.001 && c.reflection.beta == 0.5);
    assert_string_equal(c.model.start, "");
    assert_string_equal(c.model.tokenizer, "");
    assert_string_equal(c.evaluation.early_stopping, "true");
    assert_int_equal(c.evaluation.splits.n, 2);
    assert_string_equal(c.corpus, "");
    assert_string_equal(c.name, "8");
    assert_string_equal(c.output, "./my_runs");
    tt_config_close(&c);
    unlink("scalar_test.yaml");
}

// Own keys come before merged ones, earlier mappings before later ones (https://yaml.org/type/merge.html).
static void merges(void **state) {
    (void)state;
    tt_config c;
    OK(load(&c, "acquisition: &a\n  steps: 8\n  batch_size: 4\n  interval: 3\n"
                "pretraining:\n  <<: [{steps: 5, batch_size: 6}, {steps: 7, clip: 2}]\n  batch_size: 2\n"
                "reflection:\n  <<: &b {batch_size: 9}\n"));
    assert_int_equal(c.pretraining.train.steps, 5);
    assert_int_equal(c.pretraining.train.batch_size, 2);
    assert_true(c.pretraining.train.clip == 2);
    assert_int_equal(c.reflection.train.batch_size, 9);
    tt_config_close(&c);
    OK(load(&c, "acquisition: &a {steps: 8}\npretraining: &p\n  <<: *a\n  batch_size: 4\n"));
    assert_int_equal(c.pretraining.train.steps, 8);
    tt_config_close(&c);
    assert_int_equal(load(&c, "\"<<\": {seed: 3}\n"), TT_ERR_CONFIG);
    assert_non_null(strstr(tt_error_message(), "scalar_test.yaml:1: <<: unknown key"));
    unlink("scalar_test.yaml");
}

static void expect_refused(const tt_str *text, const char *message) {
    yaml_document_t document;
    OK(tt_write_file("scalar_test.yaml", text->data, text->length));
    assert_int_equal(tt_yaml_open(&document, "scalar_test.yaml", 0), TT_ERR_CONFIG);
    if (!strstr(tt_error_message(), message)) fail_msg("expected %s, got %s", message, tt_error_message());
    unlink("scalar_test.yaml");
}

// What would take all memory or the stack.
static void bombs(void **state) {
    (void)state;
    tt_str text = {0};
    tt_str_append(&text, "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for (int i = 1; i < 12; ++i) {
        tt_str_format(&text, "a%d: &a%d [", i, i);
        for (int k = 0; k < 10; ++k) tt_str_format(&text, "%s*a%d", k ? ", " : "", i - 1);
        tt_str_append(&text, "]\n");
    }
    expect_refused(&text, "aliases (*name) expand to more than");
    tt_str_clear(&text);
    for (int i = 0; i < 100000; ++i) tt_str_append(&text, "[");
    expect_refused(&text, "scalar_test.yaml:1: nested more than 200 levels deep");
    tt_str_clear(&text);
    tt_str_append(&text, "a: &a {x: 1, y: 2}\n");
    for (int i = 0; i < 6000; ++i) tt_str_format(&text, "b%d: {<<: *a}\n", i);
    expect_refused(&text, "merges more than 10000 keys");
    tt_str_clear(&text); // 4,000 keys, merged 2,000 times into one mapping: 32 milliards of comparisons
    tt_str_append(&text, "a: &a {");
    for (int i = 0; i < 4000; ++i) tt_str_format(&text, "k%d: 1, ", i);
    tt_str_append(&text, "}\nb:\n  <<: [");
    for (int i = 0; i < 2000; ++i) tt_str_append(&text, "*a, ");
    tt_str_append(&text, "]\n");
    expect_refused(&text, "scalar_test.yaml:3: <<: merging compares keys more than 10000000 times");
    tt_str_close(&text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds),
        cmocka_unit_test(texts_of_numbers),
        cmocka_unit_test(texts_like_numbers),
        cmocka_unit_test(configurations),
        cmocka_unit_test(merges),
        cmocka_unit_test(bombs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
