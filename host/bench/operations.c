// Operations one by one, on random tensors: bytes and floating-point operations per second of each.
//
// The bytes are the least that an operation can move: each tensor is read or written once. A kernel that
// memory limits and that wastes nothing runs at the speed of a copy; it is faster if its tensors stay in a
// cache.
#include "host/base/log.h"
#include "host/base/memory.h"
#include "host/bench/parts.h"
#include "kernels/ops.h"

#include <math.h>
#include <stdlib.h>

enum {
    FLOATS = 4,
    OPERANDS = 4,
    LENGTH = 512,
    CACHED = 64,
    MOST_SLOTS = 256,
    FEW = 5,
    MANY = 10,
    BEST = 10,
    BEAMS = BEST / 2
};

struct tt_bench_workload {
    tt_device *device;
    tt_model_config c;
    int rows, seqs, slots;       // seqs sequences of LENGTH tokens each (shorter if there are fewer rows)
    float *f[FLOATS], *moment;   // [rows, d]
    tt_operand *o[OPERANDS];     // [rows, widest]
    float *table, *dtable, *row; // [vocab, d] twice; [3 rows heads]
    tt_operand *head;            // [vocab, d]
    float *weight;               // [2 d]: weight and its gradient
    float *bias;                 // [2, buckets, heads]: bias and its gradient
    int32_t *ids, *order, *offsets, *start, *length;
    int32_t *few, *many;            // [MOST_SLOTS]: where slots begin to read if so many read the same rows
    int choices;                    // rows of logits: the first of `table`
    float *uniform, *score;         // [choices], [choices, BEST]
    int32_t *token, *cached;        // [choices, BEST], [choices]
    int32_t *beams, *continuations; // [6, MOST_SLOTS], [MOST_SLOTS, BEST]: of beam search
    float *likely;                  // the same
    double *total;                  // [MOST_SLOTS]
    tt_beam_candidate *best;        // [2, MOST_SLOTS]
    uint32_t *place;                // [rows]: examples and positions
    uint64_t *key;
    double *sum;
    double bytes, flops; // of the operation that ran last
};
typedef tt_bench_workload workload;

static int inner_of(const workload *w) {
    return w->c.num_heads * w->c.d_kv;
}

static double size_of(const workload *w, double operands, double floats) {
    return operands * (double)w->device->operand_size + floats * sizeof(float);
}

static tt_dropout dropout_of(const workload *w) {
    return (tt_dropout){.p = 0.1f, .key = w->key, .site = 7, .example = w->place, .position = w->place};
}

static tt_status run_copy(workload *w) {
    const size_t bytes = (size_t)w->rows * (size_t)w->c.d_model * sizeof(float);
    w->bytes = 2 * (double)bytes;
    return tt_device_copy(w->device, w->f[1], w->f[0], bytes);
}

static tt_status run_scale(workload *w) {
    const int64_t n = (int64_t)w->rows * w->c.d_model;
    w->bytes = size_of(w, 0, 2 * (double)n);
    return w->device->ops->scale(w->device, w->f[0], n, 1);
}

static tt_embedding embedding_of(const workload *w) {
    return (tt_embedding){
        .rows = w->rows, .d = w->c.d_model, .vocab = w->c.vocab_size, .ids = w->ids, .drop = dropout_of(w)};
}

static tt_status upload_ids(workload *w, tt_rng *rng, int32_t *order) {
    const size_t rows = (size_t)w->rows;
    int32_t *ids, *begin = NULL;
    TT_TRY(tt_alloc(&ids, rows, sizeof *ids, "numbers of operations"));
    tt_status status = tt_alloc(&begin, (size_t)w->c.vocab_size + 2, sizeof *begin, "numbers of operations");
    if (status == TT_OK) {
        for (size_t i = 0; i < rows; ++i) ids[i] = (int32_t)tt_rng_below(rng, (uint32_t)w->c.vocab_size);
        tt_embedding_order(order, begin, ids, w->rows, w->c.vocab_size);
        status = tt_device_upload(w->device, w->ids, ids, rows * sizeof *ids);
    }
    if (status == TT_OK) status = tt_device_upload(w->device, w->order, order, rows * sizeof *order);
    free(ids);
    free(begin);
    return status;
}

