#include "host/train/objective.h"

void tt_cross_entropy_gradient(float *dlogp, int n, int64_t tokens) {
    const float each = (float)(-1.0 / (double)tokens);
    for (int t = 0; t < n; ++t) dlogp[t] = each;
}

double tt_cross_entropy_loss(const float *logp, int n, int64_t tokens) {
    double sum = 0;
    for (int t = 0; t < n; ++t) sum += logp[t];
    return -sum / (double)tokens;
}
