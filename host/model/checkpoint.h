// Checkpoints: HDF5 with /model/<Hugging Face name>, /optimizer/{m,v}, the tokenizer, configuration and the
// trainer's state; sealed and checksummed (host/data/hdf5_file.h), written to a temporary file, fsynced, renamed.
// That of an adapted student (adapted.h) has its adapters in place of the weights, and names the checkpoint that has those.
#ifndef TT_MODEL_CHECKPOINT_H
#define TT_MODEL_CHECKPOINT_H

#include "host/model/adapted.h"
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
    const tt_adapted *adapted;     // NULL: all weights are written; else the adapters, model->adapters last
    bool bf16;                     // store weights as bf16 (half the size; not for resuming)
    tt_moment_source moments;      // of tt_model_trained(model).size elements each
    const char *state;             // JSON text of the trainer's state and provenance, or NULL
    int keep;                      // earlier versions of the file that stay (host/base/versions.h)
} tt_checkpoint_write;

// Replaces the file at `path` as a whole or not at all. Errors: TT_ERR_IO; TT_ERR_NUMERIC where a weight is NaN or infinite,
// since no such file is loaded again.
tt_status tt_checkpoint_save(const char *path, const tt_checkpoint_write *what) TT_MUST_CHECK;

typedef struct tt_checkpoint {
    tt_model *model;
    tt_tokenizer *tokenizer;
    tt_adapted *adapted; // NULL: the file has all weights
    bool has_moments;    // tt_checkpoint_moments can be called
    size_t moment_size;  // elements of each
    struct tt_h5 *file;  // private: open for it
    char *state;         // JSON text, or NULL
    bool loaded, hashed; // private, as is `hash`: see tt_checkpoint_hash
    uint64_t hash;
} tt_checkpoint;

// The caller owns all of it; tt_checkpoint_close releases it. Errors: TT_ERR_IO (the file is missing),
// TT_ERR_FORMAT naming what is wrong: not HDF5, not a checkpoint, truncated, a checksum, a missing or
// misshapen tensor, NaN or Inf. For an adapted student its base is loaded, too, and the adapters are merged into the weights;
// with moments the last of them are model->adapters instead, to be trained on. Further errors then: TT_ERR_IO where the base is
// missing, cannot be read or has changed, naming it and what to do.
tt_status tt_checkpoint_load(tt_checkpoint *out, const char *path, tt_device *device) TT_MUST_CHECK;
// The same without weights and moments, which are not read: the model's are undefined. Errors: the same.
tt_status tt_checkpoint_outline(tt_checkpoint *out, const char *path, tt_device *device) TT_MUST_CHECK;
void tt_checkpoint_close(tt_checkpoint *checkpoint);
// *hash: of the weights as stored, or of the base and the adapters; it identifies the checkpoint. 0 for a student that was never
// stored. The first call reads all weights: ask before they are trained. Errors: TT_ERR_DEVICE, TT_ERR_NOMEM.
tt_status tt_checkpoint_hash(tt_checkpoint *checkpoint, uint64_t *hash) TT_MUST_CHECK;
// For what comes next: releases the moments, and merges model->adapters into the weights, where there are any.
tt_status tt_checkpoint_settle(tt_checkpoint *checkpoint) TT_MUST_CHECK;
// Reads elements [from, from + n) of a moment into device memory, in pieces. Errors: TT_ERR_FORMAT, TT_ERR_DEVICE, TT_ERR_NOMEM.
tt_status tt_checkpoint_moments(
    const tt_checkpoint *checkpoint, tt_moment which, size_t from, size_t n, float *out) TT_MUST_CHECK;
// Closes the file; has_moments is false afterwards.
void tt_checkpoint_forget_moments(tt_checkpoint *checkpoint);

#ifdef __cplusplus
}
#endif

#endif
