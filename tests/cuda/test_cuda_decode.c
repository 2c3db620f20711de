// Operations of decoding, CUDA against CPU: attention over caches, sampling, log-softmax, penalties, the
// largest.
#include "tests/cuda/beam_pair.h"

// `group`: so many neighbours read the same rows (1: each its own, but for some); -group: they begin at the
// same row, and end at different ones. `keys`: so many for every slot, if above 0. With a bias, a table says where the
// rows are.
static void attention_over(
    const pair *p, int slots, int heads, int d_kv, int gap, bool bias, int group, int keys) {
    const bool ragged = group < 0;
    if (ragged) group = -group;
    enum { ROWS = 150 };
    const int inner = heads * d_kv, ld = 2 * inner + gap, buckets = 8;
    tensor q = tensor_operand(p, (size_t)slots * (inner + gap), 1, 1),
           kv = tensor_operand(p, (size_t)ROWS * ld, 1, 2),
           out = tensor_operand(p, (size_t)slots * (inner + gap), 1, 3),
           table = tensor_f32(p, (size_t)buckets * heads, 1, 4);
    int32_t *start = (int32_t *)twin_alloc(2 * (size_t)slots, 4), *length = start + slots;
    for (int s = 0; s < slots; ++s) {
        start[s] = s % 3 == 2 ? start[s - 1] : s * 7 % 40; // some slots share their rows
        length[s] = s == 0 ? 1 : s * 23 % 100 + 1;
        if (group > 1) start[s] = s / group * 11, length[s] = s / group * 31 % 90 + 1 + 5 * group;
        if (ragged) length[s] = 30 + s % group;
        if (keys > 0) length[s] = keys;
    }
    int32_t *gpu_start = pair_ints(p, start, 2 * (size_t)slots), table_of_rows[ROWS];
    for (int i = 0; i < ROWS; ++i) table_of_rows[i] = (i * 7 + 3) % ROWS;
    int32_t *gpu_table = pair_ints(p, table_of_rows, ROWS);
    for (int side = 0; side < 2; ++side) {
        tt_device *device = side ? p->gpu : p->cpu;
        void *k = side ? kv.gpu : kv.cpu;
        twin_ok(device->ops->attention_decode(device, &(tt_attention_decode){.slots = slots,
                                                          .heads = heads,
                                                          .d_kv = d_kv,
                                                          .q = side ? q.gpu : q.cpu,
                                                          .ldq = inner + gap,
                                                          .k = k,
                                                          .v = tt_operand_at(device, k, (size_t)inner),
                                                          .ldkv = ld,
                                                          .start = side ? gpu_start : start,
                                                          .length = side ? gpu_start + slots : length,
                                                          .table = !bias  ? NULL
                                                                   : side ? gpu_table
                                                                          : table_of_rows,
                                                          .bias = !bias  ? NULL
                                                                  : side ? table.gpu
                                                                         : table.cpu,
                                                          .buckets = buckets,
                                                          .max_distance = 20,
                                                          .out = side ? out.gpu : out.cpu,
                                                          .ldo = inner + gap}));
    }
    tensor_compare(p, "attention over a cache", &out);
    tensor_close(p, &q), tensor_close(p, &kv), tensor_close(p, &out), tensor_close(p, &table);
    tt_device_free(p->gpu, gpu_start), tt_device_free(p->gpu, gpu_table);
    free(start);
}

static void attention(const pair *p, int slots, int heads, int d_kv, int gap, bool bias, int group) {
    attention_over(p, slots, heads, d_kv, gap, bias, group, 0);
}

