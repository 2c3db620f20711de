#include "host/bench/timed_ops.h"

#include "host/base/log.h"
#include "kernels/ops.h"

#include <string.h>

static const tt_ops *own;
static bool plain;
static double spent[TT_OP_KINDS];

// Operations with one argument beside the device.
#define TT_TIMED_MAP(X)                                                                                      \
    X(embed_fwd, tt_embedding, EMBED)                                                                        \
    X(embed_bwd, tt_embedding, EMBED)                                                                        \
    X(rmsnorm_fwd, tt_rmsnorm, NORM)                                                                         \
    X(rmsnorm_bwd, tt_rmsnorm, NORM)                                                                         \
    X(gemm, tt_gemm, GEMM)                                                                                   \
    X(attention_fwd, tt_attention, ATTENTION)                                                                \
    X(attention_bwd, tt_attention, ATTENTION)                                                                \
    X(ffn_fwd, tt_ffn, FFN)                                                                                  \
    X(ffn_bwd, tt_ffn, FFN)                                                                                  \
    X(lmhead_fwd, tt_lmhead, LMHEAD)                                                                         \
    X(lmhead_bwd, tt_lmhead, LMHEAD)                                                                         \
    X(lmhead_fused, tt_lmhead, LMHEAD)                                                                       \
    X(adamw, tt_adamw, ADAMW)                                                                                \
    X(attention_decode, tt_attention_decode, ATTENTION)                                                      \
    X(sample, tt_sample, SAMPLE)

static tt_status count_time(tt_device *device, tt_op_kind kind, double started, tt_status status) {
    if (status == TT_OK) status = tt_device_wait(device);
    spent[kind] += tt_seconds() - started;
    return status;
}

#define TT_TIMED(op, type, kind)                                                                             \
    static tt_status timed_##op(tt_device *device, const type *t) {                                          \
        const double started = tt_seconds();                                                                 \
        tt_status status = own->op(device, t);                                                               \
        return count_time(device, TT_OP_##kind, started, status);                                            \
    }
TT_TIMED_MAP(TT_TIMED)

static tt_status timed_square_sum(tt_device *device, double *sum, const float *x, int64_t n) {
    const double started = tt_seconds();
    tt_status status = own->square_sum(device, sum, x, n);
    return count_time(device, TT_OP_ADAMW, started, status);
}

static tt_status timed_rmsnorm_dw(tt_device *device, const tt_rmsnorm_sum *sums, int n, int d) {
    const double started = tt_seconds();
    tt_status status = own->rmsnorm_dw(device, sums, n, d);
    return count_time(device, TT_OP_NORM, started, status);
}

static tt_status timed_scale(tt_device *device, float *x, int64_t n, float factor) {
    const double started = tt_seconds();
    tt_status status = own->scale(device, x, n, factor);
    return count_time(device, TT_OP_OTHER, started, status);
}

const char *tt_op_kind_label(tt_op_kind kind) {
    static const char *const labels[] = {
#define TT_OP_KIND_LABEL(name, label) label,
        TT_OP_KIND_MAP(TT_OP_KIND_LABEL)
#undef TT_OP_KIND_LABEL
    };
    return labels[kind];
}

void tt_timed_ops_open(tt_device *device) {
    static tt_ops timed;
    own = device->ops;
    plain = device->plain;
    device->plain = true; // operations that are replayed could not be timed
    timed = *own;         // entries that are not replaced below stay as they are
#define TT_TIMED_ENTRY(op, type, kind) timed.op = timed_##op;
    TT_TIMED_MAP(TT_TIMED_ENTRY)
    timed.square_sum = timed_square_sum;
    timed.rmsnorm_dw = timed_rmsnorm_dw;
    timed.scale = timed_scale;
    device->ops = &timed;
    memset(spent, 0, sizeof spent);
}

void tt_timed_ops_close(tt_device *device) {
    device->ops = own;
    device->plain = plain;
}

void tt_timed_ops_take(double seconds[TT_OP_KINDS]) {
    memcpy(seconds, spent, sizeof spent);
    memset(spent, 0, sizeof spent);
}
