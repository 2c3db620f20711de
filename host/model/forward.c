// Forward over a packed batch.
//
// A sublayer reads y = norm(x) and leaves its output in pass->branch; the next norm adds it:
// x' = x + dropout(branch), y' = norm(x'). So residual add, dropout and norm are one operation.
#include "host/model/pass.h"

#include <math.h>

tt_attention tt_pass_self_attention(const tt_pass *pass, bool decoder, int layer) {
    const tt_model *model = pass->model;
    const tt_model_config *c = &model->config;
    const tt_stack_pass *stack = decoder ? &pass->decoder : &pass->encoder;
    const tt_layer_pass *p = &stack->layers[layer];
    const int inner = tt_inner(c);
    return (tt_attention){.heads = c->num_heads,
        .d_kv = c->d_kv,
        .q_seqs = stack->seqs,
        .kv_seqs = stack->seqs,
        .q_offsets = stack->offsets,
        .kv_offsets = stack->offsets,
        .causal = decoder,
        .q_rows = stack->rows,
        .longest_q = stack->longest,
        .longest_kv = stack->longest,
        .q = p->qkv,
        .k = tt_operand_at(model->device, p->qkv, (size_t)inner),
        .v = tt_operand_at(model->device, p->qkv, 2 * (size_t)inner),
        .ldq = 3 * inner,
        .ldk = 3 * inner,
        .ldv = 3 * inner,
        .bias = model->w + (decoder ? model->layout->decoder.bias : model->layout->encoder.bias),
        .buckets = c->relative_attention_num_buckets,
        .max_distance = c->relative_attention_max_distance,
        .bidirectional = !decoder,
        .drop = tt_pass_dropout(pass, decoder, layer, TT_SITE_SELF),
        .out = p->out,
        .ldo = inner,
        .lse = p->lse};
}

tt_attention tt_pass_cross_attention(const tt_pass *pass, int layer) {
    const tt_model_config *c = &pass->model->config;
    const tt_layer_pass *p = &pass->decoder.layers[layer];
    const int inner = tt_inner(c);
    return (tt_attention){.heads = c->num_heads,
        .d_kv = c->d_kv,
        .q_seqs = pass->decoder.seqs,
        .kv_seqs = pass->encoder.seqs,
        .q_offsets = pass->decoder.offsets,
        .kv_offsets = pass->encoder.offsets,
        .source = pass->source,
        .readers = pass->readers,
        .reader_offsets = pass->reader_offsets,
        .q_rows = pass->decoder.rows,
        .longest_q = pass->decoder.longest,
        .longest_kv = pass->encoder.longest,
        .q = p->cross_q,
        .k = p->cross_kv,
        .v = tt_operand_at(pass->model->device, p->cross_kv, (size_t)inner),
        .ldq = inner,
        .ldk = 2 * inner,
        .ldv = 2 * inner,
        .drop = tt_pass_dropout(pass, true, layer, TT_SITE_CROSS),
        .out = p->cross_out,
        .ldo = inner,
        .lse = p->cross_lse};
}

// x = x_in + dropout(branch) (both NULL: x is unchanged), y = norm(x). Afterwards the branch is undefined.
static tt_status norm_fwd(const tt_pass *pass, const tt_stack_pass *stack, size_t w, float *x, tt_operand *y,
    float *rstd, const float *x_in, tt_dropout drop, tt_dropout output_drop) {
    const tt_model *model = pass->model;
    const size_t n = (size_t)stack->rows * (size_t)model->config.d_model;
    TT_TRY(model->device->ops->rmsnorm_fwd(model->device, &(tt_rmsnorm){.rows = stack->rows,
                                                              .d = model->config.d_model,
                                                              .eps = model->config.layer_norm_epsilon,
                                                              .w = model->w + w,
                                                              .rstd = rstd,
                                                              .x = x,
                                                              .x_in = x_in,
                                                              .branch = x_in ? pass->branch : NULL,
                                                              .drop = drop,
                                                              .y = y,
                                                              .output_drop = output_drop}));
    return tt_pass_discard(pass, pass->branch, tt_operand_at(model->device, pass->branch, n));
}

// Where layers share their memory, a layer uses that of another one, of which only x is still needed.
static tt_status discard_layer(const tt_pass *pass, const tt_stack_pass *stack, int l) {
    const tt_layer_pass *p = &stack->layers[l];
    if (!stack->layers_share) return TT_OK;
    const size_t n = (size_t)stack->rows * (size_t)pass->model->config.d_ff;
    return tt_pass_discard(pass, p->qkv, tt_operand_at(pass->model->device, p->a, n));
}

