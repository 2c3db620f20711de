// Operations on rows and flat buffers, CUDA against CPU: embedding, norm, feed-forward, optimiser, sums.
#include "tests/cuda/pair.h"

static void embedding(const pair *p, int rows, int d, int vocab, float drop) {
    tensor table = tensor_f32(p, (size_t)vocab * d, 1, 1), out = tensor_f32(p, (size_t)rows * d, 1, 2);
    tensor dtable = tensor_f32(p, (size_t)vocab * d, 1, 3);
    int32_t *ids = twin_ids((size_t)rows, vocab, 4);
    for (int i = 0; i < rows / 2; ++i) ids[i] = vocab / 3; // one id in several pieces
    int32_t *order = (int32_t *)twin_alloc((size_t)rows, 4),
            *begin = (int32_t *)twin_alloc((size_t)vocab + 2, 4);
    tt_embedding_order(order, begin, ids, rows, vocab);
    int32_t *gpu_ids = pair_ints(p, ids, (size_t)rows), *gpu_order = pair_ints(p, order, (size_t)rows);
    tt_dropout host = twin_dropout(drop, 31, rows), gpu = pair_dropout(p, &host, rows);
    tt_embedding on_cpu = {.rows = rows, .d = d, .vocab = vocab, .ids = ids, .order = order, .drop = host},
                 on_gpu = on_cpu;
    on_cpu.table = table.cpu, on_cpu.out = out.cpu, on_cpu.dout = out.cpu, on_cpu.dtable = dtable.cpu;
    on_gpu.table = table.gpu, on_gpu.out = out.gpu, on_gpu.dout = out.gpu, on_gpu.dtable = dtable.gpu;
    on_gpu.ids = gpu_ids, on_gpu.order = gpu_order, on_gpu.drop = gpu;
    twin_ok(p->cpu->ops->embed_fwd(p->cpu, &on_cpu));
    twin_ok(p->gpu->ops->embed_fwd(p->gpu, &on_gpu));
    tensor_compare(p, "embedding", &out);
    twin_ok(p->cpu->ops->embed_bwd(p->cpu, &on_cpu));
    twin_ok(p->gpu->ops->embed_bwd(p->gpu, &on_gpu));
    tensor_compare(p, "gradient of the embedding", &dtable);
    tensor_close(p, &table), tensor_close(p, &out), tensor_close(p, &dtable);
    tt_device_free(p->gpu, gpu_ids), tt_device_free(p->gpu, gpu_order);
    pair_dropout_close(p, &gpu), twin_dropout_close(&host);
    free(ids), free(order), free(begin);
}

static void rmsnorm(const pair *p, int rows, int d, bool branch, bool x_in, float drop) {
    const size_t n = (size_t)rows * d;
    tensor x = tensor_f32(p, n, 2, 1), in = tensor_f32(p, n, 2, 2), w = tensor_f32(p, (size_t)d, 1, 3);
    tensor b = tensor_operand(p, n, 1, 4), y = tensor_operand(p, n, 1, 5), dy = tensor_operand(p, n, 1, 6);
    tensor dx = tensor_f32(p, n, 1, 7), dbranch = tensor_operand(p, n, 1, 8),
           dw = tensor_f32(p, (size_t)d, 1, 9);
    tensor rstd = tensor_f32(p, (size_t)rows, 1, 10);
    tt_dropout host = twin_dropout(drop, 21, rows), gpu = pair_dropout(p, &host, rows);
    for (int side = 0; side < 2; ++side) {
#define AT(t) (side ? (t).gpu : (void *)(t).cpu)
        tt_device *device = side ? p->gpu : p->cpu;
        tt_rmsnorm op = {.rows = rows,
            .d = d,
            .eps = 1e-6f,
            .w = AT(w),
            .rstd = AT(rstd),
            .x = AT(x),
            .branch = branch ? AT(b) : NULL,
            .x_in = x_in ? AT(in) : NULL,
            .drop = side ? gpu : host,
            .y = AT(y),
            .output_drop = side ? gpu : host};
        op.output_drop.site = 22;
        twin_ok(device->ops->rmsnorm_fwd(device, &op));
        op.dy = AT(dy), op.dx = AT(dx), op.dbranch = branch ? AT(dbranch) : NULL, op.dw = AT(dw);
        twin_ok(device->ops->rmsnorm_bwd(device, &op));
    }
    tensor_compare(p, "x", &x), tensor_compare(p, "y", &y), tensor_compare(p, "rstd", &rstd);
    tensor_compare(p, "dx", &dx), tensor_compare(p, "dw", &dw);
    if (branch) tensor_compare(p, "dbranch", &dbranch);
    tensor *all[] = {&x, &in, &w, &b, &y, &dy, &dx, &dbranch, &dw, &rstd};
    for (int i = 0; i < 10; ++i) tensor_close(p, all[i]);
    pair_dropout_close(p, &gpu), twin_dropout_close(&host);
}

