// TensorBoard event files, so that a run can be followed there: numbers of metrics.jsonl as scalars.
//
// A file is a list of records: length (u64), masked CRC-32C of the length, bytes, masked CRC-32C of the bytes.
// The bytes are an Event of TensorFlow's event.proto, of which these fields are written:
//   wall_time = 1, step = 2, file_version = 3, summary = 5
// and in a summary value = 1, which has tag = 1 and simple_value = 2.
#ifndef TT_TRAIN_TENSORBOARD_H
#define TT_TRAIN_TENSORBOARD_H

#include "host/base/status.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_tensorboard {
    FILE *file;
    char *path;
} tt_tensorboard;

// Creates a new event file in `directory`, and the directory where it is missing. TensorBoard reads all files of
// a directory together, so steps that a resumed run repeats after its last checkpoint appear twice. The caller
// closes it. Errors: TT_ERR_IO, TT_ERR_NOMEM.
tt_status tt_tensorboard_open(tt_tensorboard *out, const char *directory) TT_MUST_CHECK;
void tt_tensorboard_close(tt_tensorboard *board);
// A line of metrics.jsonl: every number of it becomes a scalar PHASE/STAGE/NAME (PHASE/validation/NAME) at
// its step. Lines without phase and step are left out; a board that is not open ignores all lines. Errors:
// TT_ERR_IO, TT_ERR_NOMEM.
tt_status tt_tensorboard_line(tt_tensorboard *board, const char *json) TT_MUST_CHECK;

// CRC-32C (Castagnoli), for tests.
uint32_t tt_crc32c(const void *bytes, size_t n);

#ifdef __cplusplus
}
#endif

#endif
