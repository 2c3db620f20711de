// Reading tasks: JSONL files of {"input": "...", "target": "..."}.
#ifndef TT_TRAIN_READING_TASKS_H
#define TT_TRAIN_READING_TASKS_H

#include "host/data/dataset.h"

#ifdef __cplusplus
extern "C" {
#endif

// Appends a file's pairs, tokenised. Empty lines are skipped. Errors: TT_ERR_IO; TT_ERR_INPUT as file:line.
tt_status tt_pairs_add_file(tt_dataset *dataset, const char *path, const tt_tokenizer *tokenizer,
    int max_input, int max_target) TT_MUST_CHECK;
// Appends a pair of ids; both end with </s>.
tt_status tt_pairs_add_ids(tt_dataset *dataset, const int32_t *input, int n_input, const int32_t *target,
    int n_target) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