static tt_status embed_fwd(workload *w) {
    tt_embedding t = embedding_of(w);
    t.table = w->table;
    t.out = w->f[0];
    w->bytes = size_of(w, 0, 2.0 * w->rows * w->c.d_model);
    return w->device->ops->embed_fwd(w->device, &t);
}

static tt_status embed_bwd(workload *w) {
    tt_embedding t = embedding_of(w);
    t.order = w->order;
    t.dout = w->f[0];
    t.dtable = w->dtable;
    const double touched =
        w->rows < w->c.vocab_size ? w->rows : w->c.vocab_size; // rows of the table, at most
    w->bytes = size_of(w, 0, (w->rows + 2 * touched) * w->c.d_model);
    return w->device->ops->embed_bwd(w->device, &t);
}

static tt_rmsnorm norm_of(const workload *w) {
    return (tt_rmsnorm){.rows = w->rows,
        .d = w->c.d_model,
        .eps = 1e-6f,
        .w = w->weight,
        .rstd = w->row,
        .x = w->f[0],
        .drop = dropout_of(w)};
}

static tt_status rmsnorm_fwd(workload *w) {
    tt_rmsnorm t = norm_of(w);
    t.x_in = w->f[1];
    t.branch = w->o[0];
    t.y = w->o[1];
    w->bytes = (double)w->rows * w->c.d_model * size_of(w, 2, 2);
    return w->device->ops->rmsnorm_fwd(w->device, &t);
}

static tt_status rmsnorm_bwd(workload *w) {
    tt_rmsnorm t = norm_of(w);
    t.dy = w->o[0];
    t.dx = w->f[2];
    t.dbranch = w->o[1];
    t.dw = w->weight + w->c.d_model;
    w->bytes = (double)w->rows * w->c.d_model * size_of(w, 2, 3);
    return w->device->ops->rmsnorm_bwd(w->device, &t);
}

// The bytes are those of so many operands of a row, and of the mask.
static tt_ffn ffn_of(workload *w, int operands) {
    const bool relu = w->c.activation == TT_RELU;
    w->bytes = w->rows * (size_of(w, operands, 0) + (relu ? tt_mask_bytes(w->c.d_ff) : 0));
    return (tt_ffn){.activation = w->c.activation,
        .rows = w->rows,
        .f = w->c.d_ff,
        .h = w->o[0],
        .drop = dropout_of(w),
        .mask = relu ? w->o[3] : NULL};
}

static tt_status ffn_fwd(workload *w) {
    tt_ffn t = ffn_of(w, tt_activation_width(w->c.activation, w->c.d_ff) + w->c.d_ff);
    t.a = w->o[1];
    return w->device->ops->ffn_fwd(w->device, &t);
}

static tt_status ffn_bwd(workload *w) {
    const int width = tt_activation_width(w->c.activation, w->c.d_ff);
    tt_ffn t = ffn_of(w, width + w->c.d_ff + (w->c.activation == TT_RELU ? 0 : width));
    t.da = w->o[1];
    t.dh = w->o[2];
    return w->device->ops->ffn_bwd(w->device, &t);
}

static tt_status square_sum(workload *w) {
    const int64_t n = (int64_t)w->rows * w->c.d_model;
    w->bytes = size_of(w, 0, (double)n);
    return w->device->ops->square_sum(w->device, w->sum, w->f[0], n);
}

static tt_status run_adamw(workload *w) {
    const bool copied = w->device->operand_size != sizeof(float);
    const tt_adamw t = {.n = (int64_t)w->rows * w->c.d_model,
        .w = w->f[0],
        .m = w->f[1],
        .v = w->moment,
        .g = w->f[3],
        .copy = copied ? w->o[0] : NULL,
        .lr = 1e-4f,
        .beta1 = 0.9f,
        .beta2 = 0.999f,
        .eps = 1e-8f,
        .step = 10};
    w->bytes = (double)t.n * size_of(w, copied, 7);
    return w->device->ops->adamw(w->device, &t);
}

