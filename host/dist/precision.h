// One precision for all ranks.
#ifndef TT_DIST_PRECISION_H
#define TT_DIST_PRECISION_H

#include "host/dist/comm.h"
#include "kernels/device.h"

#ifdef __cplusplus
extern "C" {
#endif

// Replaces TT_PRECISION_AUTO by bf16 if every rank's device of this name would choose it, else by fp32.
// Leaves other values unchanged. All ranks call it after tt_comm_choose_gpu. Errors: those of tt_device_open.
tt_status tt_comm_precision(tt_comm *comm, const char *device, tt_precision *precision) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
