// A decoding step equals the last row of full attention over the same rows.
#include "tests/twins/twin.h"

#include "kernels/ops.h"

#include <string.h>

typedef struct decode_case {
    int heads, d_kv, slots, length[5], gap;
    bool bias;
} decode_case;

static const decode_case cases[] = {
    {.heads = 1, .d_kv = 1, .slots = 1, .length = {1}, .bias = true},
    {.heads = 3, .d_kv = 5, .slots = 4, .length = {7, 1, 33, 2}, .gap = 3, .bias = true},
    {.heads = 2, .d_kv = 64, .slots = 5, .length = {200, 19, 64, 1, 100}, .gap = 16, .bias = true},
    {.heads = 4, .d_kv = 32, .slots = 2, .length = {90, 17}},
    {.heads = 2, .d_kv = 16, .slots = 5, .length = {15, 16, 17, 31, 33}, .bias = true},
    {.heads = 9, .d_kv = 64, .slots = 5, .length = {3, 4, 5, 8, 9}, .bias = true},
};

static float *random_array(size_t n, uint64_t seed, float scale) {
    float *x = twin_alloc(n, sizeof *x);
    twin_random(x, n, seed, scale);
    return x;
}

static void equals_last_row_of_full_attention(void **state) {
    (void)state;
    tt_device *device;
    assert_int_equal(tt_device_open(&device, "cpu", TT_FP32, 2), TT_OK);
    for (size_t c = 0; c < sizeof cases / sizeof *cases; ++c) {
        const decode_case *k = &cases[c];
        const int inner = k->heads * k->d_kv, ld = inner + k->gap;
        // Slots lie in the cache in reverse order, with unused rows between.
        int32_t start[5], offsets[6] = {0};
        int rows = 0;
        for (int s = k->slots - 1; s >= 0; --s) start[s] = rows + 2, rows += k->length[s] + 2;
        for (int s = 0; s < k->slots; ++s) offsets[s + 1] = offsets[s] + k->length[s];
        const int total = offsets[k->slots];
        float *keys = random_array((size_t)rows * ld, 1, 1), *values = random_array((size_t)rows * ld, 2, 1);
        float *bias = random_array((size_t)8 * k->heads, 3, 2);
        float *q = random_array((size_t)total * inner, 4, 1),
              *out = random_array((size_t)total * inner, 5, 1);
        float *full_k = twin_alloc((size_t)total * inner, sizeof *full_k);
        float *full_v = twin_alloc((size_t)total * inner, sizeof *full_v);
        float *lse = twin_alloc((size_t)total * k->heads, sizeof *lse);
        for (int s = 0; s < k->slots; ++s)
            for (int j = 0; j < k->length[s]; ++j) {
                memcpy(full_k + (size_t)(offsets[s] + j) * inner, keys + (size_t)(start[s] + j) * ld,
                    inner * sizeof *q);
                memcpy(full_v + (size_t)(offsets[s] + j) * inner, values + (size_t)(start[s] + j) * ld,
                    inner * sizeof *q);
            }
        const tt_attention full = {.heads = k->heads,
            .d_kv = k->d_kv,
            .q_seqs = k->slots,
            .kv_seqs = k->slots,
            .q_offsets = offsets,
            .kv_offsets = offsets,
            .causal = true,
            .q = q,
            .k = full_k,
            .v = full_v,
            .ldq = inner,
            .ldk = inner,
            .ldv = inner,
            .bias = k->bias ? bias : NULL,
            .buckets = 8,
            .max_distance = 20,
            .out = out,
            .ldo = inner,
            .lse = lse};
        assert_int_equal(device->ops->attention_fwd(device, &full), TT_OK);

        float *last_q = twin_alloc((size_t)k->slots * ld, sizeof *last_q);
        float *got = twin_alloc((size_t)k->slots * ld, sizeof *got);
        double *want = twin_alloc((size_t)k->slots * ld, sizeof *want);
        for (int s = 0; s < k->slots; ++s)
            for (int i = 0; i < inner; ++i) {
                const size_t last = (size_t)(offsets[s + 1] - 1) * inner + i;
                last_q[s * ld + i] = q[last];
                want[s * ld + i] = (double)out[last];
            }
        tt_attention_decode step = {.slots = k->slots,
            .heads = k->heads,
            .d_kv = k->d_kv,
            .q = last_q,
            .ldq = ld,
            .k = keys,
            .v = values,
            .ldkv = ld,
            .start = start,
            .length = k->length,
            .bias = full.bias,
            .buckets = 8,
            .max_distance = 20,
            .out = got,
            .ldo = ld};
        assert_int_equal(device->ops->attention_decode(device, &step), TT_OK);
        twin_expect(TWIN_FP32, "decode", got, want, (size_t)k->slots * ld); // gaps stay 0
        // The last rows come from elsewhere: the same bits, and the cache is as it was.
        float *new_k = twin_alloc((size_t)k->slots * ld, 4), *new_v = twin_alloc((size_t)k->slots * ld, 4),
              *cache = twin_alloc(2 * (size_t)rows * ld, 4), *with_new = twin_alloc((size_t)k->slots * ld, 4);
        memcpy(cache, keys, (size_t)rows * ld * sizeof *keys);
        memcpy(cache + (size_t)rows * ld, values, (size_t)rows * ld * sizeof *keys);
        for (int s = 0; s < k->slots; ++s) {
            const size_t last = (size_t)(start[s] + k->length[s] - 1) * ld;
            memcpy(new_k + s * ld, keys + last, inner * sizeof *keys);
            memcpy(new_v + s * ld, values + last, inner * sizeof *keys);
            memset(cache + last, 0xff, inner * sizeof *keys);
            memset(cache + (size_t)rows * ld + last, 0xff, inner * sizeof *keys);
        }
        step.k = cache, step.v = cache + (size_t)rows * ld, step.out = with_new;
        step.new_k = new_k, step.new_v = new_v;
        assert_int_equal(device->ops->attention_decode(device, &step), TT_OK);
        assert_memory_equal(with_new, got, (size_t)k->slots * ld * sizeof *got);
        assert_memory_equal(cache, keys, (size_t)rows * ld * sizeof *keys);
        assert_memory_equal(cache + (size_t)rows * ld, values, (size_t)rows * ld * sizeof *keys);
        step.new_k = step.new_v = NULL;
        free(new_k), free(new_v), free(cache), free(with_new);
        // The same rows in reverse order, found by a table: the same bits.
        float *moved = twin_alloc(2 * (size_t)rows * ld, sizeof *moved),
              *with_table = twin_alloc((size_t)k->slots * ld, 4);
        int32_t table[400];
        assert_true(rows <= 400);
        for (int i = 0; i < rows; ++i) {
            table[i] = rows - 1 - i;
            memcpy(moved + (size_t)table[i] * ld, keys + (size_t)i * ld, (size_t)ld * sizeof *keys);
            memcpy(
                moved + (size_t)(rows + table[i]) * ld, values + (size_t)i * ld, (size_t)ld * sizeof *keys);
        }
        step.k = moved, step.v = moved + (size_t)rows * ld, step.table = table, step.out = with_table;
        assert_int_equal(device->ops->attention_decode(device, &step), TT_OK);
        assert_memory_equal(with_table, got, (size_t)k->slots * ld * sizeof *got);
        free(moved), free(with_table);
        free(keys), free(values), free(bias), free(q), free(out), free(full_k), free(full_v), free(lse);
        free(last_q), free(got), free(want);
    }
    tt_device_close(device);
}

