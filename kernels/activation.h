// What stands between the two matrices of a feed-forward layer.
#ifndef TT_KERNELS_ACTIVATION_H
#define TT_KERNELS_ACTIVATION_H

#ifdef __cplusplus
extern "C" {
#endif

typedef enum tt_activation {
    TT_RELU,       // a = relu(h), h[rows, f]
    TT_GATED_GELU, // a = gelu_new(h[:, :f]) * h[:, f:], h[rows, 2f]; gelu_new is GELU's tanh form
} tt_activation;

// Columns of h for f columns of a.
static inline int tt_activation_width(tt_activation activation, int f) {
    return activation == TT_GATED_GELU ? 2 * f : f;
}

#ifdef __cplusplus
}
#endif

#endif
