// Whether this CPU has bf16 products. Asked by doing one, once for the process: what oneDNN has depends on its version, its
// build, the CPU, TT_MAX_CPU_ISA and ONEDNN_MAX_CPU_ISA.
#include "kernels/cpu/cpu.h"
#include "kernels/cpu/isa.h"
#include "kernels/cpu/reserve.h"

#include <oneapi/dnnl/dnnl.h>

#include <stdatomic.h>

static tt_bf16_support ask(void) {
    tt_device probe = {
        .memory = tt_cpu_memory(), .precision = TT_BF16, .operand_size = sizeof(uint16_t), .threads = 1};
    const uint16_t one = 0x3f80;
    uint16_t c;
    const tt_gemm p = {
        .m = 1, .n = 1, .k = 1, .alpha = 1, .a = &one, .b = &one, .c = &c, .lda = 1, .ldb = 1, .ldc = 1};
    if (tt_cpu_isa_limit() != TT_OK) return TT_BF16_NONE; // which opening the device reports
    const tt_status status = tt_cpu_gemm(&probe, &p);
    tt_cpu_gemm_close(&probe);
    tt_tally_close(&probe.tally);
    if (status != TT_OK) return TT_BF16_NONE;
#if defined(__x86_64__)
    const unsigned present = (unsigned)dnnl_get_effective_cpu_isa(),
                   bf16 = (unsigned)dnnl_cpu_isa_avx512_core_bf16;
    if ((present & bf16) == bf16) return TT_BF16_FAST; // sets of bits: AMX includes it
#endif
    return TT_BF16_SLOW;
}

// Threads that call it at the same time find the same.
tt_bf16_support tt_cpu_bf16(void) {
    static atomic_int known = -1;
    int support = atomic_load_explicit(&known, memory_order_relaxed);
    if (support >= 0) return (tt_bf16_support)support;
    support = (int)ask();
    atomic_store_explicit(&known, support, memory_order_relaxed);
    return (tt_bf16_support)support;
}
