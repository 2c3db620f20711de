// A cycle of reflection, worked out by hand: one pass over all recall pairs, then one over all analyze pairs.
#include "host/train/reflection/reflection.h"
#include "tiny_t5.h"

static void a_cycle_is_one_pass_over_each_kind(void **state) {
    (void)state;
    const tt_reflection_cycle both = tt_reflection_cycle_of(5, 7, 3, "both");
    assert_int_equal(both.recall, 2);  // 3 + 2
    assert_int_equal(both.analyze, 3); // 3 + 3 + 1
    static const struct {
        tt_stage stage;
        int first, n;
    } expected[] = {
        {TT_RECALL, 0, 3}, {TT_RECALL, 3, 2}, {TT_ANALYZE, 0, 3}, {TT_ANALYZE, 3, 3}, {TT_ANALYZE, 6, 1}};
    for (int cycle = 0; cycle < 3; ++cycle)
        for (int i = 0; i < 5; ++i) {
            const tt_reflection_step at = tt_reflection_step_of(&both, 5 * cycle + i, 5, 7, 3);
            assert_int_equal(at.cycle, cycle);
            assert_int_equal(at.stage, expected[i].stage);
            assert_int_equal(at.first, expected[i].first);
            assert_int_equal(at.n, expected[i].n);
        }
}

static void ablations_have_passes_of_their_own(void **state) {
    (void)state;
    static const struct {
        int recall_pairs, analyze_pairs;
        const char *targets;
        int recall, analyze;
    } cases[] = {{5, 7, "recall", 2, 0}, {5, 7, "analyze", 0, 3}, {0, 7, "both", 0, 3}, {5, 0, "both", 2, 0},
        {0, 7, "recall", 0, 0}, {6, 3, "both", 2, 1}, {1000, 2000, "both", 334, 667}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        const tt_reflection_cycle c =
            tt_reflection_cycle_of(cases[i].recall_pairs, cases[i].analyze_pairs, 3, cases[i].targets);
        assert_int_equal(c.recall, cases[i].recall);
        assert_int_equal(c.analyze, cases[i].analyze);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cycle_is_one_pass_over_each_kind),
        cmocka_unit_test(ablations_have_passes_of_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
