// The table of parameters: Hugging Face's names, in the order of the flat buffers.
#include "host/model/adapters.h"
#include "host/model/layout.h"
#include "kernels/ops.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct builder {
    tt_model *model;
    tt_parameter *items; // NULL while counting
    int n;
    size_t size;
} builder;

// Kernels read several elements at a time, so parameters begin at multiples of ALIGNMENT elements. The gaps
// stay zero.
enum { ALIGNMENT = 16 };

TT_PRINTF(4, 0)
static size_t put_parameter(builder *b, int rows, int columns, const char *format, va_list args) {
    const size_t offset = b->size;
    if (b->items) {
        tt_parameter *p = &b->items[b->n];
        vsnprintf(p->name, sizeof p->name, format, args);
        p->offset = offset;
        p->rows = rows;
        p->columns = columns;
    }
    b->n++;
    b->size += (size_t)rows * (size_t)columns;
    return offset;
}

TT_PRINTF(4, 5)
static size_t add_parameter(builder *b, int rows, int columns, const char *format, ...) {
    b->size = (b->size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    va_list args;
    va_start(args, format);
    const size_t offset = put_parameter(b, rows, columns, format, args);
    va_end(args);
    return offset;
}

// Directly after the previous parameter, with which it forms one matrix.
TT_PRINTF(4, 5)
static size_t add_adjacent_parameter(builder *b, int rows, int columns, const char *format, ...) {
    va_list args;
    va_start(args, format);
    const size_t offset = put_parameter(b, rows, columns, format, args);
    va_end(args);
    return offset;
}

static void add_block(builder *b, tt_stack_layout *stack, const char *side, int i) {
    const tt_model_config *c = &b->model->config;
    const int d = c->d_model, inner = tt_inner(c);
    const bool decoder = stack == &b->model->layout->decoder;
    tt_block_layout *block = &stack->blocks[i];
    const char *self = "layer.0.SelfAttention", *cross = "layer.1.EncDecAttention";
    block->q = add_parameter(b, inner, d, "%s.block.%d.%s.q.weight", side, i, self);
    block->k = add_adjacent_parameter(b, inner, d, "%s.block.%d.%s.k.weight", side, i, self);
    block->v = add_adjacent_parameter(b, inner, d, "%s.block.%d.%s.v.weight", side, i, self);
    block->o = add_parameter(b, d, inner, "%s.block.%d.%s.o.weight", side, i, self);
    if (i == 0)
        stack->bias = add_parameter(b, c->relative_attention_num_buckets, c->num_heads,
            "%s.block.0.%s.relative_attention_bias.weight", side, self);
    block->self_norm = add_parameter(b, 1, d, "%s.block.%d.layer.0.layer_norm.weight", side, i);
    if (decoder) {
        block->cross_q = add_parameter(b, inner, d, "%s.block.%d.%s.q.weight", side, i, cross);
        block->cross_k = add_parameter(b, inner, d, "%s.block.%d.%s.k.weight", side, i, cross);
        block->cross_v = add_adjacent_parameter(b, inner, d, "%s.block.%d.%s.v.weight", side, i, cross);
        block->cross_o = add_parameter(b, d, inner, "%s.block.%d.%s.o.weight", side, i, cross);
        block->cross_norm = add_parameter(b, 1, d, "%s.block.%d.layer.1.layer_norm.weight", side, i);
    }
    const int ffn = decoder ? 2 : 1;
    if (c->activation == TT_GATED_GELU) {
        block->wi =
            add_parameter(b, c->d_ff, d, "%s.block.%d.layer.%d.DenseReluDense.wi_0.weight", side, i, ffn);
        add_adjacent_parameter(
            b, c->d_ff, d, "%s.block.%d.layer.%d.DenseReluDense.wi_1.weight", side, i, ffn);
    } else {
        block->wi =
            add_parameter(b, c->d_ff, d, "%s.block.%d.layer.%d.DenseReluDense.wi.weight", side, i, ffn);
    }
    block->wo = add_parameter(b, d, c->d_ff, "%s.block.%d.layer.%d.DenseReluDense.wo.weight", side, i, ffn);
    block->ffn_norm = add_parameter(b, 1, d, "%s.block.%d.layer.%d.layer_norm.weight", side, i, ffn);
}

static void add_all(builder *b) {
    const tt_model_config *c = &b->model->config;
    tt_layout *layout = b->model->layout;
    layout->shared = add_parameter(b, c->vocab_size, c->d_model, "shared.weight");
    for (int side = 0; side < 2; ++side) {
        tt_stack_layout *stack = side ? &layout->decoder : &layout->encoder;
        const char *name = side ? "decoder" : "encoder";
        for (int i = 0; i < stack->layers; ++i) add_block(b, stack, name, i);
        stack->final_norm = add_parameter(b, 1, c->d_model, "%s.final_layer_norm.weight", name);
    }
    layout->head = c->tie_word_embeddings ? layout->shared
                                          : add_parameter(b, c->vocab_size, c->d_model, "lm_head.weight");
}

tt_status tt_model_open(tt_model **out, const tt_model_config *config, tt_device *device) {
    *out = NULL;
    TT_TRY(tt_model_config_check(config));
    tt_model *model;
    TT_TRY(tt_alloc(&model, 1, sizeof *model, "model"));
    model->config = *config;
    model->device = device;
    tt_status status;
    TT_TRY_GOTO(status, tt_alloc(&model->layout, 1, sizeof *model->layout, "model"), failed);
    tt_layout *layout = model->layout;
    layout->encoder.layers = config->num_layers;
    layout->decoder.layers = config->num_decoder_layers;
    TT_TRY_GOTO(status,
        tt_alloc(
            &layout->encoder.blocks, (size_t)config->num_layers, sizeof *layout->encoder.blocks, "model"),
        failed);
    TT_TRY_GOTO(status,
        tt_alloc(&layout->decoder.blocks, (size_t)config->num_decoder_layers, sizeof *layout->decoder.blocks,
            "model"),
        failed);
    builder count = {.model = model};
    add_all(&count);
    TT_TRY_GOTO(status,
        tt_alloc(&model->parameters, (size_t)count.n, sizeof *model->parameters, "table of parameters"),
        failed);
    builder fill = {.model = model, .items = model->parameters};
    add_all(&fill);
    model->n_parameters = fill.n;
    model->size = fill.size;
    TT_TRY_GOTO(status, tt_device_alloc(device, &model->w, model->size, sizeof(float), "weights"), failed);
    model->operands = model->w;
    if (device->operand_size != sizeof(float)) {
        model->operands = NULL;
        TT_TRY_GOTO(status,
            tt_device_alloc(
                device, &model->operands, model->size, device->operand_size, "weights for matrix products"),
            failed);
    }
    *out = model;
    return TT_OK;
failed:
    tt_model_close(model);
    return status;
}

void tt_model_close(tt_model *model) {
    if (!model) return;
    tt_adapters_close(model);
    tt_device_free(model->device, model->g);
    if (model->operands != model->w) tt_device_free(model->device, model->operands);
    tt_device_free(model->device, model->w);
    free(model->parameters);
    if (model->layout) {
        free(model->layout->encoder.blocks);
        free(model->layout->decoder.blocks);
        free(model->layout);
    }
    free(model);
}

tt_status tt_model_written(tt_model *model) {
    if (model->operands == model->w) return TT_OK;
    return model->device->ops->to_bf16(model->device, model->operands, model->w, (int64_t)model->size);
}

tt_trained tt_model_trained(const tt_model *model) {
    if (model->adapters) return tt_adapters_trained(model->adapters);
    return (tt_trained){.size = model->size,
        .w = model->w,
        .g = model->g,
        .operands = model->operands == model->w ? NULL : model->operands};
}

tt_status tt_model_updated(tt_model *model) {
    return model->adapters ? tt_adapters_apply(model) : TT_OK;
}

tt_status tt_model_train(tt_model *model) {
    const tt_trained trained = tt_model_trained(model);
    float **g = model->adapters ? &model->adapters->g : &model->g;
    return *g ? TT_OK : tt_device_alloc(model->device, g, trained.size, sizeof(float), "gradients");
}

const tt_parameter *tt_model_find(const tt_model *model, const char *name) {
    for (int i = 0; i < model->n_parameters; ++i)
        if (strcmp(model->parameters[i].name, name) == 0) return &model->parameters[i];
    return NULL;
}