// Queries, keys and values side by side in o[0], as in the model.
static tt_attention attention_of(workload *w, bool plain, bool causal) {
    const int inner = inner_of(w), length = w->rows / w->seqs;
    const double products = 2.0 * w->seqs * length * length * inner * (causal ? 0.5 : 1);
    w->flops = 2 * products;
    return (tt_attention){.heads = w->c.num_heads,
        .d_kv = w->c.d_kv,
        .q_seqs = w->seqs,
        .kv_seqs = w->seqs,
        .q_offsets = w->offsets,
        .kv_offsets = w->offsets,
        .causal = causal,
        .q_rows = w->seqs * length,
        .longest_q = length,
        .longest_kv = length,
        .q = w->o[0],
        .k = tt_operand_at(w->device, w->o[0], (size_t)inner),
        .v = tt_operand_at(w->device, w->o[0], 2 * (size_t)inner),
        .ldq = 3 * inner,
        .ldk = 3 * inner,
        .ldv = 3 * inner,
        .bias = plain ? NULL : w->bias,
        .buckets = w->c.relative_attention_num_buckets,
        .max_distance = w->c.relative_attention_max_distance,
        .bidirectional = !causal,
        .drop = plain ? (tt_dropout){0} : dropout_of(w),
        .out = w->o[1],
        .ldo = inner,
        .lse = w->row};
}

static tt_status attention_fwd(workload *w, bool plain, bool causal) {
    const tt_attention t = attention_of(w, plain, causal);
    w->bytes = size_of(w, 4.0 * t.q_rows * t.ldo, 0);
    return w->device->ops->attention_fwd(w->device, &t);
}

static tt_status attention_bwd(workload *w, bool plain, bool causal) {
    const int inner = inner_of(w);
    tt_attention t = attention_of(w, plain, causal);
    t.dout = w->o[2];
    t.dq = w->o[3];
    t.dk = tt_operand_at(w->device, w->o[3], (size_t)inner);
    t.dv = tt_operand_at(w->device, w->o[3], 2 * (size_t)inner);
    if (!plain) t.dbias = w->bias + (size_t)t.buckets * (size_t)t.heads;
    w->flops *= 2.5; // five products instead of two
    w->bytes = size_of(w, 8.0 * t.q_rows * t.ldo, 0);
    return w->device->ops->attention_bwd(w->device, &t);
}

static tt_status plain_fwd(workload *w) {
    return attention_fwd(w, true, false);
}
static tt_status plain_bwd(workload *w) {
    return attention_bwd(w, true, false);
}
static tt_status encoder_fwd(workload *w) {
    return attention_fwd(w, false, false);
}
static tt_status encoder_bwd(workload *w) {
    return attention_bwd(w, false, false);
}
static tt_status decoder_fwd(workload *w) {
    return attention_fwd(w, false, true);
}
static tt_status decoder_bwd(workload *w) {
    return attention_bwd(w, false, true);
}

static tt_attention_decode decode_of(const workload *w, int slots, const int32_t *start) {
    const int inner = inner_of(w);
    return (tt_attention_decode){.slots = slots,
        .heads = w->c.num_heads,
        .d_kv = w->c.d_kv,
        .q = w->o[1],
        .ldq = inner,
        .k = w->o[0],
        .v = tt_operand_at(w->device, w->o[0], (size_t)inner),
        .ldkv = 2 * inner,
        .start = start,
        .length = w->length,
        .out = w->o[2],
        .ldo = inner};
}

static tt_status run_decode(workload *w) {
    tt_attention_decode t = decode_of(w, w->slots, w->start);
    t.bias = w->bias;
    t.buckets = w->c.relative_attention_num_buckets;
    t.max_distance = w->c.relative_attention_max_distance;
    w->bytes = size_of(w, 2.0 * w->slots * CACHED * inner_of(w), 0);
    return w->device->ops->attention_decode(w->device, &t);
}

// Sources of CACHED rows that are in memory and from each of which `samples` slots read.
static int sources_of(const workload *w, int samples) {
    const int sources = w->rows / CACHED;
    return samples * sources < MOST_SLOTS ? sources : MOST_SLOTS / samples;
}