// A slot gets the same bits alone, beside others that read the same rows, and by more threads.
static void neighbours_change_nothing(void **state) {
    (void)state;
    enum { MOST = 24 };
    static const struct {
        int heads, d_kv, keys, slots[3]; // slots of each of three sources
    } shared[] = {{1, 5, 3, {2, 1, 3}}, {7, 64, 4, {15, 2, 1}}, {8, 64, 5, {16, 1, 2}},
        {9, 64, 33, {17, 1, 4}}, {17, 16, 64, {1, 18, 5}}, {12, 64, 65, {10, 10, 4}}};
    tt_device *one, *three;
    assert_int_equal(tt_device_open(&one, "cpu", TT_FP32, 1), TT_OK);
    assert_int_equal(tt_device_open(&three, "cpu", TT_FP32, 3), TT_OK);
    for (size_t c = 0; c < sizeof shared / sizeof *shared; ++c) {
        const int inner = shared[c].heads * shared[c].d_kv, keys = shared[c].keys;
        int32_t start[MOST], length[MOST];
        int slots = 0;
        for (int source = 0; source < 3; ++source)
            for (int i = 0; i < shared[c].slots[source]; ++i, ++slots)
                start[slots] = source * keys, length[slots] = keys;
        length[slots - 1] = keys - 1; // reads from the same row on as its neighbours, but not so far
        float *cache = random_array((size_t)3 * keys * 2 * inner, 31 + c, 1);
        float *q = random_array((size_t)slots * inner, 32, 1), *bias = random_array((size_t)8 * 17, 33, 1);
        float *got = twin_alloc((size_t)slots * inner, sizeof *got),
              *want = twin_alloc((size_t)slots * inner, sizeof *want);
        tt_attention_decode step = {.slots = slots,
            .heads = shared[c].heads,
            .d_kv = shared[c].d_kv,
            .q = q,
            .ldq = inner,
            .k = cache,
            .v = cache + inner,
            .ldkv = 2 * inner,
            .start = start,
            .length = length,
            .bias = c % 2 ? bias : NULL,
            .buckets = 8,
            .max_distance = 20,
            .ldo = inner};
        step.out = got;
        assert_int_equal(three->ops->attention_decode(three, &step), TT_OK);
        step.slots = 1;
        for (int s = 0; s < slots; ++s) {
            step.q = q + (size_t)s * inner, step.out = want + (size_t)s * inner;
            step.start = start + s, step.length = length + s;
            assert_int_equal(one->ops->attention_decode(one, &step), TT_OK);
        }
        assert_memory_equal(got, want, (size_t)slots * inner * sizeof *got);
        free(cache), free(q), free(bias), free(got), free(want);
    }
    tt_device_close(one);
    tt_device_close(three);
}

