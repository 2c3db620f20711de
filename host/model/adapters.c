#include "host/model/adapters.h"

#include "host/base/philox.h"
#include "host/base/str.h"
#include "host/config/words.h"
#include "host/model/layout.h"
#include "kernels/ops.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Matrices begin at multiples of so many elements, since kernels read several at a time.
enum { ALIGNMENT = 16 };

static const char *const target_words[] = {TT_ADAPTER_TARGET_MAP(TT_WORD_TEXT)};
enum { TARGETS = sizeof target_words / sizeof *target_words };

tt_status tt_adapter_targets_add(tt_adapter_targets *targets, const char *word) {
    static const tt_words words = {
        .what = "target of adapters", .words = target_words, .n = TARGETS, .error = TT_ERR_CONFIG};
    int index;
    TT_TRY(tt_word_parse(&words, word, &index));
    *targets |= (tt_adapter_targets)1 << index;
    return TT_OK;
}

void tt_adapter_targets_text(tt_adapter_targets targets, char out[TT_ADAPTER_TARGETS_TEXT]) {
    size_t n = 0;
    out[0] = '\0';
    for (int i = 0; i < TARGETS && n < TT_ADAPTER_TARGETS_TEXT; ++i)
        if (targets >> i & 1)
            n += (size_t)snprintf(
                out + n, TT_ADAPTER_TARGETS_TEXT - n, "%s%s", n ? ", " : "", target_words[i]);
}

// The target that a weight belongs to, -1 = none: "q" of "encoder.block.0.layer.0.SelfAttention.q.weight".
static int target_of(const tt_parameter *weight) {
    for (int i = 0; i < TARGETS; ++i) {
        char end[32];
        snprintf(end, sizeof end, ".%s.weight", target_words[i]);
        if (tt_ends_with(weight->name, end)) return i;
    }
    return -1;
}

// ---- the table

