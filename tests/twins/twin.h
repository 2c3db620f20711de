// For tests that compare a kernel with a naive float64 twin: one table of tolerances, one way to compare.
#ifndef TT_TESTS_TWIN_H
#define TT_TESTS_TWIN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "host/base/philox.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

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

// Fails the test, naming the worst element, unless got is near want. NaN fails.
#define twin_expect(kind, what, got, want, n) twin_compare(kind, what, got, want, n, __FILE__, __LINE__)
static inline void twin_compare(twin_kind kind, const char *what, const float *got, const double *want,
    size_t n, const char *file, int line) {
    double difference = 0, reference = 0, worst = -1;
    size_t place = 0;
    for (size_t i = 0; i < n; ++i) {
        double d = fabs((double)got[i] - want[i]);
        difference += d * d;
        reference += want[i] * want[i];
        if (!(d <= worst) && !isnan(worst)) worst = d, place = i;
    }
    double error = sqrt(difference) / (sqrt(reference) + 1e-30);
    if (error <= twin_table[kind].tolerance) return;
    print_error(
        "%s: norm(difference)/norm(reference) = %.3g, allowed for %s: %.3g; worst at %zu of %zu: got %.9g, "
        "want %.9g\n",
        what, error, twin_table[kind].name, twin_table[kind].tolerance, place, n, (double)got[place],
        want[place]);
    _fail(file, line);
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

#endif
