// Tokenised pairs: adding, order, dealing to ranks, packing.
#include "host/data/dataset.h"

#include "host/base/cores.h"
#include "host/base/log.h"
#include "host/base/memory.h"
#include "host/base/philox.h"
#include "host/text/limit.h"
#include "host/text/stages.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void tt_dataset_close(tt_dataset *d) {
    if (!d->lent) {
        free(d->ids);
        free(d->offsets);
    }
    *d = (tt_dataset){0};
}

// A text on its way to being ids.
typedef struct encoded {
    tt_ids ids;
    bool cut;
    tt_status status;
} encoded;

static tt_status encode_text(
    encoded *out, const tt_dataset_encoding *encoding, const char *text, bool target) {
    const int limit = target ? encoding->max_target : encoding->max_input;
    return tt_limit_encode(encoding->tokenizer, text, limit, &out->ids, &out->cut);
}

static tt_status append_pair(tt_dataset *d, const encoded pair[2]) {
    TT_TRY(tt_dataset_add_ids(d, pair[0].ids.items, pair[0].ids.n, pair[1].ids.items, pair[1].ids.n));
    for (int part = 0; part < 2; ++part)
        for (int i = 0; i < pair[part].ids.n; ++i) d->unknown += pair[part].ids.items[i] == TT_UNK;
    d->cut_inputs += pair[0].cut;
    d->cut_targets += pair[1].cut;
    return TT_OK;
}

tt_status tt_dataset_add(
    tt_dataset *d, const tt_dataset_encoding *encoding, const char *input, const char *target) {
    encoded pair[2] = {0};
    tt_status status = encode_text(&pair[0], encoding, input, false);
    if (status == TT_OK) status = encode_text(&pair[1], encoding, target, true);
    if (status == TT_OK) status = append_pair(d, pair);
    free(pair[0].ids.items);
    free(pair[1].ids.items);
    return status;
}

static int threads_to_encode(void) {
    return omp_get_max_threads() < tt_cores() ? omp_get_max_threads() : tt_cores();
}

tt_status tt_dataset_add_all(
    tt_dataset *d, const tt_dataset_encoding *encoding, const char *const *texts, int n) {
    encoded *all;
    TT_TRY(tt_alloc(&all, 2 * (size_t)n, sizeof *all, "token ids"));
#pragma omp parallel for num_threads(threads_to_encode()) schedule(dynamic, 16)
    for (int i = 0; i < 2 * n; ++i) all[i].status = encode_text(&all[i], encoding, texts[i], i % 2 == 1);
    tt_status status = TT_OK;
    for (int i = 0; i < n && status == TT_OK; ++i) {
        const encoded *pair = &all[2 * i];
        if (pair[0].status == TT_OK && pair[1].status == TT_OK)
            status = append_pair(d, pair);
        else // for its message, which the thread that met it has
            status = tt_dataset_add(d, encoding, texts[2 * i], texts[2 * i + 1]);
    }
    for (int i = 0; i < 2 * n; ++i) free(all[i].ids.items);
    free(all);
    return status;
}

tt_status tt_dataset_add_ids(
    tt_dataset *d, const int32_t *input, int n_input, const int32_t *target, int n_target) {
    if (d->lent) return tt_fail(TT_ERR_INTERNAL, "an example is added to ids that are lent");
    const size_t used = d->n ? (size_t)d->offsets[2 * (size_t)d->n] : 0;
    TT_TRY(
        tt_grow(&d->ids, &d->ids_capacity, used + (size_t)(n_input + n_target), sizeof *d->ids, "token ids"));
    TT_TRY(tt_grow(&d->offsets, &d->offsets_capacity, 2 * (size_t)d->n + 3, sizeof *d->offsets, "offsets"));
    memcpy(d->ids + used, input, (size_t)n_input * sizeof *input);
    memcpy(d->ids + used + n_input, target, (size_t)n_target * sizeof *target);
    int64_t *example = d->offsets + 2 * (size_t)d->n;
    example[0] = (int64_t)used;
    example[1] = example[0] + n_input;
    example[2] = d->tokens = example[1] + n_target;
    d->n++;
    return TT_OK;
}

void tt_dataset_warn(const tt_dataset *d, const tt_dataset_limits *limits) {
    char where[64];
    snprintf(where, sizeof where, "%s%s%s", limits->phase, d->name ? ", " : "", d->name ? d->name : "");
    tt_limit_warn_prompts(where, d->cut_inputs, d->n, limits->max_input, limits->input_key);
    // The targets of summarize end with the answer; those of a chain of thought are among them.
    if (d->name && strcmp(d->name, tt_stage_name(TT_SUMMARIZE)) == 0)
        tt_limit_warn_answers(where, d->cut_targets, d->n, limits->max_target, limits->target_key);
    else
        tt_limit_warn_targets(where, d->cut_targets, d->n, limits->max_target, limits->target_key);
    if (d->unknown > 0)
        tt_warn("%s: %lld of %lld tokens (%.2f %%) are unknown to the tokenizer", where,
            (long long)d->unknown, (long long)d->tokens, 100.0 * (double)d->unknown / (double)d->tokens);
}

void tt_order(int32_t *order, int n, uint64_t seed, uint32_t stream, uint32_t epoch) {
    tt_rng rng;
    tt_rng_open(&rng, seed, TT_FOR_ORDER, epoch, stream);
    for (int i = 0; i < n; ++i) order[i] = i;
    tt_rng_shuffle(&rng, order, n);
}

