// The shipped worlds: what is promised of their questions, and how mistakes in a world file are reported.
#include "host/base/fs.h"
#include "host/data/import/import.h"
#include "host/data/world/parts.h"
#include "host/data/world/world.h"
#include "tests/expect.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EVERYDAY TT_SOURCE_DIR "/datasets/everyday/world.yaml"
#define ELSEWHERE TT_SOURCE_DIR "/datasets/elsewhere/world.yaml"
#define OUT "test_world.jsonl"

static tt_world world;
static json_t *questions; // array of all lines

static const char *text_at(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    assert_non_null(text);
    return text;
}

static const char *item(const json_t *array, size_t i) {
    const char *text = json_string_value(json_array_get(array, i));
    assert_non_null(text);
    return text;
}

static bool of_split(const json_t *q, const char *split) {
    return strcmp(text_at(q, "split"), split) == 0;
}

static int thing_of(const char *name) {
    for (int t = 0; t < world.n_things; ++t)
        if (strcmp(world.things[t].name, name) == 0) return t;
    fail_msg("no object is called %s", name);
    return -1;
}

static char *read_all(const char *path) {
    static char *data; // what fails here does not return
    size_t size;
    if (tt_read_file(path, 0, &data, &size) != TT_OK) fail_msg("%s", tt_error_message());
    return data;
}

static json_t *read_lines(const char *path) {
    char *data = read_all(path), *state;
    json_t *all = json_array();
    for (char *line = strtok_r(data, "\n", &state); line; line = strtok_r(NULL, "\n", &state)) {
        json_t *q = json_loads(line, 0, NULL);
        assert_non_null(q);
        json_array_append_new(all, q);
    }
    free(data);
    return all;
}

// Builds the world's corpus, and writes it as JSONL where that works.
static tt_status write_questions(const char *world_yaml, const char *path) {
    tt_corpus corpus = {0};
    tt_str lines = {0};
    tt_status status = tt_world_corpus(&corpus, world_yaml);
    if (status == TT_OK) status = tt_export_jsonl(&corpus, &lines);
    if (status == TT_OK) status = tt_write_file(path, tt_str_text(&lines), lines.length);
    tt_str_close(&lines);
    tt_corpus_close(&corpus);
    return status;
}

static int open_all(void **state) {
    (void)state;
    if (tt_world_open(&world, EVERYDAY) != TT_OK || write_questions(EVERYDAY, OUT) != TT_OK) {
        print_error("%s\n", tt_error_message());
        return -1;
    }
    questions = read_lines(OUT);
    return 0;
}

static int close_all(void **state) {
    (void)state;
    json_decref(questions);
    tt_world_close(&world);
    unlink(OUT);
    return 0;
}

static void test_same_bytes(void **state) {
    (void)state;
    OK(write_questions(EVERYDAY, OUT ".again"));
    char *a = read_all(OUT), *b = read_all(OUT ".again");
    assert_string_equal(a, b);
    free(a);
    free(b);
    unlink(OUT ".again");
}

static void test_sizes(void **state) {
    (void)state;
    int train = 0, validation = 0, test = 0, control = 0;
    size_t i;
    json_t *q;
    json_array_foreach(questions, i, q) {
        train += of_split(q, "train");
        validation += of_split(q, "validation");
        test += of_split(q, "test");
        control += of_split(q, "control");
        assert_int_equal(json_array_size(json_object_get(q, "options")), TT_OPTIONS);
    }
    assert_true(world.n_things >= 240);
    assert_true(train >= 6000 && validation >= 500 && test >= 1000 && control >= 300);
}

