// Memory of the CPU device: the host's.
#include "host/base/memory.h"
#include "host/base/cores.h"
#include "kernels/cpu/cpu.h"
#include "kernels/cpu/reserve.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

static tt_status memory_alloc(tt_device *device, void *out, size_t bytes, const char *what) {
    (void)device;
    return tt_alloc(out, bytes, 1, what);
}

static void memory_free(tt_device *device, void *memory) {
    (void)device;
    free(memory);
}

static tt_status memory_copy(tt_device *device, void *to, const void *from, size_t bytes) {
    (void)device;
    memcpy(to, from, bytes);
    return TT_OK;
}

static tt_status memory_zero(tt_device *device, void *memory, size_t bytes) {
    (void)device;
    memset(memory, 0, bytes);
    return TT_OK;
}

static tt_status memory_discard(tt_device *device, void *memory, size_t bytes) {
    if (device->poison) memset(memory, 0xff, bytes);
    return TT_OK;
}

static tt_status memory_wait(tt_device *device) {
    (void)device;
    return TT_OK;
}

// bf16 that is slower than fp32 is for those who ask for it.
static tt_status choose_precision(tt_device *device) {
    if (device->precision == TT_PRECISION_AUTO)
        device->precision = tt_cpu_bf16() == TT_BF16_FAST ? TT_BF16 : TT_FP32;
    else if (device->precision == TT_BF16 && tt_cpu_bf16() == TT_BF16_NONE)
        return tt_fail(TT_ERR_UNSUPPORTED,
            "precision bf16: oneDNN has no bf16 products for this CPU (%s); precision fp32 works on every "
            "CPU",
            tt_cpu_isa());
    return TT_OK;
}

const tt_memory *tt_cpu_memory(void) {
    static const tt_memory memory = {.alloc = memory_alloc,
        .free = memory_free,
        .upload = memory_copy,
        .download = memory_copy,
        .fetch = memory_copy,
        .copy = memory_copy,
        .zero = memory_zero,
        .discard = memory_discard,
        .wait = memory_wait,
        .close = tt_cpu_gemm_close};
    return &memory;
}

tt_status tt_cpu_open(tt_device *device, int threads) {
    TT_TRY(tt_cpu_isa_limit());
    TT_TRY(choose_precision(device));
    device->ops = tt_cpu_ops();
    device->memory = tt_cpu_memory();
    device->name = "cpu";
    device->threads = threads > 0 ? threads : tt_cores_threads();
    omp_set_num_threads(device->threads);
    return TT_OK;
}
