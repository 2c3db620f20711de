// Matrix products of the model: linear layers without bias, as all of T5's are.
#include "host/model/adapters.h"
#include "host/model/pass.h"

static tt_status linear_forward(
    tt_model *model, tt_operand *y, const tt_operand *x, const tt_linear_layer *layer, bool relu) {
    return model->device->ops->gemm(model->device, &(tt_gemm){.trans_b = true,
                                                       .m = layer->rows,
                                                       .n = layer->out,
                                                       .k = layer->in,
                                                       .alpha = 1,
                                                       .a = x,
                                                       .lda = layer->in,
                                                       .b = tt_model_operand(model, layer->w),
                                                       .ldb = layer->in,
                                                       .c = y,
                                                       .relu = relu,
                                                       .ldc = layer->out,
                                                       .batch = layer->layers,
                                                       .stride_a = layer->stride_x,
                                                       .stride_b = layer->stride_w,
                                                       .stride_c = layer->stride_y});
}

tt_status tt_linear(tt_model *model, tt_operand *y, const tt_operand *x, const tt_linear_layer *layer) {
    return linear_forward(model, y, x, layer, false);
}
tt_status tt_linear_relu(tt_model *model, tt_operand *y, const tt_operand *x, const tt_linear_layer *layer) {
    return linear_forward(model, y, x, layer, true);
}

static tt_gemm backward_product(
    const tt_model *model, void *dx, const tt_operand *dy, const tt_linear_layer *layer) {
    return (tt_gemm){.m = layer->rows,
        .n = layer->in,
        .k = layer->out,
        .alpha = 1,
        .a = dy,
        .lda = layer->out,
        .b = tt_model_operand(model, layer->w),
        .ldb = layer->in,
        .c = dx,
        .ldc = layer->in};
}

tt_status tt_linear_bwd(tt_model *model, tt_operand *dx, const tt_operand *dy, const tt_linear_layer *layer) {
    const tt_gemm p = backward_product(model, dx, dy, layer);
    return model->device->ops->gemm(model->device, &p);
}

tt_status tt_linear_bwd_add(tt_model *model, float *dx, const tt_operand *dy, const tt_linear_layer *layer) {
    tt_gemm p = backward_product(model, dx, dy, layer);
    p.beta = 1;
    p.c_fp32 = true;
    return model->device->ops->gemm(model->device, &p);
}

tt_status tt_linear_dw(
    tt_model *model, const tt_operand *dy, const tt_operand *x, const tt_linear_layer *layer) {
    if (model->adapters)
        return tt_adapters_backward(model, dy, x,
            &(tt_adapted_layer){.w = layer->w, .rows = layer->rows, .in = layer->in, .out = layer->out});
    return model->device->ops->gemm(model->device, &(tt_gemm){.trans_a = true,
                                                       .m = layer->out,
                                                       .n = layer->in,
                                                       .k = layer->rows,
                                                       .alpha = 1,
                                                       .beta = 1,
                                                       .a = dy,
                                                       .lda = layer->out,
                                                       .b = x,
                                                       .ldb = layer->in,
                                                       .c = model->g + layer->w,
                                                       .c_fp32 = true,
                                                       .ldc = layer->in,
                                                       .batch = layer->layers,
                                                       .stride_a = layer->stride_y,
                                                       .stride_b = layer->stride_x,
                                                       .stride_c = layer->stride_w});
}
