// Tokenised (input, target) pairs, their order, and packing them into batches.
#ifndef TT_DATA_DATASET_H
#define TT_DATA_DATASET_H

#include "host/base/status.h"
#include "host/data/batch.h"
#include "host/text/tokenizer.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// Zero-initialise; tt_dataset_close releases it.
typedef struct tt_dataset {
    const char *name; // of the stage; not owned
    int32_t *ids;     // inputs and targets back to back: input 0, target 0, input 1, ...
    int64_t *offsets; // [2 n + 1]: input i at offsets[2i]..offsets[2i+1], its target up to offsets[2i+2]
    int n;            // examples
    int64_t cut_inputs, cut_targets; // inputs and targets that were longer than their limit
    int64_t unknown, tokens;         // tokens that are <unk>, and all
    uint32_t first_example;          // example i has dropout identity first_example + i
    size_t ids_capacity, offsets_capacity;
    bool lent; // ids and offsets belong to the corpus, which outlives the dataset; nothing is added
} tt_dataset;

// How texts become ids.
typedef struct tt_dataset_encoding {
    const tt_tokenizer *tokenizer;
    int max_input, max_target; // tokens, </s> included; longer texts are cut
} tt_dataset_encoding;

// Appends a pair of texts as token ids. Errors: TT_ERR_INPUT for invalid UTF-8, TT_ERR_NOMEM; the dataset is then
// unchanged.
tt_status tt_dataset_add(tt_dataset *dataset, const tt_dataset_encoding *encoding, const char *input,
    const char *target) TT_MUST_CHECK;

// Appends n pairs texts[0..2n), input 0, target 0, input 1, ..., in this order; all threads tokenise. Errors: as
// tt_dataset_add for the first pair with one; those before it are in the dataset.
tt_status tt_dataset_add_all(
    tt_dataset *dataset, const tt_dataset_encoding *encoding, const char *const *texts, int n) TT_MUST_CHECK;

// Appends a pair of ids; both end with </s>. Errors: TT_ERR_NOMEM.
tt_status tt_dataset_add_ids(tt_dataset *dataset, const int32_t *input, int n_input, const int32_t *target,
    int n_target) TT_MUST_CHECK;

// What warnings about cut examples name: the phase, the limits, and the keys that set them.
typedef struct tt_dataset_limits {
    const char *phase, *input_key, *target_key;
    int64_t max_input, max_target;
} tt_dataset_limits;

// Warns of examples that were cut to their limits, and of tokens that the tokenizer does not know.
void tt_dataset_warn(const tt_dataset *dataset, const tt_dataset_limits *limits);
void tt_dataset_close(tt_dataset *dataset);

// Writes the examples' order in an epoch to order[0..n): a permutation of 0..n-1 that depends on (seed, stream, epoch)
// alone. `stream` tells the datasets of one run apart.
void tt_order(int32_t *order, int n, uint64_t seed, uint32_t stream, uint32_t epoch);

// Whose share of the work: that of rank 0 <= rank < ranks.
typedef struct tt_share {
    int rank, ranks;
} tt_share;

enum { TT_MOST_RANKS = 4096 }; // that a batch is dealt to

// Deals the n examples order[0..n) to the ranks so that their token counts are balanced: the longest first, each to the
// rank with the fewest tokens so far, ties by order. Writes the examples of `share` to `mine` (of n elements) and returns
// their number; -1 for more ranks than TT_MOST_RANKS. Together the ranks have each example once.
int tt_deal(const tt_dataset *dataset, const int32_t *order, int n, tt_share share, int32_t *mine);

// What all ranks get: examples[i] goes to ranks[i]. Those of a rank are in the order that tt_deal gives.
typedef struct tt_dealt {
    int32_t *examples, *ranks; // [n], the caller's
} tt_dealt;
// Returns n; -1 for more ranks than TT_MOST_RANKS.
int tt_deal_all(const tt_dataset *dataset, const int32_t *order, int n, int ranks, const tt_dealt *out);

// Appends examples to a packed batch, each with an encoder sequence of its own. `start`: decoder start token. Errors:
// TT_ERR_NOMEM.
tt_status tt_dataset_pack(
    const tt_dataset *dataset, const int32_t *examples, int n, int32_t start, tt_batch *batch) TT_MUST_CHECK;
// Number of target tokens of the given examples, by which a mean loss over them divides.
int64_t tt_dataset_target_tokens(const tt_dataset *dataset, const int32_t *examples, int n);

#ifdef __cplusplus
}
#endif

#endif
