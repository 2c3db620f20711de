// Operations whose operands are bf16 compute as those of fp32 do, which the other twins compare with float64: given the same
// numbers, what comes out is theirs rounded, and what is fp32 in both has the same bits.
#include "attention_case.h"
#include "twin.h"

typedef struct operand {
    size_t n;
    float *wide;
    uint16_t *narrow;
} operand;

static tt_device *devices[2]; // fp32 and bf16

static operand make(size_t n, uint64_t stream) {
    operand x = {.n = n, .wide = twin_normal(n, 1, stream)};
    x.narrow = twin_narrow(x.wide, n);
    return x;
}

static void drop(operand *x) {
    free(x->wide), free(x->narrow);
}

static void *of(const operand *x, int device) {
    return device ? (void *)x->narrow : x->wide;
}

static void rounded(const char *what, const operand *x) {
    uint16_t *want = twin_narrow(x->wide, x->n);
    twin_same_bits(what, want, x->narrow, x->n, sizeof *want);
    free(want);
}

static void rows_of_norms(void **state) {
    (void)state;
    enum { ROWS = 70 };
    for (int form = 0; form < 8; ++form) {
        const int d = form % 2 ? 515 : 7;
        const bool branched = form & 2;
        tt_dropout before = twin_dropout(form & 4 ? 0.3f : 0, 3, ROWS), after = before;
        after.site = 4;
        const size_t n = (size_t)ROWS * (size_t)d;
        operand branch = make(n, 1), y = make(n, 2), dy = make(n, 3), dbranch = make(n, 4);
        float *w = twin_normal((size_t)d, 1, 5), *x[2], *rstd[2], *dx[2], *dw[2];
        for (int i = 0; i < 2; ++i) {
            x[i] = twin_normal(n, 1, 6), dx[i] = twin_normal(n, 1, 7), dw[i] = twin_normal((size_t)d, 1, 8);
            rstd[i] = twin_alloc(ROWS, sizeof **rstd);
            const tt_rmsnorm p = {.rows = ROWS,
                .d = d,
                .eps = 1e-6f,
                .w = w,
                .rstd = rstd[i],
                .x = x[i],
                .branch = branched ? of(&branch, i) : NULL,
                .drop = before,
                .y = of(&y, i),
                .output_drop = after,
                .dy = of(&dy, i),
                .dx = dx[i],
                .dbranch = branched ? of(&dbranch, i) : NULL,
                .dw = dw[i]};
            twin_ok(devices[i]->ops->rmsnorm_fwd(devices[i], &p));
            twin_ok(devices[i]->ops->rmsnorm_bwd(devices[i], &p));
        }
        rounded("y", &y), rounded("dbranch", &dbranch);
        twin_same_bits("x", x[0], x[1], n, sizeof **x);
        twin_same_bits("dx", dx[0], dx[1], n, sizeof **dx);
        twin_same_bits("dw", dw[0], dw[1], (size_t)d, sizeof **dw);
        for (int i = 0; i < 2; ++i) free(x[i]), free(dx[i]), free(dw[i]), free(rstd[i]);
        free(w), drop(&branch), drop(&y), drop(&dy), drop(&dbranch);
        twin_dropout_close(&before);
    }
}

// In place as the model has it, and not; rows of less and of more than a tile.
static void rows_of_activations(void **state) {
    (void)state;
    enum { ROWS = 9 };
    for (int form = 0; form < 16; ++form) {
        const int f = form & 8 ? 9 : 259;
        const bool gated = form & 1, in_place = form & 2;
        tt_dropout dropout = twin_dropout(form & 4 ? 0.3f : 0, 3, ROWS);
        const size_t n = (size_t)ROWS * (size_t)f, wide = gated ? 2 * n : n;
        operand h = make(wide, 1), a = make(n, 2), da = make(n, 3), dh = make(wide, 4);
        operand *a_at = in_place && !gated ? &h : &a, *dh_at = !in_place ? &dh : gated ? &h : &da;
        uint8_t *mask[2];
        for (int i = 0; i < 2; ++i) {
            mask[i] = twin_alloc(ROWS * (size_t)tt_mask_bytes(f), 1);
            const tt_ffn p = {.activation = gated ? TT_GATED_GELU : TT_RELU,
                .rows = ROWS,
                .f = f,
                .h = of(&h, i),
                .drop = dropout,
                .a = of(a_at, i),
                .da = of(&da, i),
                .dh = of(dh_at, i),
                .mask = mask[i]};
            twin_ok(devices[i]->ops->ffn_fwd(devices[i], &p));
            twin_ok(devices[i]->ops->ffn_bwd(devices[i], &p));
        }
        rounded("a", a_at), rounded("dh", dh_at);
        twin_same_bits("mask", mask[0], mask[1], ROWS * (size_t)tt_mask_bytes(f), 1);
        free(mask[0]), free(mask[1]);
        drop(&h), drop(&a), drop(&da), drop(&dh);
        twin_dropout_close(&dropout);
    }
}