// Norms whose strips are summed together: each with rows of its own. On both devices, twins of dw summed at once.
static void norms_together(const pair *p, int norms, int d) {
    enum { MOST_ROWS = 3 * TT_RMSNORM_STRIP };
    const size_t n = (size_t)MOST_ROWS * d;
    tensor x = tensor_f32(p, n, 2, 1), w = tensor_f32(p, (size_t)d, 1, 2), dy = tensor_operand(p, n, 1, 3),
           rstd = tensor_f32(p, MOST_ROWS, 1, 4), dx = tensor_f32(p, n, 1, 5),
           dw = tensor_f32(p, (size_t)norms * d, 1, 6);
    float *once = twin_alloc((size_t)norms * d, sizeof *once);
    memcpy(once, dw.cpu, (size_t)norms * d * sizeof *once);
    const size_t each = (size_t)tt_rmsnorm_strips(MOST_ROWS) * d;
    tensor strips = tensor_f32(p, (size_t)norms * each, 1, 7);
    tt_rmsnorm_sum *sums = twin_alloc((size_t)norms, sizeof *sums);
    for (int run = 0; run < 3; ++run) { // on the CPU at once and together, on the GPU together
        const int side = run == 2;
        tt_device *device = side ? p->gpu : p->cpu;
        for (int i = 0; i < norms; ++i) {
            tt_rmsnorm op = {.rows = 1 + i * 7 % MOST_ROWS, .d = d, .w = AT(w), .rstd = AT(rstd), .x = AT(x)};
            op.dy = AT(dy), op.dx = AT(dx);
            op.dw = run == 0 ? once + (size_t)i * d : (float *)AT(dw) + (size_t)i * d;
            if (run > 0) op.strips = (float *)AT(strips) + (size_t)i * each;
            sums[i] = (tt_rmsnorm_sum){op.rows, op.strips, op.dw};
            twin_ok(device->ops->rmsnorm_bwd(device, &op));
        }
        if (run > 0) twin_ok(device->ops->rmsnorm_dw(device, sums, norms, d));
    }
    assert_memory_equal(once, dw.cpu, (size_t)norms * d * sizeof *once);
    tensor_compare(p, "dw of many norms", &dw);
    twin_refused(p->gpu->ops->rmsnorm_dw(p->gpu, sums, -1, d), TT_ERR_INPUT, "-1 norms");
    twin_refused(p->cpu->ops->rmsnorm_dw(p->cpu, sums, 1, 0), TT_ERR_INPUT, "norms of 0");
    tensor *all[] = {&x, &w, &dy, &rstd, &dx, &dw, &strips};
    for (size_t i = 0; i < sizeof all / sizeof *all; ++i) tensor_close(p, all[i]);
    free(once), free(sums);
}

static void ffn(const pair *p, tt_activation activation, int rows, int f, float drop) {
    const size_t n = (size_t)rows * f, wide = activation == TT_RELU ? n : 2 * n;
    tensor h = tensor_operand(p, wide, 2, 1), a = tensor_operand(p, n, 1, 2), da = tensor_operand(p, n, 1, 3),
           dh = tensor_operand(p, wide, 1, 4);
    tensor *const out = activation == TT_RELU ? &da : &dh; // in place, as the model has it
    const size_t bytes = (size_t)rows * (size_t)tt_mask_bytes(f);
    uint8_t *mask = (uint8_t *)twin_alloc(bytes, 1), *got = (uint8_t *)twin_alloc(bytes, 1),
            *gpu_mask = (uint8_t *)pair_upload(p, mask, bytes, 1);
    tt_dropout host = twin_dropout(drop, 41, rows), gpu = pair_dropout(p, &host, rows);
    for (int side = 0; side < 2; ++side) {
        tt_device *device = side ? p->gpu : p->cpu;
        const tt_ffn op = {.activation = activation,
            .rows = rows,
            .f = f,
            .h = AT(h),
            .drop = side ? gpu : host,
            .a = AT(a),
            .da = AT(da),
            .dh = AT(*out),
            .mask = side ? gpu_mask : mask};
        twin_ok(device->ops->ffn_fwd(device, &op));
        twin_ok(device->ops->ffn_bwd(device, &op));
    }
    tensor_compare(p, "a", &a), tensor_compare(p, "dh", out);
    twin_ok(tt_device_download(p->gpu, got, gpu_mask, bytes));
    twin_same_bits("mask of the activation", got, mask, bytes, 1);
    tt_device_free(p->gpu, gpu_mask);
    free(mask), free(got);
    tensor_close(p, &h), tensor_close(p, &a), tensor_close(p, &da), tensor_close(p, &dh);
    pair_dropout_close(p, &gpu), twin_dropout_close(&host);
}

