// One precision for all ranks.
#ifndef TT_DIST_PRECISION_H
#define TT_DIST_PRECISION_H

#include "host/dist/comm.h"
#include "kernels/device.h"

#ifdef __cplusplus
extern "C" {
#endif

// Turns TT_PRECISION_AUTO into bf16 if that is what it means on every rank's device of this name, else into
// fp32; leaves the others as they are. All ranks call it, after tt_comm_choose_gpu.
tt_status tt_comm_precision(tt_comm *comm, const char *device, tt_precision *precision) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
