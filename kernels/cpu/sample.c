// Choosing the next token. Greedy decoding takes the maximum. Sampling turns logits into weights exp((logit -
// max) / temperature), keeps the top k, then the top p; of equal logits the one with the lower id counts as
// larger, so that both sets are exact. Nothing is sorted: the threshold is found by a radix search over the
// logits' bit patterns in an order-preserving form, eight bits at a time, with the number (top k) or the
// weight (top p) of the ids in each of 256 ranges.
#include "kernels/cpu/cpu.h"
#include "kernels/cpu/math.h"
#include "kernels/cpu/reserve.h"
#include "kernels/cpu/vector.h"

#include <float.h>
#include <math.h>
#include <omp.h>

// Larger for larger x; -0 and +0 alike.
TT_INLINE uint32_t ordered_bits(float x) {
    uint32_t bits = tt_float_bits(x + 0.0f);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

// weight[i] = exp((x[i] - top) * factor); returns their sum.
TT_MULTIVERSION(float, part_weights, (int n, const float *x, float top, float factor, float *weight),
    (n, x, top, factor, weight)) {
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int i = 0; i < n; ++i) {
        weight[i] = tt_expf((x[i] - top) * factor);
        sum += weight[i];
    }
    return sum;
}

// The same in parts, as tt_vector_exp_sum.
static double fill_weights(int n, const float *x, float top, float factor, float *weight) {
    enum { PART = 1024 };
    double total = 0;
    for (int i = 0; i < n; i += PART)
        total += (double)part_weights(n - i < PART ? n - i : PART, x + i, top, factor, weight + i);
    return total;
}

// Keeps the smallest set of the largest logits among those of positive weight whose measure (their number if
// `count`, else their weight) reaches `goal`; the others' weights become 0.
static void cut_weights(int n, const float *x, float *weight, bool count, double goal) {
    uint32_t threshold = 0, known = 0; // the cut's leading bits; which bits are known
    double above = 0;                  // measure of the ids above the threshold, which are kept
    for (int shift = 24; shift >= 0; shift -= 8) {
        double bin[256] = {0};
        for (int i = 0; i < n; ++i) {
            uint32_t key = ordered_bits(x[i]);
            if (weight[i] > 0 && (key & known) == threshold)
                bin[key >> shift & 255] += count ? 1 : (double)weight[i];
        }
        int b = 255;
        while (b > 0 && above + bin[b] < goal) above += bin[b--];
        threshold |= (uint32_t)b << shift;
        known |= 255u << shift;
    }
    for (int i = 0; i < n; ++i) {
        uint32_t key = ordered_bits(x[i]);
        if (key < threshold) weight[i] = 0;
        if (key != threshold || !(weight[i] > 0)) continue;
        if (above < goal)
            above += count ? 1 : (double)weight[i];
        else
            weight[i] = 0;
    }
}

static double total_of(int n, const float *weight) {
    double total = 0;
    for (int i = 0; i < n; ++i) total += (double)weight[i];
    return total;
}

// The first id at which the running sum of weights exceeds u * total; ids of weight 0 are never chosen.
static int32_t draw_token(int n, const float *weight, double total, double u) {
    const double goal = u * total;
    double sum = 0;
    int32_t last = 0;
    for (int i = 0; i < n; ++i) {
        if (!(weight[i] > 0)) continue;
        sum += (double)weight[i];
        last = i;
        if (sum > goal) break;
    }
    return last; // rounding may leave the sum at the goal: then the last id there is
}

// Returns false if the logits contain NaN or +inf, or are all -inf.
static bool sample_row(const tt_sample *t, int row, float *weight) {
    const int n = t->vocab;
    const float *x = t->logits + (size_t)row * n;
    const float top = tt_vector_max(n, x);
    if (!(top >= -FLT_MAX && top <= FLT_MAX)) return false;
    double total = 0;
    int32_t token = 0;
    const bool greedy = !(t->temperature > 0);
    if (greedy) {
        while (token < n - 1 && x[token] != top) ++token;
        total = tt_vector_exp_sum(n, x, top); // NaN shows here
    } else {
        total = fill_weights(n, x, top, fminf(1 / t->temperature, FLT_MAX), weight); // 1 / subnormal is inf
    }
    if (!(total >= 1)) return false;
    if (!greedy) {
        const bool few = t->top_k > 0 && t->top_k < n, most = t->top_p < 1;
        if (few) cut_weights(n, x, weight, true, t->top_k);
        if (most) cut_weights(n, x, weight, false, (double)t->top_p * total_of(n, weight));
        token = draw_token(n, weight, total_of(n, weight), (double)t->uniform[row]);
        if (t->logp) total = tt_vector_exp_sum(n, x, top);
    }
    t->token[row] = token;
    if (t->logp) t->logp[row] = (float)((double)(x[token] - top) - log(total));
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

static size_t weights_stride(const tt_sample *t) {
    return ((size_t)t->vocab + 15) / 16 * 16;
}

size_t tt_cpu_sample_scratch(const tt_device *device, const tt_sample *t) {
    return weights_stride(t) * (size_t)device->threads * sizeof(float);
}

tt_status tt_cpu_sample(tt_device *device, const tt_sample *t) {
    TT_TRY(check_sample(t));
    const size_t stride = weights_stride(t);
    float *weights = tt_device_scratch(device, tt_cpu_sample_scratch(device, t));
    if (!weights) return tt_context(TT_ERR_NOMEM, "sample");
    int bad = t->rows; // the first row that failed
#pragma omp parallel for num_threads(device->threads) schedule(static) reduction(min : bad)
    for (int row = 0; row < t->rows; ++row)
        if (t->left && t->left[row] == 0)
            t->token[row] = 0;
        else if (!sample_row(t, row, weights + stride * (size_t)omp_get_thread_num()) && row < bad)
            bad = row;
    if (bad < t->rows)
        return tt_fail(TT_ERR_NUMERIC,
            "sample: the logits of row %d contain NaN or inf; the model has diverged, or its "
            "weights are damaged",
            bad);
    return TT_OK;
}
