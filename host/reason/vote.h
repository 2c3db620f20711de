// Counting answers: majority votes and intervals.
#ifndef TT_REASON_VOTE_H
#define TT_REASON_VOTE_H

// The option with most of the n answers; unreadable ones (TT_NO_ANSWER or not below n_options) do not vote; a
// tie goes to the option seen first. TT_NO_ANSWER where nobody voted.
int tt_vote(const int *answers, int n, int n_options);

// 95 % interval of a share of `right` in n by Wilson's score (Wilson 1927); 0..1 where n is 0.
void tt_wilson(int right, int n, double *low, double *high);
// The same of a share p in 0..1, which need not be a whole number of n.
void tt_wilson_share(double p, int n, double *low, double *high);

#endif
