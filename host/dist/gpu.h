// The choice of a GPU for each rank, and the connection between them.
#ifndef TT_DIST_GPU_H
#define TT_DIST_GPU_H

#include "host/dist/comm.h"

#ifdef __cplusplus
extern "C" {
#endif

// Each rank takes the GPU with its number among the ranks of its machine (modulo the GPUs there), unless
// `device` is "cpu". With several ranks, rank 0 prints a table of them. All ranks call it before they open a
// device. Errors, on all ranks: TT_ERR_UNSUPPORTED if only some of them have a GPU.
tt_status tt_comm_choose_gpu(tt_comm *comm, const char *device) TT_MUST_CHECK;
// Connects the ranks' GPUs by NCCL if each rank has one of its own; otherwise gradients are summed through
// host memory. All ranks call it with the device that they opened after tt_comm_choose_gpu. Errors:
// TT_ERR_DIST.
tt_status tt_comm_connect_gpus(tt_comm *comm, const tt_device *device) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
