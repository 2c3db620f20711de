// Attention of one query per slot over a K/V cache. Reading the cache limits its speed. So a unit of work is a few heads,
// which are adjacent in memory, of neighbouring slots that read the same rows, as the samples of a prompt do: each row of
// K and then of V is read once for all of them. What a slot gets does not depend on its neighbours.
#include "kernels/cpu/cpu.h"
#include "kernels/cpu/math.h"
#include "kernels/cpu/operand.h"

#include <float.h>
#include <string.h>

enum {
    SLOTS = 16, // of a unit, at most
    HEADS = 8,  // of a unit, at most
    ROWS = 4,   // of the cache, processed together
    LINE = 16   // floats of a cache line
};

typedef struct unit {
    const tt_attention_decode *t;
    int slot, slots, head, heads; // the first, and how many
    int n;                        // keys
    bool narrow;                  // operands are bf16
    const float *q;               // [slots, heads * d_kv], row distance ldq
    float *out;                   // the same, row distance ldo
    ptrdiff_t ldq, ldo;
    float *score; // [SLOTS, HEADS, score_row]
    size_t score_row;
} unit;

TT_INLINE float *score_of(const unit *u, int slot, int head) {
    return u->score + (size_t)(slot * HEADS + head) * u->score_row;
}

// Rows of K or V: of fp32, or `narrow`: of bf16. It is a constant where these functions are used.
TT_INLINE float element(const bool narrow, const char *row, int i) {
    return narrow ? tt_bf16_widen(((const uint16_t *)row)[i]) : ((const float *)row)[i];
}

TT_INLINE ptrdiff_t size_of(const bool narrow) {
    return narrow ? sizeof(uint16_t) : sizeof(float);
}

// The unit's heads in row j of K or V; beyond the last row the last one.
TT_INLINE const char *row_at(const bool narrow, const unit *u, const tt_operand *cache, int j) {
    const tt_attention_decode *t = u->t;
    const int32_t at = t->start[u->slot] + (j < u->n ? j : u->n - 1);
    const ptrdiff_t i = (t->table ? t->table[at] : at) * (ptrdiff_t)t->ldkv + (ptrdiff_t)u->head * t->d_kv;
    return (const char *)cache + i * size_of(narrow);
}

// row[i] = row j + i, while the rows after them are on their way.
TT_INLINE void take_rows(
    const bool narrow, const unit *u, const tt_operand *cache, int j, const char *row[ROWS]) {
    const ptrdiff_t bytes = u->heads * u->t->d_kv * size_of(narrow);
    for (int i = 0; i < ROWS; ++i) {
        const char *ahead = row_at(narrow, u, cache, j + ROWS + i);
        row[i] = row_at(narrow, u, cache, j + i);
        for (ptrdiff_t c = 0; c < bytes; c += LINE * (ptrdiff_t)sizeof(float)) __builtin_prefetch(ahead + c);
    }
}

// score[i] = q . row[i]
TT_INLINE void score_rows(
    const bool narrow, const int d, const float *q, const char *const row[ROWS], int at, float *score) {
    const ptrdiff_t from = at * size_of(narrow);
    const char *a = row[0] + from, *b = row[1] + from, *c = row[2] + from, *e = row[3] + from;
    float sum_a = 0, sum_b = 0, sum_c = 0, sum_e = 0;
#pragma omp simd reduction(+ : sum_a, sum_b, sum_c, sum_e)
    for (int i = 0; i < d; ++i) {
        sum_a += q[i] * element(narrow, a, i);
        sum_b += q[i] * element(narrow, b, i);
        sum_c += q[i] * element(narrow, c, i);
        sum_e += q[i] * element(narrow, e, i);
    }
    score[0] = sum_a, score[1] = sum_b, score[2] = sum_c, score[3] = sum_e;
}

TT_INLINE void score_unit(const bool narrow, const int d, const unit *u) {
    const char *row[ROWS];
    for (int j = 0; j < u->n; j += ROWS) {
        take_rows(narrow, u, u->t->k, j, row);
        for (int s = 0; s < u->slots; ++s)
            for (int h = 0; h < u->heads; ++h)
                score_rows(narrow, d, u->q + s * u->ldq + h * d, row, h * d, score_of(u, s, h) + j);
    }
}

// out += sum of score[i] row[i], in order
TT_INLINE void mix_rows(
    const bool narrow, const int d, const float *score, const char *const row[ROWS], int at, float *out) {
    const ptrdiff_t from = at * size_of(narrow);
    const char *a = row[0] + from, *b = row[1] + from, *c = row[2] + from, *e = row[3] + from;
#pragma omp simd
    for (int i = 0; i < d; ++i) {
        float sum = out[i];
        sum += score[0] * element(narrow, a, i);
        sum += score[1] * element(narrow, b, i);
        sum += score[2] * element(narrow, c, i);
        sum += score[3] * element(narrow, e, i);
        out[i] = sum;
    }
}

