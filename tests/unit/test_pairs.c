// Logs of runs in, preference pairs out: every rule of section 5 of the method, worked out by hand. Each
// question is one case; its name says which. Where a draw decides, the case leaves it one outcome, or checks
// what all outcomes have in common.
#include "host/base/fs.h"
#include "host/data/hdf5_file.h"
#include "host/data/hdf5_seal.h"
#include "host/data/import/import.h"
#include "host/reason/run_log.h"
#include "host/train/reflection/rules.h"
#include "tiny_t5.h"

#include <unistd.h>

enum { SAMPLES = 4 };

// clang-format off
#define OPTIONS "\"options\": [\"red\", \"blue\", \"green\"]"
#define QUESTION(id, gold) "{\"id\": \"" id "\", \"question\": \"Is it " id "?\", " OPTIONS ", \"gold\": \"" gold "\""
#define TAUGHT(recall, answer)                                                                               \
    "{\"general\": \"" recall "\", \"specific\": [\"" recall " A.\", \"" recall " B.\", \"" recall           \
    " C.\"], \"answer\": \"" answer "\"}"
#define BLOCK(id) "Is it " id "?\n(A) red (B) blue (C) green"

// A run with a sampled recall: the analyses behind it carry its name.
#define RUN(recall, answer)                                                                                  \
    "{\"recall\": \"" recall "\", \"analyze\": [\"" recall " own A.\", \"" recall " own B.\", \"" recall     \
    " own C.\"], \"answer\": " answer "}"
// A run with sampled analyses.
#define TUPLE(name, answer)                                                                                  \
    "{\"recall\": \"any.\", \"analyze\": [\"" name " a.\", \"" name " b.\", \"" name                         \
    " c.\"], \"answer\": " answer "}"
#define FOUR(a, b, c, d) "\"runs\": [" a ", " b ", " c ", " d "]}\n"
#define SYNCED "{\"synced\": true}\n"
// clang-format on

static void read_corpus(tt_corpus *corpus, const char *text) {
    *corpus = (tt_corpus){.name = "cases"};
    OK(tt_write_file("pairs_test.jsonl", text, strlen(text)));
    OK(tt_import_jsonl(corpus, "pairs_test.jsonl"));
}

static void read_log(tt_run_log *log, int items, const char *lines) {
    tt_str text = {0};
    tt_str_format(&text, "{\"made_with\":\"hand\"}\n%s" SYNCED, lines);
    OK(tt_write_file("pairs_test.log", tt_str_text(&text), text.length));
    tt_str_close(&text);
    static const int n_options[] = {3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3};
    assert_true(items <= (int)(sizeof n_options / sizeof *n_options));
    OK(tt_run_log_open(log, "pairs_test.log", "hand",
        &(tt_run_log_items){.n_items = items, .samples = SAMPLES, .n_options = n_options}));
    for (int i = 0; i < items; ++i) assert_true(log->done[i]);
}

static tt_reflection_rules rules_of(const tt_corpus *corpus, uint64_t seed) {
    return (tt_reflection_rules){.corpus = corpus, .samples = SAMPLES, .seed = seed, .iteration = 1};
}

static void make_pairs(const tt_reflection_rules *rules, const tt_reflection_items *items, tt_stage stage,
    const char *lines, tt_preferences *out) {
    tt_run_log log;
    read_log(&log, items->n, lines);
    for (int i = 0; i < items->n; ++i) {
        const tt_chain_run *runs = &log.runs[(size_t)i * SAMPLES];
        if (stage == TT_RECALL)
            OK(tt_reflection_recall_pairs(rules, &items->items[i], runs, out));
        else
            OK(tt_reflection_analyze_pairs(rules, &items->items[i], runs, out));
    }
    tt_run_log_close(&log);
}

