// Checks, tables and small pieces that attention's forward and backward share.
#include "host/base/philox.h"
#include "kernels/cpu/attention.h"
#include "kernels/cpu/dropout.h"
#include "kernels/cpu/operand.h"

#include <math.h>
#include <omp.h>
#include <string.h>

static tt_status check_offsets(const char *what, const int32_t *offsets, int sequences, int *longest) {
    if (sequences < 1) return tt_fail(TT_ERR_INPUT, "attention: no %s sequences", what);
    if (offsets[0] != 0)
        return tt_fail(
            TT_ERR_INPUT, "attention: offsets of %s sequences start at %d, not 0", what, offsets[0]);
    *longest = 0;
    for (int i = 0; i < sequences; ++i) {
        int n = offsets[i + 1] - offsets[i];
        if (n < 1)
            return tt_fail(TT_ERR_INPUT,
                "attention: %s sequence %d has length %d; empty ones must be left out", what, i, n);
        if (n > *longest) *longest = n;
    }
    return TT_OK;
}

void tt_attention_size(tt_attention_plan *plan, const tt_attention *t, int longest_q, int longest_kv) {
    plan->longest_q = longest_q;
    plan->longest_kv = longest_kv;
    plan->width = (t->d_kv + TT_LANE_GROUP - 1) / TT_LANE_GROUP * TT_LANE_GROUP;
    plan->span = longest_q + TT_BLOCK + longest_kv;
}

tt_status tt_attention_check(const tt_attention *t, tt_attention_plan *plan) {
    if (t->heads < 1 || t->d_kv < 1)
        return tt_fail(
            TT_ERR_INPUT, "attention: %d heads of d_kv %d; both must be at least 1", t->heads, t->d_kv);
    TT_TRY(check_offsets("query", t->q_offsets, t->q_seqs, &plan->longest_q));
    TT_TRY(check_offsets("key", t->kv_offsets, t->kv_seqs, &plan->longest_kv));
    if (!t->source && t->q_seqs != t->kv_seqs)
        return tt_fail(TT_ERR_INPUT, "attention: %d query and %d key sequences without a source for each",
            t->q_seqs, t->kv_seqs);
    for (int i = 0; t->source && i < t->q_seqs; ++i)
        if (t->source[i] < 0 || t->source[i] >= t->kv_seqs)
            return tt_fail(TT_ERR_INPUT, "attention: query sequence %d has source %d of %d", i, t->source[i],
                t->kv_seqs);
    if (t->bias && (t->buckets < 4 || t->buckets % 2 || t->max_distance <= t->buckets / 2))
        return tt_fail(TT_ERR_INPUT,
            "attention: %d buckets up to distance %d; expected an even number >= 4 and a "
            "distance above half of it",
            t->buckets, t->max_distance);
    TT_TRY(tt_dropout_check(&t->drop, "attention"));
    tt_attention_size(plan, t, plan->longest_q, plan->longest_kv);
    return TT_OK;
}

float *tt_attention_carve(char *memory, size_t *used, size_t count) {
    float *block = memory ? (float *)(memory + *used) : NULL;
    *used += (count * sizeof(float) + 63) / 64 * 64;
    return block;
}

char *tt_attention_thread_memory(const tt_attention_plan *plan) {
    return plan->threads + (size_t)omp_get_thread_num() * plan->thread_bytes;
}

static void fill_bias(const tt_attention *t, const tt_attention_plan *plan) {
    if (!t->bias) {
        memset(plan->bias, 0, (size_t)plan->span * sizeof *plan->bias);
        return;
    }
    for (int x = 0; x < plan->span; ++x) {
        int relative = plan->longest_kv - 1 - x; // key - query
        plan->bucket[x] = tt_relative_bucket(relative, t->bidirectional, t->buckets, t->max_distance);
        for (int h = 0; h < t->heads; ++h)
            plan->bias[(size_t)h * plan->span + x] = t->bias[(size_t)plan->bucket[x] * t->heads + h];
    }
}

static size_t carve_shared(
    tt_attention_plan *plan, const tt_attention *t, char *memory, size_t shared_bytes) {
    size_t used = 0;
    plan->bucket = (int32_t *)tt_attention_carve(memory, &used, plan->span);
    plan->bias = tt_attention_carve(memory, &used, (size_t)(t->bias ? t->heads : 1) * plan->span);
    plan->shared = tt_attention_carve(memory, &used, (shared_bytes + sizeof(float) - 1) / sizeof(float));
    return used;
}

