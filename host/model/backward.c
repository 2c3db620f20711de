// Backward over a packed batch: the mirror of forward.c, from dloss/dlogp to the gradient of every weight.
//
// pass->dx is the gradient of the residual stream. A norm's backward adds its part to dx and writes the gradient of the
// branch that was added before it (dropout undone): the dy of the last linear layer of the sublayer below it.
#include "host/model/pass.h"

// Where the gradient of the weights at this offset is; NULL where adapters are trained in their place.
static float *gradient_at(const tt_model *model, size_t w) {
    return model->adapters ? NULL : model->g + w;
}

// Puts a norm, whose weight is w, on the list of those whose dw is to be summed: the memory of its strips. Nobody reads
// those of a norm that is not trained: then all norms share them.
static float *list_norm(tt_pass *pass, const tt_stack_pass *stack, size_t w) {
    float *strips = pass->free_strips;
    if (pass->model->adapters) return strips;
    pass->free_strips += (size_t)tt_rmsnorm_strips(stack->rows) * (size_t)pass->model->config.d_model;
    pass->norm_sums[pass->n_norm_sums++] = (tt_rmsnorm_sum){stack->rows, strips, gradient_at(pass->model, w)};
    return strips;
}

// Sums the dw of all norms on the list. One launch for many: each alone takes a GPU no longer than starting it.
static tt_status sum_norms(tt_pass *pass) {
    const tt_model *model = pass->model;
    const int n = pass->n_norm_sums;
    pass->n_norm_sums = 0;
    if (n == 0) return TT_OK;
    return model->device->ops->rmsnorm_dw(model->device, pass->norm_sums, n, model->config.d_model);
}

// The gradient is complete from g[from] on, if anybody is told.
static tt_status complete(tt_pass *pass, size_t from) {
    if (pass->watch.ready) TT_TRY(sum_norms(pass));
    return tt_pass_complete(pass, from);
}

// The sublayer whose output was added to a norm's x.
typedef struct branch {
    tt_operand *gradient; // NULL below the first norm
    tt_dropout drop;
} branch;

static branch branch_of(const tt_pass *pass, bool decoder, int l, tt_weight last, tt_site site) {
    if (l < 0) return (branch){0};
    return (branch){tt_weight_dy(pass, decoder, last, l), tt_pass_dropout(pass, decoder, l, site)};
}

// Backward through y = norm(x). The buffer of the sublayer above is declared undefined, and afterwards dy.
static tt_status norm_bwd(tt_pass *pass, const tt_stack_pass *stack, size_t w, float *x, float *rstd,
    const tt_operand *dy, branch below, tt_dropout output_drop) {
    const tt_model *model = pass->model;
    TT_TRY(tt_pass_discard(pass, pass->narrow, pass->end));
    TT_TRY(model->device->ops->rmsnorm_bwd(model->device, &(tt_rmsnorm){.rows = stack->rows,
                                                              .d = model->config.d_model,
                                                              .eps = model->config.layer_norm_epsilon,
                                                              .w = model->w + w,
                                                              .rstd = rstd,
                                                              .x = x,
                                                              .dy = dy,
                                                              .dx = pass->dx,
                                                              .dbranch = below.gradient,
                                                              .drop = below.drop,
                                                              .output_drop = output_drop,
                                                              .dw = gradient_at(model, w),
                                                              .strips = list_norm(pass, stack, w)}));
    return tt_pass_discard(pass, pass->dy, pass->narrow);
}

// dx of the weight's product, from the dy that is in its place, and in time dw.
static tt_status linear_bwd(tt_pass *pass, tt_operand *dx, bool decoder, tt_weight weight, int l) {
    const tt_linear_layer layer = tt_weight_layer(pass, decoder, weight, l);
    TT_TRY(tt_linear_bwd(pass->model, dx, tt_weight_dy(pass, decoder, weight, l), &layer));
    return tt_weight_bwd(pass, decoder, weight, l);
}

// Each sublayer: from the dy of its last linear layer to pass->dy, of its norm's output.

// From dy to h's gradient: of ReLU in the memory of a's.
static tt_status activation_bwd(tt_pass *pass, bool decoder, int l) {
    tt_model *model = pass->model;
    const tt_layer_pass *p = &(decoder ? &pass->decoder : &pass->encoder)->layers[l];
    const tt_linear_layer wo = tt_weight_layer(pass, decoder, TT_WEIGHT_WO, l);
    const tt_operand *dy = tt_weight_dy(pass, decoder, TT_WEIGHT_WO, l);
    tt_operand *dh = tt_weight_dy(pass, decoder, TT_WEIGHT_WI, l);
    tt_operand *da = model->config.activation == TT_RELU ? dh : pass->narrow;
    TT_TRY(tt_linear_bwd(model, da, dy, &wo));
    return model->device->ops->ffn_bwd(
        model->device, &(tt_ffn){.activation = model->config.activation,
                           .rows = wo.rows,
                           .f = model->config.d_ff,
                           .h = p->h,
                           .da = da,
                           .dh = dh,
                           .mask = p->mask,
                           .drop = tt_pass_dropout(pass, decoder, l, TT_SITE_FFN)});
}

