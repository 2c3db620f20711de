// Loops over a row of numbers that several operations need; by the calling thread alone.
#ifndef TT_KERNELS_CPU_VECTOR_H
#define TT_KERNELS_CPU_VECTOR_H

// The largest of x[0..n), which is one of them; NaN is never larger. -inf if n is 0.
float tt_vector_max(int n, const float *x);
// Sum of e^(x[i] - top): parts of 1024 in fp32, their sums in fp64, so that the error does not grow with n.
double tt_vector_exp_sum(int n, const float *x, float top);
// to[0..n) += x[0..n)
void tt_vector_add(int n, float *to, const float *x);

#endif