static tt_status decode_shared(workload *w, int samples, const int32_t *start) {
    const int sources = sources_of(w, samples);
    const tt_attention_decode t = decode_of(w, samples * sources, start);
    w->bytes = size_of(w, 2.0 * (sources * CACHED + t.slots) * inner_of(w), 0);
    return w->device->ops->attention_decode(w->device, &t);
}
static tt_status decode_few(workload *w) {
    return decode_shared(w, FEW, w->few);
}
static tt_status decode_many(workload *w) {
    return decode_shared(w, MANY, w->many);
}

// Random numbers of -0.5 to 0.5 as logits: by this temperature as wide apart as a student's.
static tt_status run_sample(workload *w, float temperature, int top_k, float top_p) {
    const tt_sample t = {.rows = w->choices,
        .vocab = w->c.vocab_size,
        .logits = w->table,
        .temperature = temperature,
        .top_k = top_k,
        .top_p = top_p,
        .uniform = w->uniform,
        .token = w->token};
    w->bytes = size_of(w, 0, (double)t.rows * t.vocab);
    return w->device->ops->sample(w->device, &t);
}
static tt_status sample_greedily(workload *w) {
    return run_sample(w, 0, 0, 1);
}
static tt_status sample_top_k(workload *w) {
    return run_sample(w, 0.05f, 40, 1);
}
static tt_status sample_top_p(workload *w) {
    return run_sample(w, 0.05f, 0, 0.95f);
}

static tt_status run_log_softmax(workload *w) {
    w->bytes = size_of(w, 0, 2.0 * w->choices * w->c.vocab_size);
    return w->device->ops->log_softmax(w->device, w->dtable, w->choices, w->c.vocab_size);
}

static tt_status run_top(workload *w) {
    const tt_top t = {.rows = w->choices,
        .vocab = w->c.vocab_size,
        .k = BEST,
        .scores = w->table,
        .token = w->token,
        .score = w->score};
    w->bytes = size_of(w, 0, (double)t.rows * t.vocab);
    return w->device->ops->top(w->device, &t);
}

// The rows of logits have read CACHED ids each.
static tt_status run_penalise(workload *w) {
    return w->device->ops->penalise(w->device, &(tt_penalise){.rows = w->choices,
                                                   .vocab = w->c.vocab_size,
                                                   .scores = w->dtable,
                                                   .repetition_penalty = 1.3f,
                                                   .ids = w->ids,
                                                   .start = w->cached,
                                                   .length = w->length,
                                                   .end = 1,
                                                   .min_length = CACHED + 1});
}

// Texts of prompts; none ends, and each run goes on from the one before.
static tt_status run_beam_step(workload *w) {
    const int prompts = w->choices > BEAMS ? w->choices / BEAMS : 1, texts = prompts * BEAMS;
    w->bytes = texts * (BEST * 8 + 2 * (8 + 5 * 4) + 2.0 * sizeof *w->best);
    return w->device->ops->beam_step(w->device, &(tt_beam_step){.prompts = prompts,
                                                    .beams = BEAMS,
                                                    .end = 1,
                                                    .choice = w->continuations,
                                                    .score = w->likely,
                                                    .left = w->beams,
                                                    .total = w->total,
                                                    .token = w->beams + MOST_SLOTS,
                                                    .row = w->beams + 2 * MOST_SLOTS,
                                                    .start = w->beams + 3 * MOST_SLOTS,
                                                    .length = w->beams + 4 * MOST_SLOTS,
                                                    .parent = w->beams + 5 * MOST_SLOTS,
                                                    .best = w->best});
}

static tt_status run_lmhead(workload *w) {
    const int rows = (w->rows + 7) / 8;
    const tt_lmhead t = {.rows = rows,
        .d = w->c.d_model,
        .vocab = w->c.vocab_size,
        .scale = 1 / sqrtf((float)w->c.d_model),
        .h = w->o[0],
        .w = w->head,
        .targets = w->ids,
        .lse = w->row,
        .logp = w->row + w->rows,
        .dlogp = w->row + 2 * (size_t)w->rows,
        .dh = w->o[1],
        .dw = w->dtable};
    w->flops = 6.0 * rows * t.d * t.vocab;
    return w->device->ops->lmhead_fused(w->device, &t);
}

