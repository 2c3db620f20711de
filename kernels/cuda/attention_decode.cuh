// Attention over a K/V cache has two ways: any operands and heads (attention_decode.cu), and tensor cores
// (attention_decode_runs.cu).
#ifndef TT_KERNELS_CUDA_ATTENTION_DECODE_CUH
#define TT_KERNELS_CUDA_ATTENTION_DECODE_CUH

#include "kernels/cuda/attention.cuh"

// Whether tensor cores can do it.
bool tt_cuda_decodes_runs(const tt_device *device, const tt_attention_decode *p);
tt_status tt_cuda_decode_runs(tt_device *device, const tt_attention_decode *p, const bias_plan *bias);

#endif
