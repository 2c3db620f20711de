// The feed-forward's activations: forward against float64 with tanh, gradients against central differences.
#include "twin.h"

static double gelu_new(double x) {
    return 0.5 * x * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}

static double activation(tt_activation kind, double gate, double linear) {
    return kind == TT_RELU ? fmax(gate, 0) : gelu_new(gate) * linear;
}

static void check(tt_activation kind, int rows, int f, float p, bool in_place) {
    const int wide = kind == TT_RELU ? f : 2 * f;
    const size_t n = (size_t)rows * f, hn = (size_t)rows * wide;
    float *h = twin_normal(hn, 2, 1), *da = twin_normal(n, 1, 2);
    tt_dropout drop = twin_dropout(p, 9, rows);
    double *a = twin_alloc(n, sizeof *a), *dh = twin_alloc(hn, sizeof *dh);
    for (int t = 0; t < rows; ++t)
        for (int c = 0; c < f; ++c) {
            const size_t gate = (size_t)t * wide + c, linear = kind == TT_RELU ? gate : gate + f;
            const double g = h[gate], l = h[linear], factor = twin_factor(&drop, 9, t, c), step = 1e-5;
            const double weight = factor * da[(size_t)t * f + c] / (2 * step);
            a[(size_t)t * f + c] = factor * activation(kind, g, l);
            dh[gate] = weight * (activation(kind, g + step, l) - activation(kind, g - step, l));
            if (kind == TT_GATED_GELU)
                dh[linear] = weight * (activation(kind, g, l + step) - activation(kind, g, l - step));
        }
    float *got[2], *got_dh[2];
    for (int k = 0; k < 2; ++k) {
        tt_device *device = twin_device(k + 1);
        got[k] = twin_alloc(n, sizeof(float)),
        got_dh[k] = in_place ? twin_copy(h, hn) : twin_alloc(hn, sizeof(float));
        tt_ffn op = {.activation = kind, .rows = rows, .f = f, .h = h, .drop = drop, .a = got[k]};
        op.mask = twin_alloc((size_t)rows * (size_t)tt_mask_bytes(f), 1);
        twin_ok(device->ops->ffn_fwd(device, &op));
        for (size_t i = 0; kind == TT_RELU && i < n; ++i) {
            const size_t row = i / f, c = i % f;
            const bool passes = op.mask[row * (size_t)tt_mask_bytes(f) + c / 8] >> c % 8 & 1;
            if (passes != (a[i] > 0)) fail_msg("mask of row %zu, column %zu: %d", row, c, passes);
        }
        op.da = da, op.dh = got_dh[k];
        if (in_place) op.h = got_dh[k];
        if (kind == TT_RELU) {
            op.h = op.a = NULL; // only the mask says where the gradient passes
            if (in_place) memcpy(op.dh, da, n * sizeof *da), op.da = op.dh;
        }
        twin_ok(device->ops->ffn_bwd(device, &op));
        free(op.mask);
        tt_device_close(device);
    }
    twin_expect_rows(TWIN_FP32, "activation", got[0], f, a, rows, f);
    twin_expect_rows(TWIN_FP32_GRAD, "activation's gradient", got_dh[0], wide, dh, rows, wide);
    twin_same_bits("activation, 1 and 2 threads", got[0], got[1], n, sizeof(float));
    twin_same_bits("activation's gradient, 1 and 2 threads", got_dh[0], got_dh[1], hn, sizeof(float));
    for (int k = 0; k < 2; ++k) free(got[k]), free(got_dh[k]);
    free(h), free(da), free(a), free(dh);
    twin_dropout_close(&drop);
}

static void against_float64(void **state) {
    (void)state;
    for (int kind = TT_RELU; kind <= TT_GATED_GELU; ++kind) {
        check((tt_activation)kind, 1, 1, 0, false);
        check((tt_activation)kind, 7, 129, 0, true);
        check((tt_activation)kind, 13, 601, 0.1f, false);
        check((tt_activation)kind, 3, 256, 0.5f, true);
    }
}

// Far from zero the tails must be exact: 0 or x to the left and right, slopes 0 and 1; NaN is not swallowed.
static void tails(void **state) {
    (void)state;
    tt_device *device = twin_device(1);
    float h[8] = {-1e30f, -50, 50, NAN, 1, 1, 1, 1}, a[4], dh[8];
    const float da[4] = {1, 1, 1, 1};
    tt_ffn p = {.activation = TT_GATED_GELU, .rows = 1, .f = 4, .h = h, .a = a};
    twin_ok(device->ops->ffn_fwd(device, &p));
    assert_true(a[0] == 0 && a[1] == 0 && a[2] == 50 && isnan(a[3]));
    h[0] = -1e4f;
    p.da = da, p.dh = dh;
    twin_ok(device->ops->ffn_bwd(device, &p));
    assert_true(dh[0] == 0 && dh[1] == 0 && dh[2] == 1 && isnan(dh[3]));
    float r[4] = {-1, 0, 2, NAN};
    uint8_t mask;
    p = (tt_ffn){.activation = TT_RELU, .rows = 1, .f = 4, .h = r, .a = a, .da = da, .dh = dh, .mask = &mask};
    twin_ok(device->ops->ffn_fwd(device, &p));
    assert_true(a[0] == 0 && a[1] == 0 && a[2] == 2 && isnan(a[3]) && mask == 0xc);
    const float lost[4] = {NAN, 1, 1, 1};
    p.da = lost;
    twin_ok(device->ops->ffn_bwd(device, &p));
    assert_true(dh[0] == 0 && dh[1] == 0 && dh[2] == 1 && dh[3] == 1);
    p.mask = NULL;
    twin_refused(device->ops->ffn_bwd(device, &p), TT_ERR_INPUT, "mask");
    p.f = 0;
    twin_refused(device->ops->ffn_fwd(device, &p), TT_ERR_INPUT, "1 rows of 0");
    tt_device_close(device);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(against_float64), cmocka_unit_test(tails)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
