// Where the time of a step goes: a table of operations that calls the device's own ones and adds up the time
// of each kind. One device at a time.
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
    X(SAMPLE, "sampling")                                                                                    \
    X(ADAMW, "adamw")                                                                                        \
    X(OTHER, "other ops")

typedef enum tt_op_kind {
#define TT_OP_KIND_ENUM(kind, label) TT_OP_##kind,
    TT_OP_KIND_MAP(TT_OP_KIND_ENUM)
#undef TT_OP_KIND_ENUM
        TT_OP_KINDS
} tt_op_kind;

// The label of the table above.
const char *tt_op_kind_label(tt_op_kind kind);

// Times the device's operations from now on, each until its end; tt_timed_ops_close restores the device's own
// table.
void tt_timed_ops_open(tt_device *device);
void tt_timed_ops_close(tt_device *device);
// Seconds of each kind since the last call or the opening.
void tt_timed_ops_take(double seconds[TT_OP_KINDS]);

#ifdef __cplusplus
}
#endif

#endif
