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

static int32_t sample_token(const tt_sample *t, const tt_cut_row *row, double u) {
    const int n = t->vocab;
    if (t->top_k > 0 && t->top_k < n) tt_cut_weights(row, true, t->top_k);
    if (t->top_p < 1) tt_cut_weights(row, false, (double)t->top_p * total_of(n, row->weight));
    return draw_token(n, row->weight, total_of(n, row->weight), u);
}

// Returns false if the logits contain NaN or +inf, or are all -inf.
static bool sample_row(const tt_sample *t, int number, char *memory) {
    const int n = t->vocab;
    const float *x = t->logits + (size_t)number * n, top = tt_vector_max(n, x);
    if (!(top >= -FLT_MAX && top <= FLT_MAX) || has_nan(n, x)) return false;
    int32_t token;
    if (t->temperature > 0) {
        const tt_cut_row row = {.n = n,
            .x = x,
            .weight = (float *)memory,
            .top = top,
            .factor = fminf(1 / t->temperature, FLT_MAX), // 1 / subnormal is inf
            .memory = memory + (size_t)n * sizeof(float)};
        fill_weights(n, x, top, row.factor, row.weight);
        token = sample_token(t, &row, (double)t->uniform[number]);
    } else {
        token = find_token(n, x, top);
    }
    t->token[number] = token;
    if (t->logp) t->logp[number] = (float)((double)(x[token] - top) - log(tt_vector_exp_sum(n, x, top)));
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
    int bad = t->rows; // the first row that failed
#pragma omp parallel for num_threads(device->threads) schedule(static) reduction(min : bad)
    for (int row = 0; row < t->rows; ++row)
        if (t->left && t->left[row] == 0)
            t->token[row] = 0;
        else if (!sample_row(t, row, memory + row_bytes(t) * (size_t)omp_get_thread_num()) && row < bad)
            bad = row;
    if (bad < t->rows)
        return tt_fail(TT_ERR_NUMERIC,
            "sample: the logits of row %d contain NaN or inf; the model has diverged, or its "
            "weights are damaged",
            bad);
    return TT_OK;
}