// As decoding does it: each slot has `keys` rows of its own, the last of which comes from elsewhere and goes to the cache.
static void attention_to_new(const pair *p, int slots, int d_kv, int gap, int keys, bool by_table) {
    enum { HEADS = 2, BUCKETS = 8 };
    const int inner = HEADS * d_kv, ld = 3 * inner + gap, ld_cache = 2 * inner, rows = slots * keys;
    tensor qkv = tensor_operand(p, (size_t)slots * ld, 1, 1),
           kv = tensor_operand(p, (size_t)rows * ld_cache, 1, 2),
           out = tensor_operand(p, (size_t)slots * inner, 1, 3),
           bias = tensor_f32(p, (size_t)BUCKETS * HEADS, 1, 4);
    int32_t *start = (int32_t *)twin_alloc(2 * (size_t)slots, 4), *length = start + slots,
            *table = (int32_t *)twin_alloc((size_t)rows, 4);
    for (int s = 0; s < slots; ++s) start[s] = s * keys, length[s] = s % 3 == 1 ? (keys + 1) / 2 : keys;
    for (int i = 0; i < rows; ++i) table[i] = rows - 1 - i;
    int32_t *gpu_start = pair_ints(p, start, 2 * (size_t)slots),
            *gpu_table = pair_ints(p, table, (size_t)rows);
    for (int side = 0; side < 2; ++side) {
        tt_device *device = side ? p->gpu : p->cpu;
        const void *q = side ? qkv.gpu : qkv.cpu;
        void *k = side ? kv.gpu : kv.cpu;
        twin_ok(
            device->ops->attention_decode(device, &(tt_attention_decode){.slots = slots,
                                                      .heads = HEADS,
                                                      .d_kv = d_kv,
                                                      .q = q,
                                                      .ldq = ld,
                                                      .k = k,
                                                      .v = tt_operand_at(device, k, (size_t)inner),
                                                      .ldkv = ld_cache,
                                                      .new_k = tt_operand_at(device, q, (size_t)inner),
                                                      .new_v = tt_operand_at(device, q, 2 * (size_t)inner),
                                                      .start = side ? gpu_start : start,
                                                      .length = side ? gpu_start + slots : length,
                                                      .table = !by_table ? NULL
                                                               : side    ? gpu_table
                                                                         : table,
                                                      .bias = side ? bias.gpu : bias.cpu,
                                                      .buckets = BUCKETS,
                                                      .max_distance = 20,
                                                      .out = side ? out.gpu : out.cpu,
                                                      .ldo = inner}));
    }
    tensor_compare(p, "attention to new keys", &out);
    tensor_near(p, "cache with new keys", &kv, 0, __FILE__, __LINE__);
    tensor_close(p, &qkv), tensor_close(p, &kv), tensor_close(p, &out), tensor_close(p, &bias);
    tt_device_free(p->gpu, gpu_start), tt_device_free(p->gpu, gpu_table);
    free(start), free(table);
}

