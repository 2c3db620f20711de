// Objectives: functions of the log-probabilities that the model gives the target tokens. An objective turns
// logp[t] into a loss and into dloss/dlogp[t], which is all that backward needs; so each is plain C that can
// be tested without a model.
#ifndef TT_TRAIN_OBJECTIVE_H
#define TT_TRAIN_OBJECTIVE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// Mean cross-entropy over target tokens: loss = -(1/T) sum of logp[t], where T = `tokens` is the number of target
// tokens of the global batch, of which logp[n] may be a part. dlogp[n] receives the gradient, -1/T everywhere:
// it is known before the forward pass, so tt_forward_backward takes it.
void tt_cross_entropy_gradient(float *dlogp, int n, int64_t tokens);
// This part's share of the loss: sums over parts and ranks give the loss of the batch.
double tt_cross_entropy_loss(const float *logp, int n, int64_t tokens);

#ifdef __cplusplus
}
#endif

#endif