// Recalls. Pairs are written as "chosen / rejected".
// clang-format off
static const char recall_corpus[] =
    QUESTION("duplicates", "A") ", \"reasoning\": [" TAUGHT("T1.", "A") "]}\n"
    QUESTION("both-sides", "A") ", \"reasoning\": [" TAUGHT("T1.", "A") "]}\n"
    QUESTION("none-wrong", "A") ", \"reasoning\": [" TAUGHT("T1.", "A") "]}\n"
    QUESTION("more-chosen", "A") ", \"reasoning\": [" TAUGHT("T1.", "A") "]}\n"
    QUESTION("too-few-taught", "A") ", \"reasoning\": [" TAUGHT("T1.", "A") "]}\n"
    QUESTION("none-right", "A") ", \"reasoning\": [" TAUGHT("T1.", "A") "]}\n"
    QUESTION("teacher-differs", "A") ", \"reasoning\": [" TAUGHT("T1.", "B") ", " TAUGHT("Stray.", "A") ", "
        TAUGHT("T1.", "B") "]}\n"
    QUESTION("enough-taught", "A") ", \"reasoning\": [" TAUGHT("T1.", "A") ", " TAUGHT("T2.", "A") "]}\n"
    // No runs are made for these: no reasoning, the same question again, not of the training split.
    QUESTION("no-reasoning", "A") "}\n"
    "{\"id\": \"again\", \"question\": \"Is it duplicates?\", " OPTIONS ", \"gold\": \"A\", \"reasoning\": ["
        TAUGHT("T9.", "A") "]}\n"
    QUESTION("held-out", "A") ", \"split\": \"validation\", \"reasoning\": [" TAUGHT("T1.", "A") "]}\n";

static const char recall_runs[] =
    // of two equal texts on a side the first counts
    "{\"item\": 0, " FOUR(RUN("Good.", "0"), RUN("Good.", "0"), RUN("Bad.", "1"), RUN("Bad.", "2"))
    // a text on both sides counts on neither
    "{\"item\": 1, " FOUR(RUN("Same.", "0"), RUN("Same.", "1"), RUN("Good.", "0"), RUN("Bad.", "1"))
    "{\"item\": 2, " FOUR(RUN("G1.", "0"), RUN("G2.", "0"), RUN("G3.", "0"), RUN("G4.", "0"))
    // rejected ones are drawn with replacement to match
    "{\"item\": 3, " FOUR(RUN("G1.", "0"), RUN("Bad.", "2"), RUN("G2.", "0"), RUN("G3.", "0"))
    // an unreadable answer is wrong; one recall of the teacher's for two places
    "{\"item\": 4, " FOUR(RUN("Good.", "0"), RUN("B1.", "1"), RUN("B2.", "-1"), RUN("B3.", "2"))
    "{\"item\": 5, " FOUR(RUN("B1.", "1"), RUN("B2.", "1"), RUN("B2.", "1"), RUN("B3.", "-1"))
    // what the teacher calls right is right, and a recall that led it elsewhere is never chosen
    "{\"item\": 6, " FOUR(RUN("Gold.", "0"), RUN("Good.", "1"), RUN("B1.", "2"), RUN("B2.", "2"))
    "{\"item\": 7, " FOUR(RUN("Good.", "0"), RUN("B1.", "1"), RUN("B2.", "1"), RUN("B3.", "1"));

// clang-format on

static const struct {
    const char *id, *source, *chosen, *rejected;
    int rejected_run;
    const char *came_with; // the first analysis
} recall_pairs[] = {
    {"duplicates", "run", "Good.", "Bad.", 2, "Good. own A."},
    {"both-sides", "run", "Good.", "Bad.", 3, "Good. own A."},
    {"more-chosen", "run", "G1.", "Bad.", 1, "G1. own A."},
    {"more-chosen", "run", "G2.", "Bad.", 1, "G2. own A."},
    {"more-chosen", "run", "G3.", "Bad.", 1, "G3. own A."},
    {"too-few-taught", "run", "Good.", "B1.", 1, "Good. own A."},
    {"too-few-taught", "teacher", "T1.", "B2.", 2, "T1. A."},
    {"too-few-taught", "teacher", "T1.", "B3.", 3, "T1. A."},
    {"none-right", "teacher", "T1.", "B1.", 0, "T1. A."},
    {"none-right", "teacher", "T1.", "B2.", 1, "T1. A."},
    {"none-right", "teacher", "T1.", "B3.", 3, "T1. A."},
    {"teacher-differs", "run", "Good.", "Gold.", 0, "Good. own A."},
    {"teacher-differs", "teacher", "T1.", "B1.", 2, "T1. A."},
    {"teacher-differs", "teacher", "T1.", "B2.", 3, "T1. A."},
};
enum { RECALL_PAIRS = sizeof recall_pairs / sizeof *recall_pairs };

