#include "host/train/joint.h"

#include "host/base/memory.h"
#include "host/train/reading_tasks.h"

#include <stdlib.h>

static tt_status copy_all(tt_dataset *to, const tt_dataset *from) {
    for (int i = 0; i < from->n; ++i) {
        const int64_t *at = from->offsets + 2 * (int64_t)i;
        TT_TRY(tt_pairs_add_ids(
            to, from->ids + at[0], (int)(at[1] - at[0]), from->ids + at[1], (int)(at[2] - at[1])));
    }
    return TT_OK;
}

tt_status tt_joint_open(tt_joint *out, const tt_dataset *rationales, const tt_dataset *labels,
    tt_sequence *order_of_rationales, tt_sequence *order_of_labels, int64_t batch_size, double weight) {
    *out = (tt_joint){.rationales = rationales->n,
        .batch_size = batch_size,
        .weight = weight,
        .orders = {order_of_rationales, order_of_labels}};
    tt_status status = copy_all(&out->dataset, rationales);
    if (status == TT_OK) status = copy_all(&out->dataset, labels);
    if (status == TT_OK)
        status =
            tt_alloc(&out->examples, 2 * (size_t)batch_size, sizeof *out->examples, "examples of a step");
    if (status == TT_OK)
        status = tt_alloc(&out->scale, (size_t)out->dataset.n, sizeof *out->scale, "weights of examples");
    if (status != TT_OK) tt_joint_close(out);
    return status;
}

void tt_joint_close(tt_joint *j) {
    tt_dataset_close(&j->dataset);
    free(j->examples);
    free(j->scale);
    *j = (tt_joint){0};
}

void tt_joint_at(tt_joint *j, int64_t step, tt_global_batch *out) {
    const int64_t size = j->batch_size;
    for (int task = 0; task < 2; ++task) {
        int32_t *examples = j->examples + task * size;
        for (int64_t i = 0; i < size; ++i)
            examples[i] = tt_sequence_at(j->orders[task], step * size + i) + (task ? j->rationales : 0);
        const int64_t tokens = tt_dataset_target_tokens(&j->dataset, examples, (int)size);
        for (int64_t i = 0; i < size; ++i) j->scale[examples[i]] = (task ? 1 : j->weight) / (double)tokens;
    }
    *out = (tt_global_batch){.dataset = &j->dataset,
        .examples = j->examples,
        .n = (int)(2 * size),
        .stage = "label and rationale",
        .scale = j->scale};
}
