// The gradients of linear layers' weights: dw += dy^T x.
//
// One layer's gradient may have too few elements to keep a GPU busy, since a product is cut into tiles of its result. So
// those of several layers are made at once, as a batch. Until then their dy are kept; how many layers this takes
// depends on the weight's size: of large models one layer is enough, and nothing is kept.
#include "host/model/pass.h"

// What the weight was multiplied with.
static const tt_operand *input_of(const tt_pass *pass, bool decoder, tt_weight weight, int l) {
    const tt_layer_pass *p = &(decoder ? &pass->decoder : &pass->encoder)->layers[l];
    switch (weight) {
    case TT_WEIGHT_QKV:
        return p->y[0];
    case TT_WEIGHT_O:
        return p->out;
    case TT_WEIGHT_CROSS_Q:
        return p->y[1];
    case TT_WEIGHT_CROSS_KV:
        return pass->encoder.y;
    case TT_WEIGHT_CROSS_O:
        return p->cross_out;
    case TT_WEIGHT_WI:
        return p->y[2];
    case TT_WEIGHT_WO:
    case TT_WEIGHTS:
        break;
    }
    return p->a;
}

tt_operand *tt_weight_dy(const tt_pass *pass, bool decoder, tt_weight weight, int l) {
    const tt_stack_pass *stack = decoder ? &pass->decoder : &pass->encoder;
    const tt_linear_layer layer = tt_weight_layer(pass, decoder, weight, l);
    const size_t one = (size_t)layer.rows * (size_t)layer.out;
    return tt_operand_at(pass->model->device, stack->dy[weight], (size_t)(l % stack->group[weight]) * one);
}

int64_t tt_pass_elements(const tt_pass *pass, const tt_operand *from, const tt_operand *to) {
    return ((const char *)to - (const char *)from) / (int64_t)pass->model->device->operand_size;
}

// The batch that begins at layer l; as many of the n layers as have their weights at equal distances: block 0 of a stack
// has its table of biases between. *n becomes their number.
static tt_linear_layer batch_at(const tt_pass *pass, bool decoder, tt_weight weight, int l, int *n) {
    tt_linear_layer batch = tt_weight_layer(pass, decoder, weight, l);
    const size_t first = batch.w;
    int layers = 1;
    for (; layers < *n; ++layers) {
        const tt_linear_layer next = tt_weight_layer(pass, decoder, weight, l + layers);
        if (layers == 1) batch.stride_w = (int64_t)(next.w - first);
        if (next.w - first != (size_t)layers * (size_t)batch.stride_w) break;
    }
    batch.layers = *n = layers;
    batch.stride_y = (int64_t)batch.rows * batch.out;
    if (layers > 1)
        batch.stride_x = tt_pass_elements(
            pass, input_of(pass, decoder, weight, l), input_of(pass, decoder, weight, l + 1));
    return batch;
}

tt_status tt_weight_bwd(tt_pass *pass, bool decoder, tt_weight weight, int l) {
    const tt_stack_pass *stack = decoder ? &pass->decoder : &pass->encoder;
    const tt_stack_layout *layout = decoder ? &pass->model->layout->decoder : &pass->model->layout->encoder;
    const int group = stack->group[weight], end = l + group < layout->layers ? l + group : layout->layers;
    if (l % group) return TT_OK; // the group goes on
    for (int from = l, n; from < end; from += n) {
        n = end - from;
        const tt_linear_layer batch = batch_at(pass, decoder, weight, from, &n);
        TT_TRY(tt_linear_dw(pass->model, tt_weight_dy(pass, decoder, weight, from),
            input_of(pass, decoder, weight, from), &batch));
    }
    tt_operand *dy = stack->dy[weight];
    const tt_linear_layer layer = tt_weight_layer(pass, decoder, weight, l);
    const size_t kept = (size_t)group * (size_t)layer.rows * (size_t)layer.out;
    return tt_pass_discard(pass, dy, tt_operand_at(pass->model->device, dy, kept));
}