static void attend(const attention_case *c) {
    int32_t q_offsets[MAX_SEQS + 1] = {0}, kv_offsets[MAX_SEQS + 1] = {0}, source[MAX_SEQS];
    for (int i = 0; i < c->q_seqs; ++i)
        q_offsets[i + 1] = q_offsets[i] + c->q_length[i], source[i] = c->source[i];
    for (int i = 0; i < c->kv_seqs; ++i) kv_offsets[i + 1] = kv_offsets[i] + c->kv_length[i];
    const int rows = q_offsets[c->q_seqs], keys = kv_offsets[c->kv_seqs], inner = c->heads * c->d_kv,
              ld = inner + c->gap;
    const size_t n = (size_t)rows * (size_t)ld, n_kv = (size_t)keys * (size_t)ld;
    operand q = make(n, 1), k = make(n_kv, 2), v = make(n_kv, 3), out = make(n, 4), dout = make(n, 5),
            dq = make(n, 6), dk = make(n_kv, 7), dv = make(n_kv, 8);
    enum { BUCKETS = 8 };
    const size_t biases = BUCKETS * (size_t)c->heads, sums = (size_t)rows * (size_t)c->heads;
    float *bias = twin_normal(biases, 1, 9), *dbias[2], *lse[2];
    tt_dropout dropout = twin_dropout(c->dropout, 11, rows);
    for (int i = 0; i < 2; ++i) {
        dbias[i] = twin_alloc(biases, sizeof **dbias), lse[i] = twin_alloc(sums, sizeof **lse);
        const tt_attention t = {.heads = c->heads,
            .d_kv = c->d_kv,
            .q_seqs = c->q_seqs,
            .kv_seqs = c->kv_seqs,
            .q_offsets = q_offsets,
            .kv_offsets = kv_offsets,
            .source = source,
            .causal = c->causal,
            .q_rows = rows,
            .q = of(&q, i),
            .k = of(&k, i),
            .v = of(&v, i),
            .ldq = ld,
            .ldk = ld,
            .ldv = ld,
            .bias = c->bias ? bias : NULL,
            .buckets = BUCKETS,
            .max_distance = 20,
            .bidirectional = c->bidirectional,
            .drop = dropout,
            .out = of(&out, i),
            .ldo = ld,
            .lse = lse[i],
            .dout = of(&dout, i),
            .dq = of(&dq, i),
            .dk = of(&dk, i),
            .dv = of(&dv, i),
            .dbias = c->bias ? dbias[i] : NULL};
        twin_ok(devices[i]->ops->attention_fwd(devices[i], &t));
        // The same `out`: backward reads it on devices that have not kept the probabilities.
        twin_ok(devices[i]->ops->attention_bwd(devices[i], &t));
    }
    rounded("out", &out), rounded("dq", &dq), rounded("dk", &dk), rounded("dv", &dv);
    twin_same_bits("lse", lse[0], lse[1], sums, sizeof **lse);
    twin_same_bits("dbias", dbias[0], dbias[1], biases, sizeof **dbias);
    for (int i = 0; i < 2; ++i) free(dbias[i]), free(lse[i]);
    free(bias), drop(&q), drop(&k), drop(&v), drop(&out), drop(&dout), drop(&dq), drop(&dk), drop(&dv);
    twin_dropout_close(&dropout);
}

static void attention(void **state) {
    (void)state;
    attend(&(attention_case){.heads = 2,
        .d_kv = 64,
        .q_seqs = 3,
        .q_length = {33, 1, 40},
        .kv_seqs = 2,
        .kv_length = {31, 66},
        .source = {1, 1, 0},
        .dropout = 0.2f});
    attend(&(attention_case){.heads = 3,
        .d_kv = 5,
        .q_seqs = 2,
        .q_length = {7, 65},
        .kv_seqs = 2,
        .kv_length = {7, 65},
        .source = {0, 1},
        .causal = true,
        .bias = true,
        .gap = 3});
    attend(&(attention_case){.heads = 1,
        .d_kv = 80,
        .q_seqs = 1,
        .q_length = {32},
        .kv_seqs = 1,
        .kv_length = {32},
        .bias = true,
        .bidirectional = true,
        .dropout = 0.1f});
}

static void copies_of_weights(void **state) {
    (void)state;
    enum { N = 16385 }; // more than a thread's part
    operand w = make(N, 1);
    float *m = twin_normal(N, 1, 2), *v = twin_alloc(N, sizeof *v), *g = twin_normal(N, 1, 3);
    const tt_adamw p = {.n = N,
        .w = w.wide,
        .m = m,
        .v = v,
        .g = g,
        .copy = w.narrow,
        .lr = 0.1f,
        .beta1 = 0.9f,
        .beta2 = 0.99f,
        .eps = 1e-8f,
        .step = 1};
    twin_ok(devices[1]->ops->adamw(devices[1], &p));
    rounded("copy", &w);
    drop(&w), free(m), free(v), free(g);
}

int main(void) {
    if (tt_cpu_bf16() == TT_BF16_NONE) {
        printf("skipped: oneDNN has no bf16 products for this CPU (%s)\n", tt_cpu_isa());
        return 0;
    }
    twin_ok(tt_device_open(&devices[0], "cpu", TT_FP32, 1));
    twin_ok(tt_device_open(&devices[1], "cpu", TT_BF16, 2));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_of_norms),
        cmocka_unit_test(rows_of_activations),
        cmocka_unit_test(attention),
        cmocka_unit_test(copies_of_weights),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    tt_device_close(devices[0]);
    tt_device_close(devices[1]);
    return failed;
}