static size_t take(size_t *size, int rows, int columns) {
    const size_t at = (*size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    *size = at + (size_t)rows * (size_t)columns;
    return at;
}

// The weights that form one matrix, one below the other, of which `first` is the first: those that lie directly behind each
// other and share their input (q, k, v of one attention; wi_0, wi_1).
static int matrix_end(const tt_model *model, int first) {
    int end = first + 1;
    for (; end < model->n_parameters; ++end) {
        const tt_parameter *before = &model->parameters[end - 1], *p = &model->parameters[end];
        if (p->columns != before->columns || target_of(p) < 0 ||
            p->offset != before->offset + (size_t)before->rows * (size_t)before->columns)
            break;
    }
    return end;
}

// The A of one matrix lie behind each other, so that one product with its input serves all.
static void add_matrix(tt_model *model, tt_adapters *a, int first, int end) {
    const int rank = a->options.rank, begin = a->n;
    size_t behind = 0;
    for (int i = first; i < end; ++i) {
        const tt_parameter *p = &model->parameters[i];
        if (!(a->options.targets >> target_of(p) & 1)) continue;
        tt_adapter *item = &a->items[a->n++];
        item->weight = p;
        item->a = behind ? behind : take(&a->size, 0, 0);
        a->size = behind = item->a + (size_t)rank * (size_t)p->columns;
    }
    for (int i = begin; i < a->n; ++i) a->items[i].b = take(&a->size, a->items[i].weight->rows, rank);
}

static tt_status check_weight(const tt_parameter *p, const tt_adapter_options *options) {
    const int most = p->rows < p->columns ? p->rows : p->columns;
    if (options->rank >= 1 && options->rank <= most) return TT_OK;
    return tt_fail(TT_ERR_CONFIG, "adapters of rank %d do not fit %s [%d, %d]: expected a rank of 1 to %d",
        options->rank, p->name, p->rows, p->columns, most);
}

static tt_status check_options(const tt_model *model, const tt_adapter_options *options) {
    tt_adapter_targets there = 0;
    for (int i = 0; i < model->n_parameters; ++i) {
        const tt_parameter *p = &model->parameters[i];
        const int target = target_of(p);
        if (target < 0) continue;
        there |= (tt_adapter_targets)1 << target;
        if (options->targets >> target & 1) TT_TRY(check_weight(p, options));
    }
    char missing[TT_ADAPTER_TARGETS_TEXT], known[TT_ADAPTER_TARGETS_TEXT];
    tt_adapter_targets_text(options->targets & ~there, missing);
    tt_adapter_targets_text(there, known);
    if (!options->targets)
        return tt_fail(TT_ERR_CONFIG, "adapters without a target: name at least one of %s", known);
    if (!*missing) return TT_OK;
    return tt_fail(
        TT_ERR_CONFIG, "adapters for %s, which this model does not have: its weights are %s", missing, known);
}

static tt_status keep_base(tt_model *model, tt_adapters *a) {
    size_t size = 0;
    for (int i = 0; i < a->n; ++i)
        a->items[i].base = take(&size, a->items[i].weight->rows, a->items[i].weight->columns);
    TT_TRY(tt_device_alloc(model->device, &a->base, size, sizeof *a->base, "weights below adapters"));
    for (int i = 0; i < a->n; ++i) {
        const tt_parameter *p = a->items[i].weight;
        TT_TRY(tt_device_copy(model->device, a->base + a->items[i].base, model->w + p->offset,
            (size_t)p->rows * (size_t)p->columns * sizeof *model->w));
    }
    return TT_OK;
}

static tt_status fill_adapters(tt_model *model, tt_adapters *a) {
    TT_TRY(tt_alloc(&a->items, (size_t)model->n_parameters, sizeof *a->items, "table of adapters"));
    for (int i = 0; i < model->n_parameters;) {
        const bool any = target_of(&model->parameters[i]) >= 0;
        const int end = any ? matrix_end(model, i) : i + 1;
        if (any) add_matrix(model, a, i, end);
        i = end;
    }
    TT_TRY(tt_device_alloc(model->device, &a->w, a->size, sizeof *a->w, "adapters"));
    a->operands = a->w;
    if (model->operands == model->w) return keep_base(model, a);
    a->operands = NULL;
    return tt_device_alloc(
        model->device, &a->operands, a->size, model->device->operand_size, "adapters for matrix products");
}

tt_status tt_adapters_open(tt_model *model, const tt_adapter_options *options) {
    if (model->adapters || model->g)
        return tt_fail(TT_ERR_INTERNAL, "adapters: the model has %s already",
            model->adapters ? "adapters" : "a gradient");
    TT_TRY(check_options(model, options));
    TT_TRY(tt_alloc(&model->adapters, 1, sizeof *model->adapters, "adapters"));
    model->adapters->options = *options;
    const tt_status status = fill_adapters(model, model->adapters);
    if (status != TT_OK) tt_adapters_close(model);
    return status;
}

void tt_adapters_close(tt_model *model) {
    tt_adapters *a = model->adapters;
    if (!a) return;
    tt_recording_close(model->device, a->recording);
    tt_device_free(model->device, a->g);
    tt_device_free(model->device, a->base);
    if (a->operands != a->w) tt_device_free(model->device, a->operands);
    tt_device_free(model->device, a->w);
    free(a->items);
    free(a);
    model->adapters = NULL;
}

tt_trained tt_adapters_trained(const tt_adapters *a) {
    return (tt_trained){
        .size = a->size, .w = a->w, .g = a->g, .operands = a->operands == a->w ? NULL : a->operands};
}

tt_status tt_adapters_init(tt_model *model, uint64_t seed, uint32_t stream) {
    const tt_adapters *a = model->adapters;
    float *w;
    TT_TRY(tt_alloc(&w, a->size, sizeof *w, "adapters"));
    for (int i = 0; i < a->n; ++i) {
        const tt_parameter *p = a->items[i].weight;
        const double bound = 1 / sqrt((double)p->columns);
        char name[128];
        tt_rng rng;
        snprintf(name, sizeof name, "%s.lora_A", p->name);
        tt_rng_open(&rng, seed, TT_FOR_INIT, tt_hash(name, strlen(name)), stream);
        for (size_t k = 0; k < (size_t)a->options.rank * (size_t)p->columns; ++k)
            w[a->items[i].a + k] = (float)(bound * (2 * tt_rng_uniform(&rng) - 1));
    }
    const tt_status status = tt_device_upload(model->device, a->w, w, a->size * sizeof *w);
    free(w);
    return status == TT_OK ? tt_adapters_written(model) : status;
}

// ---- W'

static float scaling(const tt_adapters *a) {
    return (float)(a->options.alpha / a->options.rank);
}

// to [out, in] += s B A
static tt_status add_product(const tt_model *model, const tt_adapter *item, float *to) {
    const tt_adapters *a = model->adapters;
    tt_device *device = model->device;
    return device->ops->gemm(device, &(tt_gemm){.m = item->weight->rows,
                                         .n = item->weight->columns,
                                         .k = a->options.rank,
                                         .alpha = scaling(a),
                                         .beta = 1,
                                         .a = tt_operand_at(device, a->operands, item->b),
                                         .lda = a->options.rank,
                                         .b = tt_operand_at(device, a->operands, item->a),
                                         .ldb = item->weight->columns,
                                         .c = to,
                                         .c_fp32 = true,
                                         .ldc = item->weight->columns});
}

// Where operands are bf16, W' is made in scratch memory; with `keep` it takes the place of W, too.
static tt_status make_weight(tt_model *model, const tt_adapter *item, bool keep) {
    const tt_adapters *a = model->adapters;
    tt_device *device = model->device;
    const size_t n = (size_t)item->weight->rows * (size_t)item->weight->columns, bytes = n * sizeof(float);
    float *w = model->w + item->weight->offset;
    if (a->base) {
        TT_TRY(tt_device_copy(device, w, a->base + item->base, bytes));
        return add_product(model, item, w);
    }
    float *made = tt_device_scratch(device, bytes);
    if (!made) return tt_context(TT_ERR_NOMEM, "adapters");
    TT_TRY(tt_device_copy(device, made, w, bytes));
    TT_TRY(add_product(model, item, made));
    if (keep) TT_TRY(tt_device_copy(device, w, made, bytes));
    void *operand = tt_operand_at(device, model->operands, item->weight->offset);
    return device->ops->to_bf16(device, operand, made, (int64_t)n);
}

static tt_status make_weights(tt_model *model) {
    const tt_adapters *a = model->adapters;
    for (int i = 0; i < a->n; ++i) TT_TRY(make_weight(model, &a->items[i], false));
    return TT_OK;
}

// What was made just now, as a recording: one call in place of three for each weight. Without it they are made as before.
static void record_weights(tt_model *model) {
    tt_device *device = model->device;
    if (!tt_device_records(device) || tt_device_record(device) != TT_OK) return;
    const tt_status made = make_weights(model);
    struct tt_recording *recording = NULL;
    if (tt_device_recorded(device, &recording) != TT_OK) return;
    if (made == TT_OK)
        model->adapters->recording = recording;
    else
        tt_recording_close(device, recording);
}

// Loading makes them once; whoever makes them again trains, and will do so often.
tt_status tt_adapters_apply(tt_model *model) {
    tt_adapters *a = model->adapters;
    if (a->recording) return tt_device_replay(model->device, a->recording);
    TT_TRY(make_weights(model));
    if (a->made < 2 && ++a->made == 2) record_weights(model);
    return TT_OK;
}

tt_status tt_adapters_written(tt_model *model) {
    const tt_adapters *a = model->adapters;
    if (a->operands != a->w)
        TT_TRY(model->device->ops->to_bf16(model->device, a->operands, a->w, (int64_t)a->size));
    return tt_adapters_apply(model);
}

tt_status tt_adapters_merge(tt_model *model) {
    const tt_adapters *a = model->adapters;
    for (int i = 0; i < a->n; ++i) TT_TRY(make_weight(model, &a->items[i], true));
    tt_adapters_close(model);
    return TT_OK;
}

// ---- backward

// The first adapter whose weight begins at `w` or behind it.
static int first_behind(const tt_adapters *a, size_t w) {
    int low = 0, high = a->n;
    while (low < high) {
        const int middle = (low + high) / 2;
        if (a->items[middle].weight->offset < w)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

// Operands of one layer's backward.
typedef struct adapted {
    const tt_adapted_layer *layer;
    const void *dy, *x;
    void *u, *v; // [rows, n rank]: x A^T and dy B of n adapters, side by side
    int width;   // n rank
} adapted;

// u = x A^T, of all adapters of the layer
static tt_status project_input(tt_model *model, const adapted *l, const tt_adapter *first) {
    tt_device *device = model->device;
    return device->ops->gemm(device, &(tt_gemm){.trans_b = true,
                                         .m = l->layer->rows,
                                         .n = l->width,
                                         .k = l->layer->in,
                                         .alpha = 1,
                                         .a = l->x,
                                         .lda = l->layer->in,
                                         .b = tt_operand_at(device, model->adapters->operands, first->a),
                                         .ldb = l->layer->in,
                                         .c = l->u,
                                         .ldc = l->width});
}

// dB += s dy^T u;  v = dy B, of the adapter at `column` of u and v
static tt_status adapter_backward(tt_model *model, const adapted *l, const tt_adapter *item, int column) {
    const tt_adapters *a = model->adapters;
    tt_device *device = model->device;
    const void *dy =
        tt_operand_at(device, l->dy, (item->weight->offset - l->layer->w) / (size_t)item->weight->columns);
    TT_TRY(device->ops->gemm(device, &(tt_gemm){.trans_a = true,
                                         .m = item->weight->rows,
                                         .n = a->options.rank,
                                         .k = l->layer->rows,
                                         .alpha = scaling(a),
                                         .beta = 1,
                                         .a = dy,
                                         .lda = l->layer->out,
                                         .b = tt_operand_at(device, l->u, (size_t)column),
                                         .ldb = l->width,
                                         .c = a->g + item->b,
                                         .c_fp32 = true,
                                         .ldc = a->options.rank}));
    return device->ops->gemm(device, &(tt_gemm){.m = l->layer->rows,
                                         .n = a->options.rank,
                                         .k = item->weight->rows,
                                         .alpha = 1,
                                         .a = dy,
                                         .lda = l->layer->out,
                                         .b = tt_operand_at(device, a->operands, item->b),
                                         .ldb = a->options.rank,
                                         .c = tt_operand_at(device, l->v, (size_t)column),
                                         .ldc = l->width});
}

// dA += s v^T x, of all adapters of the layer
static tt_status gradient_of_inputs(tt_model *model, const adapted *l, const tt_adapter *first) {
    tt_device *device = model->device;
    return device->ops->gemm(device, &(tt_gemm){.trans_a = true,
                                         .m = l->width,
                                         .n = l->layer->in,
                                         .k = l->layer->rows,
                                         .alpha = scaling(model->adapters),
                                         .beta = 1,
                                         .a = l->v,
                                         .lda = l->width,
                                         .b = l->x,
                                         .ldb = l->layer->in,
                                         .c = model->adapters->g + first->a,
                                         .c_fp32 = true,
                                         .ldc = l->layer->in});
}

tt_status tt_adapters_backward(
    tt_model *model, const void *dy, const void *x, const tt_adapted_layer *layer) {
    const tt_adapters *a = model->adapters;
    tt_device *device = model->device;
    const int begin = first_behind(a, layer->w),
              end = first_behind(a, layer->w + (size_t)layer->out * (size_t)layer->in);
    if (begin == end) return TT_OK;
    adapted l = {.layer = layer, .dy = dy, .x = x, .width = (end - begin) * a->options.rank};
    const size_t elements = ((size_t)layer->rows * (size_t)l.width + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    l.u = tt_device_scratch(device, 2 * elements * device->operand_size);
    if (!l.u) return tt_context(TT_ERR_NOMEM, "gradient of adapters");
    l.v = tt_operand_at(device, l.u, elements);
    TT_TRY(project_input(model, &l, &a->items[begin]));
    for (int i = begin; i < end; ++i)
        TT_TRY(adapter_backward(model, &l, &a->items[i], (i - begin) * a->options.rank));
    return gradient_of_inputs(model, &l, &a->items[begin]);
}
