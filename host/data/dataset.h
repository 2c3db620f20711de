// Tokenised (input, target) pairs, their order, and packing them into batches.
#ifndef TT_DATA_DATASET_H
#define TT_DATA_DATASET_H

#include "host/base/status.h"
#include "host/data/batch.h"
#include "host/text/tokenizer.h"

#include <stddef.h>
#include <stdint.h>

typedef struct tt_dataset {
    const char *name; // of the stage
    int32_t *ids;     // inputs and targets back to back: input 0, target 0, input 1, ...
    int64_t *offsets; // [2 n + 1]: input i at offsets[2i]..offsets[2i+1], its target up to offsets[2i+2]
    int n;            // examples
    int64_t cut_inputs, cut_targets; // that were longer than their limit
    int64_t unknown, tokens;         // <unk> among all tokens
    uint32_t first_example;          // example i has dropout identity first_example + i
    size_t ids_capacity, offsets_capacity;
} tt_dataset;

// Appends a pair of texts, tokenised, each cut to at most max_input / max_target tokens, </s> included.
tt_status tt_dataset_add(tt_dataset *dataset, const tt_tokenizer *tokenizer, const char *input,
    const char *target, int max_input, int max_target) TT_MUST_CHECK;
// Appends a pair of ids; both end with </s>. Errors: TT_ERR_NOMEM.
tt_status tt_dataset_add_ids(tt_dataset *dataset, const int32_t *input, int n_input, const int32_t *target,
    int n_target) TT_MUST_CHECK;
// Warns of examples that were cut to their limits, and of tokens that the tokenizer does not know. `phase`
// names the place, `*_key` what sets a limit.
void tt_dataset_warn(const tt_dataset *dataset, const char *phase, const char *input_key, int64_t max_input,
    const char *target_key, int64_t max_target);
void tt_dataset_close(tt_dataset *dataset);

// The examples' order in an epoch: a permutation of 0..n-1 from (seed, stream, epoch), where `stream` tells
// datasets of one run apart. The same for any number of ranks.
void tt_order(int32_t *order, int n, uint64_t seed, uint32_t stream, uint32_t epoch);

// Which of n examples (order[0..n)) rank `rank` of `ranks` takes, so that token counts are balanced (longest
// first to the lightest rank, ties by order): the rank's share is written to `mine`, its size returned.
// Deterministic; together the ranks take each example once.
int tt_deal(const tt_dataset *dataset, const int32_t *order, int n, int rank, int ranks, int32_t *mine);

// Appends examples to a packed batch; equal consecutive inputs are not merged. start = decoder start token.
tt_status tt_dataset_pack(
    const tt_dataset *dataset, const int32_t *examples, int n, int32_t start, tt_batch *batch) TT_MUST_CHECK;
// Target tokens of the given examples: what a mean loss over them is divided by.
int64_t tt_dataset_target_tokens(const tt_dataset *dataset, const int32_t *examples, int n);

#endif