static void check_recall_pair(const tt_corpus *c, const tt_preference_texts *t, int i) {
    char prompt[128];
    assert_string_equal(c->questions[t->question].id, recall_pairs[i].id);
    if (strcmp(tt_pair_source_name(t->source), recall_pairs[i].source) != 0 ||
        strcmp(t->chosen, recall_pairs[i].chosen) != 0 ||
        strcmp(t->rejected, recall_pairs[i].rejected) != 0 || t->rejected_run != recall_pairs[i].rejected_run)
        fail_msg("%s: %s %s / %s (run %d); expected %s %s / %s (run %d)", recall_pairs[i].id,
            tt_pair_source_name(t->source), t->chosen, t->rejected, t->rejected_run, recall_pairs[i].source,
            recall_pairs[i].chosen, recall_pairs[i].rejected, recall_pairs[i].rejected_run);
    snprintf(prompt, sizeof prompt, BLOCK("%s") "\nRecall:", recall_pairs[i].id);
    assert_string_equal(t->prompt, prompt);
    assert_int_equal(t->n_came_with, 3);
    assert_string_equal(t->came_with[0], recall_pairs[i].came_with);
}

static void recalls(void **state) {
    (void)state;
    tt_corpus corpus;
    read_corpus(&corpus, recall_corpus);
    for (uint64_t seed = 0; seed < 20; ++seed) {
        tt_reflection_items items = {0};
        tt_preferences pairs = {0}, again;
        const tt_reflection_rules rules = rules_of(&corpus, seed);
        OK(tt_reflection_questions(&items, &corpus, 0, seed, 1));
        assert_int_equal(items.n, 8);
        make_pairs(&rules, &items, TT_RECALL, recall_runs, &pairs);
        assert_int_equal(pairs.n, RECALL_PAIRS + 3);
        for (int i = 0; i < RECALL_PAIRS; ++i) check_recall_pair(&corpus, &pairs.items[i], i);
        assert_int_equal(pairs.without_pairs, 1); // none-wrong
        // With two recalls of the teacher's for two places each is taken once.
        const tt_preference_texts *last = &pairs.items[RECALL_PAIRS];
        assert_string_equal(last[0].chosen, "Good.");
        assert_string_equal(last[0].rejected, "B1.");
        const bool in_order = strcmp(last[1].chosen, "T1.") == 0;
        assert_string_equal(last[1].chosen, in_order ? "T1." : "T2.");
        assert_string_equal(last[2].chosen, in_order ? "T2." : "T1.");
        assert_string_equal(last[2].came_with[2], in_order ? "T2. C." : "T1. C.");
        // What a pair remembers is in its file.
        OK(tt_preferences_save(&pairs, "pairs_test.h5"));
        OK(tt_preferences_load(&again, "pairs_test.h5"));
        assert_int_equal(again.n, pairs.n);
        for (int i = 0; i < RECALL_PAIRS; ++i) check_recall_pair(&corpus, &again.items[i], i);
        tt_preferences_close(&again);
        tt_preferences_close(&pairs);
        tt_reflection_items_close(&items);
    }
    tt_corpus_close(&corpus);
}

// Analyses. The first log leaves each question one chosen recall (but for the last); behind it come the runs
// of the second log.
// clang-format off
static const char analyze_corpus[] =
    QUESTION("two-pairs", "A") ", \"reasoning\": [" TAUGHT("T1.", "A") "]}\n"
    QUESTION("drawn-again", "A") ", \"reasoning\": [" TAUGHT("T1.", "A") "]}\n"
    QUESTION("own-analyses", "A") ", \"reasoning\": [" TAUGHT("T1.", "A") ", " TAUGHT("T2.", "A") "]}\n"
    QUESTION("taught-analyses", "A") ", \"reasoning\": [" TAUGHT("T1.", "A") "]}\n"
    QUESTION("more-chosen", "A") ", \"reasoning\": [" TAUGHT("T1.", "A") "]}\n"
    QUESTION("none-wrong", "A") ", \"reasoning\": [" TAUGHT("T1.", "A") "]}\n"
    QUESTION("both-sides", "A") ", \"reasoning\": [" TAUGHT("T1.", "A") "]}\n"
    QUESTION("teacher-differs", "A") ", \"reasoning\": [" TAUGHT("T1.", "C") "]}\n"
    QUESTION("two-recalls", "A") ", \"reasoning\": [" TAUGHT("T1.", "A") "]}\n"
    QUESTION("one-recall-twice", "A") ", \"reasoning\": [" TAUGHT("T1.", "A") "]}\n";

