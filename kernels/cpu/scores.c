// Operations of beam search and logits processors on rows of scores.
#include "kernels/cpu/cpu.h"
#include "kernels/cpu/vector.h"

#include <float.h>
#include <math.h>

static bool log_softmax_row(float *x, int n) {
    const float top = tt_vector_max(n, x);
    if (!(top >= -FLT_MAX && top <= FLT_MAX)) return false;
    const double total = tt_vector_exp_sum(n, x, top);
    if (!(total >= 1)) return false; // NaN
    const float lse = (float)((double)top + log(total));
    for (int i = 0; i < n; ++i) x[i] -= lse;
    return true;
}

tt_status tt_cpu_log_softmax(tt_device *device, float *x, int rows, int n) {
    if (rows < 1 || n < 1)
        return tt_fail(TT_ERR_INPUT, "log_softmax: %d rows of %d; both must be at least 1", rows, n);
    int bad = rows; // the first row that failed
#pragma omp parallel for num_threads(tt_cpu_team(device->threads)) schedule(static) reduction(min : bad)
    for (int row = 0; row < rows; ++row)
        if (!log_softmax_row(x + (size_t)row * (size_t)n, n) && row < bad) bad = row;
    if (bad == rows) return TT_OK;
    return tt_fail(TT_ERR_NUMERIC,
        "log_softmax: row %d contains NaN or inf; the model has diverged, or its weights are damaged", bad);
}

static int32_t id_at(const tt_penalise *p, int row, int j) {
    const int32_t at = p->start[row] + j;
    return p->ids[p->table ? p->table[at] : at];
}

static bool read_before(const tt_penalise *p, int row, int i) {
    const int32_t id = id_at(p, row, i);
    for (int j = 0; j < i; ++j)
        if (id_at(p, row, j) == id) return true;
    return false;
}

static void penalise_row(const tt_penalise *p, int row) {
    float *scores = p->scores + (size_t)row * (size_t)p->vocab;
    if (p->repetition_penalty != 1) {
        for (int i = 0; i < p->length[row]; ++i) {
            if (read_before(p, row, i)) continue;
            float *score = &scores[id_at(p, row, i)];
            *score = *score < 0 ? *score * p->repetition_penalty : *score / p->repetition_penalty;
        }
    }
    if (p->length[row] < p->min_length) scores[p->end] = -INFINITY;
}

tt_status tt_cpu_penalise(tt_device *device, const tt_penalise *p) {
    if (!(p->repetition_penalty > 0) || !isfinite(p->repetition_penalty))
        return tt_fail(TT_ERR_INPUT, "penalise: repetition penalty %g; expected above 0, 1 = off",
            (double)p->repetition_penalty);
    if (p->rows < 1 || p->end < 0 || p->end >= p->vocab)
        return tt_fail(TT_ERR_INPUT, "penalise: %d rows, end %d; expected rows >= 1 and an id below %d",
            p->rows, p->end, p->vocab);
#pragma omp parallel for num_threads(tt_cpu_team(device->threads)) schedule(static)
    for (int row = 0; row < p->rows; ++row) penalise_row(p, row);
    return TT_OK;
}

// Insertion into a short sorted list: after the first few hundred scores, few are larger than its last one.
static void top_row(const tt_top *t, int row) {
    const float *scores = t->scores + (size_t)row * (size_t)t->vocab;
    int32_t *token = t->token + (size_t)row * (size_t)t->k;
    float *score = t->score + (size_t)row * (size_t)t->k;
    int n = 0;
    for (int id = 0; id < t->vocab; ++id) {
        if (n == t->k && !(scores[id] > score[n - 1])) continue;
        int place = n < t->k ? n++ : n - 1;
        for (; place > 0 && scores[id] > score[place - 1]; --place) {
            score[place] = score[place - 1];
            token[place] = token[place - 1];
        }
        score[place] = scores[id];
        token[place] = id;
    }
}

tt_status tt_cpu_top(tt_device *device, const tt_top *t) {
    if (t->rows < 1 || t->k < 1 || t->k > t->vocab || t->k > 512)
        return tt_fail(TT_ERR_INPUT,
            "top: k %d, %d rows of %d scores; expected rows >= 1 and 1 <= k <= min(512, scores)", t->k,
            t->rows, t->vocab);
#pragma omp parallel for num_threads(tt_cpu_team(device->threads)) schedule(static)
    for (int row = 0; row < t->rows; ++row) top_row(t, row);
    return TT_OK;
}
