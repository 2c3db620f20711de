// Corpora made from corpora: export, added reasoning, added explanations, merging.
#include "host/base/fs.h"
#include "host/base/log.h"
#include "host/base/str.h"
#include "host/data/import/import.h"
#include "host/data/merge.h"
#include "tests/expect.h"

#include <stdio.h>
#include <string.h>

#define ONE                                                                                                  \
    "{\"id\": \"q1\", \"question\": \"What cuts?\", \"options\": [\"knife\", \"cup, big\"], \"gold\": 0, "
#define TWO                                                                                                  \
    "{\"id\": \"q2\", \"question\": \"What  holds?\", \"options\": [\"knife\", \"cup\", \"h\xc3\xa4t\"], "   \
    "\"gold\": 1, "
#define CUTS                                                                                                 \
    "{\"general\": \"Blades cut.\", \"specific\": [\"It has a blade.\", \"It holds.\"], \"answer\": 0}"
#define HOLDS "{\"general\": \"Cups \\\"hold\\\".\", \"answer\": 2, \"source\": \"me\"}"

static void write_text(const char *path, const char *text) {
    OK(tt_write_file(path, text, strlen(text)));
}

static void import(tt_corpus *corpus, const char *text) {
    *corpus = (tt_corpus){.name = "fixture", .provenance = "{\"by\": \"hand\"}"};
    write_text("change.jsonl", text);
    OK(tt_import_jsonl(corpus, "change.jsonl"));
}

static void is_reasoning(const tt_corpus *c, size_t index, int question, const char *general, int answer) {
    assert_true(index < c->n_reasoning);
    assert_int_equal(c->reasoning[index].question, question);
    assert_string_equal(c->reasoning[index].general, general);
    assert_int_equal(c->reasoning[index].answer, answer);
}

// What is written, and that it reads back.
static void exported(void **state) {
    (void)state;
    static const char lines[] = ONE
        "\"split\": \"train\", \"reasoning\": [{\"general\": \"Blades cut.\", \"specific\": [\"It has a "
        "blade.\", \"It holds.\"], \"answer\": 0}]}\n" TWO
        "\"split\": \"test\", \"reasoning\": [{\"general\": \"Cups \\\"hold\\\".\", \"answer\": 2, "
        "\"source\": \"me\"}, {\"specific\": [\"A.\", \"B.\", \"C.\"], \"answer\": 1}]}\n"
        "{\"id\": \"q3\", \"question\": \"Bare?\", \"options\": [\"yes\", \"no\"], \"gold\": 1, \"split\": "
        "\"control\"}\n";
    tt_corpus corpus, back;
    tt_str text = {0};
    import(&corpus, lines);
    OK(tt_export_jsonl(&corpus, &text));
    assert_string_equal(text.data, lines);
    OK(tt_corpus_save(&corpus, "change.h5"));
    import(&back, text.data);
    OK(tt_corpus_save(&back, "change_back.h5"));
    assert_true(corpus.hash == back.hash);
    tt_str_close(&text);
    tt_corpus_close(&corpus);
    tt_corpus_close(&back);
}

