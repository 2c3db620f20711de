#include "kernels/device.h"

#include "host/base/memory.h"
#include "kernels/cpu/cpu.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

tt_status tt_device_open(tt_device **out, const char *name, tt_precision precision, int threads) {
    *out = NULL;
    if (strcmp(name, "cuda") == 0)
        return tt_fail(TT_ERR_UNSUPPORTED, "device cuda: this build has none; use device: auto or cpu");
    if (strcmp(name, "auto") != 0 && strcmp(name, "cpu") != 0)
        return tt_fail(TT_ERR_CONFIG, "device '%s' is unknown; allowed are auto, cpu, cuda", name);
    tt_device *device;
    TT_TRY(tt_alloc(&device, 1, sizeof *device, "device"));
    device->ops = tt_cpu_ops();
    device->name = "cpu";
    device->precision = precision;
    device->threads = threads > 0 ? threads : omp_get_max_threads();
    omp_set_num_threads(device->threads);
    *out = device;
    return TT_OK;
}

void tt_device_close(tt_device *device) {
    if (!device) return;
    tt_cpu_gemm_close(device);
    free(device->scratch);
    free(device);
}

tt_status tt_device_alloc(tt_device *device, void *out, size_t count, size_t size, const char *what) {
    (void)device;
    return tt_alloc(out, count, size, what);
}

void tt_device_free(tt_device *device, void *memory) {
    (void)device;
    free(memory);
}

tt_status tt_device_upload(tt_device *device, void *to, const void *from_host, size_t bytes) {
    (void)device;
    if (bytes) memcpy(to, from_host, bytes);
    return TT_OK;
}

tt_status tt_device_download(tt_device *device, void *to_host, const void *from, size_t bytes) {
    (void)device;
    if (bytes) memcpy(to_host, from, bytes);
    return TT_OK;
}

tt_status tt_device_zero(tt_device *device, void *memory, size_t bytes) {
    (void)device;
    if (bytes) memset(memory, 0, bytes);
    return TT_OK;
}

void *tt_device_scratch(tt_device *device, size_t bytes) {
    if (bytes > device->scratch_bytes) {
        void *grown;
        if (tt_alloc(&grown, bytes + bytes / 4, 1, "scratch memory of an operation") != TT_OK) return NULL;
        free(device->scratch);
        device->scratch = grown;
        device->scratch_bytes = bytes + bytes / 4;
    }
    return device->scratch;
}
