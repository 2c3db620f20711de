// Which runs become pairs, rule by rule. A run is a letter (its text), upper case where it is right.
#include "host/reason/contrast.h"
#include "tiny_t5.h"

#include <ctype.h>

enum { MOST = 16 };

typedef struct outcome {
    int n;
    char chosen[MOST + 1], rejected[MOST + 1]; // letters; the fallback is '!'
} outcome;

// Letters of `teacher` are texts too.
static outcome contrast(const char *runs, const char *teacher, bool fallback, uint64_t seed) {
    static const char texts[26][2] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n",
        "o", "p", "q", "r", "s", "t", "u", "v", "w", "x", "y", "z"};
    tt_contrast_run run[MOST];
    const char *taught[MOST];
    tt_contrast_pair pairs[MOST];
    tt_rng rng;
    outcome o = {0};
    const int n = (int)strlen(runs), n_teacher = (int)strlen(teacher);
    for (int i = 0; i < n; ++i)
        run[i] = (tt_contrast_run){texts[tolower(runs[i]) - 'a'], isupper(runs[i]) != 0};
    for (int i = 0; i < n_teacher; ++i) taught[i] = texts[teacher[i] - 'a'];
    tt_rng_open(&rng, seed, TT_FOR_PAIRS, 0, 0);
    OK(tt_contrast(run, n, taught, n_teacher, fallback ? "fallback" : NULL, &rng, pairs, &o.n));
    assert_true(o.n <= n);
    for (int i = 0; i < o.n; ++i) {
        const tt_contrast_pair *p = &pairs[i];
        o.chosen[i] = p->source == TT_FROM_RUN       ? runs[p->chosen]
                      : p->source == TT_FROM_TEACHER ? teacher[p->chosen]
                                                     : '!';
        o.rejected[i] = runs[p->rejected];
    }
    return o;
}

static void rules(void **state) {
    (void)state;
    static const struct {
        const char *rule, *runs, *teacher;
        bool fallback;
        const char *chosen, *rejected; // '?': drawn
    } table[] = {
        {"one each", "Ab", "", false, "A", "b"},
        {"each side in its order", "aBcD", "", false, "BD", "ac"},
        {"no runs", "", "xy", true, "", ""},
        {"no wrong run gives nothing", "ABC", "xy", true, "", ""},
        {"duplicates count once", "AAbbb", "", false, "A", "b"},
        {"texts on both sides count on neither", "AaBc", "", false, "B", "c"},
        {"nothing wrong is left then", "AaB", "x", true, "", ""},
        {"nothing right is left then: the teacher", "Aab", "x", false, "x", "b"},
        {"more chosen: rejected are drawn to match", "ABCd", "", false, "ABC", "ddd"},
        {"fewer chosen: the teacher fills up", "Abc", "x", false, "Ax", "bc"},
        {"no right run: the teacher alone", "bc", "xx", false, "xx", "bc"},
        {"too few of the teacher's: again and again", "bcde", "x", false, "xxxx", "bcde"},
        {"the teacher's that are rejected do not count", "Abc", "bx", false, "Ax", "bc"},
        {"no teacher: rejected are dropped to match", "Abcd", "", false, "A", "b"},
        {"only a rejected text taught: as no teacher", "Abc", "b", false, "A", "b"},
        {"no right run and no teacher", "bcd", "", false, "", ""},
        {"no right run: the fallback", "bc", "", true, "!", "b"},
        {"the fallback, then the teacher", "bc", "x", true, "!x", "bc"},
        {"a right run needs no fallback", "Ab", "", true, "A", "b"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; ++i) {
        const outcome o = contrast(table[i].runs, table[i].teacher, table[i].fallback, i);
        if (strcmp(o.chosen, table[i].chosen) != 0 || strcmp(o.rejected, table[i].rejected) != 0)
            fail_msg("%s: chosen %s, rejected %s; expected %s, %s", table[i].rule, o.chosen, o.rejected,
                table[i].chosen, table[i].rejected);
    }
}

// With replacement: over many questions each wrong run is drawn equally often, also twice for one question.
// Without: the teacher's texts never repeat while there are enough.
static void draws(void **state) {
    (void)state;
    int counts[3] = {0}, twice = 0, taught[4] = {0};
    for (uint64_t seed = 0; seed < 3000; ++seed) {
        const outcome o = contrast("ABCDxyz", "", false, seed);
        assert_int_equal(o.n, 4);
        for (int i = 0; i < 4; ++i) counts[o.rejected[i] - 'x']++;
        twice += o.rejected[0] == o.rejected[1];
        const outcome t = contrast("abc", "wxyz", false, seed);
        assert_int_equal(t.n, 3);
        assert_true(t.chosen[0] != t.chosen[1] && t.chosen[0] != t.chosen[2] && t.chosen[1] != t.chosen[2]);
        for (int i = 0; i < 3; ++i) taught[t.chosen[i] - 'w']++;
    }
    for (int i = 0; i < 3; ++i) assert_true(abs(counts[i] - 4000) < 250); // about 5 standard deviations
    assert_true(abs(twice - 1000) < 130);
    for (int i = 0; i < 4; ++i) assert_true(abs(taught[i] - 2250) < 120);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules),
        cmocka_unit_test(draws),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
