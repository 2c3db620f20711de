// Configurations: every kind of mistake with its place and remedy; what is written loads to the same.
#include "host/base/fs.h"
#include "host/config/config.h"
#include "host/config/words.h"
#include "host/lab/run_directory.h"
#include "tests/expect.h"

#include <stdlib.h>
#include <string.h>

#define START "model: {start: s.h5}\ncorpus: c.h5\n"
#define REFLECTION "reflection: {iterations: 1}\n"

static tt_status load(tt_config *config, const char *text, const char *const *overrides, int n) {
    assert_int_equal(tt_write_file("config_test.yaml", text, strlen(text)), TT_OK);
    return tt_config_load(config, "config_test.yaml", overrides, n);
}

static void mistakes_are_named(void **state) {
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {START "acquisition:\n  batchsize: 3\n",
            "config_test.yaml:4: acquisition.batchsize: unknown key; did you mean acquisition.batch_size"},
        {START "aquisition: {steps: 3}\n",
            "config_test.yaml:3: aquisition: unknown key; did you mean acquisition"},
        {START "pretraining:\n  interval: 100\n",
            "config_test.yaml:4: pretraining.interval: this key was removed: it never had an effect"},
        {START "seed: one\n", "config_test.yaml:3: seed: expected a whole number, got 'one'"},
        {START "seed: 1.5\n", "config_test.yaml:3: seed: expected a whole number, got '1.5'"},
        {START "acquisition: {warmup: 1.5}\n",
            "config_test.yaml:3: acquisition.warmup: 1.5 is out of range; allowed are 0 to 1"},
        {START "acquisition: {learning_rate: nan}\n",
            "config_test.yaml:3: acquisition.learning_rate: expected a number, got 'nan'"},
        {START "stages: some\n", "config_test.yaml:3: stages: 'some' is not allowed; allowed are all, "
                                 "no_recall, no_analyze, summarize_only, chain_of_thought, step_by_step"},
        {START "precision: fp16\n",
            "config_test.yaml:3: precision: fp16 is not supported, since T5's activations "
            "overflow in it; use bf16 or fp32"},
        {START "acquisition: {enabled: maybe}\n",
            "config_test.yaml:3: acquisition.enabled: expected true or false, got 'maybe'"},
        {START "acquisition: 3\n",
            "config_test.yaml:3: acquisition: expected a section (keys below it), got the number 3"},
        {START "seed: {a: 1}\n",
            "config_test.yaml:3: seed: expected a whole number, got a mapping (key: value)"},
        {START "seed: 1\nseed: 2\n", "config_test.yaml:4: seed: given twice; the first is in line 3"},
        {START "evaluation: {splits: [test, tst]}\n",
            "config_test.yaml:3: evaluation.splits: 'tst' is not allowed; allowed are train, validation, "
            "test, control"},
        {START "name: a/b\n", "config_test.yaml: name: 'a/b' has a /; expected the name of a folder"},
        {START "name: '..'\n", "config_test.yaml: name: '..' begins with a dot"},
        {START "name: \"a\\tb\"\n", "has a control character"},
        {"corpus: c.h5\n",
            "config_test.yaml: model: set start to a checkpoint, or tokenizer and shape for random weights"},
        {"model: {start: s.h5}\n",
            "config_test.yaml: corpus: is empty; set it to a corpus .h5 or a world .yaml"},
        {START "evaluation: {beams: 9, slots: 8}\n",
            "config_test.yaml: evaluation.beams: is 9, but evaluation.slots, the texts decoded at the same "
            "time, is 8"},
        {START "evaluation: {min_length: 9, max_length: 8}\n",
            "config_test.yaml: evaluation.min_length: is 9, above evaluation.max_length, 8"},
        {"- a\n", "config_test.yaml:1: expected a mapping (key: value)"},
        {"", "config_test.yaml: the file is empty"},
        {START "base: config_test.yaml\n", "more than 8 files deep; do the files name each other?"},
        {"a: [b\n", "config_test.yaml:2: not YAML: "},
        // What YAML 1.1 reads as another type than the key's
        {START "acquisition: {steps: '8'}\n", "config_test.yaml:3: acquisition.steps: expected a whole "
                                              "number, got the string \"8\"; write it without"},
        {START "acquisition: {steps: null}\n", "config_test.yaml:3: acquisition.steps: expected a whole "
                                               "number, got null, which YAML reads as nothing"},
        {START "acquisition:\n  steps:\n",
            "config_test.yaml:4: acquisition.steps: expected a whole number, got nothing"},
        {START "acquisition: {steps: 010}\n",
            "config_test.yaml:3: acquisition.steps: '010' is 8 in YAML 1.1 (octal)"},
        {START "acquisition: {steps: 1:30}\n",
            "config_test.yaml:3: acquisition.steps: '1:30' is 90 in YAML 1.1"},
        {START "acquisition: {steps: 8.5}\n", "expected a whole number, got '8.5'"},
        {START "acquisition: {learning_rate: .inf}\n", "expected a number, got '.inf'"},
        {START "acquisition: {learning_rate: 1e400}\n", "expected a number, got '1e400'"},
        {START "acquisition: {steps: |\n  8\n  }\n", "config_test.yaml:"},
        {START "acquisition: {enabled: 'true'}\n", "expected true or false, got the string \"true\""},
        {START "acquisition: {enabled: 1}\n", "expected true or false, got '1'"},
        {START "name: no\n",
            "config_test.yaml:3: name: expected a string, got no, which YAML reads as false; write it "
            "in quotes: \"no\""},
        {START "name: 0x10\n", "got 0x10, which YAML reads as the number 16; write it in quotes"},
        {START "name: ~\n",
            "config_test.yaml:3: name: expected a string, got ~, which YAML reads as nothing"},
        {START "evaluation: {splits: [test, ~]}\n",
            "config_test.yaml:3: evaluation.splits: expected a string, got ~"},
        {START "acquisition:\n",
            "config_test.yaml:3: acquisition: expected a section (keys below it), got nothing"},
        {START "base: no\n", "config_test.yaml:3: base: expected a string, got no"},
        // Parts of YAML that are named
        {START "---\nseed: 2\n", "config_test.yaml:3: a second document begins here"},
        {START "name: !!str 1\n", "config_test.yaml:3: a tag (tag:yaml.org,2002:str)"},
        {START "name: !x a\n", "config_test.yaml:3: a tag (!x)"},
        {START "acquisition:\n\tsteps: 8\n", "config_test.yaml:4: not YAML: the line begins with a tab"},
        {START "acquisition: {steps: 4}\nacquisition.steps: 3\n",
            "config_test.yaml:4: acquisition.steps: given twice; the first is in line 3"},
        {START "log: on\n", "config_test.yaml:3: log: 'on' is not allowed; allowed are metrics, tensorboard"},
        {START "\"seed\\0x\": 1\n", "config_test.yaml:3: a key has a NUL character in it"},
        {START "? [a]\n: 1\n", "config_test.yaml:3: expected a key: a single word, got a list"},
        {START "acquisition: &a\n  steps: 8\n  <<: *a\n", "a mapping merges itself"},
        {START "acquisition: {<<: 3}\n",
            "config_test.yaml:3: <<: expected a mapping or a list of mappings, got the number 3"},
        {START "acquisition: &a {steps: *a}\n", "config_test.yaml:3: an alias leads to what it is part of"},
        {START "name: *x\n", "config_test.yaml:3: not YAML: found undefined alias"},
        {START "name: a\x01\n", "config_test.yaml:3: not YAML: control characters are not allowed"},
        // Encodings
        {"\xff\xfes\0e\0e\0d\0", "config_test.yaml:1: "},
        {START "name: \"a\xff\"\n", "config_test.yaml:3: byte 9 of the line is not UTF-8"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        tt_config config;
        assert_int_equal(load(&config, cases[i].text, NULL, 0), TT_ERR_CONFIG);
        if (!strstr(tt_error_message(), cases[i].message))
            fail_msg("expected \"%s\", got \"%s\"", cases[i].message, tt_error_message());
    }
}

