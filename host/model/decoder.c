// Step-wise decoding with K/V caches: memory, and the layers of a step.
//
// Self-attention: slot s owns rows s * max_length .. of each layer's cache. Cross-attention: encoded sources
// lie in rows that the caller manages; any number of slots read the same rows.
#include "host/model/decoder_state.h"

#include <math.h>
#include <stdlib.h>

// Declares rows of all layers' caches undefined until they are written again.
static tt_status discard_rows(tt_decoder *p, tt_operand *const *cache, size_t first, size_t rows) {
    tt_device *device = p->model->device;
    const size_t row = 2 * (size_t)tt_inner(&p->model->config);
    for (int l = 0; l < p->model->config.num_decoder_layers; ++l)
        TT_TRY(tt_device_discard(
            device, tt_operand_at(device, cache[l], first * row), rows * row * device->operand_size));
    return TT_OK;
}

tt_status tt_decoder_open(tt_decoder **out, tt_model *model, int slots, int max_length, int source_tokens) {
    *out = NULL;
    if (slots < 1 || max_length < 1 || source_tokens < 1)
        return tt_fail(TT_ERR_CONFIG,
            "decoder: %d slots, %d tokens, %d source tokens; each must be at least 1", slots, max_length,
            source_tokens);
    const tt_model_config *c = &model->config;
    const int capacity = (slots + TT_STEP_STRIDE - 1) / TT_STEP_STRIDE * TT_STEP_STRIDE;
    const size_t s = (size_t)capacity, d = (size_t)c->d_model, inner = (size_t)tt_inner(c),
                 layers = (size_t)c->num_decoder_layers;
    const size_t wide = (size_t)tt_activation_width(c->activation, c->d_ff),
                 cache_rows = (size_t)slots * (size_t)max_length + TT_STEP_STRIDE;
    tt_device *device = model->device;
    const size_t size = device->operand_size;
    tt_decoder *p;
    TT_TRY(tt_alloc(&p, 1, sizeof *p, "decoder"));
    p->model = model;
    p->slots = slots;
    p->capacity = capacity;
    p->max_length = max_length;
    p->source_tokens = source_tokens;
    tt_status status;
    TT_TRY_GOTO(status, tt_pass_open(&p->pass, model), failed);
    TT_TRY_GOTO(status, tt_alloc(&p->self_kv, layers, sizeof(void *), "decoder"), failed);
    TT_TRY_GOTO(status, tt_alloc(&p->cross_kv, layers, sizeof(void *), "decoder"), failed);
    TT_TRY_GOTO(status, tt_alloc(&p->host, (TT_STEP_ROWS + TT_DECODER_STEPS) * s, sizeof *p->host, "decoder"),
        failed);
    TT_TRY_GOTO(
        status, tt_alloc(&p->downloaded, TT_DECODER_STEPS * s, sizeof *p->downloaded, "decoder"), failed);
    TT_TRY_GOTO(status, tt_alloc(&p->parent_of, (size_t)slots, sizeof *p->parent_of, "decoder"), failed);
    if (tt_device_records(device)) {
        TT_TRY_GOTO(status, tt_alloc(&p->sizes, s / TT_STEP_STRIDE + 1, sizeof *p->sizes, "decoder"), failed);
    }
    for (size_t l = 0; l < layers; ++l) {
        TT_TRY_GOTO(status,
            tt_device_alloc(device, &p->self_kv[l], cache_rows * 2 * inner, size, "K/V cache"), failed);
        TT_TRY_GOTO(status,
            tt_device_alloc(
                device, &p->cross_kv[l], (size_t)source_tokens * 2 * inner, size, "K/V of encoded sources"),
            failed);
    }
    const struct {
        void *slot;
        size_t count, size;
    } buffers[] = {{&p->x, s * d, 4}, {&p->rstd, s, 4}, {&p->logits, s * (size_t)c->vocab_size, 4},
        {&p->step, (TT_STEP_ROWS + TT_DECODER_STEPS) * s, 4}, {&p->chosen, TT_DECODER_STEPS * s, 4},
        {&p->ids, cache_rows, 4}, {&p->table, cache_rows, 4}, {&p->y, s * d, size},
        {&p->qkv, s * 3 * inner, size}, {&p->out, s * inner, size}, {&p->branch, s * d, size},
        {&p->h, s * wide, size}, {&p->a, s * (size_t)c->d_ff, size}};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; ++i)
        TT_TRY_GOTO(status,
            tt_device_alloc(device, buffers[i].slot, buffers[i].count, buffers[i].size, "decoder"), failed);
    TT_TRY_GOTO(status, discard_rows(p, p->self_kv, 0, cache_rows), failed);
    TT_TRY_GOTO(status, discard_rows(p, p->cross_kv, 0, (size_t)source_tokens), failed);
    *out = p;
    return TT_OK;
failed:
    tt_decoder_close(p);
    return status;
}

void tt_decoder_forget_steps(tt_decoder *p) {
    for (int i = 0; p->sizes && i <= p->capacity / TT_STEP_STRIDE; ++i) {
        tt_recording_close(p->model->device, p->sizes[i].recording);
        p->sizes[i] = (tt_step_size){0};
    }
}

