// AdamW with clipping against the same in float64.
#include "host/base/philox.h"
#include "host/train/optimizer.h"
#include "tests/expect.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N = 1003, STEPS = 30 };

typedef struct fixture {
    tt_device *device;
    tt_model model; // buffers alone: the optimiser sees nothing else
    tt_optimizer optimizer;
} fixture;

static void open_fixture(fixture *f) {
    *f = (fixture){0};
    OK(tt_device_open(&f->device, "cpu", TT_FP32, 2));
    f->model.device = f->device;
    f->model.size = N;
    OK(tt_device_alloc(f->device, &f->model.w, N, sizeof(float), "w"));
    OK(tt_device_alloc(f->device, &f->model.g, N, sizeof(float), "g"));
    OK(tt_optimizer_open(&f->optimizer, &f->model));
}

static void close_fixture(fixture *f) {
    tt_optimizer_close(&f->optimizer);
    tt_device_free(f->device, f->model.w);
    tt_device_free(f->device, f->model.g);
    tt_device_close(f->device);
}

static void follows_float64(double clip, double weight_decay) {
    fixture f;
    open_fixture(&f);
    f.optimizer.clip = clip;
    f.optimizer.weight_decay = weight_decay;
    double w[N], m[N] = {0}, v[N] = {0}, g[N];
    tt_rng rng;
    tt_rng_open(&rng, 3, TT_FOR_TEST, 0, 0);
    for (int i = 0; i < N; ++i) w[i] = f.model.w[i] = (float)tt_rng_normal(&rng);
    for (int t = 1; t <= STEPS; ++t) {
        // Norms from far below to far above the clip, and an occasional zero gradient.
        const double size = t % 7 == 0 ? 0 : pow(10, t % 5 - 3);
        double squares = 0, norm;
        for (int i = 0; i < N; ++i) {
            f.model.g[i] = (float)(size * tt_rng_normal(&rng));
            g[i] = f.model.g[i];
            squares += g[i] * g[i];
        }
        const double rate = 1e-2 / t, expected = sqrt(squares);
        const double factor = clip > 0 && expected + 1e-6 > clip ? clip / (expected + 1e-6) : 1;
        for (int i = 0; i < N; ++i) {
            const double gi = factor * g[i];
            m[i] = 0.9 * m[i] + 0.1 * gi;
            v[i] = 0.999 * v[i] + 0.001 * gi * gi;
            w[i] -= rate * weight_decay * w[i];
            w[i] -= rate * (m[i] / (1 - pow(0.9, t))) / (sqrt(v[i] / (1 - pow(0.999, t))) + 1e-8);
        }
        OK(tt_optimizer_update(&f.optimizer, rate, &norm));
        if (!(fabs(norm - expected) <= 1e-9 * expected + 1e-30))
            fail_msg("norm %.12g, expected %.12g", norm, expected);
        for (int i = 0; i < N; ++i) {
            if (!(fabs(f.model.w[i] - w[i]) <= 3e-6 * (1 + fabs(w[i]))))
                fail_msg("update %d, w[%d] = %.9g, expected %.9g", t, i, f.model.w[i], w[i]);
            if (f.model.g[i] != 0) fail_msg("update %d left g[%d] = %g", t, i, f.model.g[i]);
        }
    }
    assert_int_equal(f.optimizer.updates, STEPS);
    close_fixture(&f);
}

static void unclipped(void **state) {
    (void)state;
    follows_float64(0, 0);
}

static void clipped_with_decay(void **state) {
    (void)state;
    follows_float64(1, 0.1);
}

static void a_gradient_that_is_not_finite_changes_nothing(void **state) {
    (void)state;
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    for (int b = 0; b < 3; ++b) {
        fixture f;
        double norm;
        open_fixture(&f);
        for (int i = 0; i < N; ++i) f.model.w[i] = 1, f.model.g[i] = 1;
        f.model.g[N - 1] = bad[b];
        OK(tt_optimizer_update(&f.optimizer, 1, &norm));
        assert_false(isfinite(norm));
        for (int i = 0; i < N; ++i)
            assert_true(f.model.w[i] == 1 && f.optimizer.m[i] == 0 && f.optimizer.v[i] == 0);
        assert_int_equal(f.optimizer.updates, 0);
        close_fixture(&f);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(unclipped), cmocka_unit_test(clipped_with_decay),
        cmocka_unit_test(a_gradient_that_is_not_finite_changes_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
