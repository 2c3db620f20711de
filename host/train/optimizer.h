// AdamW (Loshchilov and Hutter 2019) over the flat buffers of what a model trains (tt_model_trained), with the gradient's
// global norm clipped.
#ifndef TT_TRAIN_OPTIMIZER_H
#define TT_TRAIN_OPTIMIZER_H

#include "host/model/model.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_optimizer {
    tt_model *model; // borrowed; has a gradient buffer
    float *m, *v;    // device memory [tt_model_trained(model).size]: first and second moment
    double *squares; // device memory [1]: squared norm of the gradient
    int64_t updates; // made so far
    double beta1, beta2, eps, weight_decay;
    double clip; // largest global norm; 0 = off
} tt_optimizer;

// Allocates zero moments, and the model's gradient buffer where it has none; beta1 0.9, beta2 0.999, eps 1e-8,
// no weight decay, no clipping: the caller may set these fields afterwards. The caller closes it. Errors:
// TT_ERR_NOMEM, TT_ERR_DEVICE.
tt_status tt_optimizer_open(tt_optimizer *out, tt_model *model) TT_MUST_CHECK;
void tt_optimizer_close(tt_optimizer *optimizer);

// One update from the gradient, which is zeroed afterwards. *norm receives the gradient's norm before clipping;
// the factor is min(1, clip / (norm + 1e-6)), as in PyTorch. Where the norm is not finite, the device leaves
// weights and moments as they are, and `updates` does not count. The one wait for the device is at its end.
tt_status tt_optimizer_update(tt_optimizer *optimizer, double learning_rate, double *norm) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