static void attention_with(tt_precision precision) {
    pair p = pair_open(precision);
    attention(&p, 1, 1, 1, 0, false, 1);
    attention(&p, 7, 2, 64, 0, true, 1);
    attention(&p, 10, 3, 32, 8, false, 1);
    attention(&p, 5, 2, 17, 3, true, 1);
    attention(&p, 3, 1, 128, 0, true, 1);
    attention(&p, 2, 1, 200, 0, false, 1);
    attention(&p, 8, 2, 64, 0, false, 8);
    attention(&p, 21, 2, 64, 8, false, 10);
    attention(&p, 9, 1, 17, 3, false, 4);
    attention(&p, 16, 2, 32, 0, false, -8), attention(&p, 16, 1, 64, 0, false, -8);
    attention(&p, 7, 1, 31, 0, false, 7); // one slot less than a block has
    attention(&p, 9, 1, 33, 0, false, 9); // one more
    for (int keys = 31; keys <= 33; ++keys)
        attention_over(&p, 3, 1, 8, 0, false, 3, keys); // a tile of keys, two
    for (int keys = 3; keys <= 5; ++keys)
        attention_over(&p, 2, 1, 8, 0, true, 1, keys); // a key for each warp
    for (int d = 127; d <= 129; ++d) attention(&p, 2, 1, d, 0, true, 1), attention(&p, 2, 1, d, 0, false, 2);
    twin_refused(
        p.gpu->ops->attention_decode(p.gpu, &(tt_attention_decode){.slots = 1, .heads = 1, .d_kv = 257}),
        TT_ERR_UNSUPPORTED, "d_kv 257; device cuda takes up to 256");
    attention(&p, 3, 1, 256, 0, false, 3);
    attention(&p, 5, 2, 30, 1, true, 5);
    // A key is shared by 4, 8, 16 or 32 lanes, each with 16 bytes of it (in fp32 beyond 128 with 32).
    static const int widths[] = {16, 24, 32, 40, 64, 72, 128, 136, 256};
    for (size_t i = 0; i < sizeof widths / sizeof *widths; ++i) attention(&p, 4, 1, widths[i], 0, i % 2, 1);
    // Tensor cores take runs of up to 8 slots, tiles of 16 keys; warps take tiles in turn.
    static const int key_counts[] = {15, 16, 17, 32, 33, 64, 65, 81};
    for (size_t i = 0; i < sizeof key_counts / sizeof *key_counts; ++i) {
        attention_over(&p, 9, 1, i % 2 ? 64 : 128, 8, false, 9, key_counts[i]); // a run of 8, one of 1
        attention_to_new(&p, 9, i % 2 ? 128 : 64, 8 * (int)(i % 3), key_counts[i], i % 2);
    }
    attention_over(&p, 17, 2, 64, 0, false, 5, 20); // runs of 5, 3, 2, 5, 1
    attention_over(&p, 17, 1, 64, 0, false, 1, 20); // each slot its own
    attention_to_new(&p, 3, 40, 1, 18, true), attention_to_new(&p, 2, 64, 4, 1, false);
    attention_to_new(&p, 5, 17, 0, 35, false);
    // Enough slots that each has a warp: two heads keep busy the 4 multiprocessors of cusim, an H100's 132.
    attention_to_new(&p, 15, 64, 0, 33, false), attention_to_new(&p, 16, 64, 0, 33, false);
    attention_to_new(&p, 527, 64, 0, 18, true), attention_to_new(&p, 528, 128, 0, 18, true);
    pair_close(&p);
}
static void attention_fp32(void **state) {
    (void)state;
    attention_with(TT_FP32);
}
static void attention_bf16(void **state) {
    (void)state;
    attention_with(TT_BF16);
}

typedef struct chosen {
    int32_t *token;
    float *logp;
} chosen;

static chosen sample_on(tt_device *device, const tt_sample *host, const void *logits, const void *uniform) {
    const size_t rows = (size_t)host->rows;
    chosen c = {twin_alloc(rows, 4), twin_alloc(rows, 4)};
    tt_sample op = *host;
    op.logits = logits, op.uniform = uniform;
    twin_ok(tt_device_alloc(device, &op.token, rows, 4, "test"));
    twin_ok(tt_device_alloc(device, &op.logp, rows, 4, "test"));
    twin_ok(device->ops->sample(device, &op));
    twin_ok(tt_device_download(device, c.token, op.token, rows * 4));
    twin_ok(tt_device_download(device, c.logp, op.logp, rows * 4));
    tt_device_free(device, op.token), tt_device_free(device, op.logp);
    return c;
}

