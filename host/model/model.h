// T5 encoder-decoder (T5 1.0: ReLU, tied head scaled by d_model^-0.5; T5 1.1 / Flan-T5: gated GELU, untied):
// configuration, parameters in one flat buffer, forward and backward over packed batches.
#ifndef TT_MODEL_MODEL_H
#define TT_MODEL_MODEL_H

#include "host/base/memory.h"
#include "host/base/status.h"
#include "host/config/words.h"
#include "host/data/batch.h"
#include "kernels/activation.h"
#include "kernels/device.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// Field names as in Hugging Face's config.json.
typedef struct tt_model_config {
    int vocab_size, d_model, d_kv, d_ff, num_layers, num_decoder_layers, num_heads;
    int relative_attention_num_buckets, relative_attention_max_distance;
    float dropout_rate, layer_norm_epsilon, initializer_factor;
    tt_activation activation;   // feed_forward_proj: relu | gated-gelu
    bool tie_word_embeddings;   // the LM head is the embedding
    bool scale_decoder_outputs; // the LM head reads decoder outputs times d_model^-0.5: T5 1.0, not 1.1
} tt_model_config;

// Fills `out` from a named shape (Raffel et al. 2020, and those published with T5 1.1): t5-small, t5-base,
// t5-large, t5-3b, t5-11b, and t5-v1_1-small ... -xxl; vocab_size 32128. Errors: TT_ERR_CONFIG; the message
// lists the known shapes.
tt_status tt_model_preset(tt_model_config *out, const char *name) TT_MUST_CHECK;
// Checks ranges: all sizes >= 1, num_buckets even and >= 4, and so on. Errors: TT_ERR_CONFIG naming the
// field.
tt_status tt_model_config_check(const tt_model_config *config) TT_MUST_CHECK;

// A slice of the flat buffers under its Hugging Face name.
typedef struct tt_parameter {
    char name[96];     // e.g. encoder.block.0.layer.0.SelfAttention.q.weight
    size_t offset;     // in elements
    int rows, columns; // a vector has rows 1
} tt_parameter;

typedef struct tt_model {
    tt_model_config config;
    tt_device *device;
    tt_parameter *parameters; // q, k, v of one attention are adjacent, so are wi_0 and wi_1
    int n_parameters;
    size_t size;                  // elements of the flat buffers
    float *w, *g;                 // device memory: weights; gradients (NULL until tt_model_train)
    void *operands;               // the weights as matrix products read them: w itself, or a bf16 copy
    struct tt_layout *layout;     // private: where the layers' weights are
    struct tt_adapters *adapters; // NULL, or what is trained in place of w (adapters.h); then g stays NULL
} tt_model;

// A model with zero weights. The caller closes it; `device` must outlive it. Errors: TT_ERR_CONFIG,
// TT_ERR_NOMEM, TT_ERR_DEVICE.
tt_status tt_model_open(tt_model **out, const tt_model_config *config, tt_device *device) TT_MUST_CHECK;
void tt_model_close(tt_model *model);
// Updates `operands` from w. Call it after writing w, except after the optimiser's update, which does it
// itself.
tt_status tt_model_written(tt_model *model) TT_MUST_CHECK;
// The operand at an offset of the flat buffers, in elements.
static inline const void *tt_model_operand(const tt_model *model, size_t offset) {
    return tt_operand_at(model->device, model->operands, offset);
}
// Allocates the gradient buffer of what is trained, zeroed, unless it exists. Errors: TT_ERR_NOMEM, TT_ERR_DEVICE.
tt_status tt_model_train(tt_model *model) TT_MUST_CHECK;

