#include "host/train/joint.h"

#include "host/base/memory.h"

#include <stdlib.h>

static tt_status copy_examples(tt_dataset *to, const tt_dataset *from) {
    for (int i = 0; i < from->n; ++i) {
        const int64_t *begin = from->offsets + 2 * (int64_t)i; // of input, of target, of the next example
        TT_TRY(tt_dataset_add_ids(to, from->ids + begin[0], (int)(begin[1] - begin[0]), from->ids + begin[1],
            (int)(begin[2] - begin[1])));
    }
    return TT_OK;
}

tt_status tt_joint_open(
    tt_joint *out, tt_joint_task rationales, tt_joint_task labels, int64_t batch_size, double weight) {
    *out = (tt_joint){.n_rationales = rationales.dataset->n,
        .batch_size = batch_size,
        .weight = weight,
        .orders = {rationales.order, labels.order}};
    tt_status status = copy_examples(&out->dataset, rationales.dataset);
    if (status == TT_OK) status = copy_examples(&out->dataset, labels.dataset);
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

void tt_joint_batch(tt_joint *j, int64_t step, tt_global_batch *out) {
    const int64_t size = j->batch_size;
    for (int task = 0; task < 2; ++task) {
        int32_t *examples = j->examples + task * size;
        for (int64_t i = 0; i < size; ++i)
            examples[i] = tt_shuffle_at(j->orders[task], step * size + i) + (task ? j->n_rationales : 0);
        const int64_t tokens = tt_dataset_target_tokens(&j->dataset, examples, (int)size);
        for (int64_t i = 0; i < size; ++i) j->scale[examples[i]] = (task ? 1 : j->weight) / (double)tokens;
    }
    *out = (tt_global_batch){.dataset = &j->dataset,
        .examples = j->examples,
        .n = (int)(2 * size),
        .stage = "label and rationale",
        .scale = j->scale};
}