static void bad_input_is_refused(void **state) {
    (void)state;
    tt_device *device;
    assert_int_equal(tt_device_open(&device, "cpu", TT_FP32, 1), TT_OK);
    float x[4] = {0};
    int32_t start[1] = {0}, length[1] = {0};
    tt_attention_decode step = {.slots = 1,
        .heads = 1,
        .d_kv = 1,
        .q = x,
        .ldq = 1,
        .k = x,
        .v = x,
        .ldkv = 1,
        .start = start,
        .length = length,
        .out = x,
        .ldo = 1};
    assert_int_equal(device->ops->attention_decode(device, &step), TT_ERR_INPUT);
    assert_non_null(strstr(tt_error_message(), "slot 0 reads 0 cache rows"));
    length[0] = 1, step.slots = 0;
    assert_int_equal(device->ops->attention_decode(device, &step), TT_ERR_INPUT);
    tt_device_close(device);
}

// softmax(q k^T) v of slot s and head h, in float64.
static void naive(
    const tt_attention_decode *t, const float *q, const float *k, const float *v, int s, int h, double *out) {
    double score[64], total = 0;
    const int d = t->d_kv, column = h * d;
    for (int j = 0; j < t->length[s]; ++j) {
        const float *row = k + (size_t)(t->start[s] + j) * t->ldkv + column;
        score[j] = 0;
        for (int i = 0; i < d; ++i) score[j] += (double)q[s * t->ldq + column + i] * row[i];
        total += score[j] = exp(score[j]);
    }
    for (int i = 0; i < d; ++i) {
        out[i] = 0;
        for (int j = 0; j < t->length[s]; ++j)
            out[i] += score[j] / total * v[(size_t)(t->start[s] + j) * t->ldkv + column + i];
    }
}

// Operands in bf16: 19 slots, of which 17 (more than are computed together) read the same rows; the size of a head that has
// code of its own, and another one.
static void bf16_against_float64(void **state) {
    (void)state;
    if (tt_cpu_bf16() == TT_BF16_NONE) skip();
    enum { SLOTS = 19, HEADS = 9, ROWS = 70 };
    for (int d = 63; d <= 64; ++d) {
        const int inner = HEADS * d, ld = inner + 5;
        float *q = random_array((size_t)SLOTS * ld, 1, 0.3f), *k = random_array((size_t)ROWS * ld, 2, 0.3f),
              *v = random_array((size_t)ROWS * ld, 3, 1);
        uint16_t *q16 = twin_narrow(q, (size_t)SLOTS * ld), *k16 = twin_narrow(k, (size_t)ROWS * ld),
                 *v16 = twin_narrow(v, (size_t)ROWS * ld), *out16 = twin_alloc((size_t)SLOTS * ld, 2);
        int32_t start[SLOTS], length[SLOTS];
        for (int s = 0; s < SLOTS; ++s) start[s] = 3, length[s] = 31;
        start[0] = 36, length[0] = 33;
        start[SLOTS - 1] = 0, length[SLOTS - 1] = 1;
        const tt_attention_decode t = {.slots = SLOTS,
            .heads = HEADS,
            .d_kv = d,
            .q = q16,
            .ldq = ld,
            .k = k16,
            .v = v16,
            .ldkv = ld,
            .start = start,
            .length = length,
            .out = out16,
            .ldo = ld};
        tt_device *device;
        twin_ok(tt_device_open(&device, "cpu", TT_BF16, 2));
        twin_ok(device->ops->attention_decode(device, &t));
        tt_device_close(device);
        float *got = twin_widen(out16, (size_t)SLOTS * ld);
        double *want = twin_alloc((size_t)SLOTS * ld, sizeof *want); // gaps stay 0
        for (int s = 0; s < SLOTS; ++s)
            for (int h = 0; h < HEADS; ++h) naive(&t, q, k, v, s, h, want + (size_t)s * ld + h * d);
        twin_expect(TWIN_BF16, "decode in bf16", got, want, (size_t)SLOTS * ld);
        free(q), free(k), free(v), free(q16), free(k16), free(v16), free(out16), free(got), free(want);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_last_row_of_full_attention),
        cmocka_unit_test(bf16_against_float64),
        cmocka_unit_test(neighbours_change_nothing),
        cmocka_unit_test(bad_input_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
