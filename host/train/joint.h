// Batches of two tasks at once (Distilling step-by-step): as many labels as rationales in every step, and
//   loss = mean cross-entropy of the labels + weight x mean cross-entropy of the rationales.
#ifndef TT_TRAIN_JOINT_H
#define TT_TRAIN_JOINT_H

#include "host/train/sequence.h"
#include "host/train/trainer.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_joint {
    tt_dataset dataset; // rationales, then labels
    int rationales;
    int64_t batch_size; // of each
    double weight;
    tt_sequence *orders[2]; // of rationales and labels; borrowed
    int32_t *examples;      // [2 batch_size]
    double *scale;          // [dataset.n]
} tt_joint;

// Copies both data sets; the caller closes it.
tt_status tt_joint_open(tt_joint *out, const tt_dataset *rationales, const tt_dataset *labels,
    tt_sequence *order_of_rationales, tt_sequence *order_of_labels, int64_t batch_size,
    double weight) TT_MUST_CHECK;
void tt_joint_close(tt_joint *joint);
// The batch of a step (counted from 0), valid until the next call.
void tt_joint_at(tt_joint *joint, int64_t step, tt_global_batch *out);

#ifdef __cplusplus
}
#endif

#endif
