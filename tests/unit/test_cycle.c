// The stage plan against a slow simulation of its definition, and its properties.
#include "host/train/cycle.h"
#include "tests/expect.h"

#include <string.h>

static void check_plan(const int batches[TT_STAGES], int64_t interval, int64_t options) {
    tt_cycle cycle;
    OK(tt_cycle_open(&cycle, batches, interval, options));
    const int64_t epoch_steps = (int64_t)batches[0] + batches[1] + batches[2];
    int used[TT_STAGES] = {0};
    int stage = 0;
    int64_t in_turn = 0, epoch = 0, cycles = 0;
    bool trained = false; // in this cycle
    for (int64_t step = 0; step < 3 * epoch_steps; ++step) {
        // Walk from turn to turn until one has something left.
        for (;;) {
            int64_t turn = stage == TT_ANALYZE ? interval * options : interval;
            if (used[stage] < batches[stage] && in_turn < turn) break;
            in_turn = 0;
            if (++stage == TT_STAGES) {
                stage = 0;
                if (trained) cycles++;
                trained = false;
            }
        }
        tt_cycle_step at = tt_cycle_step_of(&cycle, step);
        assert_int_equal(at.stage, stage);
        assert_int_equal(at.batch, used[stage]);
        assert_int_equal(at.epoch, epoch);
        assert_int_equal(at.cycle, cycles);
        if (step > 0 && tt_cycle_step_of(&cycle, step - 1).cycle != at.cycle)
            assert_true(tt_cycle_step_of(&cycle, step - 1).ends_cycle);
        if (at.ends_cycle) assert_int_equal(tt_cycle_step_of(&cycle, step + 1).cycle, at.cycle + 1);
        used[stage]++;
        in_turn++;
        trained = true;
        if (used[0] == batches[0] && used[1] == batches[1] && used[2] == batches[2]) {
            memset(used, 0, sizeof used);
            stage = 0;
            in_turn = 0;
            epoch++;
            cycles++;
            trained = false;
        }
    }
    assert_int_equal(cycle.epoch_steps, epoch_steps);
    tt_cycle_close(&cycle);
}

static void plan_follows_its_definition(void **state) {
    (void)state;
    static const int sets[][TT_STAGES] = {{5, 25, 5}, {7, 40, 3}, {1, 1, 1}, {10, 2, 30}, {4, 0, 4},
        {0, 9, 2}, {0, 0, 6}, {3, 0, 11}, {1, 1000, 1}};
    static const int64_t intervals[] = {1, 2, 3, 100};
    for (size_t s = 0; s < sizeof sets / sizeof *sets; ++s)
        for (size_t i = 0; i < 4; ++i)
            for (int64_t options = 1; options <= 5; options += 2) check_plan(sets[s], intervals[i], options);
}

// An exhausted stage is passed over and no other takes its name: the drift of the published implementation.
static void stages_do_not_drift(void **state) {
    (void)state;
    tt_cycle cycle;
    OK(tt_cycle_open(&cycle, (int[]){1, 6, 2}, 1, 2));
    static const tt_stage expected[] = {TT_RECALL, TT_ANALYZE, TT_ANALYZE, TT_SUMMARIZE, TT_ANALYZE,
        TT_ANALYZE, TT_SUMMARIZE, TT_ANALYZE, TT_ANALYZE};
    for (int i = 0; i < 9; ++i) assert_int_equal(tt_cycle_step_of(&cycle, i).stage, expected[i]);
    assert_int_equal(tt_cycle_step_of(&cycle, 9).stage, TT_RECALL);
    assert_int_equal(cycle.epoch_cycles, 3);
    tt_cycle_close(&cycle);
}

static void nothing_to_train_is_refused(void **state) {
    (void)state;
    tt_cycle cycle;
    assert_int_equal(tt_cycle_open(&cycle, (int[]){0, 0, 0}, 1, 5), TT_ERR_INPUT);
    assert_int_equal(tt_cycle_open(&cycle, (int[]){1, 1, 1}, 0, 5), TT_ERR_INPUT);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(plan_follows_its_definition),
        cmocka_unit_test(stages_do_not_drift), cmocka_unit_test(nothing_to_train_is_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