static tt_status feed_forward_bwd(tt_pass *pass, bool decoder, int l) {
    TT_TRY(activation_bwd(pass, decoder, l));
    TT_TRY(tt_weight_bwd(pass, decoder, TT_WEIGHT_WO, l));
    return linear_bwd(pass, pass->dy, decoder, TT_WEIGHT_WI, l);
}

static tt_status self_attention_bwd(tt_pass *pass, bool decoder, int l) {
    const tt_model *model = pass->model;
    const size_t inner = (size_t)tt_inner(&model->config);
    TT_TRY(linear_bwd(pass, pass->narrow, decoder, TT_WEIGHT_O, l));
    tt_attention attention = tt_pass_self_attention(pass, decoder, l);
    attention.dout = pass->narrow;
    attention.dq = tt_weight_dy(pass, decoder, TT_WEIGHT_QKV, l);
    attention.dk = tt_operand_at(model->device, attention.dq, inner);
    attention.dv = tt_operand_at(model->device, attention.dq, 2 * inner);
    attention.dbias = gradient_at(model, decoder ? model->layout->decoder.bias : model->layout->encoder.bias);
    attention.strips = pass->bias_strips;
    TT_TRY(model->device->ops->attention_bwd(model->device, &attention));
    // All layers of the stack have added to the strips.
    if (l == 0 && attention.dbias) TT_TRY(model->device->ops->attention_dbias(model->device, &attention));
    return linear_bwd(pass, pass->dy, decoder, TT_WEIGHT_QKV, l);
}

static tt_status cross_attention_bwd(tt_pass *pass, int l) {
    tt_model *model = pass->model;
    const tt_linear_layer kv = tt_weight_layer(pass, true, TT_WEIGHT_CROSS_KV, l);
    TT_TRY(linear_bwd(pass, pass->narrow, true, TT_WEIGHT_CROSS_O, l));
    tt_attention attention = tt_pass_cross_attention(pass, l);
    attention.dout = pass->narrow;
    attention.dq = tt_weight_dy(pass, true, TT_WEIGHT_CROSS_Q, l);
    attention.dk = tt_weight_dy(pass, true, TT_WEIGHT_CROSS_KV, l);
    attention.dv = tt_operand_at(model->device, attention.dk, (size_t)tt_inner(&model->config));
    TT_TRY(model->device->ops->attention_bwd(model->device, &attention));
    TT_TRY(tt_linear_bwd_add(model, pass->denc, attention.dk, &kv));
    TT_TRY(tt_weight_bwd(pass, true, TT_WEIGHT_CROSS_KV, l));
    return linear_bwd(pass, pass->dy, true, TT_WEIGHT_CROSS_Q, l);
}

// The flat buffers are in the order in which forward uses the weights; backward goes from the end to the
// beginning and reports how far it is (tt_pass_complete).
static tt_status stack_backward(tt_pass *pass, bool decoder, const tt_operand *dy) {
    tt_model *model = pass->model;
    tt_device *device = model->device;
    const tt_stack_pass *stack = decoder ? &pass->decoder : &pass->encoder;
    const tt_stack_layout *layout = decoder ? &model->layout->decoder : &model->layout->encoder;
    const tt_dropout none = {0};
    const float *zero_end = pass->dx + (size_t)stack->rows * (size_t)model->config.d_model;
    TT_TRY(
        tt_device_zero(device, pass->bias_strips, (size_t)(zero_end - pass->bias_strips) * sizeof *zero_end));
    TT_TRY(norm_bwd(pass, stack, layout->final_norm, stack->x, stack->rstd, dy,
        branch_of(pass, decoder, layout->layers - 1, TT_WEIGHT_WO, TT_SITE_FFN_OUT),
        tt_pass_dropout(pass, decoder, 0, TT_SITE_FINAL)));
    int complete_from = layout->layers;
    for (int l = layout->layers - 1; l >= 0; --l) {
        const tt_block_layout *b = &layout->blocks[l];
        const tt_layer_pass *p = &stack->layers[l];
        const branch attention = branch_of(pass, decoder, l, TT_WEIGHT_O, TT_SITE_SELF_OUT);
        TT_TRY(tt_pass_layer_again(pass, decoder, l));
        TT_TRY(feed_forward_bwd(pass, decoder, l));
        TT_TRY(norm_bwd(pass, stack, b->ffn_norm, p->x[2], p->rstd[2], pass->dy,
            decoder ? branch_of(pass, true, l, TT_WEIGHT_CROSS_O, TT_SITE_CROSS_OUT) : attention, none));
        if (decoder) {
            TT_TRY(cross_attention_bwd(pass, l));
            TT_TRY(norm_bwd(pass, stack, b->cross_norm, p->x[1], p->rstd[1], pass->dy, attention, none));
        }
        TT_TRY(self_attention_bwd(pass, decoder, l));
        TT_TRY(norm_bwd(pass, stack, b->self_norm, p->x[0], p->rstd[0], pass->dy,
            branch_of(pass, decoder, l - 1, TT_WEIGHT_WO, TT_SITE_FFN_OUT), none));
        const int from = tt_weights_complete(pass, decoder, l);
        if (from < complete_from) TT_TRY(complete(pass, layout->blocks[from].q));
        complete_from = from;
    }
    if (model->adapters) return TT_OK;
    return device->ops->embed_bwd(device, &(tt_embedding){.rows = stack->rows,
                                              .d = model->config.d_model,
                                              .vocab = model->config.vocab_size,
                                              .ids = stack->ids,
                                              .order = stack->order,
                                              .drop = tt_pass_dropout(pass, decoder, 0, TT_SITE_EMBEDDING),
                                              .dout = pass->dx,
                                              .dtable = model->g + model->layout->shared});
}