static int64_t example_tokens(const tt_dataset *d, int32_t i) {
    return d->offsets[2 * i + 2] - d->offsets[2 * i];
}

// Whether example order[a] is dealt after order[b]: it is shorter, or as long and behind it.
static bool is_later(const tt_dataset *d, const int32_t *order, int32_t a, int32_t b) {
    const int64_t tokens_a = example_tokens(d, order[a]), tokens_b = example_tokens(d, order[b]);
    return tokens_a < tokens_b || (tokens_a == tokens_b && a > b);
}

// Lets heap[at] sink below those that are dealt later; n positions in all.
static void sink(const tt_dataset *d, const int32_t *order, int32_t *heap, int at, int n) {
    const int32_t position = heap[at];
    for (int child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && is_later(d, order, heap[child + 1], heap[child])) ++child;
        if (!is_later(d, order, heap[child], position)) break;
        heap[at] = heap[child];
    }
    heap[at] = position;
}

// Positions in `order`, those of the longest examples first. A heap sort: it needs no memory.
static void sort_by_length(const tt_dataset *d, const int32_t *order, int n, int32_t *positions) {
    for (int i = 0; i < n; ++i) positions[i] = i;
    for (int i = n / 2 - 1; i >= 0; --i) sink(d, order, positions, i, n);
    for (int last = n - 1; last > 0; --last) {
        const int32_t latest = positions[0];
        positions[0] = positions[last];
        positions[last] = latest;
        sink(d, order, positions, 0, last);
    }
}

// Ranks as a heap: the first has the fewest tokens so far; of several, the lowest.
typedef struct ranks_by_load {
    int64_t load[TT_MOST_RANKS]; // of each rank
    int heap[TT_MOST_RANKS], n;
} ranks_by_load;

static void open_ranks(ranks_by_load *r, int ranks) {
    r->n = ranks;
    for (int i = 0; i < ranks; ++i) r->load[r->heap[i] = i] = 0;
}

static bool is_lighter(const ranks_by_load *r, int a, int b) {
    return r->load[a] < r->load[b] || (r->load[a] == r->load[b] && a < b);
}

// The lightest rank, which receives so many tokens more.
static int deal_one(ranks_by_load *r, int64_t tokens) {
    const int rank = r->heap[0];
    int at = 0;
    r->load[rank] += tokens;
    for (int child; (child = 2 * at + 1) < r->n; at = child) {
        if (child + 1 < r->n && is_lighter(r, r->heap[child + 1], r->heap[child])) ++child;
        if (!is_lighter(r, r->heap[child], rank)) break;
        r->heap[at] = r->heap[child];
    }
    r->heap[at] = rank;
    return rank;
}

int tt_deal_all(const tt_dataset *dataset, const int32_t *order, int n, int ranks, const tt_dealt *out) {
    ranks_by_load loads;
    if (ranks < 1 || ranks > TT_MOST_RANKS) return -1;
    open_ranks(&loads, ranks);
    if (ranks == 1)
        for (int i = 0; i < n; ++i) out->examples[i] = i;
    else
        sort_by_length(dataset, order, n, out->examples);
    for (int i = 0; i < n; ++i) {
        out->examples[i] = order[out->examples[i]];
        out->ranks[i] = deal_one(&loads, example_tokens(dataset, out->examples[i]));
    }
    return n;
}

int tt_deal(const tt_dataset *dataset, const int32_t *order, int n, tt_share share, int32_t *mine) {
    ranks_by_load loads;
    if (share.ranks == 1) {
        memcpy(mine, order, (size_t)n * sizeof *mine);
        return n;
    }
    if (share.ranks < 1 || share.ranks > TT_MOST_RANKS) return -1;
    int count = 0;
    open_ranks(&loads, share.ranks);
    sort_by_length(dataset, order, n, mine);
    for (int i = 0; i < n; ++i) { // count <= i: what is overwritten has been read
        const int32_t example = order[mine[i]];
        if (deal_one(&loads, example_tokens(dataset, example)) == share.rank) mine[count++] = example;
    }
    return count;
}

tt_status tt_dataset_pack(
    const tt_dataset *d, const int32_t *examples, int n, int32_t start, tt_batch *batch) {
    for (int k = 0; k < n; ++k) {
        const int32_t i = examples[k];
        const int64_t *bounds = d->offsets + 2 * (int64_t)i;
        const uint32_t example = d->first_example + (uint32_t)i;
        TT_TRY(tt_batch_add_source(batch, d->ids + bounds[0], (int)(bounds[1] - bounds[0]), example));
        TT_TRY(tt_batch_add_target(batch, &(tt_batch_target){.ids = d->ids + bounds[1],
                                              .n = (int)(bounds[2] - bounds[1]),
                                              .source = batch->enc_seqs - 1,
                                              .start = start,
                                              .example = example}));
    }
    return TT_OK;
}

int64_t tt_dataset_target_tokens(const tt_dataset *d, const int32_t *examples, int n) {
    int64_t tokens = 0;
    for (int k = 0; k < n; ++k) tokens += d->offsets[2 * examples[k] + 2] - d->offsets[2 * examples[k] + 1];
    return tokens;
}