// (question, right answer) and (question, options in any order) of training, as keys of an object.
static void add_keys(json_t *keys, const json_t *q, bool add) {
    const json_t *options = json_object_get(q, "options");
    int order[TT_OPTIONS];
    for (int o = 0; o < TT_OPTIONS; ++o) {
        int at = o;
        for (; at > 0 && strcmp(item(options, (size_t)order[at - 1]), item(options, (size_t)o)) > 0; --at)
            order[at] = order[at - 1];
        order[at] = o;
    }
    tt_str pair = {0}, whole = {0};
    size_t gold = (size_t)json_integer_value(json_object_get(q, "gold"));
    tt_str_format(&pair, "%s|%s", text_at(q, "question"), item(options, gold));
    tt_str_append(&whole, text_at(q, "question"));
    for (int o = 0; o < TT_OPTIONS; ++o) tt_str_format(&whole, "|%s", item(options, (size_t)order[o]));
    if (add) {
        json_object_set_new(keys, tt_str_text(&pair), json_true());
        json_object_set_new(keys, tt_str_text(&whole), json_true());
    } else {
        assert_null(json_object_get(keys, tt_str_text(&pair)));
        assert_null(json_object_get(keys, tt_str_text(&whole)));
    }
    tt_str_close(&pair);
    tt_str_close(&whole);
}

static void test_no_question_twice(void **state) {
    (void)state;
    json_t *keys = json_object(), *q;
    size_t i;
    json_array_foreach(questions, i, q) if (of_split(q, "train")) add_keys(keys, q, true);
    json_array_foreach(questions, i, q) if (!of_split(q, "train")) add_keys(keys, q, false);
    json_decref(keys);
}

// Whether `text` says with any wording that something has these values of p.
static bool says(const char *text, const tt_property *p, const char *const *values, int n) {
    tt_str plain = {0}, with_articles = {0}, said = {0};
    tt_join(&plain, values, n, false);
    tt_join(&with_articles, values, n, true);
    tt_blank blanks[] = {{"v", tt_str_text(&plain)}, {"a v", tt_str_text(&with_articles)}};
    bool found = false;
    for (int i = 0; i < p->predicates.n && !found; ++i) {
        tt_str_clear(&said);
        tt_fill(&said, p->predicates.items[i], blanks, 2);
        const char *at = strstr(text, tt_str_text(&said));
        // "is kept in the kitchen" must not be found in "is kept in the kitchen drawer"
        found = at && strchr(" .,:", at[said.length]) && at > text && at[-1] == ' ';
        if (found && at[said.length] == ' ' && strncmp(at + said.length, " and ", 5) != 0) found = false;
    }
    tt_str_close(&plain);
    tt_str_close(&with_articles);
    tt_str_close(&said);
    return found;
}

static bool states(const char *text, int thing, int property) {
    const tt_property *p = &world.properties[property];
    const tt_fact *fact = &world.things[thing].facts[property];
    const char *values[TT_FACT_VALUES];
    for (int i = 0; i < fact->n; ++i) values[i] = p->values[fact->values[i]].text;
    return fact->n > 0 && says(text, p, values, fact->n);
}

static bool *stated_in_training(void) {
    bool *stated = calloc((size_t)world.n_things * TT_WORLD_PROPERTIES, sizeof *stated);
    size_t i, k;
    json_t *q, *r;
    json_array_foreach(questions, i, q) {
        if (!of_split(q, "train")) continue;
        json_array_foreach(json_object_get(q, "reasoning"), k, r) for (size_t o = 0; o < TT_OPTIONS; ++o) {
            int thing = thing_of(item(json_object_get(q, "options"), o));
            const char *text = item(json_object_get(r, "specific"), o);
            for (int p = 0; p < world.n_properties; ++p)
                if (states(text, thing, p)) stated[thing * TT_WORLD_PROPERTIES + p] = true;
        }
    }
    return stated;
}

// The needs of a question as its general knowledge states them: values that the right answer has.
static int needs_of(const json_t *q, int *property, int *value) {
    const char *general = text_at(json_array_get(json_object_get(q, "reasoning"), 0), "general");
    int gold =
        thing_of(item(json_object_get(q, "options"), (size_t)json_integer_value(json_object_get(q, "gold"))));
    int n = 0;
    for (int p = 0; p < world.n_properties; ++p)
        for (int v = 0; v < world.things[gold].facts[p].n; ++v) {
            int index = world.things[gold].facts[p].values[v];
            const char *text = world.properties[p].values[index].text;
            if (n == TT_NEEDS || !says(general, &world.properties[p], &text, 1)) continue;
            property[n] = p;
            value[n++] = index;
        }
    return n;
}

