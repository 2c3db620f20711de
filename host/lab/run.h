// An experiment from its configuration to its result: pretraining and acquisition if enabled, the iterations
// of reflection, final evaluation, in a run directory. Started again it goes on wherever it stopped, to the
// same bits.
#ifndef TT_LAB_RUN_H
#define TT_LAB_RUN_H

#include "host/config/config.h"
#include "host/dist/comm.h"

#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

// All ranks call it. `fresh` starts over in an existing run directory. The final table goes to `out` on rank
// 0. A precision that is auto becomes in *config what the run has. Errors: TT_ERR_CONFIG for a run directory
// of another configuration; TT_ERR_INTERRUPTED after Ctrl-C, with everything saved; those of the phases.
tt_status tt_run(tt_config *config, tt_comm *comm, bool fresh, FILE *out) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
