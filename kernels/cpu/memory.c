// Memory of the CPU device: the host's.
#include "host/base/memory.h"
#include "kernels/cpu/cpu.h"
#include "kernels/cpu/reserve.h"

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

const tt_memory *tt_cpu_memory(void) {
    static const tt_memory memory = {.alloc = memory_alloc,
        .host = true,
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
