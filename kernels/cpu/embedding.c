// Embedding gather and its gradient. Backward sorts the rows by id (a stable counting sort), then one thread
// sums all rows of an id in the order of rows: no atomics, the same sum for any number of threads.
#include "kernels/cpu/dropout.h"

#include <string.h>

static tt_status check(
    const int32_t *ids, int rows, int d, int vocab, const tt_dropout *drop, const char *op) {
    if (rows < 0 || d < 1 || vocab < 1)
        return tt_fail(TT_ERR_INPUT, "%s: %d rows of %d from %d, expected rows >= 0, d >= 1, vocab >= 1", op,
            rows, d, vocab);
    for (int t = 0; t < rows; ++t)
        if (ids[t] < 0 || ids[t] >= vocab)
            return tt_fail(TT_ERR_INPUT, "%s: id %d at row %d is outside the vocabulary 0..%d", op, ids[t], t,
                vocab - 1);
    return tt_dropout_check(drop, op);
}

tt_status tt_cpu_embed_fwd(tt_device *device, float *out, const float *table, const int32_t *ids, int rows,
    int d, int vocab, const tt_dropout *drop) {
    TT_TRY(check(ids, rows, d, vocab, drop, "embed_fwd"));
#pragma omp parallel for num_threads(device->threads) schedule(static)
    for (int t = 0; t < rows; ++t) {
        float *to = out + (size_t)t * d;
        const float *from = table + (size_t)ids[t] * d;
        if (drop && drop->p > 0)
            tt_dropout_row(drop, t, d, to, from);
        else
            memcpy(to, from, (size_t)d * sizeof *to);
    }
    return TT_OK;
}

TT_MULTIVERSION(void, add_to, (int n, float *to, const float *from), (n, to, from)) {
#pragma omp simd
    for (int c = 0; c < n; ++c) to[c] += from[c];
}

tt_status tt_cpu_embed_bwd(tt_device *device, float *dtable, const float *dout, const int32_t *ids, int rows,
    int d, int vocab, const tt_dropout *drop) {
    TT_TRY(check(ids, rows, d, vocab, drop, "embed_bwd"));
    if (rows == 0) return TT_OK;
    // After the sort, rows of id v are order[end[v - 1] .. end[v]).
    const bool dropped = drop && drop->p > 0;
    const size_t own_floats = dropped ? (size_t)device->threads * d : 0;
    int32_t *end =
        tt_device_scratch(device, ((size_t)vocab + 1 + rows) * sizeof *end + own_floats * sizeof(float));
    if (!end) return TT_ERR_NOMEM;
    int32_t *order = end + vocab + 1;
    float *owns = (float *)(order + rows);
    memset(end, 0, ((size_t)vocab + 1) * sizeof *end);
    for (int t = 0; t < rows; ++t) ++end[ids[t] + 1];
    for (int v = 0; v < vocab; ++v) end[v + 1] += end[v];
    for (int t = 0; t < rows; ++t) order[end[ids[t]]++] = t;

#pragma omp parallel num_threads(device->threads)
    {
        float *own = dropped ? owns + (size_t)tt_cpu_thread() * d : NULL;
        // Whoever comes to the first row of an id sums the whole id.
#pragma omp for schedule(dynamic, 16)
        for (int i = 0; i < rows; ++i) {
            const int32_t id = ids[order[i]];
            if (i > 0 && ids[order[i - 1]] == id) continue;
            float *to = dtable + (size_t)id * d;
            for (int j = i; j < end[id]; ++j) {
                const float *from = dout + (size_t)order[j] * d;
                if (dropped) {
                    tt_dropout_row(drop, order[j], d, own, from);
                    from = own;
                }
                add_to(d, to, from);
            }
        }
    }
    return TT_OK;
}