// Tokens must be the same. (A sum of weights that rounds past a uniform number could tell them apart: with
// these few draws none does.)
static void sample(
    const pair *p, int rows, int vocab, float temperature, int top_k, float top_p, bool coarse) {
    tensor logits = tensor_f32(p, (size_t)rows * vocab, 2, 1), uniform = tensor_f32(p, (size_t)rows, 1, 2);
    for (size_t i = 0; coarse && i < logits.n; ++i) logits.cpu[i] = roundf(logits.cpu[i]); // ties
    for (int i = 0; i < rows; ++i) uniform.cpu[i] = i == 0 ? 0 : (float)i / (float)rows + 0.003f;
    twin_ok(tt_device_upload(p->gpu, logits.gpu, logits.cpu, logits.n * 4));
    twin_ok(tt_device_upload(p->gpu, uniform.gpu, uniform.cpu, uniform.n * 4));
    const tt_sample op = {
        .rows = rows, .vocab = vocab, .temperature = temperature, .top_p = top_p, .top_k = top_k};
    chosen cpu = sample_on(p->cpu, &op, logits.cpu, uniform.cpu),
           gpu = sample_on(p->gpu, &op, logits.gpu, uniform.gpu);
    for (int i = 0; i < rows; ++i) {
        if (cpu.token[i] == gpu.token[i] && fabsf(cpu.logp[i] - gpu.logp[i]) < 1e-5f) continue;
        print_error("row %d of %d, vocabulary %d, temperature %g, top k %d, top p %g: expected id %d (%g), "
                    "got %d (%g)\n",
            i, rows, vocab, (double)temperature, top_k, (double)top_p, cpu.token[i], (double)cpu.logp[i],
            gpu.token[i], (double)gpu.logp[i]);
        fail();
    }
    free(cpu.token), free(cpu.logp), free(gpu.token), free(gpu.logp);
    tensor_close(p, &logits), tensor_close(p, &uniform);
}

static void sampling(void **state) {
    (void)state;
    pair p = pair_open(TT_FP32);
    for (int coarse = 0; coarse < 2; ++coarse) {
        sample(&p, 1, 1, 0, 0, 1, coarse);
        sample(&p, 5, 700, 0, 0, 1, coarse);
        sample(&p, 9, 700, 1, 0, 1, coarse);
        sample(&p, 9, 1301, 0.7f, 5, 1, coarse);
        sample(&p, 9, 1301, 1.5f, 0, 0.8f, coarse);
        sample(&p, 9, 90, 1, 40, 0.5f, coarse);
        sample(&p, 3, 40, 1, 1, 1, coarse);
        sample(&p, 9, 1025, 1, 700, 1, coarse); // of equal logits some are cut in the sixth 128
        sample(&p, 9, 511, 1, 500, 0.9f, coarse);
        sample(&p, 9, 512, 1, 511, 0.9f, coarse);
        sample(&p, 9, 513, 1, 512, 0.9f, coarse);
        sample(&p, 3, 40, 1, 0, 1e-6f, coarse);
        sample(&p, 3, 40, 1, 0, 1e-30f, coarse); // less than the least weight: one is kept
        for (int vocab = 2047; vocab <= 2049; ++vocab)
            sample(&p, 3, vocab, 1, 1500, 0.9f, coarse); // once, twice
    }
    sample(&p, 2, 40001, 1, 30000, 0.9f, true), sample(&p, 2, 40001, 1, 0, 0.9f, false);
    pair_close(&p);
}

// Several draws from a row.
static void sampling_from_shared_rows(void **state) {
    (void)state;
    enum { DRAWS = 5, VOCAB = 701 };
    static const int32_t from[DRAWS] = {0, 0, 2, 2, 1};
    pair p = pair_open(TT_FP32);
    tensor logits = tensor_f32(&p, 3 * VOCAB, 2, 1), uniform = tensor_f32(&p, DRAWS, 1, 2);
    int32_t *on_gpu;
    twin_ok(tt_device_alloc(p.gpu, &on_gpu, DRAWS, 4, "test"));
    twin_ok(tt_device_upload(p.gpu, on_gpu, from, sizeof from));
    for (int i = 0; i < DRAWS; ++i) uniform.cpu[i] = 0.19f * (float)i + 0.01f;
    twin_ok(tt_device_upload(p.gpu, uniform.gpu, uniform.cpu, uniform.n * 4));
    tt_sample op = {.rows = DRAWS, .vocab = VOCAB, .temperature = 1, .top_p = 0.9f, .from = from};
    chosen cpu = sample_on(p.cpu, &op, logits.cpu, uniform.cpu);
    op.from = on_gpu;
    chosen gpu = sample_on(p.gpu, &op, logits.gpu, uniform.gpu);
    for (int i = 0; i < DRAWS; ++i)
        if (cpu.token[i] != gpu.token[i])
            fail_msg("draw %d from row %d: expected id %d, got %d", i, from[i], cpu.token[i], gpu.token[i]);
    tt_device_free(p.gpu, on_gpu);
    free(cpu.token), free(cpu.logp), free(gpu.token), free(gpu.logp);
    tensor_close(&p, &logits), tensor_close(&p, &uniform);
    pair_close(&p);
}

