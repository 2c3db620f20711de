// The CUDA device as the rest of the program sees it: plain C. A build without nvcc has none.c instead.
#ifndef TT_KERNELS_CUDA_CUDA_H
#define TT_KERNELS_CUDA_CUDA_H

#include "kernels/device.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { TT_CUDA_WHY_SIZE = 256, TT_CUDA_NAME_SIZE = 256 };

// Whether a GPU can be used; if not, `why` says what is missing: CUDA in this build, the driver, or a device.
bool tt_cuda_available(char why[TT_CUDA_WHY_SIZE]);

// Fills in the device: operations, memory, operand_size. Uses the current GPU (see tt_cuda_choose).
// Errors: TT_ERR_NOMEM, TT_ERR_DEVICE.
tt_status tt_cuda_open(tt_device *device) TT_MUST_CHECK;

// Makes GPU number `index` modulo their count the current one of this process. Call it before anything else
// uses CUDA. Errors: TT_ERR_UNSUPPORTED (none), TT_ERR_DEVICE.
tt_status tt_cuda_choose(int index) TT_MUST_CHECK;

// Writes one line about the current GPU: name, compute capability, memory, bus id, driver. Errors:
// TT_ERR_UNSUPPORTED in a build without CUDA, TT_ERR_DEVICE.
tt_status tt_cuda_describe(char out[TT_CUDA_NAME_SIZE]) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