static void overrides(void **state) {
    (void)state;
    tt_config config;
    const char *good[] = {"acquisition.steps=7", "name=other", "evaluation.splits=test, control"};
    assert_int_equal(load(&config, START "acquisition: {steps: 3}\n", good, 3), TT_OK);
    assert_int_equal(config.acquisition.steps, 7);
    assert_string_equal(config.name, "other");
    assert_int_equal(config.evaluation.splits.n, 2);
    assert_string_equal(config.evaluation.splits.items[1], "control");
    tt_config_close(&config);
    const char *bad[] = {"acquisition.step=7"};
    assert_int_equal(load(&config, START, bad, 1), TT_ERR_CONFIG);
    assert_string_equal(
        tt_error_message(), "--set: acquisition.step: unknown key; did you mean acquisition.steps");
    const char *gone[] = {"pretraining.interval=7"};
    assert_int_equal(load(&config, START, gone, 1), TT_ERR_CONFIG);
    assert_non_null(strstr(tt_error_message(), "--set: pretraining.interval: this key was removed: "));
    const char *worse[] = {"steps"};
    assert_int_equal(load(&config, START, worse, 1), TT_ERR_USAGE);
}

static void written_loads_the_same(void **state) {
    (void)state;
    tt_config first, second;
    tt_str one = {0}, two = {0};
    const char *set[] = {"acquisition.learning_rate=3.3e-4", "name=q\"u\\o",
        "pretraining.text=[a.txt, b c.txt]", "acquisition.eps=1.2345678901234567e-9"};
    assert_int_equal(load(&first, START, set, 4), TT_OK);
    assert_int_equal(tt_config_write(&first, &one), TT_OK);
    assert_int_equal(load(&second, one.data, NULL, 0), TT_OK);
    assert_int_equal(tt_config_write(&second, &two), TT_OK);
    assert_string_equal(one.data, two.data);
    assert_string_equal(second.name, "q\"u\\o");
    assert_true(second.acquisition.eps == 1.2345678901234567e-9);
    tt_config_close(&first);
    tt_config_close(&second);
    tt_str_close(&one);
    tt_str_close(&two);
}

