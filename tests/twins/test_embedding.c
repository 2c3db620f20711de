// Embedding gather and its gradient, with repeated ids and dropout.
#include "twin.h"

static void check(int rows, int d, int vocab, float p) {
    const size_t n = (size_t)rows * d, table_n = (size_t)vocab * d;
    float *table = twin_normal(table_n, 1, 1), *dout = twin_normal(n, 1, 2),
          *dtable = twin_normal(table_n, 1, 3);
    int32_t *ids = twin_ids((size_t)rows, vocab, 4);
    tt_dropout drop = twin_dropout(p, 5, rows);
    double *out = twin_alloc(n, sizeof *out), *grad = twin_alloc(table_n, sizeof *grad);
    for (size_t i = 0; i < table_n; ++i) grad[i] = dtable[i];
    for (int t = 0; t < rows; ++t)
        for (int c = 0; c < d; ++c) {
            const double factor = twin_factor(&drop, 5, t, c);
            out[(size_t)t * d + c] = table[(size_t)ids[t] * d + c] * factor;
            grad[(size_t)ids[t] * d + c] += dout[(size_t)t * d + c] * factor;
        }
    int32_t *order = twin_alloc((size_t)rows, sizeof *order), *begin = twin_alloc((size_t)vocab + 2, 4);
    tt_embedding_order(order, begin, ids, rows, vocab);
    float *got[2], *got_grad[2];
    for (int k = 0; k < 2; ++k) {
        tt_device *device = twin_device(k == 0 ? 1 : 3);
        got[k] = twin_alloc(n, sizeof(float)), got_grad[k] = twin_copy(dtable, table_n);
        const tt_embedding op = {.rows = rows,
            .d = d,
            .vocab = vocab,
            .ids = ids,
            .order = order,
            .drop = drop,
            .table = table,
            .out = got[k],
            .dout = dout,
            .dtable = got_grad[k]};
        twin_ok(device->ops->embed_fwd(device, &op));
        twin_ok(device->ops->embed_bwd(device, &op));
        tt_device_close(device);
    }
    twin_expect_rows(TWIN_FP32, "embedding", got[0], d, out, rows, d);
    twin_expect_rows(TWIN_FP32, "embedding's gradient", got_grad[0], d, grad, vocab, d);
    twin_same_bits("embedding, 1 and 3 threads", got[0], got[1], n, sizeof(float));
    twin_same_bits("embedding's gradient, 1 and 3 threads", got_grad[0], got_grad[1], table_n, sizeof(float));
    for (int k = 0; k < 2; ++k) free(got[k]), free(got_grad[k]);
    free(table), free(dout), free(dtable), free(ids), free(out), free(grad), free(order), free(begin);
    twin_dropout_close(&drop);
}

static void against_float64(void **state) {
    (void)state;
    check(1, 1, 1, 0);
    check(100, 7, 1, 0); // one id takes all rows
    check(257, 33, 11, 0);
    check(300, 64, 5000, 0.25f);
    for (int d = 255; d <= 257; ++d) check(5, d, 3, 0.25f); // one tile of factors, two
    check(3, 513, 2, 0.5f);
}

static void bad_input(void **state) {
    (void)state;
    tt_device *device = twin_device(1);
    float table[8] = {0}, out[8];
    tt_embedding op = {.d = 2, .vocab = 4, .table = table, .out = out, .dout = out, .dtable = table};
    for (int bad = -1; bad <= 4; bad += 5) {
        int32_t ids[2] = {0, bad};
        char part[64];
        snprintf(part, sizeof part, "id %d at row 1 is outside the vocabulary 0..3", bad);
        op.rows = 2, op.ids = ids;
        twin_refused(device->ops->embed_fwd(device, &op), TT_ERR_INPUT, part);
        twin_refused(device->ops->embed_bwd(device, &op), TT_ERR_INPUT, part);
    }
    op.rows = 0, op.ids = NULL;
    twin_ok(device->ops->embed_fwd(device, &op));
    twin_ok(device->ops->embed_bwd(device, &op));
    tt_device_close(device);
}

// By hand: sorted by id, equal ids by row, ids outside the vocabulary last.
static void order_of_rows(void **state) {
    (void)state;
    const int32_t ids[] = {3, 0, 7, 3, -1, 0, 6, 3, 8}, expected[] = {1, 5, 0, 3, 7, 6, 2, 4, 8};
    int32_t order[9], begin[9];
    memset(begin, 0x55, sizeof begin);
    tt_embedding_order(order, begin, ids, 9, 7);
    assert_memory_equal(order, expected, sizeof expected);
    tt_embedding_order(order, begin, ids, 0, 7);
    assert_memory_equal(order, expected, sizeof expected);
    tt_device *device = twin_device(1);
    float table[8] = {0}, out[8] = {0};
    const tt_embedding op = {.rows = 2, .d = 2, .vocab = 4, .ids = ids, .dout = out, .dtable = table};
    twin_refused(device->ops->embed_bwd(device, &op), TT_ERR_INPUT, "order is missing");
    tt_device_close(device);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(against_float64), cmocka_unit_test(bad_input), cmocka_unit_test(order_of_rows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