static tt_status self_attention(tt_pass *pass, bool decoder, int l, const tt_block_layout *b) {
    tt_model *model = pass->model;
    const tt_stack_pass *stack = decoder ? &pass->decoder : &pass->encoder;
    const tt_layer_pass *p = &stack->layers[l];
    const int d = model->config.d_model, inner = tt_inner(&model->config);
    TT_TRY(tt_linear(model, p->qkv, p->y[0],
        &(tt_linear_layer){.w = b->q, .rows = stack->rows, .in = d, .out = 3 * inner}));
    const tt_attention attention = tt_pass_self_attention(pass, decoder, l);
    TT_TRY(model->device->ops->attention_fwd(model->device, &attention));
    return tt_linear(model, pass->branch, p->out,
        &(tt_linear_layer){.w = b->o, .rows = stack->rows, .in = inner, .out = d});
}

// Keys and values of `layers` layers, from layer l on, which read the same encoder output.
static tt_status keys_and_values(tt_pass *pass, int l, int layers) {
    const tt_layer_pass *p = &pass->decoder.layers[l];
    tt_linear_layer layer = tt_weight_layer(pass, true, TT_WEIGHT_CROSS_KV, l);
    layer.layers = layers;
    if (layers > 1) { // block 0's table of biases lies before its cross-attention: all are as far apart
        layer.stride_w = (int64_t)(tt_weight_layer(pass, true, TT_WEIGHT_CROSS_KV, l + 1).w - layer.w);
        layer.stride_y = tt_pass_elements(pass, p[0].cross_kv, p[1].cross_kv);
    }
    return tt_linear(pass->model, p->cross_kv, pass->encoder.y, &layer);
}

static tt_status cross_attention(tt_pass *pass, int l, const tt_block_layout *b) {
    tt_model *model = pass->model;
    const tt_layer_pass *p = &pass->decoder.layers[l];
    const int d = model->config.d_model, inner = tt_inner(&model->config), rows = pass->decoder.rows;
    TT_TRY(tt_linear(model, p->cross_q, p->y[1],
        &(tt_linear_layer){.w = b->cross_q, .rows = rows, .in = d, .out = inner}));
    if (pass->decoder.layers_share) TT_TRY(keys_and_values(pass, l, 1)); // else they are there
    const tt_attention attention = tt_pass_cross_attention(pass, l);
    TT_TRY(model->device->ops->attention_fwd(model->device, &attention));
    return tt_linear(model, pass->branch, p->cross_out,
        &(tt_linear_layer){.w = b->cross_o, .rows = rows, .in = inner, .out = d});
}

// From the norm's output to p->a, which the second product reads.
static tt_status feed_forward(tt_pass *pass, bool decoder, int l, const tt_block_layout *b) {
    tt_model *model = pass->model;
    const tt_model_config *c = &model->config;
    const tt_stack_pass *stack = decoder ? &pass->decoder : &pass->encoder;
    const tt_layer_pass *p = &stack->layers[l];
    TT_TRY(tt_linear(model, p->h, p->y[2],
        &(tt_linear_layer){.w = b->wi,
            .rows = stack->rows,
            .in = c->d_model,
            .out = tt_activation_width(c->activation, c->d_ff)}));
    return model->device->ops->ffn_fwd(
        model->device, &(tt_ffn){.activation = c->activation,
                           .rows = stack->rows,
                           .f = c->d_ff,
                           .h = p->h,
                           .a = p->a,
                           .drop = tt_pass_dropout(pass, decoder, l, TT_SITE_FFN),
                           .mask = p->mask});
}

// A layer from the norm over x[0] to p->a: all that backward reads. x[0] = x_in + dropout(branch); where x_in is
// NULL, x[0] is there already.
static tt_status layer_forward(tt_pass *pass, bool decoder, int l, const float *x_in, tt_dropout drop) {
    const tt_stack_pass *stack = decoder ? &pass->decoder : &pass->encoder;
    const tt_block_layout *b =
        &(decoder ? &pass->model->layout->decoder : &pass->model->layout->encoder)->blocks[l];
    const tt_layer_pass *p = &stack->layers[l];
    const tt_dropout none = {0};
    TT_TRY(discard_layer(pass, stack, l));
    TT_TRY(norm_fwd(pass, stack, b->self_norm, p->x[0], p->y[0], p->rstd[0], x_in, drop, none));
    TT_TRY(self_attention(pass, decoder, l, b));
    x_in = p->x[0];
    drop = tt_pass_dropout(pass, decoder, l, TT_SITE_SELF_OUT);
    if (decoder) {
        TT_TRY(norm_fwd(pass, stack, b->cross_norm, p->x[1], p->y[1], p->rstd[1], x_in, drop, none));
        TT_TRY(cross_attention(pass, l, b));
        x_in = p->x[1];
        drop = tt_pass_dropout(pass, decoder, l, TT_SITE_CROSS_OUT);
    }
    TT_TRY(norm_fwd(pass, stack, b->ffn_norm, p->x[2], p->y[2], p->rstd[2], x_in, drop, none));
    return feed_forward(pass, decoder, l, b);
}