TT_INLINE void mix_unit(const bool narrow, const int d, const unit *u) {
    const char *row[ROWS];
    for (int s = 0; s < u->slots; ++s)
        for (int i = 0; i < u->heads * d; ++i) u->out[s * u->ldo + i] = 0;
    for (int j = 0; j < u->n; j += ROWS) {
        take_rows(narrow, u, u->t->v, j, row);
        for (int s = 0; s < u->slots; ++s)
            for (int h = 0; h < u->heads; ++h)
                mix_rows(narrow, d, score_of(u, s, h) + j, row, h * d, u->out + s * u->ldo + h * d);
    }
}

// A constant size makes straight-line code.
TT_MULTIVERSION(void, score_keys, (const unit *u), (u)) {
    const int d = u->t->d_kv;
    if (u->narrow)
        d == 64 ? score_unit(true, 64, u) : score_unit(true, d, u);
    else
        d == 64 ? score_unit(false, 64, u) : score_unit(false, d, u);
}
TT_MULTIVERSION(void, mix_values, (const unit *u), (u)) {
    const int d = u->t->d_kv;
    if (u->narrow)
        d == 64 ? mix_unit(true, 64, u) : mix_unit(true, d, u);
    else
        d == 64 ? mix_unit(false, 64, u) : mix_unit(false, d, u);
}

