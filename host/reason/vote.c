#include "host/reason/vote.h"

#include "host/text/stages.h"

#include <math.h>

int tt_vote(const int *answers, int n, int n_options) {
    int votes[TT_MAX_OPTIONS] = {0}, best = TT_NO_ANSWER;
    for (int i = 0; i < n; ++i)
        if (answers[i] >= 0 && answers[i] < n_options) votes[answers[i]]++;
    for (int i = 0; i < n; ++i) // in the order seen, so that the first of equals stays
        if (answers[i] >= 0 && answers[i] < n_options && (best < 0 || votes[answers[i]] > votes[best]))
            best = answers[i];
    return best;
}

void tt_wilson(int right, int n, double *low, double *high) {
    tt_wilson_share(n > 0 ? (double)right / n : 0, n, low, high);
}

void tt_wilson_share(double p, int n, double *low, double *high) {
    *low = 0;
    *high = 1;
    if (n <= 0) return;
    const double z = 1.959963984540054, z2 = z * z / n;
    const double middle = (p + z2 / 2) / (1 + z2), half = z / (1 + z2) * sqrt(p * (1 - p) / n + z2 / (4 * n));
    *low = p <= 0 ? 0 : fmax(0, middle - half); // exact at both ends
    *high = p >= 1 ? 1 : fmin(1, middle + half);
}
