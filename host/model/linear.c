// Matrix products of the model: linear layers without bias, as all of T5's are.
#include "host/model/pass.h"

static tt_status linear_forward(
    tt_model *model, tt_operand *y, const tt_operand *x, size_t w, int rows, int in, int out, bool relu) {
    return model->device->ops->gemm(model->device, &(tt_gemm){.trans_b = true,
                                                       .m = rows,
                                                       .n = out,
                                                       .k = in,
                                                       .alpha = 1,
                                                       .a = x,
                                                       .lda = in,
                                                       .b = tt_model_operand(model, w),
                                                       .ldb = in,
                                                       .c = y,
                                                       .relu = relu,
                                                       .ldc = out});
}

tt_status tt_linear(
    tt_model *model, tt_operand *y, const tt_operand *x, size_t w, int rows, int in, int out) {
    return linear_forward(model, y, x, w, rows, in, out, false);
}
tt_status tt_linear_relu(
    tt_model *model, tt_operand *y, const tt_operand *x, size_t w, int rows, int in, int out) {
    return linear_forward(model, y, x, w, rows, in, out, true);
}

static tt_status linear_backward(tt_model *model, void *dx, bool add, const tt_operand *dy,
    const tt_operand *x, size_t w, int rows, int in, int out) {
    tt_device *device = model->device;
    TT_TRY(device->ops->gemm(device, &(tt_gemm){.trans_a = true,
                                         .m = out,
                                         .n = in,
                                         .k = rows,
                                         .alpha = 1,
                                         .beta = 1,
                                         .a = dy,
                                         .lda = out,
                                         .b = x,
                                         .ldb = in,
                                         .c = model->g + w,
                                         .c_fp32 = true,
                                         .ldc = in}));
    return device->ops->gemm(device, &(tt_gemm){.m = rows,
                                         .n = in,
                                         .k = out,
                                         .alpha = 1,
                                         .beta = add ? 1.0f : 0.0f,
                                         .a = dy,
                                         .lda = out,
                                         .b = tt_model_operand(model, w),
                                         .ldb = in,
                                         .c = dx,
                                         .c_fp32 = add,
                                         .ldc = in});
}

tt_status tt_linear_bwd(tt_model *model, tt_operand *dx, const tt_operand *dy, const tt_operand *x, size_t w,
    int rows, int in, int out) {
    return linear_backward(model, dx, false, dy, x, w, rows, in, out);
}

tt_status tt_linear_bwd_add(tt_model *model, float *dx, const tt_operand *dy, const tt_operand *x, size_t w,
    int rows, int in, int out) {
    return linear_backward(model, dx, true, dy, x, w, rows, in, out);
}
