// Matrix products of the model: linear layers without bias, as all of T5's are.
#include "host/model/pass.h"

tt_status tt_linear(tt_model *model, float *y, const float *x, size_t w, int rows, int in, int out) {
    return model->device->ops->gemm(model->device, &(tt_gemm){.trans_b = true,
                                                       .m = rows,
                                                       .n = out,
                                                       .k = in,
                                                       .alpha = 1,
                                                       .a = x,
                                                       .lda = in,
                                                       .b = model->w + w,
                                                       .ldb = in,
                                                       .c = y,
                                                       .ldc = out});
}

tt_status tt_linear_bwd(tt_model *model, float *dx, bool accumulate, const float *dy, const float *x,
    size_t w, int rows, int in, int out) {
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
                                         .ldc = in}));
    return device->ops->gemm(device, &(tt_gemm){.m = rows,
                                         .n = in,
                                         .k = out,
                                         .alpha = 1,
                                         .beta = accumulate ? 1.0f : 0.0f,
                                         .a = dy,
                                         .lda = out,
                                         .b = model->w + w,
                                         .ldb = in,
                                         .c = dx,
                                         .ldc = in});
}
