// Attention, backward. A unit of work is one key/value sequence and head. It goes through all query sequences
// that attend to it, in order, so that dK and dV have one writer and a fixed order of sums. For each block of
// queries, all matrices [key][query] like the scores (see attention.h):
//   P = exp(K Q^T + bias - lse)   dP = V dO^T   delta = sum over keys of P keep dP   dS = P (keep dP - delta)
//   dV += (keep P) dO             dK += dS Q          dQ = dS^T K
// The bias's gradient is summed by distance, then by bucket per unit, then over units in order.
#include "kernels/cpu/attention.h"
#include "kernels/cpu/math.h"
#include "kernels/cpu/reserve.h"

#include <float.h>
#include <string.h>

typedef struct workspace {
    float *k, *v;         // [longest_kv, width]
    float *dk, *dv;       // [longest_kv, width]
    float *q, *dout;      // [TT_BLOCK, width]
    float *q_t, *dout_t;  // [d_kv, TT_BLOCK]
    float *p, *ds, *kept; // [longest_kv rounded up to 4, TT_BLOCK]; kept = keep P
    float *dq;            // [TT_BLOCK, width]
    float *dbias;         // [span]
} workspace;

// Kept in the plan's shared memory.
typedef struct readers {
    int32_t *first; // [kv_seqs + 1]: query sequences of source s are list[first[s]] .. list[first[s + 1]]
    int32_t *list;  // [q_seqs]
    float *partial; // [kv_seqs * heads, buckets]: sums for dbias
} readers;

static size_t carve_workspace(
    workspace *w, char *memory, const tt_attention *t, const tt_attention_plan *plan) {
    const size_t keys = (size_t)plan->longest_kv * plan->width, block = (size_t)TT_BLOCK * plan->width;
    const size_t scores = ((size_t)plan->longest_kv + 3) / 4 * 4 * TT_BLOCK;
    size_t used = 0;
    w->k = tt_attention_carve(memory, &used, keys);
    w->v = tt_attention_carve(memory, &used, keys);
    w->dk = tt_attention_carve(memory, &used, keys);
    w->dv = tt_attention_carve(memory, &used, keys);
    w->q = tt_attention_carve(memory, &used, block);
    w->dout = tt_attention_carve(memory, &used, block);
    w->q_t = tt_attention_carve(memory, &used, (size_t)t->d_kv * TT_BLOCK);
    w->dout_t = tt_attention_carve(memory, &used, (size_t)t->d_kv * TT_BLOCK);
    w->p = tt_attention_carve(memory, &used, scores);
    w->ds = tt_attention_carve(memory, &used, scores);
    w->kept = tt_attention_carve(memory, &used, scores);
    w->dq = tt_attention_carve(memory, &used, block);
    w->dbias = tt_attention_carve(memory, &used, plan->span);
    return used;
}

static size_t carve_readers(readers *r, char *memory, const tt_attention *t) {
    size_t used = 0;
    r->first = (int32_t *)tt_attention_carve(memory, &used, (size_t)t->kv_seqs + 2);
    r->list = (int32_t *)tt_attention_carve(memory, &used, t->q_seqs);
    r->partial = tt_attention_carve(memory, &used, t->dbias ? (size_t)t->kv_seqs * t->heads * t->buckets : 0);
    return used;
}

// Query sequences sorted by source, stable (counting sort).
static void list_readers(const readers *r, const tt_attention *t) {
    int32_t *next = r->first + 1; // next[s] walks from the beginning of s to that of s + 1
    memset(r->first, 0, ((size_t)t->kv_seqs + 2) * sizeof *r->first);
    for (int i = 0; i < t->q_seqs; ++i) r->first[(t->source ? t->source[i] : i) + 2]++;
    for (int s = 0; s < t->kv_seqs; ++s) r->first[s + 2] += r->first[s + 1];
    for (int i = 0; i < t->q_seqs; ++i) r->list[next[t->source ? t->source[i] : i]++] = i;
}