// Fewer ids that have a weight than are to be kept; zeros of both signs, which are equal.
static void sampling_of_few(void **state) {
    (void)state;
    enum { N = 700 };
    pair p = pair_open(TT_FP32);
    for (int zeros = 0; zeros < 2; ++zeros)
        for (int k = 1; k < N; k += 97) {
            float x[2 * N], uniform[2] = {0, 0.99999f};
            for (int i = 0; i < 2 * N; ++i)
                x[i] = zeros ? (i % 2 ? 0.0f : -0.0f) : i % 100 == 30 ? (float)(i % 7) : -INFINITY;
            void *logits = pair_upload(&p, x, 2 * N, 4), *u = pair_upload(&p, uniform, 2, 4);
            const tt_sample op = {.rows = 2, .vocab = N, .temperature = 1, .top_p = 0.95f, .top_k = k};
            chosen cpu = sample_on(p.cpu, &op, x, uniform), gpu = sample_on(p.gpu, &op, logits, u);
            for (int i = 0; i < 2; ++i)
                if (cpu.token[i] != gpu.token[i]) {
                    print_error("row %d, zeros %d, top k %d: expected id %d, got %d\n", i, zeros, k,
                        cpu.token[i], gpu.token[i]);
                    fail();
                }
            free(cpu.token), free(cpu.logp), free(gpu.token), free(gpu.logp);
            tt_device_free(p.gpu, logits), tt_device_free(p.gpu, u);
        }
    pair_close(&p);
}

// One row of which the chosen id is known.
static void expect_id(const pair *p, const float *x, int n, int top_k, float u, int id) {
    void *logits = pair_upload(p, x, (size_t)n, 4), *uniform = pair_upload(p, &u, 1, 4);
    const tt_sample op = {.rows = 1, .vocab = n, .temperature = 1, .top_p = 1, .top_k = top_k};
    chosen cpu = sample_on(p->cpu, &op, x, &u), gpu = sample_on(p->gpu, &op, logits, uniform);
    if (cpu.token[0] != id || gpu.token[0] != id) {
        print_error("top %d of %d, u %g: expected id %d, got %d and %d\n", top_k, n, (double)u, id,
            cpu.token[0], gpu.token[0]);
        fail();
    }
    free(cpu.token), free(cpu.logp), free(gpu.token), free(gpu.logp);
    tt_device_free(p->gpu, logits), tt_device_free(p->gpu, uniform);
}

// Cuts among logits that a histogram does not tell apart: up to 256 are ordered one by one.
static void sampling_among_alike(void **state) {
    (void)state;
    enum { N = 600, FEW = 256 };
    pair p = pair_open(TT_FP32);
    float x[N];
    // Id 0 is the largest; then `same` are equal, and the last of those that are kept is the last that can be chosen.
    for (int same = FEW - 1; same <= FEW + 1; ++same)
        for (int k = 2; k <= same + 1; k += same / 2 - 1) {
            for (int i = 0; i < N; ++i) x[i] = i == 0 ? 1 : i <= same ? 0.5f : -20 - (float)i / 100;
            expect_id(&p, x, N, k, 0.99999994f, k - 1);
        }
    // The largest is last; the others are so far from it that no bin holds them, and grow. The first of those that are
    // kept is chosen if the random number is 0.
    for (int k = 2; k < N; k += k < FEW ? 127 : 90) {
        for (int i = 0; i < N; ++i) x[i] = i == N - 1 ? 0 : -80 + 40 * (float)i / N;
        expect_id(&p, x, N, k, 0, N - k);
    }
    // The same within one bin.
    for (int k = 2; k < N; k += k < FEW ? 127 : 90) {
        for (int i = 0; i < N; ++i) x[i] = i == N - 1 ? 30 : (float)i * 1e-6f;
        x[0] = -10;
        expect_id(&p, x, N, k, 0, N - k);
    }
    pair_close(&p);
}

