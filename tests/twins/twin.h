// For tests that compare a kernel with a naive float64 twin: one table of tolerances, one way to compare.
#ifndef TT_TESTS_TWIN_H
#define TT_TESTS_TWIN_H

#include "host/base/philox.h"
#include "kernels/bf16.h"
#include "kernels/ops.h"
#include "tests/expect.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// What norm(difference) / norm(reference) may be.
typedef enum twin_kind {
    TWIN_FP32,      // a forward pass in fp32
    TWIN_FP32_GRAD, // gradients: a chain of products and differences
    TWIN_BF16,      // products of inputs rounded to bf16 (8 bits)
    TWIN_FINITE,    // central differences of the float64 twin against its analytic form
} twin_kind;

static const struct {
    const char *name;
    double tolerance;
} twin_table[] = {
    [TWIN_FP32] = {"fp32", 2e-6},
    [TWIN_FP32_GRAD] = {"fp32 gradient", 5e-6},
    [TWIN_BF16] = {"bf16", 6e-3},
    [TWIN_FINITE] = {"finite difference", 1e-5},
};

// Fails the test, naming the worst element, unless got is near want. NaN fails, unless both are NaN.
#define twin_expect(kind, what, got, want, n)                                                                \
    twin_compare(kind, what, got, (int)(n), want, 1, (int)(n), __FILE__, __LINE__)
// The same for got[rows, columns] with row distance ld; want is dense.
#define twin_expect_rows(kind, what, got, ld, want, rows, columns)                                           \
    twin_compare(kind, what, got, ld, want, rows, columns, __FILE__, __LINE__)
static inline void twin_compare(twin_kind kind, const char *what, const float *got, int ld,
    const double *want, int rows, int columns, const char *file, int line) {
    double difference = 0, reference = 0, worst = -1;
    size_t worst_row = 0, worst_column = 0;
    for (size_t i = 0; i < (size_t)rows; ++i)
        for (size_t j = 0; j < (size_t)columns; ++j) {
            const double g = got[i * (size_t)ld + j], w = want[i * (size_t)columns + j], d = fabs(g - w);
            if (isnan(g) && isnan(w)) continue;
            difference += d * d;
            reference += w * w;
            if (!(d <= worst) && !isnan(worst)) worst = d, worst_row = i, worst_column = j;
        }
    double error = sqrt(difference) / (sqrt(reference) + 1e-30);
    if (error <= twin_table[kind].tolerance) return;
    print_error(
        "%s: norm(difference)/norm(reference) = %.3g, allowed for %s: %.3g; worst at [%zu, %zu] of [%d, %d]: "
        "got %.9g, want %.9g\n",
        what, error, twin_table[kind].name, twin_table[kind].tolerance, worst_row, worst_column, rows,
        columns, (double)got[worst_row * (size_t)ld + worst_column],
        want[worst_row * (size_t)columns + worst_column]);
    _fail(file, line);
}

// Fails unless both arrays of `count` elements hold the same bits.
static inline void twin_same_bits(const char *what, const void *a, const void *b, size_t count, size_t size) {
    for (size_t i = 0; i < count; ++i)
        if (memcmp((const char *)a + i * size, (const char *)b + i * size, size) != 0) {
            print_error("%s: bits differ, first at element %zu of %zu\n", what, i, count);
            fail();
        }
}

static inline void twin_ok(tt_status status) {
    if (status == TT_OK) return;
    print_error("unexpected failure: %s\n", tt_error_message());
    fail();
}

// The operation must be refused with `code` and a message that contains `part`.
static inline void twin_refused(tt_status status, tt_status code, const char *part) {
    assert_int_equal(status, code);
    if (strstr(tt_error_message(), part)) return;
    print_error("message '%s' does not say '%s'\n", tt_error_message(), part);
    fail();
}

static inline tt_device *twin_device(int threads) {
    tt_device *device;
    twin_ok(tt_device_open(&device, "cpu", TT_FP32, threads));
    return device;
}

