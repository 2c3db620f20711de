// Runs through the stages, logged as JSON lines while they are generated, so that interrupted generation resumes
// where it stopped. The first line says what the runs were made with; a log made with anything else is started
// again.
//
//   {"made_with": "..."}
//   {"item": 12, "runs": [{"recall": "...", "analyze": ["...", ...], "answer": 3}, ...]}
//   {"synced": true}
//
// Items that were added together count only once the line "synced" follows them: so a resumed run generates whole pieces of items
// (portions.h), as one that was never stopped does, and the same bits.
#ifndef TT_REASON_RUN_LOG_H
#define TT_REASON_RUN_LOG_H

#include "host/base/memory.h"
#include "host/reason/chain.h"

#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

// What a log is about: n_items items of `samples` runs each; n_options[item] options of its question. Borrowed.
typedef struct tt_run_log_items {
    int n_items, samples;
    const int *n_options;
} tt_run_log_items;

typedef struct tt_run_log {
    int n_items, samples;
    int *n_options;     // [n_items]
    tt_chain_run *runs; // [n_items, samples]; summary is NULL
    bool *done;         // [n_items]: whose runs are there
    FILE *file;
    char *path;
    tt_arena memory;
} tt_run_log;

// Reads the log at `path`, if it was made with `made_with`, and opens it for appending. Lines that are not synced are
// dropped. The caller closes it. Errors: TT_ERR_IO, TT_ERR_NOMEM; TT_ERR_FORMAT as file:line, also for runs that do not
// fit the items: an answer that is no option, analyses of fewer or more options.
tt_status tt_run_log_open(
    tt_run_log *out, const char *path, const char *made_with, const tt_run_log_items *items) TT_MUST_CHECK;
void tt_run_log_close(tt_run_log *log);
// Appends to `out` the line for tt_run_log_add of an item's runs[samples]; its question has n_options options.
// Errors: TT_ERR_NOMEM.
tt_status tt_run_log_line(
    tt_str *out, int item, const tt_chain_run *runs, int samples, int n_options) TT_MUST_CHECK;
// Adds lines, each ending with a newline, to the log: in memory and on disk (fdatasync). Errors: TT_ERR_IO,
// TT_ERR_NOMEM; TT_ERR_FORMAT for a line that is not one of tt_run_log_line.
tt_status tt_run_log_add(tt_run_log *log, const char *lines, size_t bytes) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