// What is trained: all weights, or the adapters alone. Flat buffers of one layout in device memory.
typedef struct tt_trained {
    size_t size;    // elements
    float *w, *g;   // g: NULL until tt_model_train
    void *operands; // receives w in bf16, or NULL where operands are fp32
} tt_trained;
// Of the model as it is now.
tt_trained tt_model_trained(const tt_model *model);
// Makes what matrix products read from what is trained, after the optimiser has written `w` and `operands` of
// tt_model_trained. Errors: TT_ERR_NOMEM, TT_ERR_DEVICE.
tt_status tt_model_updated(tt_model *model) TT_MUST_CHECK;
const tt_parameter *tt_model_find(const tt_model *model, const char *name); // NULL if there is none

// How weights begin: t5 = Hugging Face's _init_weights with initializer_factor; copy = structured, some heads copy
// or attend to neighbours from the start (see init.c).
typedef enum tt_init { TT_INIT_MAP(TT_WORD_CODE) TT_INITS } tt_init;
// A word of TT_INIT_MAP. Errors: TT_ERR_CONFIG for any other.
tt_status tt_init_parse(tt_init *out, const char *word) TT_MUST_CHECK;
// Random weights from Philox keyed by (seed, parameter's name), so that they do not depend on order or
// device. Errors: TT_ERR_CONFIG where TT_INIT_COPY does not fit the shape (num_heads x d_kv must be d_model).
tt_status tt_model_init(tt_model *model, tt_init how, uint64_t seed) TT_MUST_CHECK;

// Activations and uploaded indices of a pass over a batch. Its memory is kept from step to step. Use one pass
// in one thread at a time; the model must outlive it.
typedef struct tt_pass tt_pass;
tt_status tt_pass_open(tt_pass **out, tt_model *model) TT_MUST_CHECK;
void tt_pass_close(tt_pass *pass);
size_t tt_pass_bytes(const tt_pass *pass); // device memory held

typedef struct tt_dropout_key {
    float rate;   // 0 = evaluation
    uint64_t key; // tt_key(seed, TT_FOR_DROPOUT, step)
} tt_dropout_key;

// From now on the pass only scores: it keeps nothing for backward, which must not follow, also where the model has gradients.
void tt_pass_score_only(tt_pass *pass);

// logp[t] (host, [dec_tokens]) = log-probability of target t, in nats. Keeps what backward needs if the model
// has gradients.
tt_status tt_forward(tt_pass *pass, const tt_batch *batch, tt_dropout_key dropout, float *logp) TT_MUST_CHECK;
// After tt_forward on the same batch: g of what is trained += gradient of a loss with dloss/dlogp[t] = dlogp[t] (host).
tt_status tt_backward(tt_pass *pass, const tt_batch *batch, const float *dlogp) TT_MUST_CHECK;
// Both at once where dlogp is known beforehand (cross-entropy): the LM head makes one pass over the logits. With
// logp NULL nobody waits for the device; tt_pass_fetch_logp fetches them.
tt_status tt_forward_backward(tt_pass *pass, const tt_batch *batch, tt_dropout_key dropout,
    const float *dlogp, float *logp) TT_MUST_CHECK;
// logp[t] of the pass's last batch, by tt_device_fetch: there after the device's next download.
tt_status tt_pass_fetch_logp(tt_pass *pass, float *logp) TT_MUST_CHECK;

// Called during backward when a part of the gradient is complete: all operations that add to g[from, size) have been
// submitted to the device. `from` decreases, layer by layer, to 0; the gradient of adapters is complete at once.
typedef struct tt_gradient_watch {
    tt_status (*ready)(void *context, size_t from); // NULL: not called
    void *context;
} tt_gradient_watch;
void tt_pass_watch(tt_pass *pass, tt_gradient_watch watch); // from the next backward on

// With `layers`, forward keeps only each layer's input, and backward computes the layer again from it: the same bits
// with less memory, for about a quarter more arithmetic. From the next forward on.
void tt_pass_recompute(tt_pass *pass, bool layers);

// Floating-point operations of forward and backward (3 x 2 x multiply-adds of all matrix products and
// attention over real tokens) for a batch.
double tt_model_flops(const tt_model *model, const tt_batch *batch);

#ifdef __cplusplus
}
#endif

#endif
