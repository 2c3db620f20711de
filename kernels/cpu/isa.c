#include "kernels/cpu/cpu.h"

#include <omp.h>

int tt_cpu_thread(void) {
    return omp_get_thread_num();
}

// Mirrors the choice that TT_MULTIVERSION's dispatch makes.
const char *tt_cpu_isa(void) {
#if defined(__x86_64__) && defined(__GNUC__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        return "avx512";
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return "avx2";
    return "sse2";
#elif defined(__aarch64__)
    return "neon";
#else
    return "generic";
#endif
}
