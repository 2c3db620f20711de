// AdamW (Loshchilov and Hutter 2019) over the flat buffers of what a model trains (tt_model_trained), with the gradient's
// global norm clipped.
//
// Moments may be divided among ranks (ZeRO's first stage, Rajbhandari et al. 2020): each rank has those of its own stretch
// (host/dist/shard.h), updates the weights there, and receives the others' weights. The results are those of ranks that all
// do everything, but for the rounding of the norm's last bits in fp64, and of the sum where its order differs.
#ifndef TT_TRAIN_OPTIMIZER_H
#define TT_TRAIN_OPTIMIZER_H

#include "host/dist/shard.h"
#include "host/model/model.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_optimizer {
    tt_model *model; // borrowed; has a gradient buffer
    tt_comm *comm;   // borrowed; the ranks that the moments are divided among; NULL: this rank has all
    tt_shard shard;  // of what is trained: the elements that this rank updates
    float *m, *v;    // device memory [shard.n]: first and second moment
    double *squares; // device memory [1]: squared norm of the gradient
    double *norms;   // host memory [ranks]: squared norms of the ranks' stretches
    int64_t updates; // made so far
    double beta1, beta2, eps, weight_decay;
    double clip; // largest global norm; 0 = off
} tt_optimizer;

// Allocates zero moments, and the model's gradient buffer where it has none; beta1 0.9, beta2 0.999, eps 1e-8,
// no weight decay, no clipping: the caller may set these fields afterwards. The caller closes it. Errors:
// TT_ERR_NOMEM, TT_ERR_DEVICE.
tt_status tt_optimizer_open(tt_optimizer *out, tt_model *model) TT_MUST_CHECK;
// The same with moments divided among the ranks of `comm`, which all call it. Weights must be the same on all ranks, then
// they stay so.
tt_status tt_optimizer_open_sharded(tt_optimizer *out, tt_model *model, tt_comm *comm) TT_MUST_CHECK;
void tt_optimizer_close(tt_optimizer *optimizer);

// One update from the gradient, which is zeroed afterwards. *norm receives the gradient's norm before clipping;
// the factor is min(1, clip / (norm + 1e-6)), as in PyTorch. Where the norm is not finite, the device leaves
// weights and moments as they are, and `updates` does not count. The one wait for the device is at its end.
// With divided moments the gradient needs to be complete on this rank's stretch alone, all ranks call it, and the norm is the
// sum over the ranks' stretches in the order of ranks, with the same bits on all. Errors also: TT_ERR_DIST.
tt_status tt_optimizer_update(tt_optimizer *optimizer, double learning_rate, double *norm) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
