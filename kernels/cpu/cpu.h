// Shared by the CPU kernels: access to operands, and the functions behind the table of operations.
#ifndef TT_KERNELS_CPU_CPU_H
#define TT_KERNELS_CPU_CPU_H

#include "kernels/cpu/isa.h"
#include "kernels/cpu/team.h"
#include "kernels/ops.h"

// Operands where they are fp32; see operand.h.
TT_INLINE const float *tt_in(const tt_operand *operand) {
    return operand;
}
TT_INLINE float *tt_out(tt_operand *operand) {
    return operand;
}

// Number of the calling thread within its parallel region.
int tt_cpu_thread(void);

// The CPU device's functions of memory.
const tt_memory *tt_cpu_memory(void);

// Fills in ops, memory, name and threads (0: as many as OpenMP would take).
// Errors: TT_ERR_CONFIG for a TT_MAX_CPU_ISA that is unknown; TT_ERR_UNSUPPORTED for bf16 on a CPU without
// it.
tt_status tt_cpu_open(tt_device *, int threads) TT_MUST_CHECK;

tt_status tt_cpu_embed_fwd(tt_device *, const tt_embedding *);
tt_status tt_cpu_embed_bwd(tt_device *, const tt_embedding *);
tt_status tt_cpu_rmsnorm_fwd(tt_device *, const tt_rmsnorm *);
tt_status tt_cpu_rmsnorm_bwd(tt_device *, const tt_rmsnorm *);
tt_status tt_cpu_rmsnorm_dw(tt_device *, const tt_rmsnorm_sum *, int n, int d);
tt_status tt_cpu_gemm(tt_device *, const tt_gemm *);
tt_status tt_cpu_attention_fwd(tt_device *, const tt_attention *);
tt_status tt_cpu_attention_bwd(tt_device *, const tt_attention *);
tt_status tt_cpu_attention_dbias(tt_device *, const tt_attention *);
tt_status tt_cpu_ffn_fwd(tt_device *, const tt_ffn *);
tt_status tt_cpu_ffn_bwd(tt_device *, const tt_ffn *);
tt_status tt_cpu_lmhead_fwd(tt_device *, const tt_lmhead *);
tt_status tt_cpu_lmhead_bwd(tt_device *, const tt_lmhead *);
tt_status tt_cpu_lmhead_fused(tt_device *, const tt_lmhead *);
tt_status tt_cpu_adamw(tt_device *, const tt_adamw *);
tt_status tt_cpu_square_sum(tt_device *, double *sum, const float *x, int64_t n);
tt_status tt_cpu_scale(tt_device *, float *x, int64_t n, float factor);
tt_status tt_cpu_to_bf16(tt_device *, uint16_t *out, const float *x, int64_t n);
tt_status tt_cpu_attention_decode(tt_device *, const tt_attention_decode *);
tt_status tt_cpu_enter(tt_device *, const tt_enter *);
tt_status tt_cpu_advance(tt_device *, const tt_advance *);
tt_status tt_cpu_sample(tt_device *, const tt_sample *);
tt_status tt_cpu_log_softmax(tt_device *, float *x, int rows, int n);
tt_status tt_cpu_penalise(tt_device *, const tt_penalise *);
tt_status tt_cpu_top(tt_device *, const tt_top *);
tt_status tt_cpu_beam_step(tt_device *, const tt_beam_step *);

#endif
