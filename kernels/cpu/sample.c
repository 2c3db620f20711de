// Choosing the next token. Greedy decoding takes the maximum. Sampling turns logits into weights exp((logit -
// max) / temperature), keeps the top k, then the top p (cut.c); of equal logits the one with the lower id counts as
// larger, so that both sets are exact. Then it goes through the running sum of what is left.
#include "kernels/cpu/cpu.h"
#include "kernels/cpu/cut.h"
#include "kernels/cpu/math.h"
#include "kernels/cpu/reserve.h"
#include "kernels/cpu/vector.h"

#include <float.h>
#include <math.h>
#include <omp.h>

enum { PART = 1024 }; // weights summed by themselves

// weight[i] = exp((x[i] - top) * factor)
TT_MULTIVERSION(void, fill_weights, (int n, const float *x, float top, float factor, float *weight),
    (n, x, top, factor, weight)) {
#pragma omp simd
    for (int i = 0; i < n; ++i) weight[i] = tt_expf((x[i] - top) * factor);
}

TT_MULTIVERSION(double, part_sum, (int n, const float *weight), (n, weight)) {
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int i = 0; i < n; ++i) sum += (double)weight[i];
    return sum;
}

static double total_of(int n, const float *weight) {
    double total = 0;
    for (int i = 0; i < n; i += PART) total += part_sum(n - i < PART ? n - i : PART, weight + i);
    return total;
}

// The first id at which the running sum of weights exceeds u * total; ids of weight 0 are never chosen. `total` is
// total_of(n, weight), so that some part's sum exceeds the goal.
static int32_t draw_token(int n, const float *weight, double total, double u) {
    const double goal = u * total;
    double before = 0; // sum of the parts before the one that begins at `from`
    int from = 0;
    for (; n - from > PART; from += PART) {
        const double sum = before + part_sum(PART, weight + from);
        if (sum > goal) break;
        before = sum;
    }
    const int end = n - from < PART ? n : from + PART;
    int32_t last = 0;
    for (int i = from; i < end && !(before > goal); ++i) {
        if (!(weight[i] > 0)) continue;
        before += (double)weight[i];
        last = i;
    }
    return last; // rounding may leave the running sum at the goal: then the last id of the part
}

TT_MULTIVERSION(bool, has_nan, (int n, const float *x), (n, x)) {
    int any = 0;
#pragma omp simd reduction(| : any)
    for (int i = 0; i < n; ++i) any |= x[i] != x[i];
    return any;
}

TT_MULTIVERSION(bool, has, (int n, const float *x, float wanted), (n, x, wanted)) {
    int any = 0;
#pragma omp simd reduction(| : any)
    for (int i = 0; i < n; ++i) any |= x[i] == wanted;
    return any;
}

// The first id whose logit is `top`, which there is.
static int32_t find_token(int n, const float *x, float top) {
    int32_t id = 0;
    while (n - id > PART && !has(PART, x + id, top)) id += PART;
    while (x[id] != top) ++id;
    return id;
}

// A row of logits that a thread is drawing from. Draws from one row are neighbours, so that its weights are made once.
typedef struct open_row {
    const float *x; // NULL = none
    float top;
    float *weight; // not for greedy draws
    double total;
    char *memory; // row_bytes
} open_row;

// Returns false if the logits contain NaN or +inf, or are all -inf.
static bool enter_row(const tt_sample *t, const float *x, open_row *r) {
    const int n = t->vocab;
    const float top = tt_vector_max(n, x);
    r->x = NULL;
    if (!(top >= -FLT_MAX && top <= FLT_MAX) || has_nan(n, x)) return false;
    r->x = x;
    r->top = top;
    if (!(t->temperature > 0)) return true;
    r->weight = (float *)r->memory;
    const tt_cut_row cut = {.n = n,
        .x = x,
        .weight = r->weight,
        .top = top,
        .factor = fminf(1 / t->temperature, FLT_MAX), // 1 / subnormal is inf
        .memory = r->memory + (size_t)n * sizeof(float)};
    fill_weights(n, x, top, cut.factor, r->weight);
    if (t->top_k > 0 && t->top_k < n) tt_cut_weights(&cut, true, t->top_k);
    if (t->top_p < 1) tt_cut_weights(&cut, false, (double)t->top_p * total_of(n, r->weight));
    r->total = total_of(n, r->weight);
    return true;
}

// Returns false where enter_row does.
static bool sample_one(const tt_sample *t, int draw, open_row *r) {
    const int n = t->vocab;
    const float *x = t->logits + (size_t)(t->from ? t->from[draw] : draw) * (size_t)n;
    if (x != r->x && !enter_row(t, x, r)) return false;
    const int32_t token = t->temperature > 0 ? draw_token(n, r->weight, r->total, (double)t->uniform[draw])
                                             : find_token(n, x, r->top);
    t->token[draw] = token;
    if (t->logp) t->logp[draw] = (float)((double)(x[token] - r->top) - log(tt_vector_exp_sum(n, x, r->top)));
    return true;
}

static tt_status check_sample(const tt_sample *t) {
    if (t->rows < 1 || t->vocab < 1)
        return tt_fail(
            TT_ERR_INPUT, "sample: %d rows of %d logits; both must be at least 1", t->rows, t->vocab);
    if (!(t->temperature >= 0) || !isfinite(t->temperature))
        return tt_fail(
            TT_ERR_INPUT, "sample: temperature %g; expected 0 (greedy) or more", (double)t->temperature);
    if (!(t->top_p > 0 && t->top_p <= 1))
        return tt_fail(TT_ERR_INPUT, "sample: top_p %g; expected 0 < top_p <= 1", (double)t->top_p);
    if (t->top_k < 0) return tt_fail(TT_ERR_INPUT, "sample: top_k %d; expected 0 (all) or more", t->top_k);
    for (int i = 0; t->temperature > 0 && i < t->rows; ++i)
        if (!(t->left && t->left[i] == 0) && !(t->uniform[i] >= 0 && t->uniform[i] < 1))
            return tt_fail(TT_ERR_INPUT, "sample: random number %g of row %d is not in [0, 1)",
                (double)t->uniform[i], i);
    return TT_OK;
}

// Of each thread: weights, and what a cut needs.
static size_t row_bytes(const tt_sample *t) {
    return ((size_t)t->vocab * sizeof(float) + tt_cut_bytes(t->vocab) + 63) / 64 * 64;
}

size_t tt_cpu_sample_scratch(const tt_device *device, const tt_sample *t) {
    return row_bytes(t) * (size_t)device->threads;
}

tt_status tt_cpu_sample(tt_device *device, const tt_sample *t) {
    TT_TRY(check_sample(t));
    char *memory = tt_device_scratch(device, tt_cpu_sample_scratch(device, t));
    if (!memory) return tt_context(TT_ERR_NOMEM, "sample");
    int bad = t->rows; // the first draw that failed
#pragma omp parallel num_threads(tt_cpu_team(device->threads)) reduction(min : bad)
    {
        open_row r = {.memory = memory + row_bytes(t) * (size_t)omp_get_thread_num()};
#pragma omp for schedule(static)
        for (int draw = 0; draw < t->rows; ++draw)
            if (t->left && t->left[draw] == 0)
                t->token[draw] = 0;
            else if (!sample_one(t, draw, &r) && draw < bad)
                bad = draw;
    }
    if (bad < t->rows)
        return tt_fail(TT_ERR_NUMERIC,
            "sample: the logits of row %d contain NaN or inf; the model has diverged, or its "
            "weights are damaged",
            t->from ? (int)t->from[bad] : bad);
    return TT_OK;
}
