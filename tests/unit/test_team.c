// When threads stay away since other programs want the cores, and when they come back. Times and counts are given.
#include "kernels/cpu/team.h"

#include "tests/expect.h"

// Two threads: alone for a second, then crowded.
static void gives_way_and_comes_back(void **state) {
    (void)state;
    tt_cpu_crowd crowd = {0};
    double now = 100;
    long switches = 7;
    assert_int_equal(tt_cpu_team_next(&crowd, 2, now, switches), 2); // the first look knows no rate
    for (int i = 0; i < 10; ++i)                                     // 30 a second
        assert_int_equal(tt_cpu_team_next(&crowd, 2, now += 0.1, switches += 3), 2);
    assert_int_equal(tt_cpu_team_next(&crowd, 2, now += 0.01, switches += 90), 2); // too soon to say
    assert_int_equal(tt_cpu_team_next(&crowd, 2, now += 0.1, switches += 100), 1);
    // It waits for half a second, tries, finds it crowded, and waits for a second, two, four and four.
    static const double waits[] = {0.5, 1, 2, 4, 4};
    for (int i = 0; i < 5; ++i) {
        const double since = now;
        while (tt_cpu_team_next(&crowd, 2, now += 0.06, switches += 2) == 1) assert_true(now < since + 10);
        assert_true(now >= since + waits[i] && now < since + waits[i] + 0.1);
        assert_int_equal(tt_cpu_team_next(&crowd, 2, now += 0.06, switches += 60), 1);
    }
    // The other program has ended: the next try succeeds, and a crowd after it is a new one.
    while (tt_cpu_team_next(&crowd, 2, now += 0.06, switches += 2) == 1) {
    }
    for (int i = 0; i < 100; ++i)
        assert_int_equal(tt_cpu_team_next(&crowd, 2, now += 0.06, switches += 2), 2);
    assert_int_equal(tt_cpu_team_next(&crowd, 2, now += 0.1, switches += 100), 1);
    const double since = now;
    while (tt_cpu_team_next(&crowd, 2, now += 0.06, switches += 2) == 1) {
    }
    assert_true(now < since + 0.6);
}

// Of many threads a quarter goes at a time, never all; they come back in the same steps.
static void many_threads(void **state) {
    (void)state;
    static const int fewer[] = {48, 36, 27, 21, 16, 12, 9, 7, 6, 5, 4, 3, 2, 1, 1};
    tt_cpu_crowd crowd = {0};
    double now = 5;
    long switches = 0;
    assert_int_equal(tt_cpu_team_next(&crowd, 64, now, switches), 64);
    assert_int_equal(tt_cpu_team_next(&crowd, 64, now += 0.1, switches += 900), 64); // 140 a second each
    for (size_t i = 0; i < sizeof fewer / sizeof *fewer; ++i)
        assert_int_equal(tt_cpu_team_next(&crowd, 64, now += 0.1, switches += 1500), fewer[i]);
    int team = 1;
    for (int i = 0; i < 400 && team < 64; ++i) {
        const int next = tt_cpu_team_next(&crowd, 64, now += 0.06, switches += 2);
        assert_true(next == team || next == team + (team < 8 ? 1 : team / 4) || next == 64);
        team = next;
    }
    assert_int_equal(team, 64);
}

static void one_thread_stays(void **state) {
    (void)state;
    tt_cpu_crowd crowd = {0};
    assert_int_equal(tt_cpu_team_next(&crowd, 1, 1, 0), 1);
    assert_int_equal(tt_cpu_team_next(&crowd, 1, 2, 5000), 1);
    assert_int_equal(tt_cpu_team(1), 1);
}

// A device of fewer threads than the one before, in the same process.
static void fewer_than_stay_away(void **state) {
    (void)state;
    tt_cpu_crowd crowd = {0};
    assert_int_equal(tt_cpu_team_next(&crowd, 4, 1, 0), 4);
    assert_int_equal(tt_cpu_team_next(&crowd, 4, 2, 1000), 3);
    assert_int_equal(tt_cpu_team_next(&crowd, 4, 3, 2000), 2);
    assert_int_equal(tt_cpu_team_next(&crowd, 2, 3.01, 2000), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(gives_way_and_comes_back),
        cmocka_unit_test(many_threads), cmocka_unit_test(one_thread_stays),
        cmocka_unit_test(fewer_than_stay_away)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
