// The CUDA device as the rest of the program sees it: plain C. A build without nvcc has none (none.c).
#ifndef TT_KERNELS_CUDA_CUDA_H
#define TT_KERNELS_CUDA_CUDA_H

#include "kernels/device.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { TT_CUDA_WHY_SIZE = 256, TT_CUDA_NAME_SIZE = 256 };

// Whether a GPU can be used; if not, `why` says what is missing: this build's part, the driver, a device.
bool tt_cuda_available(char why[TT_CUDA_WHY_SIZE]);

// Fills in the device: operations, memory, operand_size. Uses the GPU that is current (see tt_cuda_choose).
// Errors: TT_ERR_DEVICE.
tt_status tt_cuda_open(tt_device *device) TT_MUST_CHECK;

// The GPU for this process is number `index` modulo their count. Called before anything else is done with
// CUDA. Errors: TT_ERR_UNSUPPORTED (none), TT_ERR_DEVICE.
tt_status tt_cuda_choose(int index) TT_MUST_CHECK;

// One line about the current GPU: name, compute capability, memory, bus id, driver.
tt_status tt_cuda_describe(char out[TT_CUDA_NAME_SIZE]) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