size_t tt_attention_bytes(const tt_attention_plan *plan, const tt_device *device, const tt_attention *t,
    size_t thread_bytes, size_t shared_bytes) {
    tt_attention_plan sizes = *plan;
    return carve_shared(&sizes, t, NULL, shared_bytes) + thread_bytes * (size_t)device->threads;
}

tt_status tt_attention_plan_open(tt_attention_plan *plan, tt_device *device, const tt_attention *t,
    size_t thread_bytes, size_t shared_bytes) {
    const size_t shared = carve_shared(plan, t, NULL, shared_bytes);
    char *memory = tt_device_scratch(device, tt_attention_bytes(plan, device, t, thread_bytes, shared_bytes));
    if (!memory) return tt_context(TT_ERR_NOMEM, "attention");
    carve_shared(plan, t, memory, shared_bytes);
    plan->narrow = tt_narrow(device);
    plan->threads = memory + shared;
    plan->thread_bytes = thread_bytes;
    fill_bias(t, plan);
    return TT_OK;
}

const float *tt_attention_bias_row(const tt_attention *t, const tt_attention_plan *plan, int head) {
    return plan->bias + (t->bias ? (size_t)head * plan->span : 0) + plan->longest_kv - 1;
}

tt_attention_block tt_attention_block_at(const tt_attention *t, int first, int queries, int keys) {
    tt_attention_block b = {.first = first, .rows = queries - first, .keys = keys, .hidden = keys};
    if (b.rows > TT_BLOCK) b.rows = TT_BLOCK;
    b.lanes = (b.rows + TT_LANE_GROUP - 1) / TT_LANE_GROUP * TT_LANE_GROUP;
    if (t->causal) {
        b.hidden = first;
        if (b.keys > first + b.rows) b.keys = first + b.rows;
    }
    return b;
}

void tt_attention_take(const tt_attention_plan *plan, float *to, const tt_operand *x, ptrdiff_t at,
    ptrdiff_t ld, int rows, int d) {
    for (int i = 0; i < rows; ++i, at += ld, to += plan->width) {
        const float *from = tt_load(plan->narrow, x, (size_t)at, d, to);
        if (from != to) memcpy(to, from, (size_t)d * sizeof *to);
        for (int c = d; c < plan->width; ++c) to[c] = 0;
    }
}

void tt_attention_put(const tt_attention_plan *plan, tt_operand *x, ptrdiff_t at, ptrdiff_t ld,
    const float *from, int rows, int d) {
    for (int i = 0; i < rows; ++i, at += ld, from += plan->width) {
        if (plan->narrow)
            tt_store(true, x, (size_t)at, d, from);
        else
            memcpy(tt_out(x) + at, from, (size_t)d * sizeof *from);
    }
}

bool tt_attention_mask_open(tt_attention_mask *mask, const tt_dropout *drop, int head, int row, int rows) {
    if (!(drop->p > 0)) return false;
    mask->site = drop->site + (uint32_t)head;
    mask->threshold = tt_attention_threshold(drop->p);
    mask->scale = 65536.0f / (float)(65536 - mask->threshold);
    mask->key = *drop->key;
    for (int i = 0; i < TT_BLOCK; ++i) {
        mask->position[i] = i < rows ? drop->position[row + i] : 0;
        mask->example[i] = i < rows ? drop->example[row + i] : 0;
    }
    return true;
}

TT_MULTIVERSION(void, mask_keys, (const tt_attention_mask *mask, uint32_t group, int lanes, float *keep),
    (mask, group, lanes, keep)) {
    const uint32_t key[2] = {(uint32_t)mask->key, (uint32_t)(mask->key >> 32)};
    const uint32_t site = mask->site, threshold = mask->threshold;
    const float scale = mask->scale;
    for (uint32_t pair = 0; pair < 4; ++pair)
        for (int i = 0; i < lanes; ++i) {
            const uint32_t counter[4] = {4 * group + pair, site, mask->position[i], mask->example[i]};
            uint32_t word[4];
            tt_philox(counter, key, word);
            float *to = keep + 2 * pair * TT_BLOCK + i;
            for (int j = 0; j < 4; ++j, to += 8 * TT_BLOCK) {
                to[0] = (word[j] & 0xffff) < threshold ? 0 : scale;
                to[TT_BLOCK] = word[j] >> 16 < threshold ? 0 : scale;
            }
        }
}

void tt_attention_mask_keys(const tt_attention_mask *mask, uint32_t group, int lanes, float *keep) {
    mask_keys(mask, group, lanes, keep);
}
