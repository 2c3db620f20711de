// Opens the CPU device.
#include "host/base/cores.h"
#include "kernels/cpu/cpu.h"

#include <omp.h>

static tt_status choose_precision(tt_device *device) {
    device->precision = tt_precision_resolve(device->precision, false);
    if (device->precision == TT_BF16 && tt_cpu_bf16() == TT_BF16_NONE)
        return tt_fail(TT_ERR_UNSUPPORTED,
            "precision bf16: oneDNN has no bf16 products for this CPU (%s); precision fp32 works on every "
            "CPU",
            tt_cpu_isa());
    return TT_OK;
}

tt_status tt_cpu_open(tt_device *device, int threads) {
    TT_TRY(tt_cpu_isa_limit());
    TT_TRY(choose_precision(device));
    if (device->precision == TT_BF16) device->operand_size = sizeof(uint16_t);
    device->ops = tt_cpu_ops();
    device->memory = tt_cpu_memory();
    device->name = "cpu";
    device->threads = threads > 0 ? threads : tt_cores_threads();
    omp_set_num_threads(device->threads);
    return TT_OK;
}
