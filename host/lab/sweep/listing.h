// What sweeps will do, for people: their runs, and the phases that these have in common, with what they cost.
#ifndef TT_LAB_SWEEP_LISTING_H
#define TT_LAB_SWEEP_LISTING_H

#include "host/base/str.h"
#include "host/lab/sweep/sweeps.h"

#ifdef __cplusplus
extern "C" {
#endif

// Appends a line for each run and for each phase, and sums. `speed`: tokens a second from which times are estimated; 0:
// those that finished runs below the output measured. Errors: TT_ERR_NOMEM.
tt_status tt_sweep_list(const tt_sweeps *sweeps, double speed, tt_str *out) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
