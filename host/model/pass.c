// Memory of a pass: one arena in device memory, laid out anew for each batch and kept from step to step.
#include "host/model/pass.h"

#include <stdlib.h>

tt_status tt_pass_open(tt_pass **out, tt_model *model) {
    tt_pass *pass;
    TT_TRY(tt_alloc(&pass, 1, sizeof *pass, "pass"));
    *out = pass;
    pass->model = model;
    tt_status status =
        tt_alloc(&pass->encoder.layers, (size_t)model->config.num_layers, sizeof(tt_layer_pass), "pass");
    if (status == TT_OK)
        status = tt_alloc(
            &pass->decoder.layers, (size_t)model->config.num_decoder_layers, sizeof(tt_layer_pass), "pass");
    if (status == TT_OK) status = tt_pass_replay_open(pass);
    if (status != TT_OK) {
        tt_pass_close(pass);
        *out = NULL;
    }
    return status;
}

void tt_pass_close(tt_pass *pass) {
    if (!pass) return;
    tt_pass_replay_close(pass);
    tt_device_free(pass->model->device, pass->memory);
    free(pass->encoder.layers);
    free(pass->decoder.layers);
    free(pass);
}

void tt_pass_watch(tt_pass *pass, tt_gradient_watch watch) {
    pass->watch = watch;
}

size_t tt_pass_bytes(const tt_pass *pass) {
    return pass->bytes;
}

// Walks the arena: with base NULL it only measures.
typedef struct cursor {
    char *base;
    size_t used;
    size_t operand_size;
} cursor;

static void *take(cursor *at, size_t count, size_t size) {
    void *block = at->base ? at->base + at->used : NULL;
    at->used += (count * size + 63) / 64 * 64;
    return block;
}

static float *take_f32(cursor *at, int rows, int columns) {
    return take(at, (size_t)rows * (size_t)columns, sizeof(float));
}

static tt_operand *take_operand(cursor *at, int rows, int columns) {
    return take(at, (size_t)rows * (size_t)columns, at->operand_size);
}

static void take_indices(cursor *at, tt_stack_pass *stack) {
    stack->ids = take(at, (size_t)stack->rows, sizeof *stack->ids);
    stack->offsets = take(at, (size_t)stack->seqs + 1, sizeof *stack->offsets);
    stack->example = take(at, (size_t)stack->rows, sizeof *stack->example);
    stack->position = take(at, (size_t)stack->rows, sizeof *stack->position);
}

static void take_layer(cursor *at, const tt_model_config *c, tt_layer_pass *p, int rows, int encoder_rows) {
    const int d = c->d_model, inner = tt_inner(c);
    const bool decoder = encoder_rows > 0;
    for (int n = 0; n < TT_NORMS; ++n) {
        if (n == 1 && !decoder) continue;
        p->x[n] = take_f32(at, rows, d);
        p->y[n] = take_operand(at, rows, d);
        p->rstd[n] = take_f32(at, rows, 1);
    }
    p->qkv = take_operand(at, rows, 3 * inner);
    p->out = take_operand(at, rows, inner);
    p->lse = take_f32(at, rows, c->num_heads);
    if (decoder) {
        p->cross_q = take_operand(at, rows, inner);
        p->cross_kv = take_operand(at, encoder_rows, 2 * inner);
        p->cross_out = take_operand(at, rows, inner);
        p->cross_lse = take_f32(at, rows, c->num_heads);
    }
    p->h = take_operand(at, rows, c->gated_gelu ? 2 * c->d_ff : c->d_ff);
    p->a = take_operand(at, rows, c->d_ff);
}

// Without backward all layers work in the memory of one: each reads its predecessor's x[2] before writing it.
static void take_stack(
    cursor *at, const tt_model_config *c, tt_stack_pass *stack, int layers, int encoder_rows, bool backward) {
    take_indices(at, stack);
    for (int l = 0; l < layers; ++l) {
        if (l > 0 && !backward)
            stack->layers[l] = stack->layers[0];
        else
            take_layer(at, c, &stack->layers[l], stack->rows, encoder_rows);
    }
    stack->x = take_f32(at, stack->rows, c->d_model);
    stack->y = take_operand(at, stack->rows, c->d_model);
    stack->rstd = take_f32(at, stack->rows, 1);
}

static int max_int(int a, int b) {
    return a > b ? a : b;
}