// p holds scores and becomes probabilities (hidden ones 0); kept = keep p; ds holds dP and becomes keep dP;
// delta[i] = sum over keys of p keep dP. keep serves TT_MASK_KEYS keys.
TT_MULTIVERSION(void, fill_probabilities,
    (const tt_attention_block *b, const workspace *w, const float *bias, const float *lse,
        const tt_attention_mask *mask, float *delta),
    (b, w, bias, lse, mask, delta)) {
    float keep[TT_MASK_KEYS * TT_BLOCK];
    for (int i = 0; i < TT_MASK_KEYS * TT_BLOCK; ++i) keep[i] = 1;
    for (int i = 0; i < b->lanes; ++i) delta[i] = 0;
    for (int j = 0; j < b->keys; ++j) {
        if (mask && j % TT_MASK_KEYS == 0)
            tt_attention_mask_keys(mask, (uint32_t)j / TT_MASK_KEYS, b->lanes, keep);
        const size_t offset = (size_t)j * TT_BLOCK;
        float *restrict p = w->p + offset, *restrict ds = w->ds + offset, *restrict kept = w->kept + offset;
        const float *restrict add = bias + b->first - j, *restrict factor =
                                                             keep + (size_t)(j % TT_MASK_KEYS) * TT_BLOCK;
        const int from = j - b->hidden;
#pragma omp simd
        for (int i = 0; i < b->lanes; ++i) {
            float e = tt_expf(p[i] + add[i] - lse[i]);
            e = i >= from ? e : 0;
            float d = factor[i] * ds[i];
            p[i] = e;
            ds[i] = d;
            kept[i] = factor[i] * e;
            delta[i] += e * d;
        }
    }
}

// ds = p (ds - delta), and its sums by distance.
TT_MULTIVERSION(void, fill_score_gradients,
    (const tt_attention_block *b, const workspace *w, const float *delta, float *by_distance),
    (b, w, delta, by_distance)) {
    for (int j = 0; j < b->keys; ++j) {
        const float *restrict p = w->p + (size_t)j * TT_BLOCK;
        float *restrict ds = w->ds + (size_t)j * TT_BLOCK, *restrict sum = by_distance + b->first - j;
#pragma omp simd
        for (int i = 0; i < b->lanes; ++i) {
            float g = p[i] * (ds[i] - delta[i]);
            ds[i] = g;
            sum[i] += g;
        }
    }
}

static void backward_block(const tt_attention *t, const tt_attention_plan *plan, const workspace *w, int head,
    ptrdiff_t row, const tt_attention_block *b) {
    const int d = t->d_kv, width = plan->width;
    const ptrdiff_t column = (ptrdiff_t)head * d;
    float lse[TT_BLOCK], delta[TT_BLOCK];
    tt_attention_mask mask;
    const bool drop = tt_attention_mask_open(&mask, &t->drop, head, (int)row, b->rows);
    // Lanes without a query: exp(. - FLT_MAX) = 0, so they add nothing anywhere.
    for (int i = 0; i < TT_BLOCK; ++i) lse[i] = i < b->rows ? t->lse[(row + i) * t->heads + head] : FLT_MAX;
    tt_attention_take(plan, w->q, t->q, row * t->ldq + column, t->ldq, b->rows, d);
    tt_attention_take(plan, w->dout, t->dout, row * t->ldo + column, t->ldo, b->rows, d);
    tt_cpu_transpose(w->q_t, w->q, width, b->rows, d, b->lanes);
    tt_cpu_transpose(w->dout_t, w->dout, width, b->rows, d, b->lanes);
    tt_cpu_product(b->keys, b->lanes, d, w->k, width, 1, w->q_t, TT_BLOCK, w->p, TT_BLOCK, false);
    tt_cpu_product(b->keys, b->lanes, d, w->v, width, 1, w->dout_t, TT_BLOCK, w->ds, TT_BLOCK, false);
    fill_probabilities(b, w, tt_attention_bias_row(t, plan, head), lse, drop ? &mask : NULL, delta);
    fill_score_gradients(b, w, delta, w->dbias + plan->longest_kv - 1);
    tt_cpu_product(b->keys, width, b->rows, w->kept, TT_BLOCK, 1, w->dout, width, w->dv, width, true);
    tt_cpu_product(b->keys, width, b->rows, w->ds, TT_BLOCK, 1, w->q, width, w->dk, width, true);
    tt_cpu_product(b->rows, width, b->keys, w->ds, 1, TT_BLOCK, w->k, width, w->dq, width, false);
    tt_attention_put(plan, t->dq, row * t->ldq + column, t->ldq, w->dq, b->rows, d);
}

