// Where a phase goes on from: the newest of its checkpoints that is sound.
#ifndef TT_LAB_RESUME_H
#define TT_LAB_RESUME_H

#include "host/dist/comm.h"
#include "host/model/checkpoint.h"
#include "host/train/phase.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_resume {
    tt_comm *comm;
    tt_device *device;
    const char *phase; // its name
    const char *path;  // of the newest checkpoint; earlier ones lie beside it (host/base/versions.h)
    int keep;          // how many of them there may be
} tt_resume;

// Loads the newest checkpoint that can be read, on all ranks, in the place of what *out held; where there is none,
// *found is false and *out stays. One that cannot be read is named with the reason and, once an earlier one is loaded,
// put aside as tt_version_damaged_name says. The caller closes *out. Errors, agreed by the ranks: that of the newest
// checkpoint where none of them can be read; TT_ERR_NOMEM, TT_ERR_DEVICE.
tt_status tt_resume_open(
    const tt_resume *from, tt_checkpoint *out, tt_phase_state *state, bool *found) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