static void adamw(const pair *p, size_t n) {
    tensor w = tensor_f32(p, n, 1, 1), m = tensor_f32(p, n, 1, 2), v = tensor_f32(p, n, 1, 3),
           g = tensor_f32(p, n, 1, 4), copy = tensor_operand(p, n, 1, 5);
    for (size_t i = 0; i < n; ++i) v.cpu[i] *= v.cpu[i];
    twin_ok(tt_device_upload(p->gpu, v.gpu, v.cpu, n * sizeof(float)));
    double cpu_sum, got, *gpu_sum;
    twin_ok(tt_device_alloc(p->gpu, &gpu_sum, 1, sizeof *gpu_sum, "sum"));
    twin_ok(p->cpu->ops->square_sum(p->cpu, &cpu_sum, g.cpu, (int64_t)n));
    twin_ok(p->gpu->ops->square_sum(p->gpu, gpu_sum, g.gpu, (int64_t)n));
    twin_ok(tt_device_download(p->gpu, &got, gpu_sum, sizeof got));
    assert_true(fabs(cpu_sum - got) <= 1e-12 * cpu_sum);
    const double not_finite = NAN;
    for (int run = 0; run < 3;
         ++run) { // on the CPU, on the GPU, and there with a gradient that changes nothing
        const int side = run > 0;
        tt_device *device = side ? p->gpu : p->cpu;
        if (run == 2) twin_ok(tt_device_upload(device, gpu_sum, &not_finite, sizeof not_finite));
        const tt_adamw op = {.n = (int64_t)n,
            .w = AT(w),
            .m = AT(m),
            .v = AT(v),
            .g = AT(g),
            .copy = side && p->bf16 ? copy.gpu : NULL,
            .squares = side ? gpu_sum : &cpu_sum,
            .clip = 0.7 * sqrt(cpu_sum),
            .lr = 0.01f,
            .beta1 = 0.9f,
            .beta2 = 0.999f,
            .eps = 1e-8f,
            .weight_decay = 0.1f,
            .step = 3};
        twin_ok(device->ops->adamw(device, &op));
    }
    tensor_near(p, "w", &w, PAIR_FP32, __FILE__, __LINE__);
    tensor_near(p, "m", &m, PAIR_FP32, __FILE__, __LINE__);
    tensor_near(p, "v", &v, PAIR_FP32, __FILE__, __LINE__);
    if (p->bf16) {
        memcpy(copy.cpu, w.cpu, n * sizeof(float));
        tensor_compare(p, "copy of w", &copy);
    }
    tt_device_free(p->gpu, gpu_sum);
    twin_ok(p->cpu->ops->scale(p->cpu, g.cpu, (int64_t)n, 0.3f));
    twin_ok(p->gpu->ops->scale(p->gpu, g.gpu, (int64_t)n, 0.3f));
    tensor_near(p, "scaled", &g, PAIR_FP32, __FILE__, __LINE__);
    tensor_close(p, &w), tensor_close(p, &m), tensor_close(p, &v), tensor_close(p, &g),
        tensor_close(p, &copy);
}