static void backward_unit(const tt_attention *t, const tt_attention_plan *plan, const readers *r, int source,
    int head, const workspace *w) {
    const int kv_row = t->kv_offsets[source], keys = t->kv_offsets[source + 1] - kv_row;
    const ptrdiff_t column = (ptrdiff_t)head * t->d_kv;
    const size_t bytes = (size_t)keys * plan->width * sizeof(float);
    const ptrdiff_t k = (ptrdiff_t)kv_row * t->ldk + column, v = (ptrdiff_t)kv_row * t->ldv + column;
    tt_attention_take(plan, w->k, t->k, k, t->ldk, keys, t->d_kv);
    tt_attention_take(plan, w->v, t->v, v, t->ldv, keys, t->d_kv);
    memset(w->dk, 0, bytes);
    memset(w->dv, 0, bytes);
    memset(w->dbias, 0, (size_t)plan->span * sizeof(float));
    for (int reader = r->first[source]; reader < r->first[source + 1]; ++reader) {
        const int row = t->q_offsets[r->list[reader]], queries = t->q_offsets[r->list[reader] + 1] - row;
        for (int first = 0; first < queries; first += TT_BLOCK) {
            const tt_attention_block b = tt_attention_block_at(t, first, queries, keys);
            backward_block(t, plan, w, head, row + first, &b);
        }
    }
    tt_attention_put(plan, t->dk, k, t->ldk, w->dk, keys, t->d_kv);
    tt_attention_put(plan, t->dv, v, t->ldv, w->dv, keys, t->d_kv);
    if (!t->dbias) return;
    float *partial = r->partial + ((size_t)source * t->heads + head) * t->buckets;
    memset(partial, 0, (size_t)t->buckets * sizeof(float));
    for (int x = 0; x < plan->span; ++x) partial[plan->bucket[x]] += w->dbias[x];
}

size_t tt_cpu_attention_bwd_scratch(
    const tt_device *device, const tt_attention *t, int longest_q, int longest_kv) {
    tt_attention_plan plan = {0};
    workspace size;
    readers r;
    tt_attention_size(&plan, t, longest_q, longest_kv);
    return tt_attention_bytes(
        &plan, device, t, carve_workspace(&size, NULL, t, &plan), carve_readers(&r, NULL, t));
}

tt_status tt_cpu_attention_bwd(tt_device *device, const tt_attention *t) {
    tt_attention_plan plan;
    workspace size;
    readers r;
    TT_TRY(tt_attention_check(t, &plan));
    if (t->dbias && !t->bias) return tt_fail(TT_ERR_INPUT, "attention_bwd: dbias is set, but bias is not");
    const size_t shared = carve_readers(&r, NULL, t);
    TT_TRY(tt_attention_plan_open(&plan, device, t, carve_workspace(&size, NULL, t, &plan), shared));
    carve_readers(&r, plan.shared, t);
    list_readers(&r, t);
    const int units = t->kv_seqs * t->heads;
#pragma omp parallel num_threads(tt_cpu_team(device->threads))
    {
        workspace w;
        carve_workspace(&w, tt_attention_thread_memory(&plan), t, &plan);
#pragma omp for schedule(dynamic)
        for (int unit = 0; unit < units; ++unit)
            backward_unit(t, &plan, &r, unit / t->heads, unit % t->heads, &w);
    }
    float *dbias = t->strips ? t->strips : t->dbias; // the first strip
    for (int x = 0; t->dbias && x < t->heads * t->buckets; ++x) {
        const int head = x % t->heads, bucket = x / t->heads;
        double sum = 0;
        for (int s = 0; s < t->kv_seqs; ++s)
            sum += (double)r.partial[((size_t)s * t->heads + head) * t->buckets + bucket];
        dbias[x] += (float)sum;
    }
    return TT_OK;
}

tt_status tt_cpu_attention_dbias(tt_device *device, const tt_attention *t) {
    (void)device;
    const size_t columns = (size_t)t->buckets * (size_t)t->heads;
    for (int s = 0; s < tt_attention_strips(t->longest_kv, t->kv_seqs); ++s)
        for (size_t x = 0; x < columns; ++x) t->dbias[x] += t->strips[(size_t)s * columns + x];
    return TT_OK;
}