// The last layer's activations are still there: no other layer has used the memory since.
tt_status tt_pass_layer_again(tt_pass *pass, bool decoder, int l) {
    const int layers = decoder ? pass->model->layout->decoder.layers : pass->model->layout->encoder.layers;
    if (!pass->recompute || l == layers - 1) return TT_OK;
    return layer_forward(pass, decoder, l, NULL, (tt_dropout){0});
}

static tt_status stack_forward(tt_pass *pass, bool decoder) {
    tt_model *model = pass->model;
    const tt_model_config *c = &model->config;
    tt_stack_pass *stack = decoder ? &pass->decoder : &pass->encoder;
    const tt_stack_layout *layout = decoder ? &model->layout->decoder : &model->layout->encoder;
    TT_TRY(model->device->ops->embed_fwd(
        model->device, &(tt_embedding){.rows = stack->rows,
                           .d = c->d_model,
                           .vocab = c->vocab_size,
                           .ids = stack->ids,
                           .drop = tt_pass_dropout(pass, decoder, 0, TT_SITE_EMBEDDING),
                           .table = model->w + model->layout->shared,
                           .out = stack->layers[0].x[0]}));
    if (decoder && !stack->layers_share) TT_TRY(keys_and_values(pass, 0, layout->layers));
    const float *x_in = NULL;
    tt_dropout drop = {0};
    for (int l = 0; l < layout->layers; ++l) {
        const tt_layer_pass *p = &stack->layers[l];
        TT_TRY(layer_forward(pass, decoder, l, x_in, drop));
        TT_TRY(tt_linear(model, pass->branch, p->a,
            &(tt_linear_layer){
                .w = layout->blocks[l].wo, .rows = stack->rows, .in = c->d_ff, .out = c->d_model}));
        x_in = p->x[2];
        drop = tt_pass_dropout(pass, decoder, l, TT_SITE_FFN_OUT);
    }
    return norm_fwd(pass, stack, layout->final_norm, stack->x, stack->y, stack->rstd, x_in, drop,
        tt_pass_dropout(pass, decoder, 0, TT_SITE_FINAL));
}

tt_status tt_pass_encode(tt_pass *pass, const tt_batch *batch) {
    pass->forward_done = false;
    TT_TRY(tt_pass_prepare(pass, batch, (tt_dropout_key){0}, false, true));
    return stack_forward(pass, false);
}

tt_status tt_pass_stacks(tt_pass *pass) {
    TT_TRY(stack_forward(pass, false));
    return stack_forward(pass, true);
}

tt_lmhead tt_pass_head(const tt_pass *pass) {
    const tt_model *model = pass->model;
    const tt_model_config *c = &model->config;
    return (tt_lmhead){.rows = pass->decoder.rows,
        .d = c->d_model,
        .vocab = c->vocab_size,
        .scale = c->scale_decoder_outputs ? 1.0f / sqrtf((float)c->d_model) : 1.0f,
        .h = pass->decoder.y,
        .w = tt_model_operand(model, model->layout->head),
        .targets = pass->targets,
        .lse = pass->lse,
        .logp = pass->logp};
}

static tt_status stacks_and_head(tt_pass *pass) {
    tt_device *device = pass->model->device;
    TT_TRY(tt_pass_stacks(pass));
    const tt_lmhead head = tt_pass_head(pass);
    return device->ops->lmhead_fwd(device, &head);
}

void tt_pass_score_only(tt_pass *pass) {
    pass->score_only = true;
}

tt_status tt_forward(tt_pass *pass, const tt_batch *batch, tt_dropout_key dropout, float *logp) {
    const bool backward = tt_model_trained(pass->model).g != NULL && !pass->score_only;
    pass->forward_done = false;
    TT_TRY(tt_pass_prepare(pass, batch, dropout, backward, false));
    TT_TRY(tt_pass_do(pass, stacks_and_head));
    pass->forward_done = backward;
    return tt_device_download(
        pass->model->device, logp, pass->logp, (size_t)batch->dec_tokens * sizeof *logp);
}
