// Statistics of paired answers: the same n questions are answered twice, each time right or wrong. If b
// answers changed to right and c to wrong, the difference of the two accuracies is (b - c) / n. The questions
// count as independent draws; a question that occurs under several ids is not, and makes the interval too
// narrow.
#ifndef TT_LAB_PAIRED_H
#define TT_LAB_PAIRED_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// 95 % interval of that difference by Tango's score (T. Tango, Equivalence test and confidence interval for
// the difference in proportions for the paired-sample design, Statistics in Medicine 17, 1998, 891-908): all
// differences d that satisfy
//
//   |b - c - n d| <= z sqrt(n (2 q + d - d^2)),   z = 1.959964,
//
// where q is the most likely probability of a change to wrong, given d:
//
//   q = (sqrt(B^2 - 8 n C) - B) / (4 n),   B = (2 n - b + c) d - b - c,   C = -c d (1 - d).
//
// It excludes 0 exactly if McNemar's (b - c)^2 / (b + c) exceeds z^2. If nothing changed, it extends z^2 / (n
// + z^2) to both sides. NaN if n is 0.
void tt_paired_interval(int64_t to_right, int64_t to_wrong, int64_t n, double *low, double *high);

// McNemar's exact test (two-sided, binomial): the probability that changes to right and to wrong are at least
// this unequal if both are equally likely. 1 if nothing changed.
double tt_mcnemar(int64_t to_right, int64_t to_wrong);

#ifdef __cplusplus
}
#endif

#endif
