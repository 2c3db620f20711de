// Runs through the stages, kept as JSON lines while they are generated, so that generation stopped in the
// middle goes on where it was. The first line says what the runs were made with; a log made with anything
// else is begun anew.
//
//   {"made_with": "..."}
//   {"item": 12, "runs": [{"recall": "...", "analyze": ["...", ...], "answer": 3}, ...]}
//   {"synced": true}
//
// What was added together counts together, once the line "synced" stands behind it: so work is cut into the
// same pieces whether it was stopped or not, and comes to the same bits.
#ifndef TT_REASON_RUN_LOG_H
#define TT_REASON_RUN_LOG_H

#include "host/base/memory.h"
#include "host/reason/chain.h"

#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_run_log {
    int n_items, samples;
    tt_chain_run *runs; // [n_items, samples]; summary is NULL
    bool *done;         // [n_items]
    FILE *file;
    char *path;
    tt_arena memory;
} tt_run_log;

// Reads what `path` has of n_items items of `samples` runs each, made with `made_with`, and is ready to
// append. What is not synced is dropped. Errors: TT_ERR_IO, TT_ERR_FORMAT as file:line.
tt_status tt_run_log_open(
    tt_run_log *out, const char *path, const char *made_with, int n_items, int samples) TT_MUST_CHECK;
void tt_run_log_close(tt_run_log *log);
// The line of an item's runs, appended to `out` for tt_run_log_add. Of n_options options.
tt_status tt_run_log_line(
    tt_str *out, int item, const tt_chain_run *runs, int samples, int n_options) TT_MUST_CHECK;
// Takes lines, each ending with a newline, into memory and to disk (synced).
tt_status tt_run_log_add(tt_run_log *log, const char *lines, size_t bytes) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
