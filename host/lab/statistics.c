#include "host/lab/statistics.h"

#include <math.h>

// P(|T| <= t): finite sums for whole degrees of freedom (Abramowitz & Stegun 26.7.3 and 26.7.4).
static double probability_within(double t, int degrees) {
    const double angle = atan(t / sqrt(degrees)), cosine = cos(angle), sine = sin(angle);
    const int odd = degrees % 2;
    double term = odd ? cosine : 1, sum = 0;
    for (int k = odd ? 3 : 2; k <= degrees; k += 2) {
        sum += term;
        term *= cosine * cosine * (k - 1) / k;
    }
    return odd ? (angle + sine * sum) * 2 / acos(-1) : sine * sum;
}

double tt_student_t95(int degrees) {
    if (degrees < 1) return NAN;
    double low = 0, high = 16; // t is 12.7 at one degree and decreases
    for (int i = 0; i < 60; ++i) {
        const double middle = (low + high) / 2;
        if (probability_within(middle, degrees) < 0.95)
            low = middle;
        else
            high = middle;
    }
    return (low + high) / 2;
}

tt_estimate tt_estimate_mean(const double *x, int n) {
    tt_estimate e = {.mean = NAN, .low = NAN, .high = NAN};
    double sum = 0, squares = 0;
    for (int i = 0; i < n; ++i) {
        if (!isfinite(x[i])) continue;
        sum += x[i];
        e.n++;
    }
    if (e.n == 0) return e;
    e.mean = sum / e.n;
    if (e.n == 1) return e;
    for (int i = 0; i < n; ++i)
        if (isfinite(x[i])) squares += (x[i] - e.mean) * (x[i] - e.mean);
    const double half = tt_student_t95(e.n - 1) * sqrt(squares / (e.n - 1) / e.n);
    e.low = e.mean - half;
    e.high = e.mean + half;
    return e;
}
