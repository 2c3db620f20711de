// The numeric groundwork: bf16 conversion, the exponential, sums and scaling.
#include "twin.h"

#include "kernels/bf16.h"
#include "kernels/cpu/math.h"
#include "kernels/cpu/vector.h"

#include <float.h>

static uint16_t round_one(tt_device *device, uint32_t bits) {
    float x = tt_bits_float(bits);
    uint16_t out;
    twin_ok(device->ops->to_bf16(device, &out, &x, 1));
    return out;
}

static void bf16_rounds_to_nearest_even(void **state) {
    (void)state;
    tt_device *device = twin_device(2);
    enum { ALL = 65536 };
    uint16_t *in = twin_alloc(ALL, 2), *back = twin_alloc(ALL, 2);
    float *x = twin_alloc(ALL, 4);
    for (int i = 0; i < ALL; ++i) in[i] = (uint16_t)i;
    tt_float_from_bf16(ALL, x, in);
    twin_ok(device->ops->to_bf16(device, back, x, ALL));
    for (int i = 0; i < ALL; ++i) {
        if (isnan(x[i]))
            assert_true((back[i] & 0x7fff) > 0x7f80);
        else
            assert_int_equal(back[i], i);
    }
    for (int i = 0; i < ALL; ++i) { // every value plus each kind of rest
        const uint32_t bits = (uint32_t)i << 16;
        if ((bits & 0x7f800000u) == 0x7f800000u) continue;
        x[i] = tt_bits_float(bits + 0x8000u);
    }
    twin_ok(device->ops->to_bf16(device, back, x, ALL));
    for (int i = 0; i < ALL; ++i)
        if ((i & 0x7f80) != 0x7f80) assert_int_equal(back[i], i + (i & 1)); // halfway goes to the even one
    assert_int_equal(round_one(device, 0x3f807fffu), 0x3f80);
    assert_int_equal(round_one(device, 0x3f808001u), 0x3f81);
    assert_int_equal(round_one(device, 0x7f7fffffu), 0x7f80); // FLT_MAX becomes infinity
    assert_int_equal(round_one(device, 0x7f800000u), 0x7f80);
    assert_int_equal(round_one(device, 0xff800000u), 0xff80);
    for (uint32_t nan = 0x7f800001u; nan != 0; nan = nan == 0x7f800001u ? 0xffffffffu : 0) {
        const uint16_t out = round_one(device, nan);
        assert_true((out & 0x7fff) > 0x7f80 && out >> 15 == nan >> 31);
    }
    assert_int_equal(round_one(device, 0x00000001u), 0); // the least subnormal
    tt_device_close(device);
    free(in), free(back), free(x);
}

TT_MULTIVERSION(void, all_exp, (int n, float *y, const float *x), (n, y, x)) {
#pragma omp simd
    for (int i = 0; i < n; ++i) y[i] = tt_expf(x[i]);
}

static void exp_within_two_ulp(void **state) {
    (void)state;
    enum { N = 1000 };
    float x[N], y[N];
    double worst = 0, worst_at = 0;
    for (uint32_t start = 0; start < 0x42dc0000u; start += N * 977) // up to 110, both signs
        for (int negative = 0; negative < 2; ++negative) {
            for (uint32_t i = 0; i < N; ++i)
                x[i] = tt_bits_float((start + i * 977) | (uint32_t)negative << 31);
            all_exp(N, y, x);
            for (int i = 0; i < N; ++i) {
                const double e = exp((double)x[i]);
                if ((float)e > FLT_MAX) {
                    assert_true(isinf(y[i]));
                    continue;
                }
                int exponent;
                frexp(e, &exponent);
                const double ulp = ldexp(1, exponent - 24 < -149 ? -149 : exponent - 24),
                             error = fabs(y[i] - e) / ulp;
                if (!(error <= worst)) worst = error, worst_at = x[i];
            }
        }
    print_message("exp: worst error %.3f units in the last place, at %.9g\n", worst, worst_at);
    assert_true(worst <= 2);
    const float special[6] = {-INFINITY, INFINITY, NAN, 0, -0.0f, -1e30f};
    all_exp(6, y, special);
    assert_true(y[0] == 0 && isinf(y[1]) && y[1] > 0 && isnan(y[2]) && y[3] == 1 && y[4] == 1 && y[5] == 0);
}

