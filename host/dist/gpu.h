// Which GPU a rank computes on, and connecting them.
#ifndef TT_DIST_GPU_H
#define TT_DIST_GPU_H

#include "host/dist/comm.h"

#ifdef __cplusplus
extern "C" {
#endif

// Each rank takes the GPU with its number among the ranks of its machine (modulo the GPUs there), unless
// `device` is "cpu". With several ranks, rank 0 prints who has which. All ranks call it, before they open a
// device. Errors, on all ranks: TT_ERR_UNSUPPORTED where only some of them have a GPU.
tt_status tt_comm_choose_gpu(tt_comm *comm, const char *device) TT_MUST_CHECK;
// Lets the ranks' GPUs talk to each other (NCCL) where each rank has one of its own; else gradients go by way
// of the host. All ranks call it, with what they opened after choosing. Errors: TT_ERR_DIST.
tt_status tt_comm_connect_gpus(tt_comm *comm, const tt_device *device) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
