// The moments of an optimiser on their way to a checkpoint and back, whether they are divided among ranks or not. The file
// is the same; no rank holds more of the others' moments than a piece.
#ifndef TT_TRAIN_MOMENTS_H
#define TT_TRAIN_MOMENTS_H

#include "host/model/checkpoint.h"
#include "host/train/optimizer.h"

#ifdef __cplusplus
extern "C" {
#endif

// What tt_checkpoint_save reads moments from, on rank 0. Where they are divided, rank 0 calls tt_moments_end when the
// file is written, or could not be, and all other ranks are in tt_moments_serve meanwhile.
tt_moment_source tt_moments_source(tt_optimizer *optimizer);
// Sends rank 0 what it asks for, until it has asked for all that it wants. Errors: TT_ERR_DIST, TT_ERR_DEVICE, TT_ERR_NOMEM.
tt_status tt_moments_serve(tt_optimizer *optimizer) TT_MUST_CHECK;
tt_status tt_moments_end(tt_optimizer *optimizer) TT_MUST_CHECK;

// Reads this rank's moments from a checkpoint of any number of ranks. Errors: those of tt_checkpoint_moments.
tt_status tt_moments_load(tt_optimizer *optimizer, const tt_checkpoint *checkpoint) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
