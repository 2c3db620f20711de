// Activations of one pass over a batch: what forward leaves for backward. Private to host/model.
#ifndef TT_MODEL_PASS_H
#define TT_MODEL_PASS_H

#include "host/model/layout.h"
#include "kernels/ops.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { TT_NORMS = 3 }; // of a decoder layer: self-attention, cross-attention, feed-forward

// R rows (tokens of the stack), D = d_model, I = heads x d_kv, F = d_ff (2F if gated), H heads.
typedef struct tt_layer_pass {
    float *x[TT_NORMS];                         // [R, D]: residual stream that a norm saw
    float *rstd[TT_NORMS];                      // [R]
    float *lse, *cross_lse;                     // [R, H]
    tt_operand *y[TT_NORMS];                    // [R, D]: a norm's output
    tt_operand *qkv, *out;                      // self-attention: [R, 3I], [R, I]
    tt_operand *cross_q, *cross_kv, *cross_out; // [R, I], [encoder rows, 2I], [R, I]
    tt_operand *h, *a;                          // feed-forward: [R, F or 2F], [R, F]; ReLU: the same
    uint8_t *mask;                              // of ReLU, for backward: see tt_ffn
} tt_layer_pass;

// The linear layers of a layer; q, k and v are one product, and so are the k and v of cross-attention.
typedef enum tt_weight {
    TT_WEIGHT_QKV,
    TT_WEIGHT_O,
    TT_WEIGHT_CROSS_Q, // decoder only, and the next two
    TT_WEIGHT_CROSS_KV,
    TT_WEIGHT_CROSS_O,
    TT_WEIGHT_WI,
    TT_WEIGHT_WO,
    TT_WEIGHTS
} tt_weight;

typedef struct tt_stack_pass {
    int rows, seqs, longest;      // longest sequence
    int32_t *ids, *offsets;       // [R], [seqs + 1]
    int32_t *order;               // [R], backward: see tt_embedding
    uint32_t *example, *position; // [R]
    tt_layer_pass *layers;        // host memory
    bool layers_share;            // one layer's memory is used by all; of each at most x[0] is its own
    float *x, *rstd;              // of the final norm
    tt_operand *y;                // the stack's output
    // Backward: gradients of the linear layers' outputs. group[w] layers of a weight have memory of their own (see
    // weights.c): [group, rows, out]. The stacks use the same memory one after the other.
    tt_operand *dy[TT_WEIGHTS];
    int group[TT_WEIGHTS]; // 0: the stack has no such weight
} tt_stack_pass;

struct tt_pass {
    tt_model *model;
    tt_stack_pass encoder, decoder;
    int32_t *source, *targets;         // [decoder seqs], [decoder rows]
    int32_t *readers, *reader_offsets; // [decoder seqs], [encoder seqs + 1]: see tt_attention
    float *lse, *logp, *dlogp;         // [decoder rows]
    tt_operand *branch;                // [R, D]: a sublayer's output before it is added
    float *bias_strips; // backward: see tt_attention; a stack's layers add to them. dx is right behind them
    float *dx, *denc;   // backward: of the residual stream, of encoder.y; [R, D]
    tt_operand *dy;     // [R, D]: of a norm's output
    tt_operand *narrow; // [R, I], with gated GELU [R, max(I, F)]: of attention's output, and of a
    void *end;          // of narrow
    float *norm_strips,
        *free_strips;          // backward: of each norm [tt_rmsnorm_strips(R), D]; where the next begins
    tt_rmsnorm_sum *norm_sums; // host memory: norms whose dw is still to be summed
    int n_norm_sums;
    bool score_only; // nothing is kept for backward
    bool recompute;  // backward computes a layer's activations again from its x[0]
    tt_dropout_key dropout;
    uint64_t *key; // dropout.key, device memory
    tt_gradient_watch watch;
    bool watched;                  // when the memory was laid out
    struct tt_pass_replay *replay; // NULL: the device has no recordings
    bool forward_done;
    int encoder_tokens, decoder_tokens; // rows of the batch; the rows after them are filler
    char *memory;                       // device arena
    size_t bytes;
    int32_t *id_begin; // host memory, [vocab + 2]: for tt_embedding_order
    char *host;        // indices on their way to the device
    size_t host_capacity;
};

// Every dropout of the model has a site of its own; attention adds its head to it.
typedef enum tt_site {
    TT_SITE_EMBEDDING,
    TT_SITE_SELF,
    TT_SITE_SELF_OUT,
    TT_SITE_CROSS,
    TT_SITE_CROSS_OUT,
    TT_SITE_FFN,
    TT_SITE_FFN_OUT,
    TT_SITE_FINAL
} tt_site;