// score[j] = exp(score[j] + bias[j] - largest) / sum of all; 0 from n on to the end of a line. Whole lines, so that no
// loop has a rest; `bias`, too, can be read so far.
TT_MULTIVERSION(void, softmax, (int n, float *score, const float *bias), (n, score, bias)) {
    const int lines = (n + LINE - 1) / LINE;
    float top = -FLT_MAX, total = 0;
    if (bias) {
#pragma omp simd
        for (int j = 0; j < lines * LINE; ++j) score[j] += bias[j];
    }
    for (int j = n; j < lines * LINE; ++j) score[j] = -FLT_MAX;
#pragma omp simd reduction(max : top)
    for (int j = 0; j < lines * LINE; ++j) top = score[j] > top ? score[j] : top;
#pragma omp simd reduction(+ : total)
    for (int j = 0; j < lines * LINE; ++j) {
        score[j] = tt_expf(score[j] - top);
        total += score[j];
    }
    const float scale = 1 / total;
#pragma omp simd
    for (int j = 0; j < lines * LINE; ++j) score[j] *= scale;
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

// The new rows of the unit's slots and heads go to the cache.
static void put_last(const unit *u) {
    const tt_attention_decode *t = u->t;
    const ptrdiff_t column = (ptrdiff_t)u->head * t->d_kv;
    const ptrdiff_t size = size_of(u->narrow);
    const size_t bytes = (size_t)u->heads * (size_t)t->d_kv * (size_t)size;
    for (int slot = u->slot; t->new_k && slot < u->slot + u->slots; ++slot) {
        const int at = t->start[slot] + t->length[slot] - 1;
        const ptrdiff_t from = slot * (ptrdiff_t)t->ldq + column,
                        to = (t->table ? t->table[at] : at) * (ptrdiff_t)t->ldkv + column;
        memcpy((char *)t->k + to * size, (const char *)t->new_k + from * size, bytes);
        memcpy((char *)t->v + to * size, (const char *)t->new_v + from * size, bytes);
    }
}

// Scratch memory of a call.
typedef struct plan {
    int longest, groups;
    int32_t *first; // [groups + 1]: the first slot of each group of neighbours that read the same rows
    float *bias;    // [heads, longest]: of a key that is longest - 1 - x before its slot's last one, at x
    float *scores;  // [threads, SLOTS, HEADS, score_row]
    size_t score_row;
    bool narrow;
    float *rows;        // [threads, 2, SLOTS, HEADS * d_kv]: q and out in fp32, where operands are bf16
    size_t rows_floats; // of a thread
} plan;

static void find_groups(plan *p, const tt_attention_decode *t) {
    for (int s = 0; s < t->slots; ++s) {
        const int32_t first = s ? p->first[p->groups - 1] : 0;
        if (s == 0 || t->table || t->start[s] != t->start[first] || t->length[s] != t->length[first] ||
            s - first == SLOTS)
            p->first[p->groups++] = s;
    }
    p->first[p->groups] = t->slots;
}

static void fill_bias(const plan *p, const tt_attention_decode *t) {
    for (int x = 0; x < p->longest; ++x) {
        const int bucket = tt_relative_bucket(x - (p->longest - 1), false, t->buckets, t->max_distance);
        for (int h = 0; h < t->heads; ++h)
            p->bias[(size_t)h * (size_t)p->longest + (size_t)x] = t->bias[(size_t)bucket * t->heads + h];
    }
}

static size_t up_to_line(size_t floats) {
    return (floats + LINE - 1) / LINE * LINE;
}

static tt_status open_plan(plan *p, tt_device *device, const tt_attention_decode *t) {
    *p = (plan){0};
    TT_TRY(check_decode(t, &p->longest));
    p->score_row = up_to_line((size_t)p->longest);
    const size_t bias = up_to_line(t->bias ? (size_t)t->heads * (size_t)p->longest + LINE : 0),
                 first = up_to_line((size_t)t->slots + 1),
                 scores = SLOTS * HEADS * p->score_row * (size_t)device->threads;
    p->narrow = tt_narrow(device);
    p->rows_floats = p->narrow ? up_to_line((size_t)2 * SLOTS * HEADS * (size_t)t->d_kv) : 0;
    const size_t rows = p->rows_floats * (size_t)device->threads;
    p->bias = tt_device_scratch(device, (bias + first + scores + rows) * sizeof *p->bias);
    if (!p->bias) return tt_context(TT_ERR_NOMEM, "attention_decode");
    p->first = (int32_t *)(p->bias + bias);
    p->scores = p->bias + bias + first;
    p->rows = p->scores + scores;
    find_groups(p, t);
    if (t->bias) fill_bias(p, t);
    return TT_OK;
}

// The unit's q and out where operands are bf16.
static void take_queries(const plan *p, unit *u) {
    const tt_attention_decode *t = u->t;
    const int width = u->heads * t->d_kv;
    float *rows = p->rows + p->rows_floats * (size_t)tt_cpu_thread();
    for (int s = 0; s < u->slots; ++s)
        tt_float_from_bf16(width, rows + (ptrdiff_t)s * width,
            (const uint16_t *)t->q + (u->slot + s) * (ptrdiff_t)t->ldq + (ptrdiff_t)u->head * t->d_kv);
    u->q = rows, u->out = rows + (ptrdiff_t)SLOTS * width;
    u->ldq = u->ldo = width;
}

static void put_out(const unit *u) {
    const tt_attention_decode *t = u->t;
    for (int s = 0; s < u->slots; ++s)
        tt_bf16_from_float(u->heads * t->d_kv,
            (uint16_t *)t->out + (u->slot + s) * (ptrdiff_t)t->ldo + (ptrdiff_t)u->head * t->d_kv,
            u->out + s * u->ldo);
}

static void attend(const plan *p, const tt_attention_decode *t, int group, int head) {
    const int slot = p->first[group], n = t->length[slot];
    unit u = {.t = t,
        .narrow = p->narrow,
        .slot = slot,
        .slots = p->first[group + 1] - slot,
        .head = head,
        .heads = t->heads - head < HEADS ? t->heads - head : HEADS,
        .n = n,
        .score = p->scores + SLOTS * HEADS * p->score_row * (size_t)tt_cpu_thread(),
        .score_row = p->score_row};
    if (p->narrow) {
        take_queries(p, &u);
    } else {
        const ptrdiff_t column = (ptrdiff_t)head * t->d_kv;
        u.q = tt_in(t->q) + slot * (ptrdiff_t)t->ldq + column, u.ldq = t->ldq;
        u.out = tt_out(t->out) + slot * (ptrdiff_t)t->ldo + column, u.ldo = t->ldo;
    }
    put_last(&u);
    score_keys(&u);
    for (int s = 0; s < u.slots; ++s)
        for (int h = 0; h < u.heads; ++h) {
            const float *bias =
                t->bias ? p->bias + (ptrdiff_t)(head + h) * p->longest + (p->longest - n) : NULL;
            softmax(n, score_of(&u, s, h), bias);
        }
    mix_values(&u);
    if (p->narrow) put_out(&u);
}

tt_status tt_cpu_attention_decode(tt_device *device, const tt_attention_decode *t) {
    plan p;
    TT_TRY(open_plan(&p, device, t));
    const int parts = (t->heads + HEADS - 1) / HEADS, units = p.groups * parts;
#pragma omp parallel for num_threads(tt_cpu_team(device->threads)) schedule(guided)
    for (int i = 0; i < units; ++i) attend(&p, t, i / parts, i % parts * HEADS);
    return TT_OK;
}