static void sampling_tells_bad_logits(void **state) {
    (void)state;
    pair p = pair_open(TT_FP32);
    for (int kind = 0; kind < 3; ++kind) {
        tensor logits = tensor_f32(&p, 3 * 50, 1, 1);
        for (int i = 0; i < 50; ++i)
            if (kind == 2 || i == 7) logits.cpu[50 + i] = kind == 0 ? NAN : kind == 1 ? INFINITY : -INFINITY;
        twin_ok(tt_device_upload(p.gpu, logits.gpu, logits.cpu, logits.n * 4));
        int32_t *token, host[3];
        twin_ok(tt_device_alloc(p.gpu, &token, 3, 4, "test"));
        const tt_sample op = {.rows = 3, .vocab = 50, .logits = logits.gpu, .top_p = 1, .token = token};
        twin_ok(p.gpu->ops->sample(p.gpu, &op));
        twin_refused(tt_device_download(p.gpu, host, token, sizeof host), TT_ERR_NUMERIC, "logits of row 1");
        twin_ok(p.gpu->ops->log_softmax(p.gpu, logits.gpu, 3, 50));
        twin_refused(
            tt_device_download(p.gpu, host, token, sizeof host), TT_ERR_NUMERIC, "log_softmax: row 1");
        tt_device_free(p.gpu, token);
        tensor_close(&p, &logits);
    }
    pair_close(&p);
}

static void scores(const pair *p, int rows, int vocab, int k) {
    tensor x = tensor_f32(p, (size_t)rows * vocab, 2, 1), score = tensor_f32(p, (size_t)rows * k, 1, 2);
    twin_ok(p->cpu->ops->log_softmax(p->cpu, x.cpu, rows, vocab));
    twin_ok(p->gpu->ops->log_softmax(p->gpu, x.gpu, rows, vocab));
    tensor_compare(p, "log-softmax", &x);
    // Each row has read up to SEEN ids, one of them twice; where k is odd, a table says where.
    enum { SEEN = 12 };
    const size_t seen = (size_t)rows * SEEN;
    int32_t *ids_read = twin_ids(seen, vocab, 3), *length = twin_ids((size_t)rows, SEEN, 4),
            *start = (int32_t *)twin_alloc((size_t)rows, 4), *table = (int32_t *)twin_alloc(seen, 4);
    for (int i = 0; i < rows; ++i)
        start[i] = i * SEEN, length[i]++, ids_read[i * SEEN] = ids_read[i * SEEN + 1];
    for (size_t i = 0; i < seen; ++i) table[i] = (int32_t)(seen - 1 - i);
    int32_t *gpu[] = {pair_ints(p, ids_read, seen), pair_ints(p, length, (size_t)rows),
        pair_ints(p, start, (size_t)rows), pair_ints(p, table, seen)};
    // From here on the same numbers on both sides, with ties.
    for (size_t i = 0; i < x.n; ++i) x.cpu[i] = roundf(x.cpu[i] * 2) / 2;
    twin_ok(tt_device_upload(p->gpu, x.gpu, x.cpu, x.n * 4));
    tt_penalise op = {.rows = rows,
        .vocab = vocab,
        .scores = x.cpu,
        .repetition_penalty = 1.3f,
        .ids = ids_read,
        .table = k % 2 ? table : NULL,
        .start = start,
        .length = length,
        .end = vocab / 2,
        .min_length = SEEN / 2};
    twin_ok(p->cpu->ops->penalise(p->cpu, &op));
    op.scores = x.gpu, op.ids = gpu[0], op.length = gpu[1], op.start = gpu[2];
    op.table = op.table ? gpu[3] : NULL;
    twin_ok(p->gpu->ops->penalise(p->gpu, &op));
    float *penalised = tensor_fetch(p, &x);
    for (size_t i = 0; i < x.n; ++i)
        assert_true(penalised[i] == x.cpu[i] || fabsf(penalised[i] - x.cpu[i]) < 1e-6f * fabsf(x.cpu[i]));
    twin_ok(tt_device_upload(p->gpu, x.gpu, x.cpu, x.n * 4));
    int32_t *ids = (int32_t *)twin_alloc(2 * score.n, 4), *gpu_ids = pair_ints(p, ids, score.n);
    twin_ok(p->cpu->ops->top(p->cpu,
        &(tt_top){.rows = rows, .vocab = vocab, .k = k, .scores = x.cpu, .token = ids, .score = score.cpu}));
    twin_ok(p->gpu->ops->top(p->gpu,
        &(tt_top){
            .rows = rows, .vocab = vocab, .k = k, .scores = x.gpu, .token = gpu_ids, .score = score.gpu}));
    twin_ok(tt_device_download(p->gpu, ids + score.n, gpu_ids, score.n * 4));
    twin_same_bits("the largest ids", ids, ids + score.n, score.n, 4);
    float *top = tensor_fetch(p, &score);
    twin_same_bits("the largest scores", top, score.cpu, score.n, 4);
    for (int i = 0; i < 4; ++i) tt_device_free(p->gpu, gpu[i]);
    tt_device_free(p->gpu, gpu_ids);
    tensor_close(p, &x), tensor_close(p, &score);
    free(ids_read), free(length), free(start), free(table), free(penalised), free(ids), free(top);
}