static tt_status run_product(workload *w) {
    const tt_gemm t = {.trans_b = true,
        .m = w->rows,
        .n = w->c.d_ff,
        .k = w->c.d_model,
        .alpha = 1,
        .a = w->o[0],
        .b = w->head, // the first d_ff rows of [vocab, d]
        .c = w->o[1],
        .lda = w->c.d_model,
        .ldb = w->c.d_model,
        .ldc = w->c.d_ff};
    w->flops = 2.0 * t.m * t.n * t.k;
    return w->device->ops->gemm(w->device, &t);
}

static const struct {
    const char *name;
    tt_status (*run)(workload *);
} operations[TT_BENCH_OPERATIONS] = {{"copy", run_copy}, {"scale", run_scale}, {"embed_fwd", embed_fwd},
    {"embed_bwd", embed_bwd}, {"rmsnorm_fwd", rmsnorm_fwd}, {"rmsnorm_bwd", rmsnorm_bwd},
    {"ffn_fwd", ffn_fwd}, {"ffn_bwd", ffn_bwd}, {"square_sum", square_sum}, {"adamw", run_adamw},
    {"attention_decode", run_decode}, {"attention_decode, five", decode_few},
    {"attention_decode, ten", decode_many}, {"sample, greedy", sample_greedily},
    {"sample, top k", sample_top_k}, {"sample, top p", sample_top_p}, {"log_softmax", run_log_softmax},
    {"top", run_top}, {"penalise", run_penalise}, {"beam_step", run_beam_step},
    {"attention_fwd, no bias", plain_fwd}, {"attention_bwd, no bias", plain_bwd},
    {"attention_fwd, encoder", encoder_fwd}, {"attention_bwd, encoder", encoder_bwd},
    {"attention_fwd, decoder", decoder_fwd}, {"attention_bwd, decoder", decoder_bwd},
    {"lmhead_fused", run_lmhead}, {"gemm, d to d_ff", run_product}};

static tt_status upload_beams(workload *w) {
    int32_t *host;
    TT_TRY(tt_alloc(&host, MOST_SLOTS * BEST, sizeof *host, "numbers of operations"));
    for (int i = 0; i < MOST_SLOTS * BEST; ++i) host[i] = 2 + i % BEST;
    tt_status status = tt_device_upload(w->device, w->continuations, host, MOST_SLOTS * BEST * sizeof *host);
    for (int i = 0; i < 6 * MOST_SLOTS; ++i) host[i] = i / MOST_SLOTS == 3 ? i % MOST_SLOTS * CACHED : 1;
    if (status == TT_OK) status = tt_device_upload(w->device, w->beams, host, 6 * MOST_SLOTS * sizeof *host);
    free(host);
    return status;
}

static tt_status upload_numbers(workload *w) {
    const size_t rows = (size_t)w->rows;
    int32_t *host;
    TT_TRY(tt_alloc(&host, rows + 1 + MOST_SLOTS, sizeof *host, "numbers of operations"));
    tt_rng rng;
    tt_rng_open(&rng, 1, TT_FOR_TEST, 3, 0);
    tt_status status;
    TT_TRY_GOTO(status, upload_beams(w), done);
    TT_TRY_GOTO(status, upload_ids(w, &rng, host), done);
    for (size_t i = 0; i < rows; ++i) host[i] = (int32_t)i;
    TT_TRY_GOTO(status, tt_device_upload(w->device, w->place, host, rows * sizeof *host), done);
    for (int i = 0; i <= w->seqs; ++i) host[i] = i * (w->rows / w->seqs);
    TT_TRY_GOTO(
        status, tt_device_upload(w->device, w->offsets, host, ((size_t)w->seqs + 1) * sizeof *host), done);
    for (int i = 0; i < w->slots; ++i) host[i] = i * CACHED;
    TT_TRY_GOTO(status, tt_device_upload(w->device, w->start, host, (size_t)w->slots * sizeof *host), done);
    for (int i = 0; i < MOST_SLOTS; ++i) host[i] = CACHED;
    TT_TRY_GOTO(status, tt_device_upload(w->device, w->length, host, MOST_SLOTS * sizeof *host), done);
    for (int i = 0; i < MOST_SLOTS; ++i) host[i] = i / FEW * CACHED;
    TT_TRY_GOTO(status, tt_device_upload(w->device, w->few, host, MOST_SLOTS * sizeof *host), done);
    for (int i = 0; i < MOST_SLOTS; ++i) host[i] = i / MANY * CACHED;
    TT_TRY_GOTO(status, tt_device_upload(w->device, w->many, host, MOST_SLOTS * sizeof *host), done);
    for (int i = 0; i < w->choices; ++i) host[i] = i % (w->rows / CACHED) * CACHED;
    TT_TRY_GOTO(
        status, tt_device_upload(w->device, w->cached, host, (size_t)w->choices * sizeof *host), done);
    float *const uniform = (float *)host;
    for (int i = 0; i < w->choices; ++i) uniform[i] = ((float)i + 0.5f) / (float)w->choices;
    status = tt_device_upload(w->device, w->uniform, uniform, (size_t)w->choices * sizeof *uniform);
done:
    free(host);
    return status;
}