// To bf16: the same bits as on the CPU, NaN stays NaN.
static void bf16_conversion(const pair *p) {
    enum { N = 1003 };
    float *x = twin_normal(N, 1e3, 1);
    uint16_t cpu[N], gpu[N];
    x[5] = INFINITY, x[6] = NAN, x[7] = 0x1.fffffep127f, x[8] = -0.0f, x[9] = 0x1.01p0f, x[10] = 0x1.03p0f;
    twin_ok(p->cpu->ops->to_bf16(p->cpu, cpu, x, N));
    float *in = pair_upload(p, x, N, 4);
    uint16_t *out;
    twin_ok(tt_device_alloc(p->gpu, &out, N, 2, "test"));
    twin_ok(p->gpu->ops->to_bf16(p->gpu, out, in, N));
    twin_ok(tt_device_download(p->gpu, gpu, out, sizeof gpu));
    for (int i = 0; i < N; ++i)
        if (i == 6)
            assert_true((gpu[i] & 0x7fff) > 0x7f80);
        else
            assert_int_equal(cpu[i], gpu[i]);
    tt_device_free(p->gpu, in), tt_device_free(p->gpu, out);
    free(x);
}

static void with(tt_precision precision) {
    pair p = pair_open(precision);
    embedding(&p, 1, 1, 1, 0);
    embedding(&p, 77, 12, 9, 0.1f);
    embedding(&p, 300, 33, 50, 0);
    embedding(&p, 515, 260, 2100, 0.3f);
    embedding(&p, 300, 8, 9000, 0);
    for (int rows = 31; rows <= 33; ++rows) embedding(&p, rows, 5, 2, 0.1f); // pieces
    for (int rows = 63; rows <= 66; ++rows) embedding(&p, rows, 4, 3, 0); // the rest after four rows at once
    rmsnorm(&p, 1, 1, false, false, 0);
    rmsnorm(&p, 3, 7, true, false, 0);
    rmsnorm(&p, 70, 64, true, true, 0.1f);
    rmsnorm(&p, 37, 301, true, true, 0.5f);
    rmsnorm(&p, 5, 1500, false, true, 0.1f);
    // Rows are held in registers up to 1,024 elements: two, four, six or eight whole fours a lane, and all others. Strips
    // are of 16 rows.
    static const int widths[] = {128, 256, 257, 512, 513, 768, 769, 1024, 1028, 1025};
    for (size_t i = 0; i < sizeof widths / sizeof *widths; ++i)
        rmsnorm(&p, 16 + (int)i % 2, widths[i], true, i % 3, i % 2 ? 0.1f : 0);
    rmsnorm(&p, 16, 9, true, true, 0), rmsnorm(&p, 17, 8, true, true, 0);       // one strip of rows, two
    rmsnorm(&p, 512, 9, false, false, 0), rmsnorm(&p, 513, 8, false, false, 0); // 32 strips, 33
    rmsnorm(&p, 1024, 8, true, false, 0), rmsnorm(&p, 1025, 8, true, false, 0); // a block for a row, a warp
    norms_together(&p, 1, 4), norms_together(&p, 128, 33), norms_together(&p, 129, 5); // one launch, two
    ffn(&p, TT_RELU, 5, 7, 0.1f);
    ffn(&p, TT_RELU, 33, 64, 0);
    // Stretches of a warp are of 256 and 1,024 elements.
    static const int stretches[] = {255, 256, 257, 512, 520, 1024, 1025, 2056};
    for (size_t i = 0; i < sizeof stretches / sizeof *stretches; ++i) {
        ffn(&p, TT_RELU, 3, stretches[i], 0.1f);
        if (stretches[i] < 600) ffn(&p, TT_GATED_GELU, 3, stretches[i], 0.1f);
    }
    ffn(&p, TT_GATED_GELU, 5, 7, 0);
    ffn(&p, TT_GATED_GELU, 21, 132, 0.2f);
    ffn(&p, TT_GATED_GELU, 9, 136, 0.1f);
    adamw(&p, 1);
    for (size_t n = 16383; n <= 16385; ++n) adamw(&p, n); // one strip of the sum of squares, two
    adamw(&p, 40003);
    bf16_conversion(&p);
    pair_close(&p);
}

static void fp32(void **state) {
    (void)state;
    with(TT_FP32);
}
static void bf16(void **state) {
    (void)state;
    with(TT_BF16);
}

