// What operations of the CPU device take for themselves: bytes of tt_device_scratch, and for products and the LM head the
// buffers that are kept from call to call. The operations call these functions themselves; kernels/counting.h calls them
// instead of the operations. They read no tensors.
#ifndef TT_KERNELS_CPU_RESERVE_H
#define TT_KERNELS_CPU_RESERVE_H

#include "kernels/ops.h"

size_t tt_cpu_embed_bwd_scratch(const tt_device *, const tt_embedding *);
size_t tt_cpu_rmsnorm_fwd_scratch(const tt_device *, const tt_rmsnorm *);
size_t tt_cpu_rmsnorm_bwd_scratch(const tt_device *, const tt_rmsnorm *);
// Where the longest sequences have these lengths; tt_attention has upper bounds of them.
size_t tt_cpu_attention_fwd_scratch(const tt_device *, const tt_attention *, int longest_q, int longest_kv);
size_t tt_cpu_attention_bwd_scratch(const tt_device *, const tt_attention *, int longest_q, int longest_kv);
size_t tt_cpu_square_sum_scratch(int64_t n);
size_t tt_cpu_sample_scratch(const tt_device *, const tt_sample *);

tt_status tt_cpu_gemm_reserve(tt_device *, const tt_gemm *) TT_MUST_CHECK;
tt_status tt_cpu_lmhead_reserve(tt_device *, const tt_lmhead *, bool backward) TT_MUST_CHECK;

void tt_cpu_gemm_close(tt_device *); // releases device->state, which belongs to gemm

#endif
