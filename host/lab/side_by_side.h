// Finished runs side by side.
#ifndef TT_LAB_SIDE_BY_SIDE_H
#define TT_LAB_SIDE_BY_SIDE_H

#include "host/base/status.h"

#include <stdio.h>

// One row per run directory, read from its result.json: steps, accuracy on test and control with their 95 %
// intervals, self-consistency, speed and wall time. Errors: TT_ERR_IO or TT_ERR_FORMAT naming the directory
// without a (readable) result.
tt_status tt_side_by_side(const char *const *directories, int n, FILE *out) TT_MUST_CHECK;

#endif