// pass->dy holds the gradient of the decoder's output.
static tt_status stacks_backward(tt_pass *pass) {
    tt_device *device = pass->model->device;
    const size_t encoder = (size_t)pass->encoder.rows * (size_t)pass->model->config.d_model;
    pass->free_strips = pass->norm_strips;
    pass->n_norm_sums = 0;
    TT_TRY(tt_device_zero(device, pass->denc, encoder * sizeof(float)));
    if (!pass->model->config.tie_word_embeddings) TT_TRY(tt_pass_complete(pass, pass->model->layout->head));
    TT_TRY(stack_backward(pass, true, pass->dy));
    tt_operand *denc = pass->denc;
    if (device->operand_size != sizeof(float)) {
        TT_TRY(device->ops->to_bf16(device, pass->dy, pass->denc, (int64_t)encoder));
        denc = pass->dy;
    }
    TT_TRY(stack_backward(pass, false, denc));
    TT_TRY(sum_norms(pass));
    return tt_pass_complete(pass, 0);
}

static tt_status need_gradients(const tt_pass *pass) {
    return tt_model_trained(pass->model).g
               ? TT_OK
               : tt_fail(TT_ERR_INTERNAL, "backward: the model has no gradients; call tt_model_train first");
}

static tt_lmhead head_with_gradient(const tt_pass *pass) {
    tt_lmhead head = tt_pass_head(pass);
    head.dlogp = pass->dlogp;
    head.dh = pass->dy;
    head.dw = gradient_at(pass->model, pass->model->layout->head);
    return head;
}

static tt_status head_and_backward(tt_pass *pass) {
    tt_device *device = pass->model->device;
    const tt_lmhead head = head_with_gradient(pass);
    TT_TRY(device->ops->lmhead_bwd(device, &head));
    return stacks_backward(pass);
}

static tt_status forward_and_backward(tt_pass *pass) {
    tt_device *device = pass->model->device;
    TT_TRY(tt_pass_stacks(pass));
    const tt_lmhead head = head_with_gradient(pass);
    TT_TRY(device->ops->lmhead_fused(device, &head));
    return stacks_backward(pass);
}

static tt_status upload_gradient(tt_pass *pass, const float *dlogp) {
    const size_t tokens = (size_t)pass->decoder_tokens, filler = (size_t)pass->decoder.rows - tokens;
    TT_TRY(tt_device_upload(pass->model->device, pass->dlogp, dlogp, tokens * sizeof *dlogp));
    return tt_device_zero(pass->model->device, pass->dlogp + tokens, filler * sizeof *dlogp);
}

tt_status tt_backward(tt_pass *pass, const tt_batch *batch, const float *dlogp) {
    TT_TRY(need_gradients(pass));
    if (!pass->forward_done || pass->decoder_tokens != batch->dec_tokens ||
        pass->encoder_tokens != batch->enc_tokens)
        return tt_fail(TT_ERR_INTERNAL, "backward: call tt_forward on the same batch first");
    pass->forward_done = false;
    TT_TRY(upload_gradient(pass, dlogp));
    return tt_pass_do(pass, head_and_backward);
}

tt_status tt_forward_backward(
    tt_pass *pass, const tt_batch *batch, tt_dropout_key dropout, const float *dlogp, float *logp) {
    TT_TRY(need_gradients(pass));
    pass->forward_done = false;
    TT_TRY(tt_pass_prepare(pass, batch, dropout, true, false));
    TT_TRY(upload_gradient(pass, dlogp));
    TT_TRY(tt_pass_do(pass, forward_and_backward));
    if (!logp) return TT_OK;
    return tt_device_download(
        pass->model->device, logp, pass->logp, (size_t)batch->dec_tokens * sizeof *logp);
}

tt_status tt_pass_fetch_logp(tt_pass *pass, float *logp) {
    return tt_device_fetch(
        pass->model->device, logp, pass->logp, (size_t)pass->decoder_tokens * sizeof *logp);
}
