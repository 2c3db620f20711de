// Adapted students: a checkpoint with all weights, the base, and sets of adapters (adapters.h) on top of it. Each phase
// that trains adapters adds a set of its own. Sets are merged into the weights in that order; the one that is being
// trained is model->adapters. So a checkpoint of such a student is as small as its adapters, and whoever reads it needs
// the base.
//
// In the file: group /adapters with the attributes base (its path), base_hash, sets and parameters (of the whole model); in
// it a group for each set, 0, 1, ..., with rank, alpha and targets, and with tensors under PEFT's names.
#ifndef TT_MODEL_ADAPTED_H
#define TT_MODEL_ADAPTED_H

#include "host/base/path.h"
#include "host/data/hdf5_file.h"
#include "host/model/adapters.h"

#ifdef __cplusplus
extern "C" {
#endif

// Adapters that have been merged into the weights.
typedef struct tt_adapter_set {
    tt_adapter_options options;
    tt_adapter *items; // [n]; their weights are those of the model
    int n;
    size_t size;
    float *w; // host memory [size], as tt_adapters.w
} tt_adapter_set;

typedef struct tt_adapted {
    // Path of the base, absolute: where it was when written, or, once loaded, where it was found.
    char base[TT_PATH_MAX];
    uint64_t base_hash;   // tt_checkpoint_hash of it
    tt_adapter_set *sets; // [n]
    int n;
    size_t capacity;
    uint64_t hash; // of the base and the sets: of the student without model->adapters
} tt_adapted;

// The path by which files name `path` as their base: absolute, without links; of a shipped file, where it is. Errors:
// TT_ERR_IO where there is no such file.
tt_status tt_adapted_base_path(char out[TT_PATH_MAX], const char *path) TT_MUST_CHECK;
// The base that the checkpoint `file` names, or "" where it has all weights itself. Errors: TT_ERR_IO, TT_ERR_FORMAT.
tt_status tt_adapted_base_of(char out[TT_PATH_MAX], const char *file) TT_MUST_CHECK;
// Copies the checkpoint `from` of an adapted student to `to`, where it names another path of its base. Errors: TT_ERR_IO,
// TT_ERR_FORMAT.
tt_status tt_adapted_copy(const char *from, const char *to, const char *base) TT_MUST_CHECK;

// Begins with the base at `path` and no sets. The caller closes it. Errors: TT_ERR_NOMEM; TT_ERR_IO where there is no
// such file.
tt_status tt_adapted_open(tt_adapted **out, const char *path, uint64_t hash) TT_MUST_CHECK;
void tt_adapted_close(tt_adapted *adapted); // NULL: nothing
// Merges model->adapters into the weights and adds them as the last set.
tt_status tt_adapted_settle(tt_adapted *adapted, tt_model *model) TT_MUST_CHECK;

// Writes base and sets, model->adapters last if there are any. Errors also: TT_ERR_NUMERIC where a number is NaN or
// infinite.
tt_status tt_adapted_write(const tt_h5 *h, const tt_adapted *adapted, const tt_model *model) TT_MUST_CHECK;
// Reads what is said of the base. The caller closes *out.
tt_status tt_adapted_read(tt_adapted **out, const tt_h5 *h) TT_MUST_CHECK;
// Reads the sets into a model that has the base's weights, and merges them; with `train` the last one becomes
// model->adapters. *hash: of the student with all of them.
tt_status tt_adapted_read_sets(
    tt_adapted *adapted, const tt_h5 *h, tt_model *model, bool train, uint64_t *hash) TT_MUST_CHECK;
// The places, counted from 0, where the base of the checkpoint `file` may be: where it was, and, for files that were moved
// together, the folder of `file`, checkpoints in it, and the one above. False behind the last.
bool tt_adapted_place(const tt_adapted *adapted, const char *file, int place, char path[TT_PATH_MAX]);

#ifdef __cplusplus
}
#endif

#endif
