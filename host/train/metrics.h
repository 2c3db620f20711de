// metrics.jsonl: one JSON object per line, appended while a run trains. Only rank 0 writes.
#ifndef TT_TRAIN_METRICS_H
#define TT_TRAIN_METRICS_H

#include "host/base/status.h"
#include "host/base/str.h"
#include "host/train/tensorboard.h"

#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_metrics {
    FILE *file; // NULL on ranks that do not write: all calls do nothing
    char *path;
    tt_tensorboard board; // optional: the caller opens it after tt_metrics_open, to write the lines there too
} tt_metrics;

// Opens `path` for appending and truncates it to `bytes`, its length when the checkpoint to resume from was
// written (0 = a new run). Lines that a stopped run wrote after its last checkpoint are written again. The
// caller closes it. Errors: TT_ERR_IO, TT_ERR_NOMEM.
tt_status tt_metrics_open(tt_metrics *out, const char *path, int64_t bytes) TT_MUST_CHECK;
void tt_metrics_close(tt_metrics *metrics);
// Appends a line; the format has no newline. Errors: TT_ERR_IO, TT_ERR_NOMEM.
tt_status tt_metrics_line(tt_metrics *metrics, const char *format, ...) TT_PRINTF(2, 3) TT_MUST_CHECK;
// Writes all lines to disk (fsync); *bytes receives the length of the file. Errors: TT_ERR_IO.
tt_status tt_metrics_sync(tt_metrics *metrics, int64_t *bytes) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
