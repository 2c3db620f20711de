// Counting answers: majority votes and intervals.
#ifndef TT_REASON_VOTE_H
#define TT_REASON_VOTE_H

#ifdef __cplusplus
extern "C" {
#endif

// The option that most of answers[0..n) chose. Unreadable answers (TT_NO_ANSWER, or n_options and above) do not
// count; a tie goes to the option that occurs first. TT_NO_ANSWER where no answer counts.
int tt_vote(const int *answers, int n, int n_options);

// 95 % confidence interval of the share right / n, by Wilson's score interval (Wilson 1927); 0..1 where n is 0.
void tt_wilson(int right, int n, double *low, double *high);
// The same of a share p in 0..1, which need not be a whole number of n.
void tt_wilson_share(double p, int n, double *low, double *high);

#ifdef __cplusplus
}
#endif

#endif