static size_t lay_out(tt_pass *pass, char *base, bool backward, bool encoder_only) {
    const tt_model_config *c = &pass->model->config;
    const int d = c->d_model, inner = tt_inner(c), encoder_rows = pass->encoder.rows;
    const int rows = max_int(encoder_rows, pass->decoder.rows);
    cursor at = {.base = base, .operand_size = pass->model->device->operand_size};
    take_stack(&at, c, &pass->encoder, c->num_layers, 0, backward);
    pass->branch = take_operand(&at, rows, d);
    if (encoder_only) return at.used;
    take_stack(&at, c, &pass->decoder, c->num_decoder_layers, encoder_rows, backward);
    pass->key = take(&at, 1, sizeof *pass->key);
    pass->source = take(&at, (size_t)pass->decoder.seqs, sizeof *pass->source);
    pass->targets = take(&at, (size_t)pass->decoder.rows, sizeof *pass->targets);
    pass->lse = take_f32(&at, pass->decoder.rows, 1);
    pass->logp = take_f32(&at, pass->decoder.rows, 1);
    pass->dlogp = take_f32(&at, pass->decoder.rows, 1);
    if (!backward) return at.used;
    pass->dx = take_f32(&at, rows, d);
    pass->denc = take_f32(&at, encoder_rows, d);
    pass->dy = take_operand(&at, rows, d);
    pass->dbranch = take_operand(&at, rows, d);
    pass->dq = take_operand(&at, pass->decoder.rows, inner);
    pass->wide = take_operand(&at, rows, max_int(3 * inner, c->gated_gelu ? 2 * c->d_ff : c->d_ff));
    pass->narrow = take_operand(&at, rows, max_int(inner, c->d_ff));
    return at.used;
}

static tt_status upload_stack(tt_device *device, const tt_stack_pass *stack, const int32_t *ids,
    const int32_t *offsets, const uint32_t *example, const uint32_t *position) {
    const size_t rows = (size_t)stack->rows;
    TT_TRY(tt_device_upload(device, stack->ids, ids, rows * sizeof *ids));
    TT_TRY(tt_device_upload(device, stack->offsets, offsets, ((size_t)stack->seqs + 1) * sizeof *offsets));
    TT_TRY(tt_device_upload(device, stack->example, example, rows * sizeof *example));
    return tt_device_upload(device, stack->position, position, rows * sizeof *position);
}

// The longest sequence or a little more, so that shapes come again (see pass_replay.c).
static int longest(const int32_t *offsets, int seqs) {
    enum { STEP = 64 };
    int most = 1;
    for (int i = 0; i < seqs; ++i) most = max_int(most, offsets[i + 1] - offsets[i]);
    return (most + STEP - 1) / STEP * STEP;
}

tt_status tt_pass_prepare(
    tt_pass *pass, const tt_batch *batch, tt_dropout_key dropout, bool backward, bool encoder_only) {
    tt_device *device = pass->model->device;
    if (batch->enc_seqs < 1 || (!encoder_only && batch->dec_seqs < 1))
        return tt_fail(TT_ERR_INPUT,
            "a batch of %d encoder and %d decoder sequences: at least one of each is needed", batch->enc_seqs,
            batch->dec_seqs);
    pass->dropout = dropout;
    pass->encoder.rows = batch->enc_tokens;
    pass->encoder.seqs = batch->enc_seqs;
    pass->encoder.longest = longest(batch->enc_offsets, batch->enc_seqs);
    pass->decoder.rows = encoder_only ? 0 : batch->dec_tokens;
    pass->decoder.seqs = encoder_only ? 0 : batch->dec_seqs;
    pass->decoder.longest = encoder_only ? 0 : longest(batch->dec_offsets, batch->dec_seqs);
    const size_t need = lay_out(pass, NULL, backward, encoder_only);
    if (need > pass->bytes) {
        tt_pass_replay_forget(pass);
        tt_device_free(device, pass->memory);
        pass->memory = NULL;
        pass->bytes = 0;
        const size_t bytes = need + need / 8; // batches vary: a little room spares growing again
        TT_TRY(tt_device_alloc(device, &pass->memory, bytes, 1, "activations"));
        pass->bytes = bytes;
    }
    lay_out(pass, pass->memory, backward, encoder_only);
    TT_TRY(upload_stack(
        device, &pass->encoder, batch->enc_ids, batch->enc_offsets, batch->enc_example, batch->enc_position));
    if (encoder_only) return TT_OK;
    TT_TRY(tt_device_upload(device, pass->key, &dropout.key, sizeof dropout.key));
    TT_TRY(upload_stack(
        device, &pass->decoder, batch->dec_ids, batch->dec_offsets, batch->dec_example, batch->dec_position));
    const size_t rows = (size_t)batch->dec_tokens;
    TT_TRY(
        tt_device_upload(device, pass->source, batch->dec_source, (size_t)batch->dec_seqs * sizeof(int32_t)));
    return tt_device_upload(device, pass->targets, batch->dec_targets, rows * sizeof(int32_t));
}

tt_dropout tt_pass_dropout(const tt_pass *pass, bool decoder, int layer, tt_site site) {
    const tt_stack_pass *stack = decoder ? &pass->decoder : &pass->encoder;
    return (tt_dropout){.p = pass->dropout.rate,
        .key = pass->key,
        .site = (((uint32_t)decoder << 8 | (uint32_t)layer) << 3 | (uint32_t)site) << 8,
        .example = stack->example,
        .position = stack->position};
}