void tt_decoder_close(tt_decoder *p) {
    if (!p) return;
    tt_device *device = p->model->device;
    for (int l = 0; l < p->model->config.num_decoder_layers; ++l) {
        if (p->self_kv) tt_device_free(device, p->self_kv[l]);
        if (p->cross_kv) tt_device_free(device, p->cross_kv[l]);
    }
    void *const buffers[] = {p->x, p->rstd, p->logits, p->step, p->chosen, p->ids, p->table, p->y, p->qkv,
        p->out, p->branch, p->h, p->a, p->tops, p->best};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; ++i) tt_device_free(device, buffers[i]);
    tt_decoder_forget_steps(p);
    tt_pass_close(p->pass);
    free(p->sizes);
    free(p->found);
    free(p->self_kv);
    free(p->cross_kv);
    free(p->host);
    free(p->downloaded);
    free(p->parent_of);
    free(p);
}

tt_status tt_decoder_encode(tt_decoder *p, const tt_batch *batch, int first_row) {
    if (first_row < 0 || batch->enc_tokens > p->source_tokens - first_row)
        return tt_fail(TT_ERR_INTERNAL, "decoder: %d tokens at row %d of %d source rows", batch->enc_tokens,
            first_row, p->source_tokens);
    TT_TRY(tt_pass_encode(p->pass, batch));
    const size_t wide = 2 * (size_t)tt_inner(&p->model->config);
    for (int l = 0; l < p->model->config.num_decoder_layers; ++l)
        TT_TRY(tt_linear(p->model, tt_operand_at(p->model->device, p->cross_kv[l], (size_t)first_row * wide),
            p->pass->encoder.y,
            &(tt_linear_layer){.w = p->model->layout->decoder.blocks[l].cross_k,
                .rows = batch->enc_tokens,
                .in = p->model->config.d_model,
                .out = (int)wide}));
    return TT_OK;
}

size_t tt_decoder_source_bytes(const tt_model *model) {
    const tt_model_config *c = &model->config;
    return 2 * (size_t)tt_inner(c) * (size_t)c->num_decoder_layers * model->device->operand_size;
}

static tt_status norm_step(tt_decoder *p, int n, size_t w, bool branch) {
    const tt_model *model = p->model;
    return model->device->ops->rmsnorm_fwd(model->device, &(tt_rmsnorm){.rows = n,
                                                              .d = model->config.d_model,
                                                              .eps = model->config.layer_norm_epsilon,
                                                              .w = model->w + w,
                                                              .rstd = p->rstd,
                                                              .x = p->x,
                                                              .branch = branch ? p->branch : NULL,
                                                              .y = p->y});
}

tt_status tt_decoder_discard_step(tt_decoder *p, const tt_decoder_slots *active) {
    const size_t length = (size_t)p->max_length;
    for (int i = 0; i < active->n; ++i)
        if (active->position[i] == 0)
            TT_TRY(discard_rows(p, p->self_kv, (size_t)active->slot[i] * length, length));
    TT_TRY(discard_rows(p, p->self_kv, (size_t)p->slots * length, TT_STEP_STRIDE));
    const tt_model_config *c = &p->model->config;
    const size_t s = (size_t)p->capacity, size = p->model->device->operand_size, d = (size_t)c->d_model,
                 inner = (size_t)tt_inner(c), f = (size_t)c->d_ff;
    const struct {
        void *memory;
        size_t bytes;
    } buffers[] = {{p->x, d * 4}, {p->rstd, 4}, {p->logits, (size_t)c->vocab_size * 4}, {p->y, d * size},
        {p->qkv, 3 * inner * size}, {p->out, inner * size}, {p->branch, d * size},
        {p->h, (size_t)tt_activation_width(c->activation, c->d_ff) * size}, {p->a, f * size},
        {p->tops, 4 * (size_t)p->beams * sizeof *p->tops}};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; ++i)
        TT_TRY(tt_device_discard(p->model->device, buffers[i].memory, s * buffers[i].bytes));
    return TT_OK;
}

tt_status tt_decoder_forget(tt_decoder *p, int first_row, int rows) {
    if (first_row < 0 || rows < 0 || rows > p->source_tokens - first_row)
        return tt_fail(TT_ERR_INTERNAL,
            "decoder: cannot forget %d rows from row %d on: there are %d source rows", rows, first_row,
            p->source_tokens);
    return discard_rows(p, p->cross_kv, (size_t)first_row, (size_t)rows);
}