static tt_status random_memory(workload *w, void *out, size_t count, size_t size) {
    TT_TRY(tt_device_alloc(w->device, out, count, size, "tensors of operations"));
    return tt_bench_fill(w->device, *(void **)out, count, size);
}

static tt_status open_workload(workload *w, tt_device *device, const tt_bench_options *o) {
    TT_TRY(tt_bench_shape(&w->c, o->shape));
    const int feed_forward = tt_activation_width(w->c.activation, w->c.d_ff), attention = 3 * inner_of(w);
    const size_t wide = (size_t)(feed_forward > attention ? feed_forward : attention);
    w->device = device;
    w->rows = o->target_tokens > CACHED ? o->target_tokens : CACHED;
    w->seqs = w->rows >= LENGTH ? w->rows / LENGTH : 1;
    w->slots = w->rows / CACHED < MOST_SLOTS ? w->rows / CACHED : MOST_SLOTS;
    w->choices = w->rows / 16 < MOST_SLOTS ? w->rows / 16 : MOST_SLOTS;
    if (w->choices > w->c.d_model) w->choices = w->c.d_model;
    const size_t rows = (size_t)w->rows, d = (size_t)w->c.d_model, vocab = (size_t)w->c.vocab_size,
                 biases = 2 * (size_t)w->c.relative_attention_num_buckets * (size_t)w->c.num_heads;
    for (int i = 0; i < FLOATS; ++i) TT_TRY(random_memory(w, &w->f[i], rows * d, sizeof(float)));
    for (int i = 0; i < OPERANDS; ++i) TT_TRY(random_memory(w, &w->o[i], rows * wide, device->operand_size));
    TT_TRY(random_memory(w, &w->table, vocab * d, sizeof(float)));
    TT_TRY(random_memory(w, &w->dtable, vocab * d, sizeof(float)));
    TT_TRY(random_memory(w, &w->head, vocab * d, device->operand_size));
    TT_TRY(
        random_memory(w, &w->row, rows * (size_t)(w->c.num_heads > 3 ? w->c.num_heads : 3), sizeof(float)));
    TT_TRY(random_memory(w, &w->weight, 2 * d, sizeof(float)));
    TT_TRY(random_memory(w, &w->bias, biases, sizeof(float)));
    TT_TRY(random_memory(w, &w->likely, MOST_SLOTS * BEST, sizeof(float)));
    const struct {
        void *slot;
        size_t count, size;
    } rest[] = {{&w->moment, rows * d, 4}, {&w->ids, rows, 4}, {&w->order, rows, 4},
        {&w->offsets, rows + 1, 4}, {&w->start, MOST_SLOTS, 4}, {&w->length, MOST_SLOTS, 4},
        {&w->few, MOST_SLOTS, 4}, {&w->many, MOST_SLOTS, 4}, {&w->uniform, MOST_SLOTS, 4},
        {&w->score, MOST_SLOTS * BEST, 4}, {&w->token, MOST_SLOTS * BEST, 4}, {&w->cached, MOST_SLOTS, 4},
        {&w->beams, 6 * MOST_SLOTS, 4}, {&w->continuations, MOST_SLOTS * BEST, 4},
        {&w->total, MOST_SLOTS, sizeof *w->total}, {&w->best, 2 * MOST_SLOTS, sizeof *w->best},
        {&w->place, rows, 4}, {&w->key, 1, 8}, {&w->sum, 1, 8}};
    for (size_t i = 0; i < sizeof rest / sizeof *rest; ++i)
        TT_TRY(tt_device_alloc(device, rest[i].slot, rest[i].count, rest[i].size, "tensors of operations"));
    return upload_numbers(w);
}