static void scores_of_beams(void **state) {
    (void)state;
    pair p = pair_open(TT_FP32);
    scores(&p, 1, 1, 1);
    scores(&p, 5, 1000, 8);
    scores(&p, 3, 30, 30);
    scores(&p, 2, 511, 3);
    scores(&p, 2, 513, 512);
    float x[513] = {0};
    int32_t token[513];
    const tt_top wide = {.rows = 1, .vocab = 600, .k = 513, .scores = x, .token = token, .score = x};
    twin_refused(p.gpu->ops->top(p.gpu, &wide), TT_ERR_INPUT, "k 513");
    twin_refused(p.cpu->ops->top(p.cpu, &wide), TT_ERR_INPUT, "k 513");
    pair_close(&p);
}

static void beam_steps(void **state) {
    (void)state;
    static const int sizes[] = {2, 5, 31, 32, 33}; // a lane has one text, or two; 256: test_cuda_chunks.c
    pair p = pair_open(TT_FP32);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i) beam_step_pair(&p, sizes[i]);
    const tt_beam_step wide = {.prompts = 1, .beams = 257}, narrow = {.prompts = 1, .beams = 1};
    twin_refused(p.gpu->ops->beam_step(p.gpu, &wide), TT_ERR_INPUT, "257 beams");
    twin_refused(p.gpu->ops->beam_step(p.gpu, &narrow), TT_ERR_INPUT, "1 beams");
    pair_close(&p);
}

