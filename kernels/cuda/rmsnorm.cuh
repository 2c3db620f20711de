// RMSNorm has a way of its own for few rows (rmsnorm_few.cu).
#ifndef TT_KERNELS_CUDA_RMSNORM_CUH
#define TT_KERNELS_CUDA_RMSNORM_CUH

#include "kernels/cuda/kernel.cuh"

// Whether it is for this: few rows, not too wide, no dropout.
bool tt_cuda_rmsnorm_is_few(const tt_rmsnorm *p);
tt_status tt_cuda_rmsnorm_few(tt_device *device, const tt_rmsnorm *p);

#endif
