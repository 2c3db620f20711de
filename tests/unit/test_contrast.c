// Which runs become pairs, rule by rule. A run is a letter (its text), upper case where it is right.
#include "host/reason/contrast.h"
#include "tiny_t5.h"

#include <ctype.h>

enum { MOST = 16 };

typedef struct outcome {
    int n;
    char chosen[MOST + 1], rejected[MOST + 1]; // letters
} outcome;

// Letters of `pool` are texts too.
static outcome contrast(const char *runs, tt_contrast_rule rule, const char *pool, uint64_t seed) {
    static const char texts[26][2] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n",
        "o", "p", "q", "r", "s", "t", "u", "v", "w", "x", "y", "z"};
    tt_contrast_run run[MOST];
    tt_contrast_pair pairs[MOST];
    tt_rng rng;
    outcome o = {0};
    const int n = (int)strlen(runs), n_pool = (int)strlen(pool);
    for (int i = 0; i < n; ++i)
        run[i] = (tt_contrast_run){texts[tolower(runs[i]) - 'a'], isupper(runs[i]) != 0};
    tt_rng_open(&rng, seed, TT_FOR_PAIRS, 0, 0);
    const tt_contrast_case question = {.runs = run, .n = n, .rule = rule, .n_pool = n_pool};
    OK(tt_contrast(&question, &rng, pairs, &o.n));
    assert_true(o.n <= n);
    for (int i = 0; i < o.n; ++i) {
        const tt_contrast_pair *p = &pairs[i];
        o.chosen[i] = p->source == TT_FROM_RUN ? runs[p->chosen] : pool[p->chosen];
        o.rejected[i] = runs[p->rejected];
    }
    return o;
}

static void rules(void **state) {
    (void)state;
    enum { ADD = TT_ADD_FROM_POOL, AGAIN = TT_DRAW_AGAIN, BOTH = -1 };
    static const struct {
        const char *rule, *runs, *pool;
        int of;
        const char *chosen, *rejected;
    } table[] = {
        {"one each", "Ab", "", BOTH, "A", "b"},
        {"each side in its order", "aBcD", "", BOTH, "BD", "ac"},
        {"no runs", "", "xy", BOTH, "", ""},
        {"no wrong run gives nothing", "ABC", "xy", BOTH, "", ""},
        {"duplicates count once", "AAbbb", "", ADD, "A", "b"},
        {"texts on both sides count on neither", "AaBc", "", BOTH, "B", "c"},
        {"nothing wrong is left then", "AaB", "x", BOTH, "", ""},
        {"nothing right is left then: the pool", "Aab", "x", BOTH, "x", "b"},
        {"more chosen: rejected are drawn to match", "ABCd", "x", BOTH, "ABC", "ddd"},
        {"fewer chosen: the pool fills up", "Abc", "x", ADD, "Ax", "bc"},
        {"no right run: the pool alone", "bc", "xx", BOTH, "xx", "bc"},
        {"too few in the pool: again and again", "bcde", "x", BOTH, "xxxx", "bcde"},
        {"a text of the pool counts although a wrong run wrote it", "Abc", "b", ADD, "Ab", "bc"},
        {"also where the pool is all there is", "bc", "b", BOTH, "bb", "bc"},
        {"no pool: rejected are dropped to match", "Abcd", "", ADD, "A", "b"},
        {"no right run and no pool", "bcd", "", BOTH, "", ""},
        {"fewer chosen: they are drawn again, the pool is left alone", "Abcd", "xy", AGAIN, "AAA", "bcd"},
        {"a right run needs no pool", "Ab", "x", BOTH, "A", "b"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; ++i)
        for (int rule = ADD; rule <= AGAIN; ++rule) {
            if (table[i].of != BOTH && table[i].of != rule) continue;
            const outcome o = contrast(table[i].runs, (tt_contrast_rule)rule, table[i].pool, i);
            if (strcmp(o.chosen, table[i].chosen) != 0 || strcmp(o.rejected, table[i].rejected) != 0)
                fail_msg("%s: chosen %s, rejected %s; expected %s, %s", table[i].rule, o.chosen, o.rejected,
                    table[i].chosen, table[i].rejected);
        }
}

// With replacement: over many questions each wrong run is drawn equally often, also twice for one question.
// Without: texts of the pool never repeat while there are enough.
static void draws(void **state) {
    (void)state;
    int counts[3] = {0}, twice = 0, taught[4] = {0};
    for (uint64_t seed = 0; seed < 3000; ++seed) {
        const outcome o = contrast("ABCDxyz", TT_ADD_FROM_POOL, "", seed);
        assert_int_equal(o.n, 4);
        for (int i = 0; i < 4; ++i) counts[o.rejected[i] - 'x']++;
        twice += o.rejected[0] == o.rejected[1];
        const outcome t = contrast("abc", TT_ADD_FROM_POOL, "wxyz", seed);
        assert_int_equal(t.n, 3);
        assert_true(t.chosen[0] != t.chosen[1] && t.chosen[0] != t.chosen[2] && t.chosen[1] != t.chosen[2]);
        for (int i = 0; i < 3; ++i) taught[t.chosen[i] - 'w']++;
    }
    for (int i = 0; i < 3; ++i) assert_true(abs(counts[i] - 4000) < 250); // about 5 standard deviations
    assert_true(abs(twice - 1000) < 130);
    for (int i = 0; i < 4; ++i) assert_true(abs(taught[i] - 2250) < 120);
}

// Right runs that are drawn again stay themselves beside what is drawn, and each has the same chance; where
// all comes from the pool, every draw has every text.
static void right_runs_are_drawn_again(void **state) {
    (void)state;
    int again[2] = {0}, pool[3] = {0}, repeated = 0;
    for (uint64_t seed = 0; seed < 3000; ++seed) {
        const outcome o = contrast("ABwxyz", TT_DRAW_AGAIN, "mn", seed);
        assert_int_equal(o.n, 4);
        assert_string_equal(o.rejected, "wxyz");
        assert_true(o.chosen[0] == 'A' && o.chosen[1] == 'B');
        for (int i = 2; i < 4; ++i) again[o.chosen[i] - 'A']++;
        const outcome p = contrast("xy", TT_DRAW_AGAIN, "mno", seed);
        assert_int_equal(p.n, 2);
        for (int i = 0; i < 2; ++i) pool[p.chosen[i] - 'm']++;
        repeated += p.chosen[0] == p.chosen[1];
    }
    assert_true(abs(again[0] - 3000) < 200);
    for (int i = 0; i < 3; ++i) assert_true(abs(pool[i] - 2000) < 190);
    assert_true(abs(repeated - 1000) < 130); // with replacement: a third of the time
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules),
        cmocka_unit_test(draws),
        cmocka_unit_test(right_runs_are_drawn_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