#define ONE_GOOD FOUR(RUN("Good.", "0"), RUN("Good.", "0"), RUN("Bad.", "1"), RUN("Bad.", "1"))
static const char before_analyze[] = "{\"item\": 0, " ONE_GOOD "{\"item\": 1, " ONE_GOOD "{\"item\": 2, " ONE_GOOD
    "{\"item\": 3, " FOUR(RUN("B1.", "1"), RUN("B2.", "1"), RUN("B3.", "1"), RUN("B4.", "1"))
    "{\"item\": 4, " ONE_GOOD "{\"item\": 5, " ONE_GOOD "{\"item\": 6, " ONE_GOOD
    "{\"item\": 7, " FOUR(RUN("Good.", "2"), RUN("Good.", "2"), RUN("Bad.", "0"), RUN("Bad.", "0"))
    "{\"item\": 8, " FOUR(RUN("G1.", "0"), RUN("G2.", "0"), RUN("B1.", "1"), RUN("B2.", "1"))
    "{\"item\": 9, " FOUR(RUN("T1.", "0"), RUN("B1.", "1"), RUN("B2.", "1"), RUN("B2.", "1"));

static const char analyze_runs[] =
    // the same tuple twice counts once, an unreadable answer not at all
    "{\"item\": 0, " FOUR(TUPLE("X", "0"), TUPLE("U", "-1"), TUPLE("X", "0"), TUPLE("Y", "1"))
    // fewer chosen, but some: they are drawn again, and nothing comes from elsewhere
    "{\"item\": 1, " FOUR(TUPLE("X", "0"), TUPLE("Y", "1"), TUPLE("Z", "2"), TUPLE("W", "1"))
    // none chosen: what the run of this recall wrote, not what the teacher wrote for others
    "{\"item\": 2, " FOUR(TUPLE("Y", "1"), TUPLE("Z", "2"), TUPLE("U", "-1"), TUPLE("Y", "1"))
    // none chosen behind a recall of the teacher's: the analyses of that reasoning
    "{\"item\": 3, " FOUR(TUPLE("Y", "2"), TUPLE("U", "-1"), TUPLE("U", "-1"), TUPLE("U", "-1"))
    "{\"item\": 4, " FOUR(TUPLE("X", "0"), TUPLE("Y", "1"), TUPLE("V", "0"), TUPLE("Y", "1"))
    // unreadable ones alone are no wrong run
    "{\"item\": 5, " FOUR(TUPLE("X", "0"), TUPLE("U", "-1"), TUPLE("V", "0"), TUPLE("U", "-1"))
    "{\"item\": 6, " FOUR(TUPLE("S", "0"), TUPLE("S", "1"), TUPLE("X", "0"), TUPLE("Y", "2"))
    "{\"item\": 7, " FOUR(TUPLE("X", "2"), TUPLE("Y", "0"), TUPLE("X", "2"), TUPLE("Y", "0"))
    // each distinct recall has runs and analyses of its own
    "{\"item\": 8, " FOUR(TUPLE("Y", "1"), TUPLE("Y", "1"), TUPLE("Y", "1"), TUPLE("Y", "1"))
    "{\"item\": 9, " FOUR(TUPLE("Z", "2"), TUPLE("Z", "2"), TUPLE("Z", "2"), TUPLE("Z", "2"))
    "{\"item\": 10, " FOUR(TUPLE("Y", "1"), TUPLE("Y", "1"), TUPLE("Y", "1"), TUPLE("Y", "1"));

// clang-format on