// q, k and v of the new tokens in p->qkv; k and v go to the last row that a slot reads.
static tt_status self_attention(tt_decoder *p, int l, int n) {
    tt_model *model = p->model;
    const tt_model_config *c = &model->config;
    const tt_block_layout *b = &model->layout->decoder.blocks[l];
    const int inner = tt_inner(c);
    TT_TRY(tt_linear(
        model, p->qkv, p->y, &(tt_linear_layer){.w = b->q, .rows = n, .in = c->d_model, .out = 3 * inner}));
    TT_TRY(model->device->ops->attention_decode(
        model->device, &(tt_attention_decode){.slots = n,
                           .heads = c->num_heads,
                           .d_kv = c->d_kv,
                           .q = p->qkv,
                           .ldq = 3 * inner,
                           .k = p->self_kv[l],
                           .v = tt_operand_at(model->device, p->self_kv[l], (size_t)inner),
                           .ldkv = 2 * inner,
                           .new_k = tt_operand_at(model->device, p->qkv, (size_t)inner),
                           .new_v = tt_operand_at(model->device, p->qkv, 2 * (size_t)inner),
                           .start = tt_step_of(p, TT_STEP_START),
                           .length = tt_step_of(p, TT_STEP_LENGTH),
                           .table = p->way.table ? p->table : NULL,
                           .bias = model->w + model->layout->decoder.bias,
                           .buckets = c->relative_attention_num_buckets,
                           .max_distance = c->relative_attention_max_distance,
                           .out = p->out,
                           .ldo = inner}));
    return tt_linear(
        model, p->branch, p->out, &(tt_linear_layer){.w = b->o, .rows = n, .in = inner, .out = c->d_model});
}

static tt_status cross_attention(tt_decoder *p, int l, int n) {
    tt_model *model = p->model;
    const tt_model_config *c = &model->config;
    const tt_block_layout *b = &model->layout->decoder.blocks[l];
    const int inner = tt_inner(c);
    TT_TRY(tt_linear(
        model, p->qkv, p->y, &(tt_linear_layer){.w = b->cross_q, .rows = n, .in = c->d_model, .out = inner}));
    TT_TRY(model->device->ops->attention_decode(
        model->device, &(tt_attention_decode){.slots = n,
                           .heads = c->num_heads,
                           .d_kv = c->d_kv,
                           .q = p->qkv,
                           .ldq = inner,
                           .k = p->cross_kv[l],
                           .v = tt_operand_at(model->device, p->cross_kv[l], (size_t)inner),
                           .ldkv = 2 * inner,
                           .start = tt_step_of(p, TT_STEP_SOURCE_START),
                           .length = tt_step_of(p, TT_STEP_SOURCE_LENGTH),
                           .out = p->out,
                           .ldo = inner}));
    return tt_linear(model, p->branch, p->out,
        &(tt_linear_layer){.w = b->cross_o, .rows = n, .in = inner, .out = c->d_model});
}

static tt_status feed_forward(tt_decoder *p, int l, int n) {
    tt_model *model = p->model;
    const tt_model_config *c = &model->config;
    const tt_block_layout *b = &model->layout->decoder.blocks[l];
    if (c->activation == TT_RELU) {
        TT_TRY(tt_linear_relu(
            model, p->a, p->y, &(tt_linear_layer){.w = b->wi, .rows = n, .in = c->d_model, .out = c->d_ff}));
    } else {
        TT_TRY(tt_linear(model, p->h, p->y,
            &(tt_linear_layer){.w = b->wi, .rows = n, .in = c->d_model, .out = 2 * c->d_ff}));
        TT_TRY(model->device->ops->ffn_fwd(model->device,
            &(tt_ffn){.activation = c->activation, .rows = n, .f = c->d_ff, .h = p->h, .a = p->a}));
    }
    return tt_linear(
        model, p->branch, p->a, &(tt_linear_layer){.w = b->wo, .rows = n, .in = c->d_ff, .out = c->d_model});
}

tt_status tt_decoder_compute(tt_decoder *p, int n, const int32_t *ids) {
    tt_model *model = p->model;
    tt_device *device = model->device;
    const tt_model_config *c = &model->config;
    const tt_stack_layout *layout = &model->layout->decoder;
    TT_TRY(device->ops->embed_fwd(device, &(tt_embedding){.rows = n,
                                              .d = c->d_model,
                                              .vocab = c->vocab_size,
                                              .ids = ids,
                                              .table = model->w + model->layout->shared,
                                              .out = p->x}));
    for (int l = 0; l < layout->layers; ++l) {
        const tt_block_layout *b = &layout->blocks[l];
        TT_TRY(norm_step(p, n, b->self_norm, l > 0));
        TT_TRY(self_attention(p, l, n));
        TT_TRY(norm_step(p, n, b->cross_norm, true));
        TT_TRY(cross_attention(p, l, n));
        TT_TRY(norm_step(p, n, b->ffn_norm, true));
        TT_TRY(feed_forward(p, l, n));
    }
    TT_TRY(norm_step(p, n, layout->final_norm, true));
    return device->ops->gemm(
        device, &(tt_gemm){.trans_b = true,
                    .m = n,
                    .n = c->vocab_size,
                    .k = c->d_model,
                    .alpha = c->scale_decoder_outputs ? 1.0f / sqrtf((float)c->d_model) : 1.0f,
                    .a = p->y,
                    .lda = c->d_model,
                    .b = tt_model_operand(model, model->layout->head),
                    .ldb = c->d_model,
                    .c = p->logits,
                    .c_fp32 = true,
                    .ldc = c->vocab_size});
}
