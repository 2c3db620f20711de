// Attention, forward. A unit of work is one query sequence and head; within it blocks of up to 32 queries:
//   scores = K Q^T, softmax down the columns, out = P^T V / sum
// with the scores of a block in the thread's working memory, that is in its cache. See attention.h.
#include "kernels/cpu/attention.h"
#include "kernels/cpu/math.h"
#include "kernels/cpu/reserve.h"

#include <float.h>
#include <math.h>

typedef struct workspace {
    float *k, *v;  // [longest_kv, width]
    float *q;      // [d_kv, TT_BLOCK], transposed
    float *scores; // [longest_kv rounded up to 4, TT_BLOCK]
    float *out;    // [TT_BLOCK, width]; before that, q
} workspace;

static size_t carve_workspace(
    workspace *w, char *memory, const tt_attention *t, const tt_attention_plan *plan) {
    size_t used = 0;
    w->k = tt_attention_carve(memory, &used, (size_t)plan->longest_kv * plan->width);
    w->v = tt_attention_carve(memory, &used, (size_t)plan->longest_kv * plan->width);
    w->q = tt_attention_carve(memory, &used, (size_t)t->d_kv * TT_BLOCK);
    w->scores = tt_attention_carve(memory, &used, ((size_t)plan->longest_kv + 3) / 4 * 4 * TT_BLOCK);
    w->out = tt_attention_carve(memory, &used, (size_t)TT_BLOCK * plan->width);
    return used;
}

// Scores become exp(score + bias - maximum), those of hidden keys 0.
TT_MULTIVERSION(void, score_exponentials,
    (const tt_attention_block *b, float *scores, const float *bias, float *max, float *sum),
    (b, scores, bias, max, sum)) {
    for (int base = 0; base < b->lanes; base += TT_LANE_GROUP) {
        float top[TT_LANE_GROUP], total[TT_LANE_GROUP];
        for (int i = 0; i < TT_LANE_GROUP; ++i) top[i] = -FLT_MAX, total[i] = 0;
        for (int j = 0; j < b->keys; ++j) {
            float *row = scores + (size_t)j * TT_BLOCK + base;
            const float *add = bias + b->first + base - j;
            const int from = j - b->hidden - base;
#pragma omp simd
            for (int i = 0; i < TT_LANE_GROUP; ++i) {
                float s = i >= from ? row[i] + add[i] : -FLT_MAX;
                row[i] = s;
                top[i] = s > top[i] ? s : top[i];
            }
        }
        for (int j = 0; j < b->keys; ++j) {
            float *row = scores + (size_t)j * TT_BLOCK + base;
            const int from = j - b->hidden - base;
#pragma omp simd
            for (int i = 0; i < TT_LANE_GROUP; ++i) {
                float e = tt_expf(row[i] - top[i]);
                e = i >= from ? e : 0;
                row[i] = e;
                total[i] += e;
            }
        }
        for (int i = 0; i < TT_LANE_GROUP; ++i) max[base + i] = top[i], sum[base + i] = total[i];
    }
}

TT_MULTIVERSION(void, drop_scores,
    (const tt_attention_block *b, float *scores, const tt_attention_mask *mask), (b, scores, mask)) {
    float keep[TT_MASK_KEYS * TT_BLOCK];
    for (int j = 0; j < b->keys; j += TT_MASK_KEYS) {
        tt_attention_mask_keys(mask, (uint32_t)j / TT_MASK_KEYS, b->lanes, keep);
        for (int r = 0; r < TT_MASK_KEYS && j + r < b->keys; ++r)
            for (int i = 0; i < b->lanes; ++i) scores[(j + r) * TT_BLOCK + i] *= keep[r * TT_BLOCK + i];
    }
}

static void forward_unit(
    const tt_attention *t, const tt_attention_plan *plan, int sequence, int head, const workspace *w) {
    const int source = t->source ? t->source[sequence] : sequence;
    const int q_row = t->q_offsets[sequence], queries = t->q_offsets[sequence + 1] - q_row;
    const int kv_row = t->kv_offsets[source], keys = t->kv_offsets[source + 1] - kv_row;
    const ptrdiff_t column = (ptrdiff_t)head * t->d_kv;
    const float *bias = tt_attention_bias_row(t, plan, head);
    tt_attention_take(plan, w->k, t->k, (ptrdiff_t)kv_row * t->ldk + column, t->ldk, keys, t->d_kv);
    tt_attention_take(plan, w->v, t->v, (ptrdiff_t)kv_row * t->ldv + column, t->ldv, keys, t->d_kv);
    for (int first = 0; first < queries; first += TT_BLOCK) {
        const tt_attention_block b = tt_attention_block_at(t, first, queries, keys);
        const ptrdiff_t row = q_row + first;
        float max[TT_BLOCK] = {0}, sum[TT_BLOCK] = {0};
        tt_attention_mask mask;
        tt_attention_take(plan, w->out, t->q, row * t->ldq + column, t->ldq, b.rows, t->d_kv);
        tt_cpu_transpose(w->q, w->out, plan->width, b.rows, t->d_kv, b.lanes);
        tt_cpu_product(
            b.keys, b.lanes, t->d_kv, w->k, plan->width, 1, w->q, TT_BLOCK, w->scores, TT_BLOCK, false);
        score_exponentials(&b, w->scores, bias, max, sum);
        if (tt_attention_mask_open(&mask, &t->drop, head, (int)row, b.rows))
            drop_scores(&b, w->scores, &mask);
        tt_cpu_product(b.rows, plan->width, b.keys, w->scores, 1, TT_BLOCK, w->v, plan->width, w->out,
            plan->width, false);
        for (int i = 0; i < b.rows; ++i) {
            float *out = w->out + (ptrdiff_t)i * plan->width;
            const float scale = 1 / sum[i];
            for (int c = 0; c < t->d_kv; ++c) out[c] *= scale;
            t->lse[(row + i) * t->heads + head] = max[i] + logf(sum[i]);
        }
        tt_attention_put(plan, t->out, row * t->ldo + column, t->ldo, w->out, b.rows, t->d_kv);
    }
}

size_t tt_cpu_attention_fwd_scratch(
    const tt_device *device, const tt_attention *t, int longest_q, int longest_kv) {
    tt_attention_plan plan = {0};
    workspace size;
    tt_attention_size(&plan, t, longest_q, longest_kv);
    return tt_attention_bytes(&plan, device, t, carve_workspace(&size, NULL, t, &plan), 0);
}

tt_status tt_cpu_attention_fwd(tt_device *device, const tt_attention *t) {
    tt_attention_plan plan;
    workspace size;
    TT_TRY(tt_attention_check(t, &plan));
    TT_TRY(tt_attention_plan_open(&plan, device, t, carve_workspace(&size, NULL, t, &plan), 0));
    const int units = t->q_seqs * t->heads;
#pragma omp parallel num_threads(tt_cpu_team(device->threads))
    {
        workspace w;
        carve_workspace(&w, tt_attention_thread_memory(&plan), t, &plan);
#pragma omp for schedule(dynamic)
        for (int unit = 0; unit < units; ++unit) forward_unit(t, &plan, unit / t->heads, unit % t->heads, &w);
    }
    return TT_OK;
}
