// Means over seeds with their intervals.
#ifndef TT_LAB_STATISTICS_H
#define TT_LAB_STATISTICS_H

#ifdef __cplusplus
extern "C" {
#endif

// The t with P(|T| <= t) = 0.95 for Student's T with that many degrees of freedom; NaN below 1.
double tt_student_t95(int degrees);

typedef struct tt_estimate {
    double mean, low, high; // with its 95 % interval; NaN where it is not known
    int n;                  // number of values
} tt_estimate;

// Mean of x[0..n) and its interval by Student's t: mean +- t s / sqrt(n). NaN values are ignored. One value
// has no interval; without values there is no mean.
tt_estimate tt_estimate_mean(const double *x, int n);

#ifdef __cplusplus
}
#endif

#endif