static const struct {
    const char *id, *recall, *source;
    int option;
    const char *chosen, *rejected;
} analyze_pairs[] = {
    // the right option's analysis, then that of the option the rejected run fell for
    {"two-pairs", "Good.", "run", 0, "X a.", "Y a."},
    {"two-pairs", "Good.", "run", 1, "X b.", "Y b."},
    {"drawn-again", "Good.", "run", 0, "X a.", "Y a."},
    {"drawn-again", "Good.", "run", 1, "X b.", "Y b."},
    {"drawn-again", "Good.", "run", 0, "X a.", "Z a."},
    {"drawn-again", "Good.", "run", 2, "X c.", "Z c."},
    {"drawn-again", "Good.", "run", 0, "X a.", "W a."},
    {"drawn-again", "Good.", "run", 1, "X b.", "W b."},
    {"own-analyses", "Good.", "came_with", 0, "Good. own A.", "Y a."},
    {"own-analyses", "Good.", "came_with", 1, "Good. own B.", "Y b."},
    {"own-analyses", "Good.", "came_with", 0, "Good. own A.", "Z a."},
    {"own-analyses", "Good.", "came_with", 2, "Good. own C.", "Z c."},
    {"taught-analyses", "T1.", "came_with", 0, "T1. A.", "Y a."},
    {"taught-analyses", "T1.", "came_with", 2, "T1. C.", "Y c."},
    {"more-chosen", "Good.", "run", 0, "X a.", "Y a."},
    {"more-chosen", "Good.", "run", 1, "X b.", "Y b."},
    {"more-chosen", "Good.", "run", 0, "V a.", "Y a."},
    {"more-chosen", "Good.", "run", 1, "V b.", "Y b."},
    {"both-sides", "Good.", "run", 0, "X a.", "Y a."},
    {"both-sides", "Good.", "run", 2, "X c.", "Y c."},
    {"teacher-differs", "Good.", "run", 2, "X c.", "Y c."},
    {"teacher-differs", "Good.", "run", 0, "X a.", "Y a."},
    {"two-recalls", "G1.", "came_with", 0, "G1. own A.", "Y a."},
    {"two-recalls", "G1.", "came_with", 1, "G1. own B.", "Y b."},
    {"two-recalls", "G2.", "came_with", 0, "G2. own A.", "Z a."},
    {"two-recalls", "G2.", "came_with", 2, "G2. own C.", "Z c."},
};
enum { ANALYZE_PAIRS = sizeof analyze_pairs / sizeof *analyze_pairs };

static void check_analyze_pair(const tt_corpus *c, const tt_preference_texts *t, int i) {
    char prompt[160];
    assert_string_equal(c->questions[t->question].id, analyze_pairs[i].id);
    if (strcmp(tt_pair_source_name(t->source), analyze_pairs[i].source) != 0 ||
        t->option != analyze_pairs[i].option || strcmp(t->chosen, analyze_pairs[i].chosen) != 0 ||
        strcmp(t->rejected, analyze_pairs[i].rejected) != 0)
        fail_msg("%s: option %c, %s %s / %s; expected option %c, %s %s / %s", analyze_pairs[i].id,
            'A' + t->option, tt_pair_source_name(t->source), t->chosen, t->rejected,
            'A' + analyze_pairs[i].option, analyze_pairs[i].source, analyze_pairs[i].chosen,
            analyze_pairs[i].rejected);
    snprintf(prompt, sizeof prompt, BLOCK("%s") "\nRecall: %s\nAnalyze: For option %c,", analyze_pairs[i].id,
        analyze_pairs[i].recall, 'A' + analyze_pairs[i].option);
    assert_string_equal(t->prompt, prompt);
    assert_int_equal(t->n_came_with, 0);
}

static void analyses(void **state) {
    (void)state;
    tt_corpus corpus;
    int taught = 0, own = 0;
    read_corpus(&corpus, analyze_corpus);
    for (uint64_t seed = 0; seed < 20; ++seed) {
        tt_reflection_items questions = {0}, recalls_of = {0};
        tt_preferences before = {0}, pairs = {0};
        const tt_reflection_rules rules = rules_of(&corpus, seed);
        OK(tt_reflection_questions(&questions, &corpus, 0, seed, 1));
        make_pairs(&rules, &questions, TT_RECALL, before_analyze, &before);
        OK(tt_reflection_recalls(&recalls_of, &corpus, &before));
        assert_int_equal(recalls_of.n, 11); // distinct: four pairs of taught-analyses have one recall
        make_pairs(&rules, &recalls_of, TT_ANALYZE, analyze_runs, &pairs);
        assert_int_equal(pairs.n, ANALYZE_PAIRS + 2);
        for (int i = 0; i < ANALYZE_PAIRS; ++i) check_analyze_pair(&corpus, &pairs.items[i], i);
        // A run and the teacher wrote the same recall: what came with either may be drawn.
        const tt_preference_texts *last = &pairs.items[ANALYZE_PAIRS];
        assert_int_equal(recalls_of.items[10].n_came_with, 2);
        const bool from_teacher = strcmp(last[0].chosen, "T1. A.") == 0;
        taught += from_teacher;
        own += !from_teacher;
        assert_string_equal(last[0].chosen, from_teacher ? "T1. A." : "T1. own A.");
        assert_string_equal(last[1].chosen, from_teacher ? "T1. B." : "T1. own B.");
        tt_preferences_close(&before);
        tt_preferences_close(&pairs);
        tt_reflection_items_close(&questions);
        tt_reflection_items_close(&recalls_of);
    }
    assert_true(taught > 2 && own > 2);
    tt_corpus_close(&corpus);
}

