// Sweep files: which runs come out, in which order, under which names; and what is refused, with its line.
#include "host/base/str.h"
#include "host/lab/sweep/sweep.h"
#include "tiny_t5.h"

#include <unistd.h>

static void write_text(const char *name, const char *text) {
    OK(tt_write_file(name, text, strlen(text)));
}

#define START "name: s\nbase: sweep_base.yaml\n"

// Names of the runs of a sweep file, separated by spaces.
static void names_of(const char *text, tt_str *out) {
    tt_sweep sweep;
    write_text("sweep_base.yaml", "seed: 7\ncorpus: c.h5\nmodel: {start: m.h5}\n");
    write_text("sweep_test.yaml", text);
    tt_str_clear(out);
    OK(tt_sweep_open(&sweep, "sweep_test.yaml", NULL, 0));
    for (int i = 0; i < sweep.n; ++i) tt_str_format(out, "%s%s", i ? " " : "", sweep.runs[i].name);
    tt_sweep_close(&sweep);
}

static void runs(void **state) {
    (void)state;
    static const struct {
        const char *text, *names;
    } table[] = {
        {START, "00-base-s7"},
        {START "seeds: [1, 2]\n", "00-base-s1 01-base-s2"},
        {START "axes: {stages: [all, no_recall], reflection.beta: [0.1, 0.5]}\nseeds: [3]\n",
            "00-all-beta0.1-s3 01-all-beta0.5-s3 02-no_recall-beta0.1-s3 03-no_recall-beta0.5-s3"},
        {START "axes: {acquisition.dropout: [0, 0.1], reflection.dropout: [0]}\n",
            "00-acquisition.dropout0-reflection.dropout0-s7 "
            "01-acquisition.dropout0.1-reflection.dropout0-s7"},
        {START "variants: {b: {stages: no_recall}, a: {acquisition.steps: 5}}\nseeds: [1, 2]\n",
            "00-b-s1 01-b-s2 02-a-s1 03-a-s2"},
        {START "variants: {b: {}, a: {}}\naxes: {reflection.beta: [1, 2]}\n",
            "00-b-beta1-s7 01-b-beta2-s7 02-a-beta1-s7 03-a-beta2-s7"},
        {START "axes: {stages: [all, no_recall], reflection.beta: [1, 2]}\n"
               "exclude: [{stages: all, reflection.beta: 2}, {reflection.beta: 1, stages: no_recall}]\n",
            "00-all-beta1-s7 01-no_recall-beta2-s7"},
        {START "set: {stages: no_recall}\naxes: {reflection.beta: [1, 2]}\nexclude: [{stages: no_recall, "
               "reflection.beta: 1}]\n",
            "00-beta2-s7"},
        {START "axes: {model.start: [a/b.h5]}\n", "00-b-s7"},
        {START "axes: {model.start: [a/b.h5, c/b.h5]}\n", "00-a_b.h5-s7 01-c_b.h5-s7"},
        {START "axes: {reflection.length_normalised: [true, false], acquisition.steps: [0, 1e3]}\n",
            "00-length_normalised-steps0-s7 01-length_normalised-steps1e3-s7 "
            "02-no_length_normalised-steps0-s7 "
            "03-no_length_normalised-steps1e3-s7"},
        {START "variants: {..: {}}\n", "00-..-s7"},
        {START "seeds: [2, 9]\nuntil: {interval: 1.5 %, seeds: 4}\n",
            "00-base-s2 01-base-s9 02-base-s1 03-base-s3"},
        {START "axes: {evaluation.splits: [[test, control], []]}\n", "00-test+control-s7 01-no_splits-s7"},
    };
    tt_str names = {0};
    for (size_t i = 0; i < sizeof table / sizeof *table; ++i) {
        names_of(table[i].text, &names);
        if (strcmp(names.data, table[i].names) != 0)
            fail_msg("%s\n  gives     %s\n  expected  %s", table[i].text, names.data, table[i].names);
    }
    tt_str_close(&names);
}