static void bad_data_is_told_at_the_next_download(void **state) {
    (void)state;
    pair p = pair_open(TT_FP32);
    tensor table = tensor_f32(&p, 40, 1, 1), out = tensor_f32(&p, 12, 1, 2);
    int32_t *ids = pair_ints(&p, (const int32_t[]){3, 10, 1}, 3);
    const tt_embedding op = {.rows = 3, .d = 4, .vocab = 10, .ids = ids, .table = table.gpu, .out = out.gpu};
    twin_ok(p.gpu->ops->embed_fwd(p.gpu, &op));
    float host[12];
    twin_refused(tt_device_download(p.gpu, host, out.gpu, sizeof host), TT_ERR_INPUT, "id 10 at row 1");
    twin_ok(tt_device_download(p.gpu, host, out.gpu, sizeof host)); // told once
    // Backward leaves out rows with a wrong id, which come last, and says so.
    tensor dtable = tensor_f32(&p, 40, 1, 3);
    int32_t *order = pair_ints(&p, (const int32_t[]){2, 0, 1}, 3);
    tt_embedding back = op;
    back.dout = out.gpu, back.dtable = dtable.gpu;
    twin_refused(p.gpu->ops->embed_bwd(p.gpu, &back), TT_ERR_INPUT, "order is missing");
    back.order = order;
    twin_ok(p.gpu->ops->embed_bwd(p.gpu, &back));
    float sums[40];
    twin_refused(tt_device_download(p.gpu, sums, dtable.gpu, sizeof sums), TT_ERR_INPUT, "id 10 at row 1");
    twin_ok(tt_device_download(p.gpu, host, out.gpu, sizeof host));
    twin_ok(tt_device_download(p.gpu, sums, dtable.gpu, sizeof sums));
    for (int i = 0; i < 4; ++i) {
        dtable.cpu[3 * 4 + i] += host[i];
        dtable.cpu[1 * 4 + i] += host[2 * 4 + i];
    }
    assert_memory_equal(sums, dtable.cpu, sizeof sums);
    tensor_close(&p, &dtable);
    tt_device_free(p.gpu, order);
    tt_rmsnorm norm = {.rows = 1, .d = 0};
    twin_refused(p.gpu->ops->rmsnorm_fwd(p.gpu, &norm), TT_ERR_INPUT, "1 rows of 0");
    tensor_close(&p, &table), tensor_close(&p, &out);
    tt_device_free(p.gpu, ids);
    pair_close(&p);
}

// A fetch is there after the next download or wait; what has no room, or is one too many, at once.
static void fetches_come_with_the_next_download(void **state) {
    (void)state;
    enum { N = 5, LARGE = (1 << 20) / 4 + 1 };
    pair p = pair_open(TT_FP32);
    tensor x = tensor_f32(&p, N, 1, 1), large = tensor_f32(&p, LARGE, 1, 2);
    float got[N + 1], *all = malloc(LARGE * sizeof *all);
    for (int round = 0; round < 2; ++round) {
        memset(got, 0, sizeof got);
        for (int i = 0; i < 4; ++i) twin_ok(tt_device_fetch(p.gpu, &got[i], (float *)x.gpu + i, sizeof *got));
        assert_true(got[0] == 0 && got[3] == 0);
        if (round == 0)
            twin_ok(tt_device_fetch(p.gpu, &got[4], (float *)x.gpu + 4, sizeof *got)); // the fifth waits
        else
            twin_ok(tt_device_wait(p.gpu));
        assert_memory_equal(got, x.cpu, (size_t)(N - round) * sizeof *got);
    }
    twin_ok(tt_device_fetch(p.gpu, got, x.gpu, N * sizeof *got));
    twin_ok(tt_device_fetch(p.gpu, all, large.gpu, LARGE * sizeof *all)); // has no room, waits
    assert_memory_equal(got, x.cpu, N * sizeof *got);
    assert_memory_equal(all, large.cpu, LARGE * sizeof *all);
    memset(got, 0, sizeof got);
    twin_ok(tt_device_fetch(p.gpu, got, x.gpu, 2 * sizeof *got));
    twin_ok(tt_device_download(p.gpu, all, (float *)x.gpu + 2, 3 * sizeof *all)); // does not overwrite it
    assert_memory_equal(got, x.cpu, 2 * sizeof *got);
    assert_memory_equal(all, x.cpu + 2, 3 * sizeof *all);
    free(all);
    tensor_close(&p, &x), tensor_close(&p, &large);
    pair_close(&p);
}

