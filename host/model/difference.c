#include "host/model/difference.h"

#include "host/base/memory.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void compare_parameter(
    tt_difference *d, double *value, const tt_parameter *p, const float *x, const float *y) {
    const size_t n = (size_t)p->rows * (size_t)p->columns;
    for (size_t i = p->offset; i < p->offset + n; ++i) {
        d->elements++;
        *value = fmax(*value, fabs((double)x[i]));
        uint32_t bits_x, bits_y;
        memcpy(&bits_x, &x[i], sizeof bits_x);
        memcpy(&bits_y, &y[i], sizeof bits_y);
        if (bits_x == bits_y) continue;
        d->unequal++;
        double distance = fabs((double)x[i] - (double)y[i]);
        if (!(distance < INFINITY)) distance = INFINITY;
        if (distance <= d->largest && *d->worst) continue;
        d->largest = distance;
        memcpy(d->worst, p->name, sizeof d->worst);
    }
}

// The parts of a flat buffer, `size` elements in all.
typedef struct parts {
    const tt_parameter *items; // [n]
    int n;
    size_t size;
} parts;

static tt_status compare_parts(
    tt_difference *out, const parts *p, tt_device *device, const float *x, const float *y) {
    float *host[2] = {NULL, NULL};
    const float *const on_device[2] = {x, y};
    double value = 0;
    tt_status status = TT_OK;
    *out = (tt_difference){0};
    for (int i = 0; i < 2 && status == TT_OK; ++i) {
        status = tt_alloc(&host[i], p->size, sizeof(float), "a copy of the weights");
        if (status == TT_OK)
            status = tt_device_download(device, host[i], on_device[i], p->size * sizeof(float));
    }
    for (int i = 0; i < p->n && status == TT_OK; ++i)
        compare_parameter(out, &value, &p->items[i], host[0], host[1]);
    out->relative = out->largest > 0 ? out->largest / value : 0;
    free(host[0]);
    free(host[1]);
    return status;
}

static parts parts_of(const tt_model *model) {
    return (parts){model->parameters, model->n_parameters, model->size};
}

tt_status tt_compare_buffers(tt_difference *out, const tt_model *a, const float *x, const float *y) {
    const parts all = parts_of(a);
    return compare_parts(out, &all, a->device, x, y);
}

// The moments of adapters: A and B of each weight.
static tt_status compare_adapted(tt_difference *out, const tt_model *model, const float *x, const float *y) {
    const tt_adapters *a = model->adapters;
    tt_parameter *items;
    TT_TRY(tt_alloc(&items, 2 * (size_t)a->n, sizeof *items, "table of adapters"));
    for (int i = 0; i < a->n; ++i) {
        const tt_parameter *p = a->items[i].weight;
        for (int b = 0; b < 2; ++b) {
            tt_parameter *part = &items[2 * i + b];
            *part = (tt_parameter){.offset = b ? a->items[i].b : a->items[i].a,
                .rows = b ? p->rows : a->options.rank,
                .columns = b ? a->options.rank : p->columns};
            snprintf(part->name, sizeof part->name, "%.80s, %c", p->name, b ? 'B' : 'A');
        }
    }
    const parts all = {items, 2 * a->n, a->size};
    const tt_status status = compare_parts(out, &all, model->device, x, y);
    free(items);
    return status;
}

static bool same_adapters(const tt_adapters *a, const tt_adapters *b) {
    return a && b && a->options.rank == b->options.rank && a->options.targets == b->options.targets;
}

static tt_status compare_moments(tt_comparison *out, const tt_checkpoint *a, const tt_checkpoint *b) {
    const bool adapted = a->model->adapters || b->model->adapters;
    out->has_moments = a->m && b->m && a->v && b->v;
    if (adapted && !same_adapters(a->model->adapters, b->model->adapters)) out->has_moments = false;
    if (!out->has_moments) return TT_OK;
    tt_status (*const compare)(tt_difference *, const tt_model *, const float *, const float *) =
        adapted ? compare_adapted : tt_compare_buffers;
    TT_TRY(compare(&out->m, a->model, a->m, b->m));
    return compare(&out->v, a->model, a->v, b->v);
}

static bool same_shape(const tt_model *a, const tt_model *b) {
    if (a->n_parameters != b->n_parameters || a->size != b->size) return false;
    for (int i = 0; i < a->n_parameters; ++i) {
        const tt_parameter *p = &a->parameters[i], *q = &b->parameters[i];
        if (strcmp(p->name, q->name) != 0 || p->rows != q->rows || p->columns != q->columns) return false;
    }
    return true;
}

tt_status tt_compare_checkpoints(tt_comparison *out, const char *path_a, const char *path_b) {
    tt_device *device = NULL;
    tt_checkpoint a = {0}, b = {0};
    tt_status status;
    *out = (tt_comparison){0};
    TT_TRY(tt_device_open(&device, "cpu", TT_FP32, 0));
    TT_TRY_GOTO(status, tt_checkpoint_load(&a, path_a, device), release);
    TT_TRY_GOTO(status, tt_checkpoint_load(&b, path_b, device), release);
    if (!same_shape(a.model, b.model)) {
        status = tt_fail(TT_ERR_INPUT, "%s and %s contain models of different shapes", path_a, path_b);
        goto release;
    }
    TT_TRY_GOTO(status, tt_compare_buffers(&out->weights, a.model, a.model->w, b.model->w), release);
    status = compare_moments(out, &a, &b);
release:
    tt_checkpoint_close(&a);
    tt_checkpoint_close(&b);
    tt_device_close(device);
    return status;
}