// What a run is started with: common settings, variant, axis, the command line, then what is the run's own.
static void settings(void **state) {
    (void)state;
    static const char *const over[] = {"reflection.beta=3"};
    static const char *const want[] = {"stages=no_recall", "acquisition.steps=5", "reflection.beta=1",
        "reflection.beta=3", "seed=4", "name=00-a-beta1-s4", "output=out/s"};
    tt_sweep sweep;
    write_text("sweep_test.yaml",
        START "output: out\nseeds: [4]\nset: {stages: no_recall}\n"
              "variants: {a: {acquisition.steps: 5}}\naxes: {reflection.beta: [1]}\n");
    OK(tt_sweep_open(&sweep, "sweep_test.yaml", over, 1));
    assert_int_equal(sweep.n, 1);
    assert_int_equal(sweep.runs[0].n, 7);
    for (int i = 0; i < 7; ++i) assert_string_equal(sweep.runs[0].overrides[i], want[i]);
    assert_string_equal(sweep.runs[0].path, "out/s/00-a-beta1-s4");
    tt_config config;
    OK(tt_config_load(&config, sweep.base, sweep.runs[0].overrides, sweep.runs[0].n));
    assert_true(config.reflection.beta == 3 && config.seed == 4 && config.acquisition.steps == 5);
    tt_config_close(&config);
    tt_sweep_close(&sweep);
}

