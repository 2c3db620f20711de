// Instruction sets: which one this process computes with, and functions compiled for each of them.
//
// TT_MAX_CPU_ISA=avx2 (or sse2) in the environment limits the program to these instructions, oneDNN included
// (unless ONEDNN_MAX_CPU_ISA says otherwise), to test what other machines run.
#ifndef TT_KERNELS_CPU_ISA_H
#define TT_KERNELS_CPU_ISA_H

#include "host/base/status.h"

typedef enum tt_cpu_level {
    TT_BASELINE, // what every CPU of the architecture has
    TT_AVX2,     // with FMA
    TT_AVX512    // F, BW, DQ and VL
} tt_cpu_level;

// The CPU's level, or TT_MAX_CPU_ISA's if that is lower; it does not change while the process runs.
tt_cpu_level tt_cpu_level_of_process(void);
// Checks TT_MAX_CPU_ISA and passes it to oneDNN. Errors: TT_ERR_CONFIG for an unknown name.
tt_status tt_cpu_isa_limit(void) TT_MUST_CHECK;

#define TT_INLINE static inline __attribute__((always_inline))

// A static function compiled for each level and chosen when it is called:
//     TT_MULTIVERSION(float, largest, (const float *x, int n), (x, n)) { ... }
// The compiler's target_clones would not do: they choose before main, without regard to the environment, and
// neither clang nor the sanitizers support them well.
#if defined(__x86_64__) && defined(__GNUC__)
#define TT_FOR_AVX2 __attribute__((target("avx2,fma")))
#define TT_FOR_AVX512 __attribute__((target("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")))
// In a function: returns what the version of `name` for the process's level does with the arguments.
#define TT_DISPATCH(name, arguments)                                                                         \
    switch (tt_cpu_level_of_process()) {                                                                     \
    case TT_AVX512:                                                                                          \
        return name##_avx512 arguments;                                                                      \
    case TT_AVX2:                                                                                            \
        return name##_avx2 arguments;                                                                        \
    case TT_BASELINE:                                                                                        \
        break;                                                                                               \
    }                                                                                                        \
    return name##_baseline arguments
#define TT_MULTIVERSION(type, name, parameters, arguments)                                                   \
    TT_INLINE type name##_any parameters;                                                                    \
    TT_FOR_AVX512 static type name##_avx512 parameters {                                                     \
        return name##_any arguments;                                                                         \
    }                                                                                                        \
    TT_FOR_AVX2 static type name##_avx2 parameters {                                                         \
        return name##_any arguments;                                                                         \
    }                                                                                                        \
    static type name##_baseline parameters {                                                                 \
        return name##_any arguments;                                                                         \
    }                                                                                                        \
    static type name parameters {                                                                            \
        TT_DISPATCH(name, arguments);                                                                        \
    }                                                                                                        \
    TT_INLINE type name##_any parameters
#else
#define TT_DISPATCH(name, arguments) return name##_baseline arguments
#define TT_MULTIVERSION(type, name, parameters, arguments) static type name parameters
#endif

#endif