// Lays the arena out for a batch and uploads its indices and the dropout's key.
tt_status tt_pass_prepare(tt_pass *pass, const tt_batch *batch, tt_dropout_key dropout, bool backward,
    bool encoder_only) TT_MUST_CHECK;
// Declares the arena between two addresses undefined until it is written again (tt_device_discard).
tt_status tt_pass_discard(const tt_pass *pass, void *from, const void *to) TT_MUST_CHECK;
tt_dropout tt_pass_dropout(const tt_pass *pass, bool decoder, int layer, tt_site site);
tt_attention tt_pass_self_attention(const tt_pass *pass, bool decoder, int layer);
tt_attention tt_pass_cross_attention(const tt_pass *pass, int layer);

// Forward through both stacks for the prepared batch, without the LM head.
tt_status tt_pass_stacks(tt_pass *pass) TT_MUST_CHECK;
// During backward, before layer l's: computes what it reads again, unless it is there.
tt_status tt_pass_layer_again(tt_pass *pass, bool decoder, int l) TT_MUST_CHECK;
tt_lmhead tt_pass_head(const tt_pass *pass);

// Encoder alone, for decoding: pass->encoder.y afterwards.
tt_status tt_pass_encode(tt_pass *pass, const tt_batch *batch) TT_MUST_CHECK;

// Operations on a prepared batch: no uploads or downloads, and nothing that depends on more than the batch's
// shape, the pass's memory and the dropout rate. tt_pass_do runs them; on devices with recordings it replays
// them when a shape occurs again (pass_replay.c).
typedef tt_status tt_pass_work(tt_pass *pass);
tt_status tt_pass_do(tt_pass *pass, tt_pass_work *work) TT_MUST_CHECK;
// Called by such work when all operations that add to g[from, size) have been submitted to the device.
tt_status tt_pass_complete(tt_pass *pass, size_t from) TT_MUST_CHECK;
tt_status tt_pass_replay_open(tt_pass *pass) TT_MUST_CHECK;
// The step to whose next multiple a stack's rows are filled up, so that shapes occur again: by one sequence
// of 1 to `step` tokens without loss or gradient. 0: a batch of this many tokens is not filled up.
int tt_pass_replay_step(int tokens);
void tt_pass_replay_forget(tt_pass *pass); // before the pass's memory moves
void tt_pass_replay_close(tt_pass *pass);

// A linear layer applied to rows: w[out, in] starts at this element of the model's weights.
typedef struct tt_linear_layer {
    size_t w;
    int rows, in, out;
    int layers;                           // as many such layers at once; 0 is 1
    int64_t stride_w, stride_x, stride_y; // elements from one to the next; x and y are input and output
} tt_linear_layer;

// y[rows, out] = x[rows, in] w[out, in]^T
tt_status tt_linear(
    tt_model *model, tt_operand *y, const tt_operand *x, const tt_linear_layer *layer) TT_MUST_CHECK;
// y = max(x w^T, 0)
tt_status tt_linear_relu(
    tt_model *model, tt_operand *y, const tt_operand *x, const tt_linear_layer *layer) TT_MUST_CHECK;
// dx = dy w
tt_status tt_linear_bwd(
    tt_model *model, tt_operand *dx, const tt_operand *dy, const tt_linear_layer *layer) TT_MUST_CHECK;
// dx += dy w in fp32
tt_status tt_linear_bwd_add(
    tt_model *model, float *dx, const tt_operand *dy, const tt_linear_layer *layer) TT_MUST_CHECK;
// dw += dy^T x, or what follows for the adapters of one layer
tt_status tt_linear_dw(
    tt_model *model, const tt_operand *dy, const tt_operand *x, const tt_linear_layer *layer) TT_MUST_CHECK;

// Layer l's, with sizes and place.
tt_linear_layer tt_weight_layer(const tt_pass *pass, bool decoder, tt_weight weight, int l);
// Elements from one operand to another.
int64_t tt_pass_elements(const tt_pass *pass, const tt_operand *from, const tt_operand *to);
// How many layers' gradients are made at once; `layer` is any of the stack's `layers`.
int tt_weight_group(const tt_pass *pass, const tt_linear_layer *layer, int layers);
// Where the gradient of its output is to be written.
tt_operand *tt_weight_dy(const tt_pass *pass, bool decoder, tt_weight weight, int l);
// Called layer by layer, from the last to the first, when that has been written and used: adds to the weights' gradients,
// if layer l is the last of its group.
tt_status tt_weight_bwd(tt_pass *pass, bool decoder, tt_weight weight, int l) TT_MUST_CHECK;
// When this has been done for all weights of layer l: the first layer from which on all weights' gradients are complete.
int tt_weights_complete(const tt_pass *pass, bool decoder, int l);

#ifdef __cplusplus
}
#endif

#endif
