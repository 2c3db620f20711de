// Low-rank adapters (LoRA, Hu et al. 2021): a weight W [out, in] stays as it is and
//
//   W' = W + s B A,   s = alpha / rank,   A [rank, in], B [out, rank]
//
// is what matrix products read; A and B are trained. Embeddings, norms and biases are not.
//
// W' is made once after each update, so that forward, the gradient of activations and decoding are those of a student
// without adapters: the same operations, the same speed, the same memory. Backward computes u = x A^T and v = dy B, from
// which dB = s dy^T u and dA = s v^T x. That is what LoRA's two products beside each weight give without dropout of their
// own; but the product dy^T x of the whole weight is never made, and nothing is kept from forward.
//
// Bytes of a weight where operands are bf16: W 4, W' 2, and of a trained one its gradient 4 and moments 8 more. So adapters
// need 6 for each weight of the model instead of 18. Where operands are fp32, W' is model->w, and W of the adapted weights
// alone is kept beside it: 4 for each weight and 4 more for an adapted one, instead of 16.
#ifndef TT_MODEL_ADAPTERS_H
#define TT_MODEL_ADAPTERS_H

#include "host/model/model.h"

#ifdef __cplusplus
extern "C" {
#endif

// Which weights have adapters, by the last part of their names (config/words.h): bit i is word i of TT_ADAPTER_TARGET_MAP.
typedef uint32_t tt_adapter_targets;
// Adds a word's bit. Errors: TT_ERR_CONFIG for an unknown word, with those allowed.
tt_status tt_adapter_targets_add(tt_adapter_targets *targets, const char *word) TT_MUST_CHECK;
enum { TT_ADAPTER_TARGETS_TEXT = 64 };
// The words, separated by ", ", in the order of the table.
void tt_adapter_targets_text(tt_adapter_targets targets, char out[TT_ADAPTER_TARGETS_TEXT]);

typedef struct tt_adapter_options {
    int rank;     // of each matrix B A
    double alpha; // s = alpha / rank
    tt_adapter_targets targets;
} tt_adapter_options;

typedef struct tt_adapter {
    const tt_parameter *weight; // [out, in]
    size_t a, b;                // of A and B in the adapters' flat buffers
    size_t base;                // of W in tt_adapters.base
} tt_adapter;

typedef struct tt_adapters {
    tt_adapter_options options;
    tt_adapter *items; // [n], in the order of the weights
    int n;
    size_t size;    // elements of the flat buffers
    float *w, *g;   // device memory: all A and B; gradients (NULL until tt_model_train)
    void *operands; // w as matrix products read it: w itself, or a bf16 copy
    float *
        base; // device memory: the W of the adapted weights; NULL where operands are bf16, since w keeps them
    struct tt_recording
        *recording; // of making all W'; NULL: there is none yet, or the device has no recordings
    int made;       // how many times they were, up to 2
} tt_adapters;

// Gives the model adapters that are zero. The student computes as before. Errors: TT_ERR_CONFIG where the model has none
// of the weights that a target names, or the rank is not in 1 .. the smaller side of a weight; TT_ERR_NOMEM;
// TT_ERR_DEVICE; TT_ERR_INTERNAL where it has adapters or a gradient.
tt_status tt_adapters_open(tt_model *model, const tt_adapter_options *options) TT_MUST_CHECK;
// Releases the adapters and what is kept for them; the model goes on with the weights that model->w has.
void tt_adapters_close(tt_model *model);
// Random numbers as PEFT begins with: A uniform in +-1 / sqrt(in) (Kaiming with a = sqrt(5)), B zero. They follow from
// (seed, stream, the weight's name).
tt_status tt_adapters_init(tt_model *model, uint64_t seed, uint32_t stream) TT_MUST_CHECK;
// Call it after writing the adapters' w, except after the optimiser's update: updates operands and W'.
tt_status tt_adapters_written(tt_model *model) TT_MUST_CHECK;
// Makes W' the model's weights, in fp32, and releases the adapters.
tt_status tt_adapters_merge(tt_model *model) TT_MUST_CHECK;

// For the model's own files.
tt_trained tt_adapters_trained(const tt_adapters *adapters);
// Makes W' from the adapters' operands.
tt_status tt_adapters_apply(tt_model *model) TT_MUST_CHECK;
// A linear layer whose weights [out, in] begin at element w of the model's; several adapted weights may lie in it, one below
// the other.
typedef struct tt_adapted_layer {
    size_t w;
    int rows, in, out;
} tt_adapted_layer;
// Adds to the gradient of the layer's adapters, for y = x W'^T with operands x [rows, in] and dy [rows, out].
tt_status tt_adapters_backward(
    tt_model *model, const void *dy, const void *x, const tt_adapted_layer *layer) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