static void test_facts_are_told(void **state) {
    (void)state;
    bool *stated = stated_in_training();
    size_t i;
    json_t *q;
    json_array_foreach(questions, i, q) {
        if (!of_split(q, "test") && !of_split(q, "validation")) continue;
        int property[TT_NEEDS], value[TT_NEEDS], n = needs_of(q, property, value);
        assert_true(n >= 1);
        size_t gold = (size_t)json_integer_value(json_object_get(q, "gold"));
        int thing = thing_of(item(json_object_get(q, "options"), gold));
        for (int k = 0; k < n; ++k)
            if (!stated[thing * TT_WORLD_PROPERTIES + property[k]])
                fail_msg("%s: training never tells the %s of %s", text_at(q, "id"),
                    world.properties[property[k]].name, world.things[thing].name);
    }
    free(stated);
}

static bool lacks(const tt_property *p, const tt_fact *fact, int value) {
    for (int i = 0; i < fact->n; ++i)
        if (p->close[value * p->n_values + fact->values[i]]) return false;
    return true;
}

static int in_common(int a, int b) {
    int n = 0;
    for (int p = 0; p < world.n_properties; ++p)
        for (int i = 0; i < world.things[a].facts[p].n; ++i)
            for (int k = 0; k < world.things[b].facts[p].n; ++k)
                n += world.things[a].facts[p].values[i] == world.things[b].facts[p].values[k];
    return n;
}

static void test_one_right_answer_and_hard_wrong_ones(void **state) {
    (void)state;
    size_t i;
    json_t *q;
    json_array_foreach(questions, i, q) {
        int property[TT_NEEDS], value[TT_NEEDS], n = needs_of(q, property, value);
        size_t gold = (size_t)json_integer_value(json_object_get(q, "gold"));
        int right = thing_of(item(json_object_get(q, "options"), gold));
        for (size_t o = 0; o < TT_OPTIONS; ++o) {
            if (o == gold) continue;
            int wrong = thing_of(item(json_object_get(q, "options"), o));
            bool fails = false;
            for (int k = 0; k < n; ++k)
                fails = fails || lacks(&world.properties[property[k]],
                                     &world.things[wrong].facts[property[k]], value[k]);
            if (!fails) fail_msg("%s: %s is right as well", text_at(q, "id"), world.things[wrong].name);
            if (!of_split(q, "control") && in_common(right, wrong) == 0)
                fail_msg("%s: %s has nothing in common with %s", text_at(q, "id"), world.things[wrong].name,
                    world.things[right].name);
        }
    }
}

static void test_control_objects_are_apart(void **state) {
    (void)state;
    bool *held_out = calloc((size_t)world.n_things, sizeof *held_out);
    size_t i, k;
    json_t *q, *r;
    json_array_foreach(questions, i, q) for (size_t o = 0; o < TT_OPTIONS && of_split(q, "control"); ++o)
        held_out[thing_of(item(json_object_get(q, "options"), o))] = true;
    json_array_foreach(questions, i, q) {
        for (size_t o = 0; o < TT_OPTIONS; ++o) {
            const char *name = item(json_object_get(q, "options"), o);
            assert_int_equal(held_out[thing_of(name)], of_split(q, "control"));
            // Reasoning about an option is about this object and no other.
            json_array_foreach(json_object_get(q, "reasoning"), k, r) {
                tt_str start = {0};
                tt_with_article(&start, name);
                start.data[0] = 'A';
                assert_true(tt_starts_with(item(json_object_get(r, "specific"), o), tt_str_text(&start)));
                tt_str_close(&start);
            }
        }
    }
    free(held_out);
}

static void write_text(const char *path, const char *text) {
    OK(tt_write_file(path, text, strlen(text)));
}

