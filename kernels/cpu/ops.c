// The CPU device's table of operations.
#include "kernels/cpu/cpu.h"

const tt_ops *tt_cpu_ops(void) {
    static const tt_ops ops = {
        .embed_fwd = tt_cpu_embed_fwd,
        .embed_bwd = tt_cpu_embed_bwd,
        .rmsnorm_fwd = tt_cpu_rmsnorm_fwd,
        .rmsnorm_bwd = tt_cpu_rmsnorm_bwd,
        .rmsnorm_dw = tt_cpu_rmsnorm_dw,
        .gemm = tt_cpu_gemm,
        .attention_fwd = tt_cpu_attention_fwd,
        .attention_bwd = tt_cpu_attention_bwd,
        .attention_dbias = tt_cpu_attention_dbias,
        .ffn_fwd = tt_cpu_ffn_fwd,
        .ffn_bwd = tt_cpu_ffn_bwd,
        .lmhead_fwd = tt_cpu_lmhead_fwd,
        .lmhead_bwd = tt_cpu_lmhead_bwd,
        .lmhead_fused = tt_cpu_lmhead_fused,
        .adamw = tt_cpu_adamw,
        .square_sum = tt_cpu_square_sum,
        .scale = tt_cpu_scale,
        .to_bf16 = tt_cpu_to_bf16,
        .attention_decode = tt_cpu_attention_decode,
        .enter = tt_cpu_enter,
        .advance = tt_cpu_advance,
        .sample = tt_cpu_sample,
        .log_softmax = tt_cpu_log_softmax,
        .penalise = tt_cpu_penalise,
        .top = tt_cpu_top,
        .beam_step = tt_cpu_beam_step,
    };
    return &ops;
}
