// The linear layers of a stack, and how many of them make their gradients at once (weights.c).
#include "host/model/pass.h"

// Layers of a batch where the gradient is watched, so that a part of it is complete now and then.
enum { WATCHED = 4 };

static int ceil_div(size_t a, size_t b) {
    return (int)((a + b - 1) / b);
}

// Of `layers`, as many as the device asks for; groups of about equal size.
int tt_weight_group(const tt_pass *pass, const tt_linear_layer *layer, int layers) {
    const size_t elements = (size_t)layer->out * (size_t)layer->in,
                 wanted = pass->model->device->busy_elements;
    if (pass->model->adapters) return 1; // whose products are small whatever is batched
    int most = pass->watched && layers > WATCHED ? WATCHED : layers;
    if (wanted < 2 * elements || most < 2) return 1;
    if (wanted / elements < (size_t)most) most = (int)(wanted / elements);
    return ceil_div((size_t)layers, (size_t)ceil_div((size_t)layers, (size_t)most));
}

tt_linear_layer tt_weight_layer(const tt_pass *pass, bool decoder, tt_weight weight, int l) {
    const tt_model_config *c = &pass->model->config;
    const tt_layout *layout = pass->model->layout;
    const tt_block_layout *b = &(decoder ? &layout->decoder : &layout->encoder)->blocks[l];
    const int d = c->d_model, inner = tt_inner(c), wide = tt_activation_width(c->activation, c->d_ff);
    tt_linear_layer layer = {.rows = decoder ? pass->decoder.rows : pass->encoder.rows, .in = d, .out = d};
    switch (weight) {
    case TT_WEIGHT_QKV:
        layer.w = b->q, layer.out = 3 * inner;
        break;
    case TT_WEIGHT_O:
        layer.w = b->o, layer.in = inner;
        break;
    case TT_WEIGHT_CROSS_Q:
        layer.w = b->cross_q, layer.out = inner;
        break;
    case TT_WEIGHT_CROSS_KV:
        layer.w = b->cross_k, layer.out = 2 * inner, layer.rows = pass->encoder.rows;
        break;
    case TT_WEIGHT_CROSS_O:
        layer.w = b->cross_o, layer.in = inner;
        break;
    case TT_WEIGHT_WI:
        layer.w = b->wi, layer.out = wide;
        break;
    case TT_WEIGHT_WO:
    case TT_WEIGHTS:
        layer.w = b->wo, layer.in = c->d_ff;
        break;
    }
    return layer;
}

int tt_weights_complete(const tt_pass *pass, bool decoder, int l) {
    const tt_stack_pass *stack = decoder ? &pass->decoder : &pass->encoder;
    int from = l;
    for (int w = 0; w < TT_WEIGHTS; ++w)
        if (stack->group[w] > 0 && ceil_div((size_t)l, (size_t)stack->group[w]) * stack->group[w] > from)
            from = ceil_div((size_t)l, (size_t)stack->group[w]) * stack->group[w];
    return from;
}
