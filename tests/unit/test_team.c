// When threads stay away since other programs want the cores, and when they come back. Times and counts are given; numbers are by
// hand. And that nothing but time depends on it.
#include "tiny_t5.h"

#include "kernels/cpu/team.h"

// A process as the rule sees it.
typedef struct process {
    tt_cpu_crowd crowd;
    double now;
    long switches;
} process;

// Its team after `seconds` more, in which cores were lost at `rate` a second.
static int after(process *p, int threads, double seconds, double rate) {
    p->now += seconds;
    p->switches += (long)(rate * seconds + 0.5);
    return tt_cpu_team_next(&p->crowd, threads, p->now, p->switches);
}

// Looks every 60 ms until the team has another size; returns how long that took. *team: its size, before and after.
static double change(process *p, int threads, double rate, int *team) {
    const double began = p->now;
    const int before = *team;
    while ((*team = after(p, threads, 0.06, rate)) == before) assert_true(p->now < began + 20);
    return p->now - began;
}

static void between(double x, double low, double high) {
    assert_true(x >= low - 1e-9 && x < high);
}

static void two_threads(void **state) {
    (void)state;
    process p = {.now = 100, .switches = 7000};
    int team = after(&p, 2, 0, 0); // the first look knows no rate
    assert_int_equal(team, 2);
    for (int i = 0; i < 20; ++i) assert_int_equal(after(&p, 2, 0.1, i % 2 ? 30 : 290), 2);
    assert_int_equal(after(&p, 2, 0.01, 9000), 2); // too soon to say
    assert_int_equal(after(&p, 2, 1.2, 9000), 2);  // a pause, in which something else was done
    team = after(&p, 2, 0.1, 310);
    assert_int_equal(team, 1);
    assert_int_equal(after(&p, 2, 0.1, 9000), 1);
    // It tries again, in vain, after half a second, one, two, four and four.
    static const double waits[] = {0.5, 1, 2, 4, 4};
    for (int i = 0; i < 5; ++i) {
        const double waited = change(&p, 2, 40, &team) + (i == 0 ? 0.1 : 0);
        assert_int_equal(team, 2);
        between(waited, waits[i], waits[i] + 0.12);
        team = after(&p, 2, 0.06, 1000);
        assert_int_equal(team, 1);
    }
    // The other program has ended; a crowd after that is a new one.
    change(&p, 2, 40, &team);
    for (int i = 0; i < 100; ++i) assert_int_equal(after(&p, 2, 0.06, 40), 2);
    team = after(&p, 2, 0.06, 1000);
    assert_int_equal(team, 1);
    between(change(&p, 2, 40, &team), 0.5, 0.6);
}

static void many_threads(void **state) {
    (void)state;
    static const int fewer[] = {48, 36, 27, 21, 16, 12, 9, 7, 6, 5, 4, 3, 2, 1, 1},
                     more[] = {2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 18, 22, 27, 33, 41, 51, 63, 64};
    process p = {.now = 5};
    assert_int_equal(after(&p, 64, 0, 0), 64);
    assert_int_equal(after(&p, 64, 0.1, 2150), 64); // 240 + 64 x 30 = 2160
    assert_int_equal(after(&p, 64, 0.1, 2170), 48);
    assert_int_equal(after(&p, 64, 0.1, 1670), 48); // 240 + 48 x 30 = 1680
    for (size_t i = 1; i < sizeof fewer / sizeof *fewer; ++i)
        assert_int_equal(after(&p, 64, 0.1, 15000), fewer[i]);
    int team = 1;
    for (size_t i = 0; i < sizeof more / sizeof *more; ++i) {
        between(change(&p, 64, 40, &team), i ? 0.5 : 0, 0.6);
        assert_int_equal(team, more[i]);
    }
}

// A try that fails by two looks in a row is one: 8, 6, then 7 in vain, 6, 5.
static void a_try_fails_once(void **state) {
    (void)state;
    process p = {.now = 1};
    assert_int_equal(after(&p, 8, 0, 0), 8);
    int team = after(&p, 8, 0.06, 5000);
    assert_int_equal(team, 6);
    change(&p, 8, 40, &team);
    assert_int_equal(team, 7);
    assert_int_equal(after(&p, 8, 0.06, 5000), 6);
    team = after(&p, 8, 0.06, 5000);
    assert_int_equal(team, 5);
    between(change(&p, 8, 40, &team), 1, 1.12);
}

// Devices of other sizes in the same process.
static void other_devices(void **state) {
    (void)state;
    process p = {.now = 1};
    assert_int_equal(after(&p, 4, 0, 0), 4);
    assert_int_equal(after(&p, 4, 0.06, 5000), 3);
    assert_int_equal(after(&p, 4, 0.06, 5000), 2);
    assert_int_equal(after(&p, 2, 0.06, 5000), 1);
    assert_int_equal(after(&p, 1, 0.06, 5000), 1);
    int team = 2; // two still stay away
    change(&p, 4, 40, &team);
    assert_int_equal(team, 3);
    assert_int_equal(tt_cpu_team(1), 1);
    tt_cpu_team_set(3);
    assert_int_equal(tt_cpu_team(2), 2);
    assert_int_equal(tt_cpu_team(4), 3);
    tt_cpu_team_set(0);
}

// Three steps' losses and gradients by three threads, and by teams that change from pass to pass.
static void results_do_not_depend_on_it(void **state) {
    (void)state;
    float *g[2], logp[2][TINY_TOKENS] = {{0}};
    size_t bytes = 0;
    for (int changing = 0; changing < 2; ++changing) {
        tiny f;
        tiny_open(&f, &tiny_1_0);
        OK(tt_model_train(f.model));
        f.device->threads = 3;
        bytes = f.model->size * sizeof(float);
        memset(f.model->g, 0, bytes);
        for (int step = 0; step < 3; ++step) {
            const tt_dropout_key dropout = {0.2f, tt_key(3, TT_FOR_DROPOUT, (uint64_t)step)};
            tt_cpu_team_set(changing ? 1 + step : 3);
            OK(tt_forward(f.pass, &f.batch, dropout, f.logp));
            tt_cpu_team_set(changing ? 3 - step : 3);
            OK(tt_backward(f.pass, &f.batch, f.dlogp));
        }
        tt_cpu_team_set(0);
        g[changing] = malloc(bytes);
        memcpy(g[changing], f.model->g, bytes);
        memcpy(logp[changing], f.logp, sizeof f.logp);
        tiny_close(&f);
    }
    assert_memory_equal(g[0], g[1], bytes);
    assert_memory_equal(logp[0], logp[1], sizeof logp[0]);
    free(g[0]), free(g[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(two_threads), cmocka_unit_test(many_threads),
        cmocka_unit_test(a_try_fails_once), cmocka_unit_test(other_devices),
        cmocka_unit_test(results_do_not_depend_on_it)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
