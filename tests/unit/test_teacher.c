// What a teacher's texts become: every rule of reading and selecting, with expected values from the method's page.
#include "host/base/str.h"
#include "host/teacher/answer.h"
#include "host/teacher/selection.h"
#include "host/text/stages.h"

#include "tests/expect.h"

#include <stdlib.h>
#include <string.h>

#define GENERAL "Key Information: Heat moves from warm to cold things."

static tt_arena memory;

static int close_memory(void **state) {
    (void)state;
    tt_arena_close(&memory);
    return 0;
}

static tt_teacher_choice read_choice(const char *text, int n_options) {
    tt_teacher_choice choice;
    const tt_teacher_text source = {.text = text};
    OK(tt_teacher_read(&choice, &source, n_options, &memory));
    return choice;
}

static void a_well_formed_answer_is_read(void **state) {
    (void)state;
    const tt_teacher_choice c =
        read_choice("\n Key Information:  Heat moves from warm\nto cold things \n"
                    "Explanations: A is incorrect. Because ice is cold\n"
                    "\n"
                    "  B is correct. Because, a stove is warm.  \r\n"
                    "C is incorrect. Although it is a pan, it is called \"Cold\"\n"
                    "D is incorrect. While paper burns, Because it is dry, it is not warm",
            4);
    assert_int_equal(c.verdict, TT_CHOICE_KEPT);
    assert_int_equal(c.answer, 1);
    assert_string_equal(c.general, "Heat moves from warm\nto cold things.");
    assert_string_equal(c.specific[0], "ice is cold.");
    assert_string_equal(c.specific[1], "a stove is warm.");
    assert_string_equal(c.specific[2], "it is a pan, it is called \"Cold\""); // ends in a quotation mark
    assert_string_equal(
        c.specific[3], "paper burns, Because it is dry, it is not warm."); // split at the first word
}

