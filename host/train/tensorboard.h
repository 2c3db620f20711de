// TensorBoard event files, so that a run can be followed there: numbers of metrics.jsonl as scalars.
//
// A file is a row of records: length (u64), masked CRC-32C of it, bytes, masked CRC-32C of them; the bytes
// are an Event of TensorFlow's event.proto: wall_time = 1, step = 2, file_version = 3, summary = 5 with value
// = 1 of tag = 1, simple_value = 2.
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

// Begins a new event file in `directory`, which is made. TensorBoard reads all files of a directory together;
// what a stopped run logs again after its last checkpoint is there twice. Errors: TT_ERR_IO.
tt_status tt_tensorboard_open(tt_tensorboard *out, const char *directory) TT_MUST_CHECK;
void tt_tensorboard_close(tt_tensorboard *board);
// A line of metrics.jsonl: every number of it becomes a scalar PHASE/STAGE/NAME (PHASE/validation/NAME) at
// its step. Lines without phase and step are left out.
tt_status tt_tensorboard_line(tt_tensorboard *board, const char *json) TT_MUST_CHECK;

// CRC-32C (Castagnoli), for tests.
uint32_t tt_crc32c(const void *bytes, size_t n);

#ifdef __cplusplus
}
#endif

#endif
