// Where the layers' weights are in the flat buffers. Offsets in elements; the same for weights, gradients and
// moments. Private to host/model.
#ifndef TT_MODEL_LAYOUT_H
#define TT_MODEL_LAYOUT_H

#include "host/model/model.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_block_layout {
    size_t self_norm, q, k, v, o; // q [inner, d_model], k and v right behind it: one matrix
    size_t cross_norm, cross_q, cross_k, cross_v, cross_o; // decoder only; k and v adjacent
    size_t ffn_norm, wi, wo;                               // wi [d_ff, d_model], or wi_0 and wi_1 adjacent
} tt_block_layout;

typedef struct tt_stack_layout {
    int layers;
    tt_block_layout *blocks;
    size_t bias; // [buckets, heads], block 0's, shared by all layers of the stack
    size_t final_norm;
} tt_stack_layout;

typedef struct tt_layout {
    size_t shared, head; // head == shared if tied
    tt_stack_layout encoder, decoder;
} tt_layout;

static inline int tt_inner(const tt_model_config *c) {
    return c->num_heads * c->d_kv;
}

#ifdef __cplusplus
}
#endif

#endif