// A copy of a shipped world file with `from` replaced by `to`, its neighbours named by absolute paths.
static void alter(const char *path, const char *dir, const char *from, const char *to, const char *out) {
    char *text = read_all(path);
    tt_str copy = {0};
    char *at = strstr(text, from);
    assert_non_null(at);
    tt_str_append_n(&copy, text, (size_t)(at - text));
    tt_str_append(&copy, to);
    tt_str_append(&copy, at + strlen(from));
    char *objects = strstr(copy.data, "\nobjects: ");
    tt_str whole = {0};
    tt_str_append_n(&whole, copy.data, (size_t)(objects - copy.data));
    tt_str_format(
        &whole, "\nobjects: " TT_SOURCE_DIR "/datasets/%s/%s", dir, objects + strlen("\nobjects: "));
    char *vocabulary = strstr(whole.data, "../everyday");
    tt_str done = {0};
    if (vocabulary) {
        tt_str_append_n(&done, whole.data, (size_t)(vocabulary - whole.data));
        tt_str_append(&done, TT_SOURCE_DIR "/datasets/everyday");
        tt_str_append(&done, vocabulary + strlen("../everyday"));
    }
    write_text(out, vocabulary ? tt_str_text(&done) : tt_str_text(&whole));
    free(text);
    tt_str_close(&copy);
    tt_str_close(&whole);
    tt_str_close(&done);
}

static void test_mistakes_are_reported(void **state) {
    (void)state;
    static const struct {
        const char *from, *to, *says;
    } cases[] = {
        {"held_out: 40", "hold_out: 40", "world: unknown key 'hold_out'; did you mean held_out?"},
        {"held_out: 40", "held_out: 4.5", "held_out: expected a whole number"},
        {"held_out: 40", "held_out: 4000", "held_out: is 4000, but the world has only"},
        {"novel: 0.3", "novel: 2", "novel: 2 is out of range; allowed are 0 to 1"},
        {"{need}", "{neat}", "unknown blank {neat}"},
        {"[boiling water, heating food,", "[boiling watr, heating food,", "no object has \"boiling watr\""},
        {"people: [", "people: [[Anna], ", "people: expected a string"},
        {"seed: 1", "seed: 1\nseed: 2", "seed: given twice"},
        {"seed: 1", "seed: '1'", "seed: expected a whole number, got the string"},
        {"people: [", "people: [no, ", "people: expected a string, got no, which YAML reads as false"},
        {"properties:", "properties: [", "not YAML"},
        {"[\": right.\", \": wrong.\"]", "[\": right.\"]", "verdicts: expected a pair ["},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        alter(EVERYDAY, "everyday", cases[i].from, cases[i].to, "bad_world.yaml");
        assert_int_equal(write_questions("bad_world.yaml", OUT ".bad"), TT_ERR_CONFIG);
        const char *message = tt_error_message();
        if (strncmp(message, "bad_world.yaml:", 15) != 0 || atoi(message + 15) < 1 ||
            !strstr(message, cases[i].says))
            fail_msg("expected bad_world.yaml:LINE: .. %s .., got: %s", cases[i].says, message);
    }
    unlink("bad_world.yaml");
    assert_int_equal(write_questions("no_such_world.yaml", OUT ".bad"), TT_ERR_IO);
}

// Writes NAME_world.yaml, a world of NAME.yaml's objects with two properties; `more`: further lines.
static void write_few(const char *name, const char *objects, const char *reading, const char *more) {
    tt_str table = {0}, text = {0};
    char path[64];
    tt_str_format(&table, "objects: [%s]\n", objects);
    tt_str_format(&text,
        "name: few\nobjects: %s.yaml\npeople: [Ann]\nsplits: {train: 5}\nreading: {%s}\n%s"
        "general: [\"{need}\"]\nspecific: [\"{A thing} {fact}{verdict}\"]\nverdicts: [[\".\", \"?\"]]\n"
        "two_fact_questions: [\"{first} {second}\"]\ntwo_facts: 0.5\nmention_values: [\"{values}\"]\n"
        "properties:\n  use: {predicates: [\"{v}\"], questions: [\"{v}\"]}\n"
        "  place: {predicates: [\"{v}\"], questions: [\"{v}\"]}\n",
        name, reading, more);
    snprintf(path, sizeof path, "%s.yaml", name);
    write_text(path, tt_str_text(&table));
    snprintf(path, sizeof path, "%s_world.yaml", name);
    write_text(path, tt_str_text(&text));
    tt_str_close(&table);
    tt_str_close(&text);
}

