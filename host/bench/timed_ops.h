// Where the time of a step goes: a table of operations that calls a device's own and adds up what each kind
// takes. One device at a time.
#ifndef TT_BENCH_TIMED_OPS_H
#define TT_BENCH_TIMED_OPS_H

#include "kernels/device.h"

#ifdef __cplusplus
extern "C" {
#endif

// kind, label
#define TT_OP_KIND_MAP(X)                                                                                    \
    X(GEMM, "gemm")                                                                                          \
    X(ATTENTION, "attention")                                                                                \
    X(LMHEAD, "lm head")                                                                                     \
    X(NORM, "norms")                                                                                         \
    X(FFN, "activations")                                                                                    \
    X(EMBED, "embedding")                                                                                    \
    X(ADAMW, "adamw")                                                                                        \
    X(OTHER, "other ops")

typedef enum tt_op_kind {
#define TT_OP_KIND_ENUM(kind, label) TT_OP_##kind,
    TT_OP_KIND_MAP(TT_OP_KIND_ENUM)
#undef TT_OP_KIND_ENUM
        TT_OP_KINDS
} tt_op_kind;

const char *tt_op_kind_label(tt_op_kind kind); // as in the table above; static memory

// From now on the device's operations are timed, each until its end; tt_timed_ops_close gives it its own
// table back.
void tt_timed_ops_open(tt_device *device);
void tt_timed_ops_close(tt_device *device);
// Seconds per kind since the last call or the opening.
void tt_timed_ops_take(double seconds[TT_OP_KINDS]);

#ifdef __cplusplus
}
#endif

#endif
