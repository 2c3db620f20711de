#include "host/train/optimizer.h"

#include "kernels/ops.h"

#include <math.h>

tt_status tt_optimizer_open(tt_optimizer *out, tt_model *model) {
    *out = (tt_optimizer){.model = model, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8};
    TT_TRY(tt_model_train(model));
    const size_t n = tt_model_trained(model).size;
    tt_status status = tt_device_alloc(model->device, &out->m, n, sizeof *out->m, "Adam's first moment");
    if (status == TT_OK)
        status = tt_device_alloc(model->device, &out->v, n, sizeof *out->v, "Adam's second moment");
    if (status == TT_OK)
        status = tt_device_alloc(model->device, &out->squares, 1, sizeof *out->squares, "squared norm");
    if (status != TT_OK) tt_optimizer_close(out);
    return status;
}

void tt_optimizer_close(tt_optimizer *optimizer) {
    if (!optimizer->model) return;
    tt_device_free(optimizer->model->device, optimizer->m);
    tt_device_free(optimizer->model->device, optimizer->v);
    tt_device_free(optimizer->model->device, optimizer->squares);
    *optimizer = (tt_optimizer){0};
}

tt_status tt_optimizer_update(tt_optimizer *o, double learning_rate, double *norm) {
    tt_device *device = o->model->device;
    const tt_trained trained = tt_model_trained(o->model);
    const int64_t n = (int64_t)trained.size;
    TT_TRY(device->ops->square_sum(device, o->squares, trained.g, n));
    const tt_adamw update = {.n = n,
        .w = trained.w,
        .m = o->m,
        .v = o->v,
        .g = trained.g,
        .copy = trained.operands,
        .squares = o->squares,
        .clip = o->clip,
        .lr = (float)learning_rate,
        .beta1 = (float)o->beta1,
        .beta2 = (float)o->beta2,
        .eps = (float)o->eps,
        .weight_decay = (float)o->weight_decay,
        .step = o->updates + 1};
    TT_TRY(device->ops->adamw(device, &update));
    TT_TRY(tt_model_updated(o->model));
    double squares;
    TT_TRY(tt_device_download(device, &squares, o->squares, sizeof squares));
    *norm = sqrt(squares);
    if (isfinite(*norm)) o->updates++;
    return tt_device_zero(device, trained.g, trained.size * sizeof *trained.g);
}