// Uniform numbers in [-scale, scale): a different stream per `seed`.
static inline void twin_random(float *x, size_t n, uint64_t seed, float scale) {
    tt_rng rng;
    tt_rng_open(&rng, seed, TT_FOR_TEST, 0, 0);
    for (size_t i = 0; i < n; ++i) x[i] = (float)(2 * tt_rng_uniform(&rng) - 1) * scale;
}

// Zeroed memory that a test need not check.
static inline void *twin_alloc(size_t count, size_t size) {
    void *memory = calloc(count + 1, size);
    if (!memory) abort();
    return memory;
}

// n numbers of a normal distribution times `scale`; `stream` tells arrays of one test apart.
static inline float *twin_normal(size_t n, double scale, uint64_t stream) {
    float *x = (float *)twin_alloc(n, sizeof *x);
    tt_rng rng;
    tt_rng_open(&rng, 7, TT_FOR_TEST, stream, 0);
    for (size_t i = 0; i < n; ++i) x[i] = (float)(scale * tt_rng_normal(&rng));
    return x;
}

static inline int32_t *twin_ids(size_t n, int below, uint64_t stream) {
    int32_t *ids = (int32_t *)twin_alloc(n, sizeof *ids);
    tt_rng rng;
    tt_rng_open(&rng, 8, TT_FOR_TEST, stream, 0);
    for (size_t i = 0; i < n; ++i) ids[i] = (int32_t)tt_rng_below(&rng, (uint32_t)below);
    return ids;
}

static inline float *twin_copy(const float *x, size_t n) {
    float *y = (float *)twin_alloc(n, sizeof *y);
    memcpy(y, x, n * sizeof *y);
    return y;
}

// x in bf16, and what of it is left in fp32: as operands of a device with precision bf16.
static inline uint16_t *twin_narrow(float *x, size_t n) {
    uint16_t *y = (uint16_t *)twin_alloc(n, sizeof *y);
    tt_bf16_from_float((int64_t)n, y, x);
    tt_float_from_bf16((int64_t)n, x, y);
    return y;
}

static inline float *twin_widen(const uint16_t *x, size_t n) {
    float *y = (float *)twin_alloc(n, sizeof *y);
    tt_float_from_bf16((int64_t)n, y, x);
    return y;
}

// Dropout of `rows` rows that stand at made-up places; released with twin_dropout_close.
static inline tt_dropout twin_dropout(float p, uint32_t site, int rows) {
    uint32_t *example = (uint32_t *)twin_alloc((size_t)rows, sizeof *example);
    uint32_t *position = (uint32_t *)twin_alloc((size_t)rows, sizeof *position);
    for (int t = 0; t < rows; ++t) example[t] = 1000 + (uint32_t)t / 5, position[t] = (uint32_t)t % 5;
    uint64_t *key = (uint64_t *)twin_alloc(1, sizeof *key);
    *key = tt_key(3, TT_FOR_DROPOUT, 11);
    tt_dropout drop = {.p = p, .key = key, .site = site, .example = example, .position = position};
    return drop;
}

static inline void twin_dropout_close(tt_dropout *drop) {
    free((void *)drop->key);
    free((void *)drop->example);
    free((void *)drop->position);
}

// The factor of element c of row t, by the definition in kernels/ops.h.
static inline double twin_factor(const tt_dropout *drop, uint32_t site, int t, int c) {
    if (drop->p == 0) return 1;
    const uint32_t counter[4] = {(uint32_t)c / 4, site, drop->position[t], drop->example[t]};
    const uint32_t key[2] = {(uint32_t)*drop->key, (uint32_t)(*drop->key >> 32)};
    uint32_t word[4];
    tt_philox(counter, key, word);
    return (double)word[c % 4] < (double)drop->p * 4294967296.0 ? 0 : 1 / (1 - (double)drop->p);
}

#endif
