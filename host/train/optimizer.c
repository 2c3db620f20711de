#include "host/train/optimizer.h"

#include "host/base/memory.h"
#include "kernels/ops.h"

#include <math.h>
#include <stdlib.h>

tt_status tt_optimizer_open(tt_optimizer *out, tt_model *model) {
    return tt_optimizer_open_sharded(out, model, NULL);
}

tt_status tt_optimizer_open_sharded(tt_optimizer *out, tt_model *model, tt_comm *comm) {
    tt_device *device = model->device;
    *out = (tt_optimizer){.model = model, .comm = comm, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8};
    TT_TRY(tt_model_train(model));
    const size_t size = tt_model_trained(model).size;
    out->shard = comm ? tt_shard_of(size, comm->rank, comm->size) : (tt_shard){0, size};
    const size_t n = out->shard.n;
    tt_status status = tt_device_alloc(device, &out->m, n, sizeof *out->m, "Adam's first moment");
    if (status == TT_OK) status = tt_device_alloc(device, &out->v, n, sizeof *out->v, "Adam's second moment");
    if (status == TT_OK)
        status = tt_device_alloc(device, &out->squares, 1, sizeof *out->squares, "squared norm");
    if (status == TT_OK)
        status = tt_alloc(&out->norms, comm ? (size_t)comm->size : 1, sizeof *out->norms, "squared norms");
    if (status != TT_OK) tt_optimizer_close(out);
    return status;
}

void tt_optimizer_close(tt_optimizer *optimizer) {
    if (!optimizer->model) return;
    tt_device_free(optimizer->model->device, optimizer->m);
    tt_device_free(optimizer->model->device, optimizer->v);
    tt_device_free(optimizer->model->device, optimizer->squares);
    free(optimizer->norms);
    *optimizer = (tt_optimizer){0};
}

// o->squares of this rank's stretch.
static tt_status own_squares(tt_optimizer *o, const float *g) {
    tt_device *device = o->model->device;
    if (o->shard.n == 0) return tt_device_zero(device, o->squares, sizeof *o->squares);
    return device->ops->square_sum(device, o->squares, g + o->shard.begin, (int64_t)o->shard.n);
}

// From each rank's squares those of all. Every rank adds the same numbers in the same order; the sum over ranks only adds
// zeros to them.
static tt_status all_squares(tt_optimizer *o, double *squares) {
    tt_device *device = o->model->device;
    tt_comm *comm = o->comm;
    for (int r = 0; r < comm->size; ++r) o->norms[r] = 0;
    TT_TRY(tt_comm_agree(
        comm, tt_device_download(device, &o->norms[comm->rank], o->squares, sizeof *o->squares)));
    TT_TRY(tt_comm_sum_f64(comm, o->norms, (size_t)comm->size));
    *squares = 0;
    for (int r = 0; r < comm->size; ++r) *squares += o->norms[r];
    return tt_device_upload(device, o->squares, squares, sizeof *squares);
}

// The weights that other ranks have updated.
static tt_status share_weights(tt_optimizer *o, const tt_trained *trained) {
    tt_device *device = o->model->device;
    TT_TRY(tt_shard_share(o->comm, device, trained->w, trained->size));
    if (!trained->operands) return TT_OK;
    return device->ops->to_bf16(device, trained->operands, trained->w, (int64_t)trained->size);
}

static tt_status update_shard(tt_optimizer *o, const tt_trained *trained, double learning_rate) {
    const size_t from = o->shard.begin;
    if (o->shard.n == 0) return TT_OK;
    const tt_adamw update = {.n = (int64_t)o->shard.n,
        .w = trained->w + from,
        .m = o->m,
        .v = o->v,
        .g = trained->g + from,
        .copy = o->comm ? NULL : trained->operands, // else share_weights makes it of all
        .squares = o->squares,
        .clip = o->clip,
        .lr = (float)learning_rate,
        .beta1 = (float)o->beta1,
        .beta2 = (float)o->beta2,
        .eps = (float)o->eps,
        .weight_decay = (float)o->weight_decay,
        .step = o->updates + 1};
    return o->model->device->ops->adamw(o->model->device, &update);
}

tt_status tt_optimizer_update(tt_optimizer *o, double learning_rate, double *norm) {
    tt_device *device = o->model->device;
    const tt_trained trained = tt_model_trained(o->model);
    double squares;
    tt_status status = own_squares(o, trained.g);
    if (o->comm) {
        TT_TRY(tt_comm_agree(o->comm, status));
        TT_TRY(all_squares(o, &squares));
        TT_TRY(tt_comm_agree(o->comm, update_shard(o, &trained, learning_rate)));
        if (isfinite(squares)) TT_TRY(share_weights(o, &trained));
        TT_TRY(tt_model_updated(o->model));
    } else {
        TT_TRY(status);
        TT_TRY(update_shard(o, &trained, learning_rate));
        TT_TRY(tt_model_updated(o->model));
        TT_TRY(tt_device_download(device, &squares, o->squares, sizeof squares));
    }
    *norm = sqrt(squares);
    if (isfinite(*norm)) o->updates++;
    return tt_device_zero(device, trained.g, trained.size * sizeof *trained.g);
}
