// Attention of one query per slot over a K/V cache. Reading the cache limits its speed, so a unit of work
// (slot, head) reads each row of K and V once, and threads process the heads of a slot one after another.
#include "kernels/cpu/cpu.h"
#include "kernels/cpu/math.h"

#include <float.h>
#include <omp.h>
#include <string.h>

// Where the rows of a slot lie: its row j at `rows` + table[j] * ld, without a table at rows + j * ld.
typedef struct slot_rows {
    const float *rows;
    ptrdiff_t ld;
    const int32_t *table; // [n] or NULL
} slot_rows;

TT_INLINE const float *row_at(const slot_rows *r, int j) {
    return r->rows + (r->table ? r->table[j] : j) * r->ld;
}

// score[j] = q . k[j] + bias[j]; returns the largest.
TT_MULTIVERSION(float, score_keys,
    (int n, int d, const float *q, const slot_rows *k, const float *bias, float *score),
    (n, d, q, k, bias, score)) {
    float top = -FLT_MAX;
    for (int j = 0; j < n; ++j) {
        const float *row = row_at(k, j);
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int c = 0; c < d; ++c) sum += q[c] * row[c];
        if (bias) sum += bias[j];
        score[j] = sum;
        top = sum > top ? sum : top;
    }
    return top;
}

// out = sum of exp(score[j] - top) v[j] / sum of exp(score[j] - top)
TT_MULTIVERSION(void, mix_values, (int n, int d, float *score, float top, const slot_rows *v, float *out),
    (n, d, score, top, v, out)) {
    float total = 0;
#pragma omp simd reduction(+ : total)
    for (int j = 0; j < n; ++j) {
        score[j] = tt_expf(score[j] - top);
        total += score[j];
    }
    const float scale = 1 / total;
    for (int c = 0; c < d; ++c) out[c] = 0;
    for (int j = 0; j < n; ++j) {
        const float *row = row_at(v, j);
        const float p = score[j] * scale;
#pragma omp simd
        for (int c = 0; c < d; ++c) out[c] += p * row[c];
    }
}

static tt_status check_decode(const tt_attention_decode *t, int *longest) {
    if (t->heads < 1 || t->d_kv < 1)
        return tt_fail(TT_ERR_INPUT, "attention_decode: %d heads of d_kv %d; both must be at least 1",
            t->heads, t->d_kv);
    if (t->slots < 1)
        return tt_fail(TT_ERR_INPUT, "attention_decode: %d slots; expected at least 1", t->slots);
    if (t->bias && (t->buckets < 4 || t->buckets % 2 || t->max_distance <= t->buckets / 2))
        return tt_fail(TT_ERR_INPUT,
            "attention_decode: %d buckets up to distance %d; expected an even number >= 4 "
            "and a distance above half of it",
            t->buckets, t->max_distance);
    *longest = 0;
    for (int s = 0; s < t->slots; ++s) {
        if (t->length[s] < 1 || t->start[s] < 0)
            return tt_fail(TT_ERR_INPUT,
                "attention_decode: slot %d reads %d cache rows from row %d; expected at "
                "least one, from row 0 or later",
                s, t->length[s], t->start[s]);
        if (t->length[s] > *longest) *longest = t->length[s];
    }
    return TT_OK;
}

// The new row of a slot and head goes to the cache.
static void put_last(const tt_attention_decode *t, int slot, ptrdiff_t column) {
    if (!t->new_k) return;
    const int at = t->start[slot] + t->length[slot] - 1;
    const ptrdiff_t from = slot * (ptrdiff_t)t->ldq + column,
                    to = (t->table ? t->table[at] : at) * (ptrdiff_t)t->ldkv + column;
    const size_t bytes = (size_t)t->d_kv * sizeof(float);
    memcpy(tt_out(t->k) + to, tt_in(t->new_k) + from, bytes);
    memcpy(tt_out(t->v) + to, tt_in(t->new_v) + from, bytes);
}

tt_status tt_cpu_attention_decode(tt_device *device, const tt_attention_decode *t) {
    int longest = 0;
    TT_TRY(check_decode(t, &longest));
    const size_t table = t->bias ? (size_t)t->heads * longest : 0;
    const size_t row = ((size_t)longest + 15) / 16 * 16;
    float *bias = tt_device_scratch(device, (table + row * (size_t)device->threads + 16) * sizeof *bias);
    if (!bias) return tt_context(TT_ERR_NOMEM, "attention_decode");
    float *score = bias + (table + 15) / 16 * 16;
    // bias[h][longest - 1 + relative position], so that key j of a slot is at longest - length + j
    for (int x = 0; t->bias && x < longest; ++x) {
        int bucket = tt_relative_bucket(x - (longest - 1), false, t->buckets, t->max_distance);
        for (int h = 0; h < t->heads; ++h)
            bias[(size_t)h * longest + x] = t->bias[(size_t)bucket * t->heads + h];
    }
    const int units = t->slots * t->heads;
#pragma omp parallel for num_threads(device->threads) schedule(static)
    for (int unit = 0; unit < units; ++unit) {
        const int s = unit / t->heads, h = unit % t->heads, n = t->length[s];
        const ptrdiff_t column = (ptrdiff_t)h * t->d_kv,
                        from = column + (t->table ? 0 : t->start[s] * (ptrdiff_t)t->ldkv);
        const int32_t *rows = t->table ? t->table + t->start[s] : NULL;
        const slot_rows k = {tt_in(t->k) + from, t->ldkv, rows}, v = {tt_in(t->v) + from, t->ldkv, rows};
        float *own = score + row * (size_t)omp_get_thread_num();
        put_last(t, s, column);
        const float *add = t->bias ? bias + (size_t)h * longest + (longest - n) : NULL;
        const float top = score_keys(n, t->d_kv, tt_in(t->q) + s * (ptrdiff_t)t->ldq + column, &k, add, own);
        mix_values(n, t->d_kv, own, top, &v, tt_out(t->out) + s * (ptrdiff_t)t->ldo + column);
    }
    return TT_OK;
}
