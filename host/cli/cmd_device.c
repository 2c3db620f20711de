// tinythinker device: shows what this build can compute on.
#include "host/base/cores.h"
#include "host/cli/args.h"
#include "host/cli/cli.h"
#include "kernels/cuda/cuda.h"
#include "kernels/device.h"

#include <oneapi/dnnl/dnnl.h>

#include <stdio.h>

static tt_status print_cuda(void) {
    char text[TT_CUDA_NAME_SIZE];
    if (!tt_cuda_available(text)) {
        printf("cuda   none: %s\n", text);
        return TT_OK;
    }
    TT_TRY(tt_cuda_describe(text));
    printf("cuda   %s\n", text);
    return TT_OK;
}

tt_status tt_devices_print(void) {
    tt_device *device;
    TT_TRY(tt_device_open(&device, "cpu", TT_FP32, 0));
    static const char *const bf16[] = {[TT_BF16_NONE] = "fp32, no bf16",
        [TT_BF16_SLOW] = "fp32, bf16 without instructions for it",
        [TT_BF16_FAST] = "fp32, bf16"};
    const dnnl_version_t *dnnl = dnnl_version();
    const int cores = tt_cores_machine();
    printf("cpu    %s, %d thread%s of %d core%s, oneDNN %d.%d.%d (%s)\n", tt_cpu_isa(), device->threads,
        device->threads == 1 ? "" : "s", cores, cores == 1 ? "" : "s", dnnl->major, dnnl->minor, dnnl->patch,
        bf16[tt_cpu_bf16()]);
    tt_device_close(device);
    return print_cuda();
}

tt_status tt_cmd_device(int argc, char **argv) {
    tt_texts rest;
    bool help;
    const tt_args args = {.usage = "tinythinker device",
        .about = "Shows which devices this build can compute on here, how ranks can be started, and what "
                 "'device: auto' and 'precision: auto' choose."};
    TT_TRY(tt_args_parse(argc, argv, &args, &rest, &help));
    if (help) return TT_OK;
    TT_TRY(tt_devices_print());
#ifdef TT_HAVE_MPI
    printf("ranks  by MPI, or by a file (TT_RENDEZVOUS)\n");
#else
    printf("ranks  by a file (TT_RENDEZVOUS); built without MPI\n");
#endif
    tt_device *device;
    TT_TRY(tt_device_open(&device, "auto", TT_PRECISION_AUTO, 0));
    printf("'device: auto' takes %s, 'precision: auto' %s\n", device->name,
        tt_precision_name(device->precision));
    tt_device_close(device);
    return TT_OK;
}