// What a run of an earlier version wrote is read without the keys that are gone; all else is checked as ever.
static void written_by_earlier_versions(void **state) {
    (void)state;
    tt_config config;
    static const char text[] = START "pretraining:\n  interval: 100\n  window: 64\n";
    assert_int_equal(tt_write_file("config_old.yaml", text, sizeof text - 1), TT_OK);
    assert_int_equal(tt_config_load_written(&config, "config_old.yaml"), TT_OK);
    assert_int_equal(config.pretraining.window, 64);
    tt_config_close(&config);
    assert_true(tt_config_removed("pretraining.interval"));
    assert_false(tt_config_removed("acquisition.interval"));
    static const char typo[] = START "pretraining: {windw: 64}\n";
    assert_int_equal(tt_write_file("config_old.yaml", typo, sizeof typo - 1), TT_OK);
    assert_int_equal(tt_config_load_written(&config, "config_old.yaml"), TT_ERR_CONFIG);
}

// The text of a configuration without the lines that contain one of `keys` (names as in the file).
static void drop_lines(const char *yaml, const char *const *keys, int n, tt_str *out) {
    for (const char *line = yaml; *line;) {
        const size_t length = strcspn(line, "\n") + 1;
        bool dropped = false;
        for (int i = 0; i < n && !dropped; ++i) {
            const char *hit = strstr(line, keys[i]);
            dropped = hit && hit < line + length;
        }
        if (!dropped) tt_str_append_n(out, line, length);
        line += length;
    }
}

