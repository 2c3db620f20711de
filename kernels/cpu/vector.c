#include "kernels/cpu/vector.h"

#include "kernels/cpu/math.h"

#include <math.h>

// Lanes by hand, not by an OpenMP reduction: clang starts those at -FLT_MAX, which is no element of a row of
// minus infinities, and does not vectorise them.
TT_MULTIVERSION(float, largest, (int n, const float *x), (n, x)) {
    enum { LANES = 32 };
    float lane[LANES], top = -INFINITY;
    int i = 0;
    for (int l = 0; l < LANES; ++l) lane[l] = -INFINITY;
    for (; i + LANES <= n; i += LANES) {
#pragma omp simd
        for (int l = 0; l < LANES; ++l) lane[l] = x[i + l] > lane[l] ? x[i + l] : lane[l];
    }
    for (; i < n; ++i) top = x[i] > top ? x[i] : top;
    for (int l = 0; l < LANES; ++l) top = lane[l] > top ? lane[l] : top;
    return top;
}

float tt_vector_max(int n, const float *x) {
    return largest(n, x);
}

TT_MULTIVERSION(float, part_exp_sum, (int n, const float *x, float top), (n, x, top)) {
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int i = 0; i < n; ++i) sum += tt_expf(x[i] - top);
    return sum;
}

double tt_vector_exp_sum(int n, const float *x, float top) {
    enum { PART = 1024 };
    double total = 0;
    for (int i = 0; i < n; i += PART) total += (double)part_exp_sum(n - i < PART ? n - i : PART, x + i, top);
    return total;
}

TT_MULTIVERSION(void, add_row, (int n, float *to, const float *x), (n, to, x)) {
#pragma omp simd
    for (int i = 0; i < n; ++i) to[i] += x[i];
}

void tt_vector_add(int n, float *to, const float *x) {
    add_row(n, to, x);
}
