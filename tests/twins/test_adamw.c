// AdamW against the published formula in float64, as torch.optim.AdamW writes it.
#include "twin.h"

static void check(int64_t n, double decay) {
    float *w = twin_normal(n, 1, 1), *other = twin_copy(w, n), *m = twin_alloc(n, 4), *v = twin_alloc(n, 4);
    float *other_m = twin_alloc(n, 4), *other_v = twin_alloc(n, 4);
    double *ww = twin_alloc(n, 8), *mm = twin_alloc(n, 8), *vv = twin_alloc(n, 8);
    for (int64_t i = 0; i < n; ++i) ww[i] = w[i];
    const double lr = 1e-2f, b1 = 0.9f, b2 = 0.999f, eps = 1e-8f, scale = 0.25, squares = 16;
    tt_device *one = twin_device(1), *two = twin_device(2);
    for (int step = 1; step <= 5; ++step) {
        float *g = twin_normal(n, 3, 10 + step);
        tt_adamw p = {.n = n,
            .w = w,
            .m = m,
            .v = v,
            .g = g,
            .squares = &squares,
            .clip = scale * (4 + 1e-6),
            .lr = (float)lr,
            .beta1 = (float)b1,
            .beta2 = (float)b2,
            .eps = (float)eps,
            .weight_decay = (float)decay,
            .step = step};
        twin_ok(one->ops->adamw(one, &p));
        p.w = other, p.m = other_m, p.v = other_v;
        twin_ok(two->ops->adamw(two, &p));
        for (int64_t i = 0; i < n; ++i) {
            const double gi = scale * g[i];
            ww[i] -= lr * (float)decay * ww[i];
            mm[i] = b1 * mm[i] + (1 - b1) * gi;
            vv[i] = b2 * vv[i] + (1 - b2) * gi * gi;
            ww[i] -= lr * (mm[i] / (1 - pow(b1, step))) / (sqrt(vv[i] / (1 - pow(b2, step))) + eps);
        }
        free(g);
    }
    twin_expect(TWIN_FP32, "w", w, ww, n);
    twin_expect(TWIN_FP32, "m", m, mm, n);
    twin_expect(TWIN_FP32, "v", v, vv, n);
    twin_same_bits("w with 1 and 2 threads", w, other, n, 4);
    twin_same_bits("v with 1 and 2 threads", v, other_v, n, 4);
    tt_device_close(one), tt_device_close(two);
    free(w), free(other), free(m), free(v), free(other_m), free(other_v), free(ww), free(mm), free(vv);
}

static void against_float64(void **state) {
    (void)state;
    check(1, 0);
    check(17, 0.1);
    for (int n = 16383; n <= 16385; ++n) check(n, 0.1); // one part, two
    check(40009, 0.01);
}

// The first step is lr in the direction of the gradient's sign, whatever its size; a zero gradient moves
// nothing.
static void first_step(void **state) {
    (void)state;
    tt_device *device = twin_device(1);
    float w[3] = {1, 1, 1}, m[3] = {0}, v[3] = {0}, g[3] = {1e-3f, -1e3f, 0};
    tt_adamw p = {.n = 3,
        .w = w,
        .m = m,
        .v = v,
        .g = g,
        .lr = 0.125f,
        .beta1 = 0.9f,
        .beta2 = 0.99f,
        .eps = 1e-12f,
        .step = 1};
    twin_ok(device->ops->adamw(device, &p));
    assert_true(fabsf(w[0] - 0.875f) < 1e-6f && fabsf(w[1] - 1.125f) < 1e-6f && w[2] == 1);
    tt_device_close(device);
}

static void bad_input(void **state) {
    (void)state;
    tt_device *device = twin_device(1);
    float x = 0;
    tt_adamw good = {.n = 1,
        .w = &x,
        .m = &x,
        .v = &x,
        .g = &x,
        .lr = 1,
        .beta1 = 0.9f,
        .beta2 = 0.9f,
        .eps = 1e-8f,
        .step = 1};
    tt_adamw p = good;
    p.step = 0;
    twin_refused(device->ops->adamw(device, &p), TT_ERR_INPUT, "step 0");
    p = good, p.beta2 = 1;
    twin_refused(device->ops->adamw(device, &p), TT_ERR_INPUT, "beta2 1");
    p = good, p.eps = NAN;
    twin_refused(device->ops->adamw(device, &p), TT_ERR_INPUT, "eps nan");
    tt_device_close(device);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(against_float64), cmocka_unit_test(first_step), cmocka_unit_test(bad_input)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