static void each_fault_of_the_text_has_its_verdict(void **state) {
    (void)state;
    static const struct {
        const char *text;
        tt_verdict verdict;
    } cases[] = {
        {NULL, TT_CHOICE_EMPTY},
        {" \n\t ", TT_CHOICE_EMPTY},
        {"I can't help with that.", TT_CHOICE_NO_GENERAL},
        {"Heat moves.\nExplanations: A is correct. Because x", TT_CHOICE_NO_GENERAL},
        {"Sure! " GENERAL "\nExplanations: A is correct. Because x", TT_CHOICE_NO_GENERAL},
        {"Key Information: \nExplanations: A is correct. Because x", TT_CHOICE_NO_GENERAL},
        {"Key information: heat\nExplanations: A is correct. Because x", TT_CHOICE_NO_GENERAL},
        {GENERAL "\nA is correct. Because x", TT_CHOICE_NO_EXPLANATIONS},
        {GENERAL "\nExplanations: A is correct Because x", TT_CHOICE_BAD_VERDICT}, // no full stop
        {GENERAL "\nExplanations: A is right. Because x", TT_CHOICE_BAD_VERDICT},
        {GENERAL "\nExplanations: (A) is correct. Because x", TT_CHOICE_BAD_VERDICT},
        {GENERAL "\nExplanations: AB is correct. Because x", TT_CHOICE_BAD_VERDICT},
        {GENERAL "\nExplanations: a is correct. Because x", TT_CHOICE_BAD_VERDICT},
        {GENERAL "\nExplanations: A is correct. because x",
            TT_CHOICE_BAD_VERDICT}, // no word that begins a reason
        {GENERAL "\nExplanations: A is correct.", TT_CHOICE_BAD_VERDICT},
        {GENERAL "\nExplanations: A is correct. Because ", TT_CHOICE_BAD_VERDICT},
        {GENERAL "\nExplanations: A is correct. Because x\nThat is all.", TT_CHOICE_BAD_VERDICT},
        {GENERAL "\nExplanations: A is correct. Because x\nC is incorrect. Because y", TT_CHOICE_BAD_OPTION},
        {GENERAL "\nExplanations: A is correct. Because x\nA is correct. Because y", TT_CHOICE_BAD_OPTION},
        {GENERAL "\nExplanations: A is correct. Because x\nB is correct. Because y", TT_CHOICE_TWO_ANSWERS},
        {GENERAL "\nExplanations: A is incorrect. Because x\nB is incorrect. Because y", TT_CHOICE_NO_ANSWER},
        {GENERAL "\nExplanations:", TT_CHOICE_NO_ANSWER},
        {GENERAL "\nExplanations: A is correct. Because \xff\xfe", TT_CHOICE_ENCODING},
        {"<think>A thought without an end. " GENERAL "\nExplanations: A is correct. Because x",
            TT_CHOICE_EMPTY},
        {GENERAL "\nExplanations: A is correct. Because x", TT_CHOICE_KEPT}, // incomplete, but an answer
        {"<think>" GENERAL "\nExplanations: B is correct. Because z</think>\n\n" GENERAL
         "\nExplanations: A is correct. Because x",
            TT_CHOICE_KEPT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        const tt_teacher_choice c = read_choice(cases[i].text, 2);
        if (c.verdict != cases[i].verdict)
            fail_msg("'%s': %s instead of %s", cases[i].text ? cases[i].text : "(none)",
                tt_verdict_word(c.verdict), tt_verdict_word(cases[i].verdict));
        if (c.verdict == TT_CHOICE_KEPT)
            assert_int_equal(c.answer, 0);
        else
            assert_null(c.general);
    }
}

static void the_endpoint_s_word_counts_before_the_text(void **state) {
    (void)state;
    tt_teacher_choice c;
    const char *good = GENERAL "\nExplanations: A is correct. Because x\nB is incorrect. Because y";
    OK(tt_teacher_read(&c, &(tt_teacher_text){.text = good, .cut = true}, 2, &memory));
    assert_int_equal(c.verdict, TT_CHOICE_CUT);
    OK(tt_teacher_read(&c, &(tt_teacher_text){.text = good, .refused = true}, 2, &memory));
    assert_int_equal(c.verdict, TT_CHOICE_REFUSED);
    OK(tt_teacher_read(&c, &(tt_teacher_text){.text = good, .broken = true}, 2, &memory));
    assert_int_equal(c.verdict, TT_CHOICE_ENCODING);
}

static void objects_are_read_by_the_same_rules(void **state) {
    (void)state;
    static const struct {
        const char *text;
        tt_verdict verdict;
    } cases[] = {
        {"{\"key_information\": \" Heat moves \", \"explanations\": ["
         "{\"option\": \"B\", \"correct\": true, \"because\": \"a stove is warm\"},"
         "{\"option\": \"A\", \"correct\": false, \"because\": \"ice is cold.\"}]}",
            TT_CHOICE_KEPT},
        {"{\"key_information\": \"Heat\"}", TT_CHOICE_BAD_JSON},
        {"{\"key_information\": \"Heat\", \"explanations\": [{\"option\": \"A\", \"correct\": \"yes\", "
         "\"because\": \"x\"}]}",
            TT_CHOICE_BAD_JSON},
        {"{\"key_information\": \"\", \"explanations\": []}", TT_CHOICE_NO_GENERAL},
        {"{\"key_information\": \"Heat\", \"explanations\": []}", TT_CHOICE_NO_ANSWER},
        {"{\"key_information\": \"Heat\", \"explanations\": [{\"option\": \"C\", \"correct\": true, "
         "\"because\": \"x\"}]}",
            TT_CHOICE_BAD_OPTION},
        {"{\"key_information\": \"Heat\", \"explanations\": [{\"option\": \"A\", \"correct\": true, "
         "\"because\": \"x\"},"
         "{\"option\": \"B\", \"correct\": true, \"because\": \"x\"}]}",
            TT_CHOICE_TWO_ANSWERS},
        {"```json\n{\"key_information\": \"Heat moves\", \"explanations\": ["
         "{\"option\": \"B\", \"correct\": true, \"because\": \"a stove is warm\"},"
         "{\"option\": \"A\", \"correct\": false, \"because\": \"ice is cold\"}]}\n```",
            TT_CHOICE_KEPT},
        // An endpoint without a schema answers in the paper's format.
        {"Key Information: Heat moves\nExplanations: A is incorrect. Because ice is cold\n"
         "B is correct. Because a stove is warm",
            TT_CHOICE_KEPT},
        {GENERAL "\nB is right", TT_CHOICE_NO_EXPLANATIONS},
        {"```json\n```", TT_CHOICE_BAD_JSON},
        {"```", TT_CHOICE_BAD_JSON},
        {"[1, 2", TT_CHOICE_BAD_JSON},
        {"7", TT_CHOICE_BAD_JSON},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        tt_teacher_choice c;
        OK(tt_teacher_read(&c, &(tt_teacher_text){.text = cases[i].text, .json = true}, 2, &memory));
        if (c.verdict != cases[i].verdict) fail_msg("%s: %s", cases[i].text, tt_verdict_word(c.verdict));
        if (c.verdict != TT_CHOICE_KEPT) continue;
        assert_int_equal(c.answer, 1);
        assert_string_equal(c.general, "Heat moves.");
        assert_string_equal(c.specific[0], "ice is cold.");
        assert_string_equal(c.specific[1], "a stove is warm.");
    }
}

// A choice that was accepted: answers `answer`, explains both options unless it is incomplete.
static tt_teacher_choice accepted(const char *general, int answer, bool complete) {
    const char **specific = tt_arena_alloc(&memory, 2 * sizeof *specific);
    specific[0] = "x.";
    specific[1] = complete ? "y." : NULL;
    return (tt_teacher_choice){.general = general, .specific = specific, .answer = answer};
}

static void the_majority_decides_and_gold_breaks_ties(void **state) {
    (void)state;
    tt_selection_rules rules = {.n_options = 2, .gold = 0, .n_augment = 8};
    tt_teacher_choice c[4] = {accepted("a", 1, true), accepted("b", 0, true), accepted("c", 1, true),
        {.verdict = TT_CHOICE_CUT, .answer = -1}};
    assert_int_equal(tt_teacher_majority(c, 4, &rules), 1);
    assert_int_equal(tt_teacher_majority(c, 2, &rules), 0); // one each: gold
    rules.gold = 1;
    assert_int_equal(tt_teacher_majority(c, 2, &rules), 1);
    rules.n_options = 3;
    rules.gold = 2; // does not take part: the answer that was given first
    assert_int_equal(tt_teacher_majority(c, 2, &rules), 1);
    assert_int_equal(tt_teacher_majority(c + 3, 1, &rules), TT_NO_ANSWER);
}

static void diverse_choices_come_first_and_others_are_drawn(void **state) {
    (void)state;
    // 0 and 3 are ten edits apart, hence not diverse; 2 and 5 are far from all. 1 disagrees, 4 is incomplete.
    tt_teacher_choice c[7] = {accepted("aaaaaaaaaaaaaaaaaaaa", 0, true),
        accepted("mmmmmmmmmmmmmmmmmmmm", 1, true), accepted("cccccccccccccccccccc", 0, true),
        accepted("aaaaaaaaaabbbbbbbbbb", 0, true), accepted("eeeeeeeeeeeeeeeeeeee", 0, false),
        accepted("ffffffffffffffffffff", 0, true), {.verdict = TT_CHOICE_NO_ANSWER, .answer = -1}};
    tt_selection_rules rules = {.n_options = 2, .gold = 1, .n_augment = 3, .seed = 1, .question = 7};
    int kept[8], n;
    OK(tt_teacher_select(c, 7, &rules, kept, &n));
    assert_int_equal(n, 3);
    assert_int_equal(kept[0], 2);
    assert_int_equal(kept[1], 5);
    assert_true(kept[2] == 0 || kept[2] == 3);
    assert_int_equal(c[kept[2] == 0 ? 3 : 0].verdict, TT_CHOICE_SURPLUS);
    assert_int_equal(c[1].verdict, TT_CHOICE_DISAGREES);
    assert_int_equal(c[4].verdict, TT_CHOICE_INCOMPLETE);
    assert_int_equal(c[6].verdict, TT_CHOICE_NO_ANSWER);
    // Both are drawn by some seed, and a seed draws the same again.
    bool drawn[4] = {false};
    for (uint64_t seed = 1; seed <= 20; ++seed) {
        rules.seed = seed;
        int first;
        OK(tt_teacher_select(c, 7, &rules, kept, &n));
        first = kept[2];
        OK(tt_teacher_select(c, 7, &rules, kept, &n));
        assert_int_equal(kept[2], first);
        drawn[first] = true;
    }
    assert_true(drawn[0] && drawn[3]);
    // Eleven edits apart, both are diverse, and enough is enough: in their order.
    c[3].general = "aaaaaaaaabbbbbbbbbbb";
    OK(tt_teacher_select(c, 7, &rules, kept, &n));
    assert_int_equal(kept[0], 0);
    assert_int_equal(kept[1], 2);
    assert_int_equal(kept[2], 3);
    assert_int_equal(c[5].verdict, TT_CHOICE_SURPLUS);
    // Further choices can turn the majority.
    tt_teacher_choice more[11];
    memcpy(more, c, sizeof c);
    for (int i = 7; i < 11; ++i) more[i] = accepted("gggggggggggggggggggg", 1, true);
    OK(tt_teacher_select(more, 11, &rules, kept, &n));
    assert_int_equal(more[0].verdict, TT_CHOICE_DISAGREES);
    assert_int_equal(n, 3);
    assert_int_equal(kept[0], 1);
}

static void every_verdict_has_words(void **state) {
    (void)state;
    for (int v = 0; v < TT_VERDICTS; ++v) {
        assert_true(strlen(tt_verdict_word((tt_verdict)v)) > 2);
        assert_true(strlen(tt_verdict_meaning((tt_verdict)v)) > 8);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_well_formed_answer_is_read),
        cmocka_unit_test(each_fault_of_the_text_has_its_verdict),
        cmocka_unit_test(the_endpoint_s_word_counts_before_the_text),
        cmocka_unit_test(objects_are_read_by_the_same_rules),
        cmocka_unit_test(the_majority_decides_and_gold_breaks_ties),
        cmocka_unit_test(diverse_choices_come_first_and_others_are_drawn),
        cmocka_unit_test(every_verdict_has_words)};
    return cmocka_run_group_tests(tests, NULL, close_memory);
}