static void close_workload(workload *w) {
    void *const all[] = {w->moment, w->table, w->dtable, w->row, w->head, w->weight, w->bias, w->ids,
        w->order, w->offsets, w->start, w->length, w->few, w->many, w->uniform, w->score, w->token, w->cached,
        w->beams, w->continuations, w->likely, w->total, w->best, w->place, w->key, w->sum};
    for (int i = 0; i < FLOATS; ++i) tt_device_free(w->device, w->f[i]);
    for (int i = 0; i < OPERANDS; ++i) tt_device_free(w->device, w->o[i]);
    for (size_t i = 0; i < sizeof all / sizeof *all; ++i) tt_device_free(w->device, all[i]);
}

static tt_status run_times(workload *w, int operation, int times, double *seconds) {
    const double started = tt_seconds();
    for (int i = 0; i < times; ++i) TT_TRY(operations[operation].run(w));
    TT_TRY(tt_device_wait(w->device));
    *seconds = (tt_seconds() - started) / times;
    return TT_OK;
}

// Runs it once to warm up, once to find how often it must be repeated, then the steps.
static tt_status measure_operation(
    workload *w, int operation, int steps, double *seconds, tt_bench_operation *out) {
    enum { MOST = 200 };
    const double enough = 5e-3; // seconds of a measurement, since a wait takes some microseconds
    double once;
    TT_TRY(tt_bench_workload_run(w, operation, out));
    TT_TRY(tt_device_wait(w->device));
    TT_TRY(run_times(w, operation, 1, &once));
    const int times = once * MOST < enough ? MOST : 1 + (int)(enough / once);
    for (int i = 0; i < steps; ++i) TT_TRY(run_times(w, operation, times, &seconds[i]));
    out->seconds = tt_bench_spread_of(seconds, steps);
    return TT_OK;
}

tt_status tt_bench_workload_open(
    tt_bench_workload **out, tt_device *device, const tt_bench_options *options) {
    workload *w;
    TT_TRY(tt_alloc(&w, 1, sizeof *w, "operations"));
    const tt_status status = open_workload(w, device, options);
    *out = status == TT_OK ? w : NULL;
    if (status != TT_OK) tt_bench_workload_close(w);
    return status;
}

void tt_bench_workload_close(tt_bench_workload *w) {
    if (!w) return;
    close_workload(w);
    free(w);
}

tt_status tt_bench_workload_run(tt_bench_workload *w, int operation, tt_bench_operation *out) {
    w->bytes = w->flops = 0;
    TT_TRY(operations[operation].run(w));
    *out = (tt_bench_operation){.name = operations[operation].name, .bytes = w->bytes, .flops = w->flops};
    return TT_OK;
}

tt_status tt_bench_operate(
    tt_bench_operation out[TT_BENCH_OPERATIONS], tt_device *device, const tt_bench_options *options) {
    workload *w = NULL;
    double *seconds = NULL;
    tt_status status;
    TT_TRY_GOTO(status, tt_alloc(&seconds, (size_t)options->steps, sizeof *seconds, "times"), done);
    TT_TRY_GOTO(status, tt_bench_workload_open(&w, device, options), done);
    for (int i = 0; i < TT_BENCH_OPERATIONS; ++i)
        TT_TRY_GOTO(status, measure_operation(w, i, options->steps, seconds, &out[i]), done);
done:
    tt_bench_workload_close(w);
    free(seconds);
    return status;
}