static void test_too_small_a_table(void **state) {
    (void)state;
    write_few("few", "{name: cup, use: tea, place: home}, {name: hat, use: play, place: home}",
        "texts: 0, tasks: 0", "");
    assert_int_equal(write_questions("few_world.yaml", OUT ".bad"), TT_ERR_INPUT);
    assert_non_null(strstr(tt_error_message(), "add objects"));
    write_few("few", "", "texts: 0, tasks: 0", "");
    assert_int_equal(write_questions("few_world.yaml", OUT ".bad"), TT_ERR_CONFIG);
    assert_non_null(strstr(tt_error_message(), "few.yaml:1: objects: empty list"));
    unlink("few.yaml");
    unlink("few_world.yaml");
}

// Reading is drawn from what there is, and a world that has too little of it is refused: nothing is drawn for ever.
static void test_reading_needs_enough(void **state) {
    (void)state;
#define FOUR                                                                                                 \
    "{name: a, use: x, place: p}, {name: b, use: y, place: q}, {name: c, use: x}, {name: d, use: x}, "
    static const struct {
        const char *objects, *reading, *says; // NULL: is accepted
    } cases[] = {
        {FOUR, "texts: 0, tasks: 200", "up to 5 objects; this world has 4"},
        {FOUR "{name: e, use: x}", "texts: 200, tasks: 200", NULL},
        {FOUR, "texts: 200, tasks: 0", NULL},
        {"{name: a, use: x, place: p}, {name: b, use: y, place: p}, {name: c}, {name: d}, {name: e}",
            "texts: 0, tasks: 200",
            "properties.place: the objects have 1 value(s) of it; reading needs 2 or more"},
        {"{name: a, use: [x, y], place: [p, q]}, {name: b}, {name: c}, {name: d}, {name: e}",
            "texts: 0, tasks: 200", NULL},
        {"{name: a, use: [x, y, z], place: [p, q]}, {name: b}, {name: c}, {name: d}, {name: e}",
            "texts: 0, tasks: 200", NULL},
        {"{name: a, use: x}", "texts: 200, tasks: 0", "properties.place: the objects have 0 value(s) of it"},
        {"{name: a, use: x, place: p}", "texts: 200, tasks: 0", NULL},
        {"{name: a}", "texts: 0, tasks: 0", "properties.use: the objects have 0 value(s) of it"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        write_few("few", cases[i].objects, cases[i].reading, "");
        const tt_status status = tt_reading_generate("few_world.yaml", "few.txt", "few.jsonl");
        if (status != (cases[i].says ? TT_ERR_CONFIG : TT_OK))
            fail_msg("case %zu: %s", i, tt_error_message());
        if (cases[i].says && !strstr(tt_error_message(), cases[i].says))
            fail_msg("expected .. %s .., got: %s", cases[i].says, tt_error_message());
        if (cases[i].says) continue;
        json_t *tasks = read_lines("few.jsonl");
        assert_int_equal(json_array_size(tasks), strstr(cases[i].reading, "tasks: 0") ? 0 : 200);
        json_decref(tasks);
        unlink("few.txt");
        unlink("few.jsonl");
    }
    // So is one whose vocabulary has too little.
    write_few("words", FOUR, "texts: 0, tasks: 200", "");
    write_few("few", FOUR "{name: e, use: x}", "texts: 0, tasks: 200", "vocabulary: words_world.yaml\n");
    assert_int_equal(tt_reading_generate("few_world.yaml", "few.txt", "few.jsonl"), TT_ERR_CONFIG);
    assert_non_null(strstr(tt_error_message(), "words_world.yaml: reading tasks"));
    // Nor may it have an object of the world's own, or be that world itself.
    write_few("words",
        "{name: v, use: x}, {name: w, use: y, place: p}, {name: d, place: q}, {name: y}, {name: z}",
        "texts: 0, tasks: 200", "");
    assert_int_equal(tt_reading_generate("few_world.yaml", "few.txt", "few.jsonl"), TT_ERR_CONFIG);
    assert_non_null(strstr(tt_error_message(), "few_world.yaml: vocabulary: ./words_world.yaml has d among"));
    write_few("few", FOUR "{name: e, use: x}", "texts: 0, tasks: 200", "vocabulary: few_world.yaml\n");
    assert_int_equal(tt_reading_generate("few_world.yaml", "few.txt", "few.jsonl"), TT_ERR_CONFIG);
    write_few("words",
        "{name: v, use: x}, {name: w, use: y, place: p}, {name: x, place: q}, {name: y}, {name: z}",
        "texts: 0, tasks: 200", "");
    write_few("few", FOUR "{name: e, use: x}", "texts: 5, tasks: 200", "vocabulary: words_world.yaml\n");
    OK(tt_reading_generate("few_world.yaml", "few.txt", "few.jsonl"));
    unlink("few.txt");
    unlink("few.jsonl");
    // Documents and prompts are made of lines.
    static const char *const breaks[] = {"\\n", "\\r", "\\u2028", "\\N"};
    for (size_t i = 0; i < sizeof breaks / sizeof *breaks; ++i) {
        char objects[256];
        snprintf(objects, sizeof objects, FOUR "{name: e, use: \"x%sy\"}", breaks[i]);
        write_few("few", objects, "texts: 0, tasks: 0", "");
        assert_int_equal(write_questions("few_world.yaml", OUT ".bad"), TT_ERR_CONFIG);
        assert_non_null(strstr(tt_error_message(), "few.yaml:1: use: expected one line"));
    }
    unlink("words.yaml");
    unlink("words_world.yaml");
    unlink("few.yaml");
    unlink("few_world.yaml");
#undef FOUR
}

// Of an everyday object nothing is told that could be one of its facts: its name stands beside values of the
// other world only.
static void test_reading_tells_nothing_of_everyday(void **state) {
    (void)state;
    alter(ELSEWHERE, "elsewhere", "tasks: 300000", "tasks: 3000", "reading_world.yaml");
    OK(tt_reading_generate("reading_world.yaml", "reading.txt", "reading.jsonl"));
    json_t *tasks = read_lines("reading.jsonl"), *task;
    assert_int_equal(json_array_size(tasks), 3000);
    size_t i;
    int with_objects = 0;
    json_array_foreach(tasks, i, task) {
        const char *input = text_at(task, "input"), *at = strstr(input, "\n(A) ");
        if (!at) at = input;
        at = strstr(at, "(A) ");
        assert_non_null(at);
        const char *end = strstr(at, " (B) ");
        assert_non_null(end);
        bool everyday = false;
        for (int t = 0; t < world.n_things; ++t)
            everyday = everyday || (strlen(world.things[t].name) == (size_t)(end - at - 4) &&
                                       strncmp(world.things[t].name, at + 4, (size_t)(end - at - 4)) == 0);
        if (!everyday) continue;
        ++with_objects;
        for (int p = 0; p < world.n_properties; ++p)
            for (int v = 0; v < world.properties[p].n_values; ++v) {
                const char *value = world.properties[p].values[v].text;
                if (says(input, &world.properties[p], &value, 1))
                    fail_msg("an everyday object beside \"%s\": %s", value, input);
            }
    }
    assert_true(with_objects > 600);
    json_decref(tasks);
    unlink("reading_world.yaml");
    unlink("reading.txt");
    unlink("reading.jsonl");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_bytes),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_no_question_twice),
        cmocka_unit_test(test_facts_are_told),
        cmocka_unit_test(test_one_right_answer_and_hard_wrong_ones),
        cmocka_unit_test(test_control_objects_are_apart),
        cmocka_unit_test(test_mistakes_are_reported),
        cmocka_unit_test(test_too_small_a_table),
        cmocka_unit_test(test_reading_needs_enough),
        cmocka_unit_test(test_reading_tells_nothing_of_everyday),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