static void mistakes(void **state) {
    (void)state;
    static const struct {
        const char *text, *message;
    } table[] = {
        {START "axes:\n  reflection.bta: [1]\n",
            "sweep_test.yaml:4: reflection.bta: unknown key; did you mean reflection.beta"},
        {START "axes:\n  stages: [all, some]\n", "sweep_test.yaml:4: stages: 'some' is not allowed"},
        {START "axes:\n  stages: []\n", "sweep_test.yaml:4: axes: stages: no values"},
        {START "axes:\n  stages: all\n", "sweep_test.yaml:4: axes: stages: expected a list"},
        {START "set: {acquisition.steps: many}\n",
            "sweep_test.yaml:3: acquisition.steps: expected a whole number, got 'many'"},
        {START "set: {seed: 3}\n", "sweep_test.yaml:3: seed: set by the sweep itself"},
        {START "axis: {stages: [all]}\n", "go under set:): unknown key 'axis'; did you mean axes?"},
        {START "seeds: []\n", "sweep_test.yaml:3: seeds: the list is empty"},
        {START "seeds: [1, x]\n", "sweep_test.yaml:3: seeds: expected"},
        {START "seeds: [1, 1]\n", "sweep_test.yaml:3: seeds: 1 is listed twice"},
        {START "axes: {stages: [all, all]}\n",
            "sweep_test.yaml:3: axes: stages: the values all and all are the same"},
        {START "variants: {a/b: {}, a_b: {}}\n",
            "sweep_test.yaml:3: 'a_b' and 'a/b' (line 3) would both be called a_b"},
        {START "axes: {reflection.beta: [0.5, 0.50]}\n", "the values 0.5 and 0.50 are the same"},
        {START "axes: {reflection.length_normalised: [True, yes]}\n", "the values True and yes are the same"},
        {START "axes:\n  stages: [all]\n  stages: [all]\n",
            "sweep_test.yaml:5: stages: given twice; the first is in line 4"},
        {START "set: {acquisition.steps: 8}\nset: {}\n", "sweep_test.yaml:4: set: given twice"},
        {START "axes: {acquisition: [{steps: 1}]}\n",
            "sweep_test.yaml:3: acquisition: is a section; expected one of its keys"},
        {START "variants: {'': {}}\n", "sweep_test.yaml:3: variants: expected a string, got an empty one"},
        {START "variants:\n  ? [a]\n  : {}\n",
            "sweep_test.yaml:4: expected a key: a single word, got a list"},
        {START "seeds:\n  -\n  - 2\n", "sweep_test.yaml:4: seeds: expected a whole number, got nothing"},
        {START "seeds: ['1']\n", "sweep_test.yaml:3: seeds: expected a whole number, got the string \"1\""},
        {START "seeds: [010]\n", "sweep_test.yaml:3: seeds: '010' is 8"},
        {START "set: {name: x, stages: ~}\n", "sweep_test.yaml:3: "},
        {START "set: {stages: ~}\n", "sweep_test.yaml:3: stages: expected a string, got ~"},
        {START "set: {evaluation.splits: ['a,b']}\n", "has a comma"},
        {START "---\n", "sweep_test.yaml:3: a second document begins here"},
        {"name: ../../escape\nbase: sweep_base.yaml\n", "sweep_test.yaml:1: name: '../../escape' has a /"},
        {"name: /tmp/x\nbase: sweep_base.yaml\n", "sweep_test.yaml:1: name: '/tmp/x' has a /"},
        {"name: ..\nbase: sweep_base.yaml\n", "sweep_test.yaml:1: name: '..' begins with a dot"},
        {"name: \"a\\nb\"\nbase: sweep_base.yaml\n", "has a control character"},
        {"name: ' '\nbase: sweep_base.yaml\n", "sweep_test.yaml:1: name: ' ' is empty"},
        {"name: ''\nbase: sweep_base.yaml\n", "sweep_test.yaml:1: name: expected a string, got an empty one"},
        {"name: 2024-01\nbase: ~\n", "sweep_test.yaml:2: base: expected a string, got ~"},
        {START "axes: {stages: [all]}\nexclude: [{stages: all}]\n", "no run is left"},
        {START "axes: {reflection.beta: [0.5]}\nexclude: [{reflection.beta: 5e-1}]\n", "no run is left"},
        {START "axes: {stages: [all, no_recall]}\nexclude: [{stages: all}, {}]\n",
            "sweep_test.yaml:4: exclude: an entry without settings would leave out every run"},
        {START "axes: {acquisition.steps: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], acquisition.batch_size: [1, 2, 3, "
               "4, 5, 6, 7, 8, "
               "9, 10], acquisition.interval: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], reflection.batch_size: [1, 2, "
               "3, 4, 5, 6, 7, "
               "8, 9, 10], threads: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]}\nexclude: [{threads: 1}]\n",
            "sweep_test.yaml:3: axes and variants have 110000 combinations; allowed are 100000"},
        {START "until: {interval: 2, seeds: 4}\n", "sweep_test.yaml:3: until: interval: expected"},
        {START "until: {interval: 0 %, seeds: 4}\n",
            "sweep_test.yaml:3: until: interval: expected per cent above 0"},
        {START "until: {interval: 2 %}\n", "sweep_test.yaml:3: until: the key seeds is missing"},
        {START "until: {interval: 2 %, seeds: 2}\n", "sweep_test.yaml:3: until: seeds"},
        {START "ranks_per_run: 0\n", "sweep_test.yaml:3: ranks_per_run"},
        {"name: s\n", "sweep_test.yaml: the key base is missing"},
        {"base: sweep_base.yaml\n", "sweep_test.yaml: the key name is missing"},
        {"name: s\nbase: nowhere.yaml\n", "sweep_test.yaml:2: "},
        {START "seeds: [1]\nseeds: [2]\n", "sweep_test.yaml:4: seeds: given twice"},
        {START "seeds: ['']\n", "sweep_test.yaml:3: seeds: expected"},
        {START "set: {[stages]: all}\n", "sweep_test.yaml:3: "},
        {"[1]\n", "sweep_test.yaml:1: expected a mapping"},
        {"a: [\n", "sweep_test.yaml:2: not YAML"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; ++i) {
        tt_sweep sweep;
        write_text("sweep_test.yaml", table[i].text);
        if (tt_sweep_open(&sweep, "sweep_test.yaml", NULL, 0) == TT_OK)
            fail_msg("%s was taken", table[i].text);
        if (!strstr(tt_error_message(), table[i].message))
            fail_msg(
                "%s\n  said      %s\n  expected  %s", table[i].text, tt_error_message(), table[i].message);
    }
    unlink("sweep_test.yaml");
    unlink("sweep_base.yaml");
}

// As many settings as fit, and one more: none is left out without a word.
static void most_settings(void **state) {
    (void)state;
    for (int n = TT_SWEEP_SETTINGS - 1; n <= TT_SWEEP_SETTINGS; ++n) {
        tt_str text = {0};
        tt_sweep sweep;
        tt_config_key key;
        tt_str_append(&text, START "set:\n");
        for (int i = 0, given = 0; given < n; ++i) {
            assert_true(tt_config_key_at(i, &key));
            if (!strchr(key.path, '.') || !*key.initial || strncmp(key.path, "acquisition", 11) == 0)
                continue;
            tt_str_format(&text, "  %s: %s\n", key.path, key.initial);
            ++given;
        }
        tt_str_append(&text, "variants:\n  one: {acquisition.steps: 8}\n");
        write_text("sweep_test.yaml", text.data);
        tt_status status = tt_sweep_open(&sweep, "sweep_test.yaml", NULL, 0);
        if (n < TT_SWEEP_SETTINGS) {
            OK(status);
            assert_string_equal(sweep.runs[0].overrides[n], "acquisition.steps=8");
            tt_sweep_close(&sweep);
        } else {
            assert_int_equal(status, TT_ERR_CONFIG);
            assert_string_equal(tt_error_message(), "sweep_test.yaml:69: variants: one: 65 settings with "
                                                    "those of set and axes; allowed are 64; move some "
                                                    "to the base");
        }
        tt_str_close(&text);
    }
    unlink("sweep_test.yaml");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs),
        cmocka_unit_test(settings),
        cmocka_unit_test(most_settings),
        cmocka_unit_test(mistakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
