// Checkpoints: HDF5 with /model/<Hugging Face name>, /optimizer/{m,v}, the tokenizer, configuration and the
// trainer's state; sealed and checksummed (host/data/hdf5_file.h), written to a temporary file, fsynced, renamed.
#ifndef TT_MODEL_CHECKPOINT_H
#define TT_MODEL_CHECKPOINT_H

#include "host/model/model.h"
#include "host/text/tokenizer.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum tt_moment { TT_MOMENT_M, TT_MOMENT_V, TT_MOMENTS } tt_moment; // Adam's first and second

// Where a writer gets moments from, in pieces and in order: elements [from, from + n) in host memory.
typedef struct tt_moment_source {
    void *self;
    tt_status (*read)(void *self, tt_moment which, size_t from, size_t n, float *out); // NULL: there are none
} tt_moment_source;

typedef struct tt_checkpoint_write {
    const tt_model *model;
    const tt_tokenizer *tokenizer; // travels inside
    bool bf16;                     // store weights as bf16 (half the size; not for resuming)
    tt_moment_source moments;      // of as many elements each as are trained
    const char *state;             // JSON text of the trainer's state and provenance, or NULL
    int keep;                      // earlier versions of the file that stay (host/base/versions.h)
} tt_checkpoint_write;

// Replaces the file at `path` as a whole or not at all. Errors: TT_ERR_IO; TT_ERR_NUMERIC where a weight is NaN or infinite,
// since no such file is loaded again.
tt_status tt_checkpoint_save(const char *path, const tt_checkpoint_write *what) TT_MUST_CHECK;

typedef struct tt_checkpoint {
    tt_model *model;
    tt_tokenizer *tokenizer;
    bool has_moments;   // tt_checkpoint_moments can be called
    size_t moment_size; // elements of each
    struct tt_h5 *file; // private: open for it
    char *state;        // JSON text, or NULL
    uint64_t hash;      // of the weights as stored; identifies the checkpoint
} tt_checkpoint;

// The caller owns all of it; tt_checkpoint_close releases it. Errors: TT_ERR_IO (the file is missing),
// TT_ERR_FORMAT naming what is wrong: not HDF5, not a checkpoint, truncated, a checksum, a missing or
// misshapen tensor, NaN or Inf.
tt_status tt_checkpoint_load(tt_checkpoint *out, const char *path, tt_device *device) TT_MUST_CHECK;
void tt_checkpoint_close(tt_checkpoint *checkpoint);
// Reads elements [from, from + n) of a moment into device memory, in pieces. Errors: TT_ERR_FORMAT, TT_ERR_DEVICE, TT_ERR_NOMEM.
tt_status tt_checkpoint_moments(
    const tt_checkpoint *checkpoint, tt_moment which, size_t from, size_t n, float *out) TT_MUST_CHECK;
// Closes the file; has_moments is false afterwards.
void tt_checkpoint_forget_moments(tt_checkpoint *checkpoint);

#ifdef __cplusplus
}
#endif

#endif