// Reasoning comes into the order of the questions, and stays in its own order within one.
static void added_by_id(void **state) {
    (void)state;
    static const char answers[] =
        "{\"id\": \"q1\", \"general\": \"Edges  cut\", \"answer\": \"B\", \"source\": \"t\"}\n"
        "{\"id\": \"nobody\", \"reasoning\": [{\"general\": \"x\"}]}\n"
        "\n" TWO "\"split\": \"train\", \"reasoning\": [" HOLDS ", {\"general\": \"Hats hold.\"}]}\n"
        "{\"id\": \"q1\", \"reasoning\": [" CUTS ", {\"general\": \"Late.\", \"answer\": 0}]}\n"
        "{\"id\": \"q1\", \"specific\": [\"a\", \"b\", \"c\"]}\n"
        "{\"id\": \"q2\", \"general\": \"x\", \"answer\": \"bowl\"}\n"
        "{\"id\": \"q2\", \"general\": \" \"}\n"
        "{\"id\": \"q2\", \"options\": [\"knife\", \"mug\", \"h\xc3\xa4t\"], \"general\": \"x\"}\n"
        "{\"id\": \"q2\", \"question\": \"Why?\", \"general\": \"x\"}\n"
        "{\"id\": \"q2\", \"gold\": 0, \"general\": \"x\"}\n"
        "{\"id\": \"q2\", \"reasoning\": [{\"answer\": 1}]}\n"
        "{\"id\": \"q2\", \"reasoning\": []}\n"
        "{\"id\": \"q2\"}\n";
    tt_corpus corpus;
    tt_added added = {0};
    import(&corpus, ONE "\"reasoning\": [" CUTS "]}\n" TWO "\"reasoning\": []}\n");
    write_text("answers.jsonl", answers);
    OK(tt_add_answers(&corpus, "answers.jsonl", &added));
    assert_int_equal(added.records, 13);
    assert_int_equal(added.added, 4);
    assert_int_equal(added.left_out[TT_ADDED_UNKNOWN], 1);
    assert_int_equal(added.left_out[TT_ADDED_UNFIT], 7);
    assert_int_equal(added.left_out[TT_ADDED_REPEATED], 1);
    assert_int_equal(added.left_out[TT_ADDED_EMPTY], 2);
    assert_int_equal(corpus.n_reasoning, 5);
    is_reasoning(&corpus, 0, 0, "Blades cut.", 0);
    is_reasoning(&corpus, 1, 0, "Edges  cut.", 1);
    is_reasoning(&corpus, 2, 0, "Late.", 0);
    is_reasoning(&corpus, 3, 1, "Cups \"hold\".", 2);
    is_reasoning(&corpus, 4, 1, "Hats hold.", 1); // without an answer, the answer is gold
    assert_string_equal(corpus.reasoning[1].source, "t");
    // The lists by question follow the new order.
    int of_first[2];
    assert_int_equal(tt_corpus_reasonings(&corpus, 0, of_first), 2); // A, B, A: A is right
    assert_int_equal(of_first[0], 0);
    assert_int_equal(of_first[1], 2);
    // Again: nothing is new.
    added = (tt_added){0};
    OK(tt_add_answers(&corpus, "answers.jsonl", &added));
    assert_int_equal(added.added, 0);
    assert_int_equal(added.left_out[TT_ADDED_REPEATED], 5);
    assert_int_equal(corpus.n_reasoning, 5);
    assert_int_equal(corpus.questions[0].taught, 0);
    tt_corpus_close(&corpus);
}

