// Reading tasks: JSONL files of {"input": "...", "target": "..."}, which pretraining mixes with span corruption
// (configuration key pretraining.pairs).
#ifndef TT_TRAIN_READING_TASKS_H
#define TT_TRAIN_READING_TASKS_H

#include "host/data/dataset.h"

#ifdef __cplusplus
extern "C" {
#endif

// Appends a file's tasks, tokenised; inputs and targets are cut to at most max_input and max_target tokens,
// </s> included. Empty lines are skipped. Errors: TT_ERR_IO; TT_ERR_INPUT as file:line; TT_ERR_NOMEM.
tt_status tt_reading_tasks_add_file(tt_dataset *dataset, const char *path, const tt_tokenizer *tokenizer,
    int max_input, int max_target) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
