#include "host/reason/penalties.h"

#include "host/base/memory.h"
#include "host/text/tokenizer.h"

#include <stdlib.h>
#include <string.h>

tt_status tt_penalties_open(tt_penalties *p, tt_device *device, int rows, int max_length) {
    if (p->device) return TT_OK;
    *p = (tt_penalties){.device = device, .rows = rows, .max_length = max_length};
    const size_t r = (size_t)rows, all = r * (size_t)max_length;
    tt_status status = tt_alloc(&p->seen, all + 2 * r, sizeof *p->seen, "penalties");
    if (status == TT_OK)
        status = tt_device_alloc(device, &p->d_seen, all + 2 * r, sizeof *p->d_seen, "penalties");
    if (status != TT_OK) {
        tt_penalties_close(p);
        return status;
    }
    p->n_seen = p->seen + all;
    p->forbid = p->n_seen + r;
    p->d_n_seen = p->d_seen + all;
    p->d_forbid = p->d_n_seen + r;
    return TT_OK;
}

void tt_penalties_close(tt_penalties *p) {
    free(p->seen);
    if (p->d_seen) tt_device_free(p->device, p->d_seen);
    *p = (tt_penalties){0};
}

tt_status tt_penalties_add(tt_penalties *p, const tt_decoding *decoding, int row, const int32_t *ids, int n) {
    if (row >= p->rows || n + 1 > p->max_length)
        return tt_fail(TT_ERR_INTERNAL, "penalties: row %d, %d ids", row, n);
    int32_t *seen = p->seen + (size_t)row * (size_t)p->max_length;
    seen[0] = TT_PAD; // the start token
    memcpy(seen + 1, ids, (size_t)n * sizeof *ids);
    p->n_seen[row] = n + 1;
    p->forbid[row] = n + 1 < decoding->min_length;
    return TT_OK;
}

tt_status tt_penalties_apply(
    tt_penalties *p, const tt_decoding *decoding, int rows, int vocab, float *scores) {
    const size_t one = (size_t)rows * sizeof(int32_t);
    TT_TRY(tt_device_upload(p->device, p->d_seen, p->seen, one * (size_t)p->max_length));
    TT_TRY(tt_device_upload(p->device, p->d_n_seen, p->n_seen, one));
    TT_TRY(tt_device_upload(p->device, p->d_forbid, p->forbid, one));
    const float penalty = decoding->repetition_penalty;
    return p->device->ops->penalise(p->device, &(tt_penalise){.rows = rows,
                                                   .vocab = vocab,
                                                   .scores = scores,
                                                   .repetition_penalty = penalty > 0 ? penalty : 1,
                                                   .seen = p->d_seen,
                                                   .n_seen = p->d_n_seen,
                                                   .ld_seen = p->max_length,
                                                   .forbidden = TT_EOS,
                                                   .forbid = p->d_forbid});
}