static void malformed_answers(void **state) {
    (void)state;
    static const struct {
        const char *line, *message;
    } cases[] = {
        {"{\"general\": \"x\"}", "answers.jsonl:2: \"id\" is missing"},
        {"{\"id\": \"q1\", \"genral\": \"x\"}",
            "answers.jsonl:2: question q1: unknown member \"genral\"; did you mean general"},
        {"{\"id\": \"q1\", \"reasoning\": {}}", "expected a list [{...}, ...]"},
        {"{\"id\": \"q1\", \"reasoning\": [3]}", "entry 1 of \"reasoning\": expected an object"},
        {"{\"id\": \"q1\", \"reasoning\": [{\"why\": 3}]}", "unknown member \"why\""},
        {"{\"id\": \"q1\"", "answers.jsonl:2: not JSON"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        char text[512];
        tt_corpus corpus;
        tt_added added = {0};
        import(&corpus, ONE "\"reasoning\": []}\n");
        snprintf(text, sizeof text, "{\"id\": \"q1\", \"general\": \"x\"}\n%s\n", cases[i].line);
        write_text("answers.jsonl", text);
        assert_int_equal(tt_add_answers(&corpus, "answers.jsonl", &added), TT_ERR_INPUT);
        if (!strstr(tt_error_message(), cases[i].message))
            fail_msg("expected \"%s\", got \"%s\"", cases[i].message, tt_error_message());
        tt_corpus_close(&corpus);
    }
}

// ---- explanations

#define MAP "question: Q\nexplanations: [e1, e2, e3]\nacceptable: ok\n"
#define CSV                                                                                                  \
    "\xef\xbb\xbfnumber,Q,e1,e2,e3,ok\r\n"                                                                   \
    "1,\"What\r\ncuts? \",Blades cut,\"Cups, big ones, hold\",Knives cut.,1|3\r\n"                           \
    "2,What cuts?,Blades  cut,Cups hold,Knives cut.,1| 2\r\n"                                                \
    "3,What flies?,a,b,c,1\r\n"                                                                              \
    "4,What holds?,x,,z,\r\n"                                                                                \
    "5,What holds?,x,,z,2\r\n"                                                                               \
    "6,Twice?,x,y,z,1\r\n"                                                                                   \
    "7,What holds?,same,same,z,1|2\r\n"

static void import_for_explanations(tt_corpus *corpus) {
    import(corpus,
        ONE "\"general\": \"Blades cut.\"}\n" TWO "\"split\": \"test\"}\n"
            "{\"id\": \"a\", \"question\": \"Twice?\", \"options\": [\"yes\", \"no\"], \"gold\": 1}\n"
            "{\"id\": \"b\", \"question\": \"Twice?\", \"options\": [\"no\", \"yes\"], \"gold\": 1}\n");
    write_text("explained.csv", CSV);
}

static void explained(void **state) {
    (void)state;
    tt_corpus corpus;
    tt_added added = {0};
    import_for_explanations(&corpus);
    write_text("map.yaml", MAP "source: GPT-3\n");
    OK(tt_add_explanations(&corpus, "map.yaml", "explained.csv", &added));
    assert_int_equal(added.records, 7);
    assert_int_equal(added.added, 3);
    assert_int_equal(added.left_out[TT_ADDED_REPEATED], 1); // Blades cut
    assert_int_equal(added.left_out[TT_ADDED_UNKNOWN], 1);
    assert_int_equal(added.left_out[TT_ADDED_AMBIGUOUS], 1);
    assert_int_equal(added.left_out[TT_ADDED_EMPTY], 1); // record 4
    assert_int_equal(added.left_out[TT_ADDED_UNFIT], 1); // record 5: an empty explanation
    assert_int_equal(corpus.n_reasoning, 4);
    is_reasoning(&corpus, 0, 0, "Blades cut.", 0);
    is_reasoning(&corpus, 1, 0, "Knives cut.", 0);
    is_reasoning(&corpus, 2, 0, "Cups hold.", 0);
    is_reasoning(&corpus, 3, 1, "same.", 1);
    assert_null(corpus.reasoning[3].specific);
    assert_string_equal(corpus.reasoning[3].source, "GPT-3");
    tt_corpus_close(&corpus);
    // Two records must agree: "Blades cut" alone has two votes; "same" has one, though twice in its record.
    added = (tt_added){0};
    import_for_explanations(&corpus);
    write_text("map.yaml", MAP "least_votes: 2\n");
    OK(tt_add_explanations(&corpus, "map.yaml", "explained.csv", &added));
    assert_int_equal(added.added, 0);
    assert_int_equal(added.left_out[TT_ADDED_REPEATED], 1);
    assert_int_equal(added.few_votes, 4); // Knives cut., Cups hold, the empty one, same
    tt_corpus_close(&corpus);
}

static void explanations_refused(void **state) {
    (void)state;
    static const struct {
        const char *map, *csv, *message;
    } cases[] = {
        {"question: Q\n", CSV, "map.yaml:1: explanations is missing"},
        {"question: Q\nexplanations: []\n", CSV, "expected 1 to 64 columns, got 0"},
        {"question: Q\nexplanations: [e1]\nleast_votes: 2\n", CSV, "map.yaml:3: least_votes"},
        {MAP "least_votes: none\n", CSV, "expected a whole number, got 'none'"},
        {MAP "seperator: x\n", CSV, "separator"},
        {"question: question\nexplanations: [e1]\n", CSV, "explained.csv: no column \"question\""},
        {"question: Q\nexplanations: [e1, e4]\n", CSV, "no column \"e4\"; did you mean \"e1\""},
        {MAP, "Q,e1,e2,e3,ok\nx,a,b,c,4\n", "explained.csv:2: ok: '4' names no explanation"},
        {MAP, "Q,e1,e2,e3,ok\nx,a,b,c,1||2\n", "explained.csv:2: ok: '' names no explanation"},
        {MAP, "Q,e1,e2,e3,ok\nx,a,b,c,\"1,2\"\n", "'1,2' names no explanation"},
        {MAP, "Q,e1,e2,e3,ok\nx,a,b,c\n", "explained.csv:2: has 4 fields"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        tt_corpus corpus;
        tt_added added = {0};
        import_for_explanations(&corpus);
        write_text("map.yaml", cases[i].map);
        write_text("explained.csv", cases[i].csv);
        assert_int_not_equal(tt_add_explanations(&corpus, "map.yaml", "explained.csv", &added), TT_OK);
        if (!strstr(tt_error_message(), cases[i].message))
            fail_msg("expected \"%s\", got \"%s\"", cases[i].message, tt_error_message());
        tt_corpus_close(&corpus);
    }
}

// ---- merging

static void save(const char *path, const char *text) {
    tt_corpus corpus;
    import(&corpus, text);
    OK(tt_corpus_save(&corpus, path));
    tt_corpus_close(&corpus);
}

static void merged(void **state) {
    (void)state;
    static const char *const paths[] = {"a.h5", "b.h5"};
    tt_corpus corpus = {0};
    tt_merge_counts counts;
    save("a.h5", ONE "\"reasoning\": [" CUTS "]}\n" TWO "\"reasoning\": [" HOLDS "]}\n");
    save("b.h5",
        "{\"id\": \"q0\", \"question\": \"Bare?\", \"options\": [\"yes\", \"no\"], \"gold\": 1}\n" TWO
        "\"reasoning\": [" HOLDS "]}\n" ONE
        "\"reasoning\": [{\"general\": \"Edges cut.\", \"answer\": 1}]}\n");
    OK(tt_corpus_merge(&corpus, paths, 2, &counts));
    assert_int_equal(counts.shared, 2);
    assert_int_equal(counts.repeated, 1); // HOLDS
    assert_int_equal(corpus.n_questions, 3);
    assert_string_equal(corpus.questions[2].id, "q0");
    assert_int_equal(corpus.n_reasoning, 4);
    is_reasoning(&corpus, 0, 0, "Blades cut.", 0);
    is_reasoning(&corpus, 1, 0, "Edges cut.", 1);
    is_reasoning(&corpus, 2, 1, "Cups \"hold\".", 2);
    is_reasoning(&corpus, 3, 1, "Cups \"hold\".", 2);
    assert_string_equal(corpus.name, "fixture");
    assert_non_null(strstr(corpus.provenance, "\"file\":\"a.h5\""));
    assert_non_null(strstr(corpus.provenance, "\"file\":\"b.h5\""));
    assert_non_null(strstr(corpus.provenance, "\"source\":{\"by\":\"hand\"}"));
    OK(tt_corpus_save(&corpus, "merged.h5"));
    tt_corpus_close(&corpus);
}

static void conflicts_name_both_files(void **state) {
    (void)state;
    static const struct {
        const char *other, *what;
    } cases[] = {
        {"{\"id\": \"q1\", \"question\": \"What cuts\", \"options\": [\"knife\", \"cup, big\"], \"gold\": "
         "0}\n",
            "text"},
        {"{\"id\": \"q1\", \"question\": \"What cuts?\", \"options\": [\"knife\", \"cup\"], \"gold\": 0}\n",
            "options"},
        {"{\"id\": \"q1\", \"question\": \"What cuts?\", \"options\": [\"knife\", \"cup, big\", \"x\"], "
         "\"gold\": 0}\n",
            "number of options"},
        {"{\"id\": \"q1\", \"question\": \"What cuts?\", \"options\": [\"knife\", \"cup, big\"], \"gold\": "
         "1}\n",
            "gold answer"},
        {"{\"id\": \"q1\", \"question\": \"What cuts?\", \"options\": [\"knife\", \"cup, big\"], \"gold\": "
         "0, "
         "\"split\": \"test\"}\n",
            "split"},
    };
    static const char *const paths[] = {"a.h5", "b.h5", "c.h5"};
    save("a.h5", TWO "\"reasoning\": []}\n");
    save("b.h5", ONE "\"reasoning\": []}\n");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        char message[128];
        tt_corpus corpus = {0};
        tt_merge_counts counts;
        save("c.h5", cases[i].other);
        assert_int_equal(tt_corpus_merge(&corpus, paths, 3, &counts), TT_ERR_INPUT);
        snprintf(message, sizeof message, "question q1: %s: not the same in b.h5 and c.h5", cases[i].what);
        assert_string_equal(tt_error_message(), message);
        tt_corpus_close(&corpus);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exported),
        cmocka_unit_test(added_by_id),
        cmocka_unit_test(malformed_answers),
        cmocka_unit_test(explained),
        cmocka_unit_test(explanations_refused),
        cmocka_unit_test(merged),
        cmocka_unit_test(conflicts_name_both_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