// Without a recall stage analyses stand behind the question: the teacher's follow from that prompt.
static void analyses_without_recalls(void **state) {
    (void)state;
    tt_corpus corpus;
    tt_reflection_items questions = {0};
    tt_preferences pairs = {0};
    read_corpus(&corpus, QUESTION("bare", "A") ", \"specific\": [\"Ta.\", \"Tb.\", \"Tc.\"]}\n");
    const tt_reflection_rules rules = rules_of(&corpus, 3);
    OK(tt_reflection_questions(&questions, &corpus, 0, 3, 1));
    make_pairs(&rules, &questions, TT_ANALYZE,
        "{\"item\": 0, " FOUR(TUPLE("Y", "1"), TUPLE("Y", "1"), TUPLE("Y", "1"), TUPLE("Y", "1")), &pairs);
    assert_int_equal(pairs.n, 2);
    assert_string_equal(pairs.items[0].prompt, BLOCK("bare") "\nAnalyze: For option A,");
    assert_string_equal(pairs.items[0].chosen, "Ta.");
    assert_string_equal(pairs.items[1].prompt, BLOCK("bare") "\nAnalyze: For option B,");
    assert_string_equal(pairs.items[1].chosen, "Tb.");
    tt_preferences_close(&pairs);
    tt_reflection_items_close(&questions);
    tt_corpus_close(&corpus);
}

// Draws are keyed by the item: a question's pairs are the same whatever questions stand beside it.
#define ONE_WRONG FOUR(RUN("B1.", "1"), RUN("B1.", "1"), RUN("B1.", "1"), RUN("B1.", "1"))
static void company_changes_no_draw(void **state) {
    (void)state;
    static const char first[] = QUESTION("first", "A") ", \"reasoning\": [" TAUGHT("T1.", "A") "]}\n";
    static const char drawn[] = QUESTION("drawn", "A") ", \"reasoning\": [" TAUGHT("T1.", "A") ", " TAUGHT(
        "T2.", "A") ", " TAUGHT("T3.", "A") ", " TAUGHT("T4.", "A") ", " TAUGHT("T5.", "A") "]}\n";
// clang-format off
#define ALL_WRONG FOUR(RUN("B1.", "1"), RUN("B2.", "1"), RUN("B3.", "1"), RUN("B4.", "1"))
    static const char *const corpora[2][2] = {{"", drawn}, {first, drawn}};
    static const char *const logs[2] = {
        "{\"item\": 0, " ALL_WRONG, "{\"item\": 0, " ALL_WRONG "{\"item\": 1, " ALL_WRONG};
    // clang-format on
    char chosen[2][64] = {"", ""};
    for (int k = 0; k < 2; ++k) {
        tt_corpus corpus;
        tt_reflection_items items = {0};
        tt_preferences pairs = {0};
        char text[4096];
        snprintf(text, sizeof text, "%s%s", corpora[k][0], corpora[k][1]);
        read_corpus(&corpus, text);
        const tt_reflection_rules rules = rules_of(&corpus, 7);
        OK(tt_reflection_questions(&items, &corpus, 0, 7, 1));
        make_pairs(&rules, &items, TT_RECALL, logs[k], &pairs);
        for (size_t i = 0; i < pairs.n; ++i)
            if (strcmp(corpus.questions[pairs.items[i].question].id, "drawn") == 0)
                strcat(chosen[k], pairs.items[i].chosen);
        tt_preferences_close(&pairs);
        tt_reflection_items_close(&items);
        tt_corpus_close(&corpus);
    }
    assert_int_equal(strlen(chosen[0]), 4 * 3);
    assert_string_equal(chosen[0], chosen[1]);
}

