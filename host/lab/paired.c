#include "host/lab/paired.h"

#include <math.h>

static const double z = 1.959963984540054;

// Distance of b - c from its expectation under a difference of d, in standard deviations; decreases in d.
static double score_of_difference(double d, double b, double c, double n) {
    const double linear = (2 * n - b + c) * d - b - c, constant = -c * d * (1 - d);
    const double q = (sqrt(fmax(linear * linear - 8 * n * constant, 0)) - linear) / (4 * n);
    const double variance = n * (2 * fmax(q, 0) + d - d * d), distance = b - c - n * d;
    if (variance > 0) return distance / sqrt(variance);
    return distance > 0 ? INFINITY : distance < 0 ? -INFINITY : 0;
}

// The largest d whose score is at least -z: the upper end.
static double upper_end(double b, double c, double n) {
    double low = (b - c) / n, high = 1;
    for (int i = 0; i < 60 && low < 1; ++i) {
        const double middle = (low + high) / 2;
        if (score_of_difference(middle, b, c, n) >= -z)
            low = middle;
        else
            high = middle;
    }
    return low;
}

void tt_paired_interval(int64_t to_right, int64_t to_wrong, int64_t n, double *low, double *high) {
    *low = *high = NAN;
    if (n < 1) return;
    *high = upper_end((double)to_right, (double)to_wrong, (double)n);
    *low = -upper_end((double)to_wrong, (double)to_right, (double)n); // the same with both sides exchanged
}

double tt_mcnemar(int64_t to_right, int64_t to_wrong) {
    const int64_t changed = to_right + to_wrong, fewer = to_right < to_wrong ? to_right : to_wrong;
    double sum = 0;
    for (int64_t k = 0; k <= fewer; ++k)
        sum += exp(lgamma((double)changed + 1) - lgamma((double)k + 1) - lgamma((double)(changed - k) + 1) -
                   (double)changed * log(2));
    return fmin(1, 2 * sum);
}
