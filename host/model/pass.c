// Memory of a pass: one arena in device memory, laid out again for each batch and kept from step to step.
#include "host/model/pass.h"

#include <stdlib.h>
#include <string.h>

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
    const int norms = 2 * model->config.num_layers + TT_NORMS * model->config.num_decoder_layers + 2;
    if (status == TT_OK) status = tt_alloc(&pass->norm_sums, (size_t)norms, sizeof *pass->norm_sums, "pass");
    if (status == TT_OK)
        status =
            tt_alloc(&pass->id_begin, (size_t)model->config.vocab_size + 2, sizeof *pass->id_begin, "pass");
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
    free(pass->norm_sums);
    free(pass->id_begin);
    free(pass->host);
    free(pass);
}

void tt_pass_watch(tt_pass *pass, tt_gradient_watch watch) {
    pass->watch = watch;
}

void tt_pass_recompute(tt_pass *pass, bool layers) {
    tt_pass_replay_forget(pass);
    pass->recompute = layers;
    pass->forward_done = false;
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

static void *take_block(cursor *arena, size_t count, size_t size) {
    void *block = arena->base ? arena->base + arena->used : NULL;
    arena->used += (count * size + 63) / 64 * 64;
    return block;
}

static float *take_f32(cursor *arena, int rows, int columns) {
    return take_block(arena, (size_t)rows * (size_t)columns, sizeof(float));
}

static tt_operand *take_operand(cursor *arena, int rows, int columns) {
    return take_block(arena, (size_t)rows * (size_t)columns, arena->operand_size);
}

static uint8_t *take_mask(cursor *arena, int rows, int columns) {
    return take_block(arena, (size_t)rows * (size_t)tt_mask_bytes(columns), 1);
}

static void take_stack_indices(cursor *arena, tt_stack_pass *stack, bool backward) {
    stack->ids = take_block(arena, (size_t)stack->rows, sizeof *stack->ids);
    stack->offsets = take_block(arena, (size_t)stack->seqs + 1, sizeof *stack->offsets);
    stack->example = take_block(arena, (size_t)stack->rows, sizeof *stack->example);
    stack->position = take_block(arena, (size_t)stack->rows, sizeof *stack->position);
    stack->order = backward ? take_block(arena, (size_t)stack->rows, sizeof *stack->order) : NULL;
}

// What is uploaded for a batch, at the front, so that one copy is enough.
static void take_indices(cursor *arena, tt_pass *pass, bool backward, bool encoder_only) {
    take_stack_indices(arena, &pass->encoder, backward);
    if (encoder_only) return;
    take_stack_indices(arena, &pass->decoder, backward);
    pass->key = take_block(arena, 1, sizeof *pass->key);
    pass->source = take_block(arena, (size_t)pass->decoder.seqs, sizeof *pass->source);
    pass->targets = take_block(arena, (size_t)pass->decoder.rows, sizeof *pass->targets);
    pass->readers = take_block(arena, (size_t)pass->decoder.seqs, sizeof *pass->readers);
    pass->reader_offsets = take_block(arena, (size_t)pass->encoder.seqs + 1, sizeof *pass->reader_offsets);
}

static void take_layer(
    cursor *arena, const tt_model_config *c, tt_layer_pass *p, int rows, int encoder_rows) {
    const int d = c->d_model, inner = tt_inner(c);
    const bool decoder = encoder_rows > 0;
    for (int n = 0; n < TT_NORMS; ++n) {
        if (n == 1 && !decoder) continue;
        p->x[n] = take_f32(arena, rows, d);
        p->y[n] = take_operand(arena, rows, d);
        p->rstd[n] = take_f32(arena, rows, 1);
    }
    p->qkv = take_operand(arena, rows, 3 * inner);
    p->out = take_operand(arena, rows, inner);
    p->lse = take_f32(arena, rows, c->num_heads);
    if (decoder) {
        p->cross_q = take_operand(arena, rows, inner);
        p->cross_kv = take_operand(arena, encoder_rows, 2 * inner);
        p->cross_out = take_operand(arena, rows, inner);
        p->cross_lse = take_f32(arena, rows, c->num_heads);
    }
    p->h = take_operand(arena, rows, tt_activation_width(c->activation, c->d_ff));
    p->a = c->activation == TT_RELU ? p->h : take_operand(arena, rows, c->d_ff); // backward needs only a
}

// Without backward all layers work in the memory of one: each reads its predecessor's x[2] before writing it. So they
// do with `recompute`, but each keeps its x[0] (`keep` says that there is a backward).
static void take_stack(
    cursor *arena, const tt_model_config *c, tt_stack_pass *stack, int layers, int encoder_rows, bool keep) {
    for (int l = 0; l < layers; ++l) {
        if (l == 0 || !stack->layers_share) {
            take_layer(arena, c, &stack->layers[l], stack->rows, encoder_rows);
            stack->layers[l].mask =
                keep && c->activation == TT_RELU ? take_mask(arena, stack->rows, c->d_ff) : NULL;
            continue;
        }
        stack->layers[l] = stack->layers[0];
        if (keep) stack->layers[l].x[0] = take_f32(arena, stack->rows, c->d_model);
    }
    stack->x = take_f32(arena, stack->rows, c->d_model);
    stack->y = take_operand(arena, stack->rows, c->d_model);
    stack->rstd = take_f32(arena, stack->rows, 1);
}

static int max_int(int a, int b) {
    return a > b ? a : b;
}

static float *take_norm_strips(cursor *arena, const tt_model *model, int encoder_rows, int decoder_rows) {
    const tt_model_config *c = &model->config;
    if (model->adapters) // norms are not trained: one piece of memory for all of them
        return take_f32(arena, tt_rmsnorm_strips(max_int(encoder_rows, decoder_rows)), c->d_model);
    const size_t encoder = 2 * (size_t)c->num_layers + 1, decoder = 3 * (size_t)c->num_decoder_layers + 1;
    const size_t strips =
        encoder * (size_t)tt_rmsnorm_strips(encoder_rows) + decoder * (size_t)tt_rmsnorm_strips(decoder_rows);
    return take_block(arena, strips * (size_t)c->d_model, sizeof(float));
}

// Of each weight as many layers as make their gradients at once.
static void take_stack_gradients(cursor *arena, const tt_pass *pass, tt_stack_pass *stack, bool decoder) {
    const tt_layout *layout = pass->model->layout;
    const int layers = (decoder ? &layout->decoder : &layout->encoder)->layers;
    for (int w = 0; w < TT_WEIGHTS; ++w) {
        stack->group[w] = 0;
        if (!decoder && w >= TT_WEIGHT_CROSS_Q && w <= TT_WEIGHT_CROSS_O) continue;
        const tt_linear_layer layer = tt_weight_layer(pass, decoder, (tt_weight)w, 0);
        const bool single = stack->layers_share || pass->model->adapters; // other inputs, other gradients
        stack->group[w] = single ? 1 : tt_weight_group(pass, &layer, layers);
        const size_t count = (size_t)stack->group[w] * (size_t)layer.rows * (size_t)layer.out;
        stack->dy[w] = take_block(arena, count, arena->operand_size);
    }
}

static void take_gradients(cursor *arena, tt_pass *pass) {
    const size_t start = arena->used;
    take_stack_gradients(arena, pass, &pass->encoder, false);
    const size_t encoder = arena->used;
    arena->used = start;
    take_stack_gradients(arena, pass, &pass->decoder, true);
    if (arena->used < encoder) arena->used = encoder;
}

static float *take_bias_strips(cursor *arena, const tt_pass *pass) {
    const tt_stack_pass *e = &pass->encoder, *d = &pass->decoder;
    const tt_model_config *c = &pass->model->config;
    const int strips =
        max_int(tt_attention_strips(e->longest, e->seqs), tt_attention_strips(d->longest, d->seqs));
    return take_f32(arena, strips, c->relative_attention_num_buckets * c->num_heads);
}

static size_t lay_out_arena(tt_pass *pass, char *base, bool backward, bool encoder_only) {
    const tt_model_config *c = &pass->model->config;
    const int d = c->d_model, inner = tt_inner(c), encoder_rows = pass->encoder.rows;
    const int rows = max_int(encoder_rows, pass->decoder.rows);
    cursor arena = {.base = base, .operand_size = pass->model->device->operand_size};
    pass->encoder.layers_share = pass->decoder.layers_share = !backward || pass->recompute;
    take_indices(&arena, pass, backward, encoder_only);
    take_stack(&arena, c, &pass->encoder, c->num_layers, 0, backward);
    pass->branch = take_operand(&arena, rows, d);
    if (encoder_only) return arena.used;
    take_stack(&arena, c, &pass->decoder, c->num_decoder_layers, encoder_rows, backward);
    pass->lse = take_f32(&arena, pass->decoder.rows, 1);
    pass->logp = take_f32(&arena, pass->decoder.rows, 1);
    pass->dlogp = take_f32(&arena, pass->decoder.rows, 1);
    if (!backward) return arena.used;
    pass->bias_strips = take_bias_strips(&arena, pass);
    pass->dx = take_f32(&arena, rows, d);
    pass->denc = take_f32(&arena, encoder_rows, d);
    pass->dy = take_operand(&arena, rows, d);
    pass->narrow = take_operand(&arena, rows, c->activation == TT_RELU ? inner : max_int(inner, c->d_ff));
    pass->end = take_block(&arena, 0, 1);
    take_gradients(&arena, pass);
    pass->norm_strips = take_norm_strips(&arena, pass->model, encoder_rows, pass->decoder.rows);
    return arena.used;
}

static void write_stack(const tt_stack_pass *to, int filler_id, int tokens, int seqs, const int32_t *ids,
    const int32_t *offsets, const uint32_t *example, const uint32_t *position) {
    const size_t n = (size_t)tokens;
    memcpy(to->ids, ids, n * sizeof *ids);
    memcpy(to->offsets, offsets, ((size_t)seqs + 1) * sizeof *offsets);
    memcpy(to->example, example, n * sizeof *example);
    memcpy(to->position, position, n * sizeof *position);
    for (int t = tokens; t < to->rows; ++t) {
        to->ids[t] = filler_id;
        to->example[t] = UINT32_MAX;
        to->position[t] = (uint32_t)(t - tokens);
    }
    to->offsets[to->seqs] = to->rows;
}

// The filler attends to the encoder's last sequence, which is the encoder's filler if there is one.
static void write_decoder(const tt_pass *to, const tt_batch *batch, int filler_id) {
    write_stack(&to->decoder, filler_id, batch->dec_tokens, batch->dec_seqs, batch->dec_ids,
        batch->dec_offsets, batch->dec_example, batch->dec_position);
    memcpy(to->source, batch->dec_source, (size_t)batch->dec_seqs * sizeof *to->source);
    memcpy(to->targets, batch->dec_targets, (size_t)batch->dec_tokens * sizeof *to->targets);
    if (to->decoder.seqs > batch->dec_seqs) to->source[batch->dec_seqs] = to->encoder.seqs - 1;
    for (int t = batch->dec_tokens; t < to->decoder.rows; ++t) to->targets[t] = filler_id;
    tt_attention_readers(to->readers, to->reader_offsets, to->source, to->decoder.seqs, to->encoder.seqs);
    *to->key = to->dropout.key;
}

static tt_status upload_indices(tt_pass *pass, const tt_batch *batch, bool backward, bool encoder_only) {
    const int vocab = pass->model->config.vocab_size, filler_id = vocab - 1;
    tt_pass host = *pass; // the same arrays in the host's memory
    cursor arena = {0};
    take_indices(&arena, &host, backward, encoder_only);
    TT_TRY(tt_grow(&pass->host, &pass->host_capacity, arena.used, 1, "indices of a batch"));
    arena = (cursor){.base = pass->host};
    take_indices(&arena, &host, backward, encoder_only);
    write_stack(&host.encoder, filler_id, batch->enc_tokens, batch->enc_seqs, batch->enc_ids,
        batch->enc_offsets, batch->enc_example, batch->enc_position);
    if (!encoder_only) write_decoder(&host, batch, filler_id);
    const tt_stack_pass *const stacks[] = {&host.encoder, &host.decoder};
    for (int i = 0; backward && i < 2; ++i)
        tt_embedding_order(stacks[i]->order, pass->id_begin, stacks[i]->ids, stacks[i]->rows, vocab);
    return tt_device_upload(pass->model->device, pass->memory, pass->host, arena.used);
}

// The length of the longest sequence, rounded up, so that shapes occur again (see pass_replay.c).
static int longest_sequence(const int32_t *offsets, int seqs, int filler) {
    enum { STEP = 64 };
    int most = max_int(filler, 1);
    for (int i = 0; i < seqs; ++i) most = max_int(most, offsets[i + 1] - offsets[i]);
    return (most + STEP - 1) / STEP * STEP;
}

static void set_shape(tt_stack_pass *stack, int tokens, int seqs, const int32_t *offsets, bool fill) {
    const int step = fill ? tt_pass_replay_step(tokens) : 0;
    // Always one filler sequence, since the number of sequences is part of the shape. Its length is not: it
    // only counts for `longest` as the most that it can be.
    stack->rows = step ? tokens / step * step + step : tokens;
    stack->seqs = step ? seqs + 1 : seqs;
    stack->longest = seqs > 0 ? longest_sequence(offsets, seqs, step) : 0;
}

tt_status tt_pass_prepare(
    tt_pass *pass, const tt_batch *batch, tt_dropout_key dropout, bool backward, bool encoder_only) {
    tt_device *device = pass->model->device;
    if (batch->enc_seqs < 1 || (!encoder_only && batch->dec_seqs < 1))
        return tt_fail(TT_ERR_INPUT,
            "a batch of %d encoder and %d decoder sequences: at least one of each is needed", batch->enc_seqs,
            batch->dec_seqs);
    const bool fill = pass->replay && !encoder_only;
    pass->dropout = dropout;
    pass->watched = pass->watch.ready != NULL;
    pass->encoder_tokens = batch->enc_tokens;
    pass->decoder_tokens = encoder_only ? 0 : batch->dec_tokens;
    set_shape(&pass->encoder, batch->enc_tokens, batch->enc_seqs, batch->enc_offsets, fill);
    set_shape(
        &pass->decoder, pass->decoder_tokens, encoder_only ? 0 : batch->dec_seqs, batch->dec_offsets, fill);
    const size_t need = lay_out_arena(pass, NULL, backward, encoder_only);
    if (need > pass->bytes) {
        tt_pass_replay_forget(pass);
        tt_device_free(device, pass->memory);
        pass->memory = NULL;
        pass->bytes = 0;
        size_t bytes = need + need / 8; // batches vary: a reserve avoids growing again soon
        tt_status status = tt_device_alloc(device, &pass->memory, bytes, 1, "activations");
        if (status == TT_ERR_NOMEM) {
            bytes = need;
            status = tt_device_alloc(device, &pass->memory, bytes, 1, "activations");
        }
        TT_TRY(status);
        pass->bytes = bytes;
    }
    lay_out_arena(pass, pass->memory, backward, encoder_only);
    TT_TRY(tt_device_discard(device, pass->memory, pass->bytes));
    return upload_indices(pass, batch, backward, encoder_only);
}

tt_status tt_pass_discard(const tt_pass *pass, void *from, const void *to) {
    return tt_device_discard(pass->model->device, from, (size_t)((const char *)to - (const char *)from));
}

tt_dropout tt_pass_dropout(const tt_pass *pass, bool decoder, int layer, tt_site site) {
    const tt_stack_pass *stack = decoder ? &pass->decoder : &pass->encoder;
    return (tt_dropout){.p = pass->dropout.rate,
        .key = pass->key,
        .site = (((uint32_t)decoder << 8 | (uint32_t)layer) << 3 | (uint32_t)site) << 8,
        .example = stack->example,
        .position = stack->position};
}