// A slot begins, two go on, two go on from the second of these; then two end, and one has ended before.
static void entering_and_advancing(void **state) {
    (void)state;
    enum { N = 5, CACHE = 300, WIDE = 40 };
    pair p = pair_open(TT_FP32);
    for (int tables = 0; tables < 2; ++tables) {
        int32_t cache[2][CACHE], numbers[7][N] = {{0}}, *start = numbers[0];
        for (int i = 0; i < CACHE; ++i) cache[0][i] = cache[1][i] = i;
        static const int32_t lengths[N] = {1, 5, WIDE, WIDE, 3}, parents[N] = {0, 1, 2, 2, 2},
                             ids[N] = {9, 1, 7, 3, 1}, lefts[N] = {1, 6, 2, 7, 0};
        for (int i = 0; i < N; ++i) {
            start[i] = i * 50, numbers[1][i] = lengths[i], numbers[2][i] = start[i] + lengths[i] - 1;
            numbers[3][i] = 50 * parents[i], numbers[4][i] = ids[i], numbers[5][i] = lefts[i];
            numbers[6][i] = 11 + i;
        }
        int32_t got[2][CACHE], after[7][N];
        int32_t *memory = pair_ints(&p, cache[0], 2 * CACHE), *at = pair_ints(&p, numbers[0], 7 * N);
        const tt_enter enter = {.slots = N,
            .token = at + 4 * N,
            .row = at + 2 * N,
            .start = at,
            .length = at + N,
            .parent = at + 3 * N,
            .ids = memory,
            .table = tables ? memory + CACHE : NULL};
        const tt_advance advance = {.slots = N,
            .end = 1,
            .token = at + 4 * N,
            .start = at,
            .left = at + 5 * N,
            .row = at + 2 * N,
            .length = at + N,
            .read_length = at + 6 * N};
        twin_ok(p.gpu->ops->enter(p.gpu, &enter));
        twin_ok(p.gpu->ops->advance(p.gpu, &advance));
        twin_ok(tt_device_download(p.gpu, got, memory, sizeof got));
        twin_ok(tt_device_download(p.gpu, after, at, sizeof after));
        int32_t want[2][CACHE], then[7][N];
        memcpy(want, cache, sizeof want), memcpy(then, numbers, sizeof then);
        const tt_enter here = {.slots = N,
            .token = then[4],
            .row = then[2],
            .start = then[0],
            .length = then[1],
            .parent = then[3],
            .ids = want[0],
            .table = tables ? want[1] : NULL};
        const tt_advance here_too = {.slots = N,
            .end = 1,
            .token = then[4],
            .start = then[0],
            .left = then[5],
            .row = then[2],
            .length = then[1],
            .read_length = then[6]};
        twin_ok(p.cpu->ops->enter(p.cpu, &here));
        twin_ok(p.cpu->ops->advance(p.cpu, &here_too));
        twin_same_bits("ids and rows entered", got, want, 2 * CACHE, 4);
        twin_same_bits("numbers advanced", after, then, 7 * N, 4);
        // By hand: slot 3 has slot 2's rows and its own last one; slots 0 and 1 wait at their beginnings.
        assert_int_equal(want[0][100 + WIDE - 1], 7);
        assert_int_equal(want[1][150], tables ? 100 : 150);
        assert_int_equal(want[1][150 + WIDE - 1], 150 + WIDE - 1);
        static const int32_t left[N] = {0, 0, 1, 6, 0}, row[N] = {0, 50, 140, 190, 202},
                             length[N] = {1, 1, 41, 41, 3}, read[N] = {1, 1, 13, 14, 15};
        assert_memory_equal(then[5], left, sizeof left);
        assert_memory_equal(then[2], row, sizeof row);
        assert_memory_equal(then[1], length, sizeof length);
        assert_memory_equal(then[6], read, sizeof read);
        tt_device_free(p.gpu, memory), tt_device_free(p.gpu, at);
    }
    pair_close(&p);
}

int main(void) {
    PAIR_NEEDS_GPU();
    const struct CMUnitTest tests[] = {cmocka_unit_test(attention_fp32), cmocka_unit_test(attention_bf16),
        cmocka_unit_test(sampling), cmocka_unit_test(sampling_from_shared_rows),
        cmocka_unit_test(sampling_of_few), cmocka_unit_test(sampling_among_alike),
        cmocka_unit_test(sampling_tells_bad_logits), cmocka_unit_test(scores_of_beams),
        cmocka_unit_test(beam_steps), cmocka_unit_test(entering_and_advancing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
