// Embedding gather and its gradient. In backward one thread sums all rows of an id in the order of rows: no
// atomics, the same sum for any number of threads.
#include "kernels/cpu/dropout.h"
#include "kernels/cpu/reserve.h"
#include "kernels/cpu/vector.h"

static tt_status check_embedding(const tt_embedding *p, const char *op) {
    if (p->rows < 0 || p->d < 1 || p->vocab < 1)
        return tt_fail(TT_ERR_INPUT, "%s: %d rows of %d from %d, expected rows >= 0, d >= 1, vocab >= 1", op,
            p->rows, p->d, p->vocab);
    for (int t = 0; t < p->rows; ++t)
        if (p->ids[t] < 0 || p->ids[t] >= p->vocab)
            return tt_fail(TT_ERR_INPUT, "%s: id %d at row %d is outside the vocabulary 0..%d", op, p->ids[t],
                t, p->vocab - 1);
    return tt_dropout_check(&p->drop, op);
}

tt_status tt_cpu_embed_fwd(tt_device *device, const tt_embedding *p) {
    TT_TRY(check_embedding(p, "embed_fwd"));
#pragma omp parallel for num_threads(tt_cpu_team(device->threads)) schedule(static)
    for (int t = 0; t < p->rows; ++t)
        tt_dropout_row(&p->drop, t, p->d, p->out + (size_t)t * p->d, p->table + (size_t)p->ids[t] * p->d);
    return TT_OK;
}

size_t tt_cpu_embed_bwd_scratch(const tt_device *device, const tt_embedding *p) {
    return p->drop.p > 0 ? (size_t)device->threads * p->d * sizeof(float) : 0;
}

tt_status tt_cpu_embed_bwd(tt_device *device, const tt_embedding *p) {
    TT_TRY(check_embedding(p, "embed_bwd"));
    if (p->rows == 0) return TT_OK;
    if (!p->order) return tt_fail(TT_ERR_INPUT, "embed_bwd: order is missing");
    const int rows = p->rows, d = p->d;
    const int32_t *ids = p->ids, *order = p->order;
    const bool dropped = p->drop.p > 0;
    float *owns = NULL;
    if (dropped) {
        owns = tt_device_scratch(device, tt_cpu_embed_bwd_scratch(device, p));
        if (!owns) return TT_ERR_NOMEM;
    }
#pragma omp parallel num_threads(tt_cpu_team(device->threads))
    {
        float *own = dropped ? owns + (size_t)tt_cpu_thread() * d : NULL;
        // Whoever comes to the first row of an id sums the whole id.
#pragma omp for schedule(dynamic, 16)
        for (int i = 0; i < rows; ++i) {
            const int32_t id = ids[order[i]];
            if (i > 0 && ids[order[i - 1]] == id) continue;
            float *to = p->dtable + (size_t)id * d;
            for (int j = i; j < rows && ids[order[j]] == id; ++j) {
                const float *from = p->dout + (size_t)order[j] * d;
                if (dropped) {
                    tt_dropout_row(&p->drop, order[j], d, own, from);
                    from = own;
                }
                tt_vector_add(d, to, from);
            }
        }
    }
    return TT_OK;
}