static void sums_and_scaling(void **state) {
    (void)state;
    tt_device *one = twin_device(1), *three = twin_device(3);
    static const int64_t sizes[] = {
        0, 1, 6, 31, 156, 781, 3906, 16383, 16384, 16385, 19531, 97656}; // parts of 16,384
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; ++s) {
        const int64_t n = sizes[s];
        float *x = twin_normal(n, 10, n);
        double expected = 0, sum = -1, again = -2;
        for (int64_t i = 0; i < n; ++i) expected += (double)x[i] * x[i];
        twin_ok(one->ops->square_sum(one, &sum, x, n));
        twin_ok(three->ops->square_sum(three, &again, x, n));
        assert_true(fabs(sum - expected) <= 1e-13 * expected);
        assert_memory_equal(&sum, &again, sizeof sum);
        double *scaled = twin_alloc(n, 8);
        for (int64_t i = 0; i < n; ++i) scaled[i] = -0.5 * x[i];
        twin_ok(three->ops->scale(three, x, n, -0.5f));
        for (int64_t i = 0; i < n; ++i) assert_true(x[i] == (float)scaled[i]);
        free(x), free(scaled);
    }
    float bad[3] = {1, NAN, 2};
    double sum;
    twin_ok(one->ops->square_sum(one, &sum, bad, 3));
    assert_true(isnan(sum));
    twin_refused(one->ops->square_sum(one, &sum, bad, -1), TT_ERR_INPUT, "n -1");
    tt_device_close(one), tt_device_close(three);
}

// The maximum is one of the numbers, whatever they are: NaN is passed over, minus infinity is a number.
static void the_maximum_is_in_the_row(void **state) {
    (void)state;
    static const int sizes[] = {1, 31, 32, 33, 63, 64, 65, 100}; // lanes of 32
    assert_true(isinf(tt_vector_max(0, NULL)));
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; ++s) {
        const int n = sizes[s];
        float x[100];
        for (int i = 0; i < n; ++i) x[i] = -INFINITY;
        assert_true(tt_vector_max(n, x) == -INFINITY);
        for (int place = 0; place < n; ++place) { // at each place
            x[place] = -FLT_MAX;
            assert_true(tt_vector_max(n, x) == -FLT_MAX);
            x[(place + 1) % n] = NAN;
            assert_true(n == 1 || tt_vector_max(n, x) == -FLT_MAX);
            x[place] = x[(place + 1) % n] = -INFINITY;
        }
    }
}

// The limit holds for this process if it was there when the first kernel ran; what it allows is never
// exceeded.
static void isa_keeps_to_its_limit(void **state) {
    (void)state;
    const char *limit = getenv("TT_MAX_CPU_ISA");
    assert_true(strlen(tt_cpu_isa()) > 0);
    if (limit && strcmp(limit, "avx2") == 0) assert_string_not_equal(tt_cpu_isa(), "avx512");
    if (limit && strcmp(limit, "sse2") == 0) assert_string_equal(tt_cpu_isa(), "sse2");
    char *before = limit ? strdup(limit) : NULL;
    tt_device *device;
    setenv("TT_MAX_CPU_ISA", "avx3", 1);
    twin_refused(tt_device_open(&device, "cpu", TT_FP32, 1), TT_ERR_CONFIG, "TT_MAX_CPU_ISA=avx3");
    if (before)
        setenv("TT_MAX_CPU_ISA", before, 1);
    else
        unsetenv("TT_MAX_CPU_ISA");
    free(before);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bf16_rounds_to_nearest_even),
        cmocka_unit_test(exp_within_two_ulp),
        cmocka_unit_test(sums_and_scaling),
        cmocka_unit_test(the_maximum_is_in_the_row),
        cmocka_unit_test(isa_keeps_to_its_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