// A run of a version without some keys is compared with their defaults.
static void keys_that_were_added(void **state) {
    (void)state;
    static const char *const added[] = {
        "patience:", "reasonings:", "rationale_weight:", "early_stopping:", "  targets:"};
    static const struct {
        const char *override, *differences;
        bool rescore;
    } cases[] = {
        {"seed=1", "", false},
        {"threads=3", "", false},
        {"log=tensorboard", "", false},
        {"evaluation.early_stopping=never", "", true},
        {"reflection.patience=2", "\n  reflection.patience: 0 -> 2", false},
        {"acquisition.reasonings=2", "\n  acquisition.reasonings: 0 -> 2", false},
        {"reflection.targets=recall", "\n  reflection.targets: \"both\" -> \"recall\"", false},
        {"seed=2", "\n  seed: 1 -> 2", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        tt_config config;
        tt_str full = {0}, before = {0}, now = {0}, differences = {0};
        bool rescore;
        assert_int_equal(load(&config, START REFLECTION, NULL, 0), TT_OK);
        assert_int_equal(tt_config_write(&config, &full), TT_OK);
        tt_config_close(&config);
        drop_lines(full.data, added, (int)(sizeof added / sizeof *added), &before);
        assert_true(before.length < full.length - 100);
        assert_int_equal(load(&config, START REFLECTION, &cases[i].override, 1), TT_OK);
        assert_int_equal(tt_config_write(&config, &now), TT_OK);
        tt_config_close(&config);
        assert_int_equal(tt_run_config_differences(before.data, now.data, &differences, &rescore), TT_OK);
        assert_string_equal(tt_str_text(&differences), cases[i].differences);
        assert_int_equal(rescore, cases[i].rescore);
        // The other way round: a run that is resumed by a version without the keys.
        tt_str_clear(&differences);
        assert_int_equal(tt_run_config_differences(now.data, before.data, &differences, &rescore), TT_OK);
        assert_int_equal(differences.length > 0, cases[i].differences[0] != '\0');
        tt_str_close(&full);
        tt_str_close(&before);
        tt_str_close(&now);
        tt_str_close(&differences);
    }
    // A key that this version does not know is no default of anything.
    tt_str differences = {0};
    bool rescore;
    assert_int_equal(tt_run_config_differences("novel: 3\n", "seed: 1\n", &differences, &rescore), TT_OK);
    assert_string_equal(differences.data, "\n  novel: 3 -> (not set)");
    tt_str_close(&differences);
}

static void roles(void **state) {
    (void)state;
    assert_int_equal(tt_config_role_of("acquisition.steps"), TT_ROLE_TRAINING);
    assert_int_equal(tt_config_role_of("evaluation.max_length"), TT_ROLE_TRAINING);
    assert_int_equal(tt_config_role_of("evaluation.beams"), TT_ROLE_SCORING);
    assert_int_equal(tt_config_role_of("evaluation.slots"), TT_ROLE_PLACE);
    assert_int_equal(tt_config_role_of("seed"), TT_ROLE_RUN);
    assert_int_equal(tt_config_role_of("none"), TT_ROLE_TRAINING);
}

static void words(void **state) {
    (void)state;
    static const char *const names[] = {TT_STAGE_MAP(TT_WORD_TEXT)};
    static const tt_words stages = {.what = "stage", .words = names, .n = 3, .error = TT_ERR_INPUT};
    int index;
    assert_string_equal(TT_WORDS(TT_STAGE_MAP), "recall|analyze|summarize");
    assert_int_equal(tt_word_parse(&stages, "analyze", &index), TT_OK);
    assert_int_equal(index, 1);
    assert_int_equal(tt_word_parse(&stages, "analyse", &index), TT_ERR_INPUT);
    assert_string_equal(
        tt_error_message(), "unknown stage 'analyse'; allowed are recall, analyze, summarize");
    assert_true(tt_targets_recall("both") && tt_targets_recall("recall") && !tt_targets_recall("analyze"));
    assert_true(tt_targets_analyze("both") && !tt_targets_analyze("recall") && tt_targets_analyze("analyze"));
}

// Lines fit a terminal of 80 columns, and every help text is a sentence.
static void help_reads_well(void **state) {
    (void)state;
    char *text = NULL;
    size_t n = 0;
    FILE *memory = open_memstream(&text, &n);
    assert_non_null(memory);
    tt_config_help(memory);
    fclose(memory);
    const char *last = text;
    for (const char *line = text; *line; line += strcspn(line, "\n") + 1) {
        const size_t length = strcspn(line, "\n");
        if (length > 80) fail_msg("longer than 80 columns: %.*s", (int)length, line);
        // The line before a key, or the end, closes a sentence.
        if (line[0] != ' ' && last[0] == ' ' && line[-2] != '.')
            fail_msg("no sentence: %.*s", (int)strcspn(last, "\n"), last);
        if (line[0] != ' ' && length > 0 && line[length - 1] == ')') {
            const char *help = line + length + 1;
            if (strncmp(help, "    ", 4) != 0 || help[4] < 'A' || help[4] > 'Z')
                fail_msg("no sentence: %.*s", (int)strcspn(help, "\n"), help);
        }
        last = line;
    }
    free(text);
}

// The values that the published implementation runs with (sections 3 to 6 of the method).
static void defaults_are_those_of_the_reference(void **state) {
    (void)state;
    tt_config c;
    assert_int_equal(load(&c, START, NULL, 0), TT_OK);
    assert_int_equal(c.acquisition.interval, 100);
    assert_int_equal(c.acquisition.batch_size, 64);
    assert_true(c.acquisition.epochs == 10 && c.acquisition.learning_rate == 5e-4);
    assert_true(c.acquisition.warmup == 0.1 && c.acquisition.clip == 1 && c.acquisition.weight_decay == 0);
    assert_true(c.acquisition.beta1 == 0.9 && c.acquisition.beta2 == 0.999 && c.acquisition.eps == 1e-8);
    assert_string_equal(c.acquisition.schedule, "cosine");
    assert_true(c.reflection.beta == 0.5 && c.reflection.nll_weight == 0.5);
    assert_string_equal(c.reflection.loss, "sigmoid");
    assert_true(c.reflection.train.learning_rate == 5e-6 && c.reflection.train.warmup == 0.1);
    assert_string_equal(c.reflection.train.schedule, "cosine");
    assert_int_equal(c.reflection.train.batch_size, 32);
    assert_int_equal(c.reflection.cycles, 10);
    assert_int_equal(c.reflection.samples, 10);
    assert_int_equal(c.reflection.top_k, 0);
    assert_true(c.reflection.temperature == 0.7);
    assert_int_equal(c.reflection.train.max_input, 200);
    assert_int_equal(c.reflection.train.max_target, 200);
    assert_int_equal(c.reflection.train.validate_every, 1);
    assert_string_equal(c.reflection.targets, "both");
    assert_int_equal(c.evaluation.samples, 10);
    assert_true(c.evaluation.temperature == 0.7);
    assert_int_equal(c.evaluation.max_length, 200);
    tt_config_close(&c);
}

static void bases_come_first(void **state) {
    (void)state;
    tt_config config;
    static const char base[] = START "seed: 5\nacquisition: {steps: 3, batch_size: 9}\n";
    assert_int_equal(tt_write_file("config_base.yaml", base, sizeof base - 1), TT_OK);
    assert_int_equal(load(&config, "acquisition: {steps: 4}\nbase: config_base.yaml\n", NULL, 0), TT_OK);
    assert_int_equal(config.seed, 5);
    assert_int_equal(config.acquisition.steps, 4);
    assert_int_equal(config.acquisition.batch_size, 9);
    tt_config_close(&config);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(overrides),
        cmocka_unit_test(written_loads_the_same),
        cmocka_unit_test(written_by_earlier_versions),
        cmocka_unit_test(keys_that_were_added),
        cmocka_unit_test(roles),
        cmocka_unit_test(words),
        cmocka_unit_test(help_reads_well),
        cmocka_unit_test(defaults_are_those_of_the_reference),
        cmocka_unit_test(bases_come_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
