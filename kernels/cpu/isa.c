#include "kernels/cpu/isa.h"

#include "kernels/cpu/cpu.h"

#include <oneapi/dnnl/dnnl.h>

#include <omp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

int tt_cpu_thread(void) {
    return omp_get_thread_num();
}

#if defined(__x86_64__)
static const char *const names[] = {[TT_BASELINE] = "sse2", [TT_AVX2] = "avx2", [TT_AVX512] = "avx512"};
#elif defined(__aarch64__)
static const char *const names[] = {"neon"};
#else
static const char *const names[] = {"generic"};
#endif
enum { LEVELS = sizeof names / sizeof *names };

static tt_cpu_level level_of_machine(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return TT_BASELINE;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        return TT_AVX512;
    return TT_AVX2;
#else
    return TT_BASELINE;
#endif
}

// The level named by TT_MAX_CPU_ISA; LEVELS if it is not set, -1 if the name is unknown.
static int level_wanted(void) {
    const char *name = getenv("TT_MAX_CPU_ISA");
    if (!name || !*name) return LEVELS;
    int level = LEVELS - 1;
    while (level >= 0 && strcmp(names[level], name) != 0) --level;
    return level;
}

// Threads that call it at the same time compute the same value.
tt_cpu_level tt_cpu_level_of_process(void) {
    static atomic_int known = -1;
    int level = atomic_load_explicit(&known, memory_order_relaxed);
    if (level >= 0) return (tt_cpu_level)level;
    const int wanted = level_wanted();
    level = (int)level_of_machine();
    if (wanted >= 0 && wanted < level) level = wanted;
    atomic_store_explicit(&known, level, memory_order_relaxed);
    return (tt_cpu_level)level;
}

tt_status tt_cpu_isa_limit(void) {
    const int wanted = level_wanted();
    if (wanted < 0)
        return tt_fail(TT_ERR_CONFIG,
            "TT_MAX_CPU_ISA=%s: unknown instruction set; allowed on this machine: %s",
            getenv("TT_MAX_CPU_ISA"), LEVELS > 1 ? "sse2, avx2, avx512" : names[0]);
#if defined(__x86_64__)
    // oneDNN refuses this once it has computed something; then it has been limited before.
    if (wanted < TT_AVX512 && !getenv("ONEDNN_MAX_CPU_ISA"))
        (void)dnnl_set_max_cpu_isa(wanted == TT_AVX2 ? dnnl_cpu_isa_avx2 : dnnl_cpu_isa_sse41);
#endif
    return TT_OK;
}

const char *tt_cpu_isa(void) {
    return names[tt_cpu_level_of_process()];
}
