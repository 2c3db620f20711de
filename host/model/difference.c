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

static parts parts_of(const tt_model *model) {
    return (parts){model->parameters, model->n_parameters, model->size};
}

static void compare_host(tt_difference *out, const parts *p, float *const host[2]) {
    double value = 0;
    *out = (tt_difference){0};
    for (int i = 0; i < p->n; ++i) compare_parameter(out, &value, &p->items[i], host[0], host[1]);
    out->relative = out->largest > 0 ? out->largest / value : 0;
}

tt_status tt_compare_buffers(tt_difference *out, const tt_model *a, const float *x, const float *y) {
    float *host[2] = {NULL, NULL};
    const float *const device[2] = {x, y};
    const parts all = parts_of(a);
    tt_status status = TT_OK;
    for (int i = 0; i < 2 && status == TT_OK; ++i) {
        status = tt_alloc(&host[i], a->size, sizeof(float), "a copy of the weights");
        if (status == TT_OK)
            status = tt_device_download(a->device, host[i], device[i], a->size * sizeof(float));
    }
    if (status == TT_OK) compare_host(out, &all, host);
    free(host[0]);
    free(host[1]);
    return status;
}

// On the CPU, whose memory is the host's.
static tt_status compare_moment(
    tt_difference *out, const parts *p, const tt_checkpoint *const c[2], tt_moment which) {
    float *host[2] = {NULL, NULL};
    tt_status status = TT_OK;
    for (int i = 0; i < 2 && status == TT_OK; ++i) {
        status = tt_alloc(&host[i], p->size, sizeof(float), "moments");
        if (status == TT_OK) status = tt_checkpoint_moments(c[i], which, 0, p->size, host[i]);
    }
    if (status == TT_OK) compare_host(out, p, host);
    free(host[0]);
    free(host[1]);
    return status;
}

// A and B of each weight that has adapters; free(*items).
static tt_status list_adapters(const tt_adapters *a, tt_parameter **items) {
    TT_TRY(tt_alloc(items, 2 * (size_t)a->n, sizeof **items, "table of adapters"));
    for (int i = 0; i < 2 * a->n; ++i) {
        const tt_adapter *item = &a->items[i / 2];
        const bool b = i % 2;
        (*items)[i] = (tt_parameter){.offset = b ? item->b : item->a,
            .rows = b ? item->weight->rows : a->options.rank,
            .columns = b ? a->options.rank : item->weight->columns};
        snprintf((*items)[i].name, sizeof(*items)->name, "%.80s, %c", item->weight->name, b ? 'B' : 'A');
    }
    return TT_OK;
}

static bool same_adapters(const tt_adapters *a, const tt_adapters *b) {
    if (!a || !b) return a == b;
    return a->options.rank == b->options.rank && a->options.targets == b->options.targets;
}

static tt_status compare_moments(tt_comparison *out, const tt_checkpoint *a, const tt_checkpoint *b) {
    const tt_adapters *adapters = a->model->adapters;
    const tt_checkpoint *const both[2] = {a, b};
    tt_parameter *items = NULL;
    parts trained = parts_of(a->model);
    out->has_moments = a->has_moments && b->has_moments && same_adapters(adapters, b->model->adapters);
    if (!out->has_moments) return TT_OK;
    if (adapters) {
        TT_TRY(list_adapters(adapters, &items));
        trained = (parts){items, 2 * adapters->n, adapters->size};
    }
    tt_status status = compare_moment(&out->m, &trained, both, TT_MOMENT_M);
    if (status == TT_OK) status = compare_moment(&out->v, &trained, both, TT_MOMENT_V);
    free(items);
    return status;
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
