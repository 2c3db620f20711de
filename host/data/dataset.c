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

int tt_deal(const tt_dataset *dataset, const int32_t *order, int n, tt_share share, int32_t *mine) {
    const int ranks = share.ranks;
    // n is a batch: looking at all examples for the next longest is cheap enough and needs no memory.
    enum { MAX_RANKS = 4096 };
    int64_t load[MAX_RANKS] = {0};
    if (ranks == 1) {
        memcpy(mine, order, (size_t)n * sizeof *mine);
        return n;
    }
    if (ranks > MAX_RANKS) return -1;
    int count = 0;
    int64_t previous = INT64_MAX;
    int previous_at = -1;
    for (int step = 0; step < n; ++step) {
        int best = -1; // the next in (tokens descending, position ascending) after the previous one
        int64_t best_tokens = -1;
        for (int i = 0; i < n; ++i) {
            const int64_t tokens = example_tokens(dataset, order[i]);
            const bool after = tokens < previous || (tokens == previous && i > previous_at);
            if (after && tokens > best_tokens) {
                best = i;
                best_tokens = tokens;
            }
        }
        int lightest = 0;
        for (int r = 1; r < ranks; ++r)
            if (load[r] < load[lightest]) lightest = r;
        load[lightest] += best_tokens;
        if (lightest == share.rank) mine[count++] = order[best];
        previous = best_tokens;
        previous_at = best;
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
