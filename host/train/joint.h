// Batches of two tasks at once (Distilling step-by-step, Hsieh et al. 2023): as many labels as rationales in
// every step, and
//   loss = mean cross-entropy of the labels + weight x mean cross-entropy of the rationales.
#ifndef TT_TRAIN_JOINT_H
#define TT_TRAIN_JOINT_H

#include "host/train/shuffle.h"
#include "host/train/trainer.h"

#ifdef __cplusplus
extern "C" {
#endif

// One of the two tasks; both are borrowed.
typedef struct tt_joint_task {
    const tt_dataset *dataset;
    tt_shuffle *order; // of the dataset's examples
} tt_joint_task;

typedef struct tt_joint {
    tt_dataset dataset; // rationales, then labels
    int n_rationales;
    int64_t batch_size; // examples of each task in a step
    double weight;
    tt_shuffle *orders[2]; // of rationales and labels; borrowed
    int32_t *examples;     // [2 batch_size]
    double *scale;         // [dataset.n]
} tt_joint;

// Copies both datasets; their orders must outlive `out`. `weight`: of the rationales in the loss. The caller
// closes it. Errors: TT_ERR_NOMEM.
tt_status tt_joint_open(tt_joint *out, tt_joint_task rationales, tt_joint_task labels, int64_t batch_size,
    double weight) TT_MUST_CHECK;
void tt_joint_close(tt_joint *joint);
// The batch of a step (counted from 0), valid until the next call.
void tt_joint_batch(tt_joint *joint, int64_t step, tt_global_batch *out);

#ifdef __cplusplus
}
#endif

#endif
