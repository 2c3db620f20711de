// pairs.h5 in the folder of an iteration: rank 0 writes it, all ranks read it.
#ifndef TT_TRAIN_REFLECTION_PAIRS_FILE_H
#define TT_TRAIN_REFLECTION_PAIRS_FILE_H

#include "host/base/fs.h"
#include "host/data/preferences.h"
#include "host/train/reflection/runs.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_pairs_file {
    const tt_reflection_context *context; // borrowed
    char path[TT_PATH_MAX];
    bool exists; // when it was opened; the same on all ranks
} tt_pairs_file;

// All of these are called on all ranks and return the same status on all.

// Looks whether there is a file. Errors: TT_ERR_CONFIG for a path that is too long.
tt_status tt_pairs_file_open(tt_pairs_file *out, const tt_reflection_context *context) TT_MUST_CHECK;
// Loads the file. *complete: its pairs were chosen by the rules of this program and have been scored by the
// reference. Errors: TT_ERR_FORMAT when it is complete, but scored by another checkpoint than `reference`;
// TT_ERR_IO. After an error `out` is empty.
tt_status tt_pairs_file_load(
    const tt_pairs_file *file, uint64_t reference, tt_preferences *out, bool *complete) TT_MUST_CHECK;
// Writes rank 0's pairs. Errors: TT_ERR_IO.
tt_status tt_pairs_file_save(const tt_pairs_file *file, const tt_preferences *pairs) TT_MUST_CHECK;
// Writes rank 0's pairs; the other ranks replace theirs by them. Errors: TT_ERR_IO, TT_ERR_NOMEM.
tt_status tt_pairs_file_share(const tt_pairs_file *file, tt_preferences *pairs) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