// Two questions in the same situation draw apart.
static void items_draw_apart(void **state) {
    (void)state;
    static const char text[] = QUESTION("one", "A") ", \"reasoning\": [" TAUGHT("T1.", "A") ", " TAUGHT(
        "T2.", "A") ", " TAUGHT("T3.", "A") "]}\n" QUESTION("two", "A") ", \"reasoning\": [" TAUGHT("T1.",
        "A") ", " TAUGHT("T2.", "A") ", " TAUGHT("T3.", "A") "]}\n";
    static const char log[] = "{\"item\": 0, " ONE_WRONG "{\"item\": 1, " ONE_WRONG;
    tt_corpus corpus;
    int apart = 0;
    read_corpus(&corpus, text);
    for (uint64_t seed = 0; seed < 30; ++seed) {
        tt_reflection_items items = {0};
        tt_preferences pairs = {0};
        const tt_reflection_rules rules = rules_of(&corpus, seed);
        OK(tt_reflection_questions(&items, &corpus, 0, seed, 1));
        make_pairs(&rules, &items, TT_RECALL, log, &pairs);
        assert_int_equal(pairs.n, 2);
        apart += strcmp(pairs.items[0].chosen, pairs.items[1].chosen) != 0;
        tt_preferences_close(&pairs);
        tt_reflection_items_close(&items);
    }
    assert_true(apart > 10 && apart < 30); // two times in three
    tt_corpus_close(&corpus);
}

// All sources come back from a file; a word that is none of them is named.
static void sources_are_words_of_a_table(void **state) {
    (void)state;
    static const char path[] = "pairs_sources.h5";
    tt_preferences pairs = {0}, again;
    for (int source = 0; source < TT_PAIR_SOURCES; ++source)
        OK(tt_preferences_add(&pairs, &(tt_preference_texts){.source = (tt_pair_source)source,
                                          .prompt = "Which?",
                                          .chosen = "This.",
                                          .rejected = "That."}));
    OK(tt_preferences_save(&pairs, path));
    OK(tt_preferences_load(&again, path));
    for (int source = 0; source < TT_PAIR_SOURCES; ++source)
        assert_int_equal(again.items[source].source, source);
    tt_preferences_close(&again);
    char words[64] = "";
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT),
          set = H5Dopen2(file, "/pairs/source/bytes", H5P_DEFAULT);
    assert_true(H5Dread(set, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, words) >= 0);
    assert_string_equal(words, "runteachercame_withfallback");
    memcpy(words + 3, "preache", 7);
    assert_true(H5Dwrite(set, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, words) >= 0);
    H5Dclose(set);
    H5Fclose(file);
    OK(tt_seal_write(path));
    assert_int_equal(tt_preferences_load(&again, path), TT_ERR_FORMAT);
    assert_non_null(strstr(tt_error_message(), "unknown source 'preache'"));
    tt_preferences_close(&pairs);
}

// A log that something changed: runs that do not fit their question are refused, with file and line.
static void logs_fit_their_questions(void **state) {
    (void)state;
    static const struct {
        const char *run, *message;
    } cases[] = {
        {"{\"analyze\": [\"a\", \"b\"], \"answer\": 0}",
            "pairs_test.log:2: analyze: expected an analysis of each of 3"},
        {"{\"analyze\": [\"a\", \"b\", \"c\", \"d\"], \"answer\": 0}", "of 3 options, got 4"},
        {"{\"analyze\": [], \"answer\": 3}", "pairs_test.log:2: answer: expected -1 to 2, got 3"},
        {"{\"analyze\": [], \"answer\": 4294967296}", "expected -1 to 2, got 4294967296"},
        {"{\"analyze\": [], \"answer\": -2}", "expected -1 to 2, got -2"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        tt_str text = {0};
        tt_run_log log;
        tt_str_format(
            &text, "{\"made_with\":\"hand\"}\n{\"item\": 0, \"runs\": [%s]}\n" SYNCED, cases[i].run);
        OK(tt_write_file("pairs_test.log", tt_str_text(&text), text.length));
        tt_str_close(&text);
        const tt_run_log_items items = {.n_items = 1, .samples = 1, .n_options = (const int[]){3}};
        assert_int_equal(tt_run_log_open(&log, "pairs_test.log", "hand", &items), TT_ERR_FORMAT);
        if (!strstr(tt_error_message(), cases[i].message))
            fail_msg("%s: %s", cases[i].run, tt_error_message());
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logs_fit_their_questions),
        cmocka_unit_test(recalls),
        cmocka_unit_test(analyses),
        cmocka_unit_test(analyses_without_recalls),
        cmocka_unit_test(company_changes_no_draw),
        cmocka_unit_test(items_draw_apart),
        cmocka_unit_test(sources_are_words_of_a_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
