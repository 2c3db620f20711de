// Takes the place of the CUDA device in a build without it.
#include "kernels/cuda/cuda.h"

#include <stdio.h>

static const char text[] =
    "this build has no CUDA support; configure it with -DTT_CUDA=ON on a machine with nvcc";

bool tt_cuda_available(char why[TT_CUDA_WHY_SIZE]) {
    snprintf(why, TT_CUDA_WHY_SIZE, "%s", text);
    return false;
}

tt_status tt_cuda_open(tt_device *device) {
    (void)device;
    return tt_fail(TT_ERR_UNSUPPORTED, "device cuda: %s", text);
}

tt_status tt_cuda_choose(int index) {
    (void)index;
    return tt_fail(TT_ERR_UNSUPPORTED, "device cuda: %s", text);
}

tt_status tt_cuda_describe(char out[TT_CUDA_NAME_SIZE]) {
    out[0] = 0;
    return tt_fail(TT_ERR_UNSUPPORTED, "device cuda: %s", text);
}