// What is recorded is not done; replayed, it works on what the memory holds by then.
static void recordings_repeat_operations(void **state) {
    (void)state;
    pair p = pair_open(TT_FP32);
    const tt_ops *ops = p.gpu->ops;
    tensor x = tensor_f32(&p, 1000, 1, 1);
    const size_t bytes = 1000 * sizeof(float);
    float *host = malloc(bytes), *seven = malloc(bytes);
    for (int i = 0; i < 1000; ++i) seven[i] = 7;
    tt_recording *recording;
    assert_true(tt_device_records(p.gpu) && !tt_device_records(p.cpu));
    twin_ok(tt_device_record(p.gpu));
    twin_ok(ops->scale(p.gpu, x.gpu, 1000, 2));
    twin_ok(ops->scale(p.gpu, x.gpu, 500, 3));
    twin_ok(tt_device_recorded(p.gpu, &recording));
    twin_ok(tt_device_download(p.gpu, host, x.gpu, bytes));
    assert_memory_equal(host, x.cpu, bytes);
    for (int times = 1; times <= 2; ++times) {
        twin_ok(tt_device_upload(p.gpu, x.gpu, seven, bytes));
        for (int i = 0; i < times; ++i) twin_ok(tt_device_replay(p.gpu, recording));
        twin_ok(tt_device_download(p.gpu, host, x.gpu, bytes));
        for (int i = 0; i < 1000; ++i) {
            float expected = 7;
            for (int k = 0; k < times; ++k) expected *= i < 500 ? 6 : 2;
            assert_true(host[i] == expected);
        }
    }
    tt_recording_close(p.gpu, recording);
    tensor_close(&p, &x);
    free(host), free(seven);
    pair_close(&p);
}

// Scratch memory may be recorded, but does not grow meanwhile; when it does later, recordings keep theirs.
static void recordings_keep_their_scratch_memory(void **state) {
    (void)state;
    enum { ROWS = 70, D = 24 };
    pair p = pair_open(TT_FP32);
    tensor x = tensor_f32(&p, ROWS * D, 1, 1), dy = tensor_f32(&p, ROWS * D, 1, 2),
           w = tensor_f32(&p, D, 1, 3), rstd = tensor_f32(&p, ROWS, 1, 4),
           dx = tensor_f32(&p, ROWS * D, 1, 5), dw = tensor_f32(&p, D, 1, 6);
    tt_recording *recording, *refused;
    twin_ok(tt_device_record(p.gpu));
    assert_null(tt_device_scratch(p.gpu, 64));
    twin_ok(tt_device_recorded(p.gpu, &refused));
    tt_recording_close(p.gpu, refused);
    const size_t bytes = 1 << 12;
    void *scratch = tt_device_scratch(p.gpu, bytes);
    tt_rmsnorm op = {.rows = ROWS, .d = D, .eps = 1e-6f};
    for (int side = 0; side < 2; ++side) {
        tt_device *device = side ? p.gpu : p.cpu;
        op.w = side ? w.gpu : w.cpu, op.rstd = side ? rstd.gpu : rstd.cpu, op.x = side ? x.gpu : x.cpu;
        op.dy = side ? dy.gpu : dy.cpu, op.dx = side ? dx.gpu : dx.cpu, op.dw = side ? dw.gpu : dw.cpu;
        if (side) twin_ok(tt_device_record(p.gpu));
        twin_ok(device->ops->rmsnorm_bwd(device, &op));
        if (side) twin_ok(tt_device_recorded(p.gpu, &recording));
    }
    assert_ptr_not_equal(tt_device_scratch(p.gpu, 16 * bytes), scratch);
    void *other; // memory that was given back would be handed out here
    twin_ok(tt_device_alloc(p.gpu, &other, bytes + bytes / 4, 1, "test"));
    twin_ok(tt_device_replay(p.gpu, recording));
    tensor_compare(&p, "dx", &dx), tensor_compare(&p, "dw", &dw);
    char zero[1 << 12];
    twin_ok(tt_device_download(p.gpu, zero, other, sizeof zero));
    for (size_t i = 0; i < sizeof zero; ++i) assert_int_equal(zero[i], 0);
    tt_recording_close(p.gpu, recording);
    tt_device_free(p.gpu, other);
    tensor *const all[] = {&x, &dy, &w, &rstd, &dx, &dw};
    for (size_t i = 0; i < sizeof all / sizeof *all; ++i) tensor_close(&p, all[i]);
    pair_close(&p);
}

int main(void) {
    PAIR_NEEDS_GPU();
    const struct CMUnitTest tests[] = {cmocka_unit_test(fp32), cmocka_unit_test(bf16),
        cmocka_unit_test(bad_data_is_told_at_the_next_download),
        cmocka_unit_test(fetches_come_with_the_next_download), cmocka_unit_test(recordings_repeat_operations),
        cmocka_unit_test(recordings_keep_their_scratch_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
