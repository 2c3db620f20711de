#include "host/train/schedule.h"
#include "tests/expect.h"

#include <math.h>

static void near(double got, double expected) {
    if (!(fabs(got - expected) <= 1e-12)) fail_msg("got %.15g, expected %.15g", got, expected);
}

static void known_points(void **state) {
    (void)state;
    tt_schedule s;
    OK(tt_schedule_open(&s, &(tt_schedule_options){"cosine", 2e-3, 0.1, 0.1, 1000}));
    near(tt_schedule_rate(&s, 0), 2e-3 / 100);
    near(tt_schedule_rate(&s, 99), 2e-3);
    near(tt_schedule_rate(&s, 100), 2e-3);
    near(tt_schedule_rate(&s, 550), 2e-3 * 0.55); // halfway between the peak and its tenth
    near(tt_schedule_rate(&s, 1000), 2e-4);
    near(tt_schedule_rate(&s, 5000), 2e-4);
    OK(tt_schedule_open(&s, &(tt_schedule_options){"linear", 1, 0, 0, 10}));
    near(tt_schedule_rate(&s, 0), 1);
    near(tt_schedule_rate(&s, 9), 0.1);
    OK(tt_schedule_open(&s, &(tt_schedule_options){"constant", 1, 0.5, 0.5, 4}));
    near(tt_schedule_rate(&s, 0), 0.5);
    near(tt_schedule_rate(&s, 3), 1);
}

static void rises_then_falls_and_is_never_zero(void **state) {
    (void)state;
    static const char *const kinds[] = {"cosine", "linear"};
    for (int k = 0; k < 2; ++k)
        for (int64_t total = 1; total < 40; ++total) {
            tt_schedule s;
            OK(tt_schedule_open(&s, &(tt_schedule_options){kinds[k], 1, 0, 0.2, total}));
            double last = 0;
            for (int64_t step = 0; step < total; ++step) {
                double rate = tt_schedule_rate(&s, step);
                assert_true(rate > 0 && rate <= 1);
                assert_true(step < s.warmup ? rate > last : step == 0 || rate <= last);
                last = rate;
            }
        }
}

static void unknown_kind_is_refused(void **state) {
    (void)state;
    tt_schedule s;
    assert_int_equal(tt_schedule_open(&s, &(tt_schedule_options){"cosin", 1, 0, 0, 1}), TT_ERR_CONFIG);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(known_points),
        cmocka_unit_test(rises_then_falls_and_is_never_zero), cmocka_unit_test(unknown_kind_is_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
