// What the program asks about GPUs: whether one can be used, which one it is.
#include "kernels/cuda/kernel.cuh"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

namespace {

// Kernels are built for compute capability 8.0 and later: tensor cores for bf16, asynchronous copies.
enum { LEAST_MAJOR = 8 };

// Asked about, never launched: there is code for the GPU if there is code of this.
__global__ void any_kernel() {}

bool refuse(char why[TT_CUDA_WHY_SIZE], const char *format, ...) __attribute__((format(printf, 2, 3)));
bool refuse(char why[TT_CUDA_WHY_SIZE], const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why, TT_CUDA_WHY_SIZE, format, arguments);
    va_end(arguments);
    cudaGetLastError(); // clears the error, so that the next call does not report it again
    return false;
}

bool explain(char why[TT_CUDA_WHY_SIZE], cudaError_t error) {
    int driver = 0, runtime = 0;
    cudaDriverGetVersion(&driver);
    cudaRuntimeGetVersion(&runtime);
    const int d = driver / 1000, d_minor = driver % 1000 / 10, r = runtime / 1000,
              r_minor = runtime % 1000 / 10;
    const char *visible = getenv("CUDA_VISIBLE_DEVICES");
    switch (error) {
    case cudaErrorInsufficientDriver:
        if (driver == 0)
            return refuse(
                why, "no NVIDIA driver is installed; one for CUDA %d.%d or later is needed", r, r_minor);
        return refuse(why,
            "the NVIDIA driver is too old: it supports CUDA up to %d.%d, this program was built with CUDA "
            "%d.%d; "
            "update the driver, or build with CUDA %d",
            d, d_minor, r, r_minor, d);
    case cudaErrorUnsupportedPtxVersion:
        return refuse(why,
            "the NVIDIA driver (for CUDA %d.%d) cannot translate this program (built with CUDA %d.%d) for "
            "this GPU; "
            "update the driver, or build for this GPU with TT_CUDA_ARCHITECTURES",
            d, d_minor, r, r_minor);
    case cudaErrorNoDevice:
        if (visible) return refuse(why, "no usable GPU: none of CUDA_VISIBLE_DEVICES=%.100s exists", visible);
        return refuse(why, "no usable GPU: none found");
    case cudaErrorSystemNotReady:
        return refuse(why, "no usable GPU: the system is not ready; is nvidia-fabricmanager running?");
    case cudaErrorSystemDriverMismatch:
        return refuse(
            why, "no usable GPU: the driver's library and kernel module differ; restart the machine");
    default:
        return refuse(why, "no usable GPU: %s", cudaGetErrorString(error));
    }
}

bool count_gpus(int *count, char why[TT_CUDA_WHY_SIZE]) {
    const cudaError_t error = cudaGetDeviceCount(count);
    return error == cudaSuccess && *count > 0
               ? true
               : explain(why, error == cudaSuccess ? cudaErrorNoDevice : error);
}

} // namespace

bool tt_cuda_available(char why[TT_CUDA_WHY_SIZE]) {
    int count, index;
    cudaDeviceProp card;
    if (!count_gpus(&count, why)) return false;
    cudaError_t error = cudaGetDevice(&index);
    if (error == cudaSuccess) error = cudaGetDeviceProperties(&card, index);
    if (error != cudaSuccess) return explain(why, error);
    if (card.major < LEAST_MAJOR)
        return refuse(why,
            "GPU %d, %.60s, has compute capability %d.%d; %d.0 or later is needed (since 2020: A100, A10, "
            "GeForce "
            "RTX 30)%s",
            index, card.name, card.major, card.minor, LEAST_MAJOR,
            count > 1 ? "; CUDA_VISIBLE_DEVICES chooses another GPU" : "");
    cudaFuncAttributes attributes;
    error = cudaFuncGetAttributes(&attributes, reinterpret_cast<const void *>(&any_kernel));
    if (error == cudaErrorNoKernelImageForDevice || error == cudaErrorInvalidDeviceFunction)
        return refuse(why,
            "this build has no code for GPU %d, %.60s; configure it with -DTT_CUDA_ARCHITECTURES=%d%d-real",
            index, card.name, card.major, card.minor);
    return error == cudaSuccess ? true : explain(why, error);
}

tt_status tt_cuda_choose(int index) {
    int count;
    char why[TT_CUDA_WHY_SIZE];
    if (!count_gpus(&count, why)) return tt_fail(TT_ERR_UNSUPPORTED, "device cuda: %s", why);
    TT_CUDA(cudaSetDevice(index % count), "choosing a GPU");
    return TT_OK;
}

tt_status tt_cuda_describe(char out[TT_CUDA_NAME_SIZE]) {
    int index, driver, runtime;
    cudaDeviceProp properties;
    char bus[32];
    TT_CUDA(cudaGetDevice(&index), "GPU");
    TT_CUDA(cudaGetDeviceProperties(&properties, index), "GPU");
    TT_CUDA(cudaDeviceGetPCIBusId(bus, sizeof bus, index), "GPU");
    TT_CUDA(cudaDriverGetVersion(&driver), "GPU");
    TT_CUDA(cudaRuntimeGetVersion(&runtime), "GPU");
    snprintf(out, TT_CUDA_NAME_SIZE, "%.100s, %d.%d, %.1f GiB, %s, CUDA %d.%d (driver for %d.%d)",
        properties.name, properties.major, properties.minor,
        static_cast<double>(properties.totalGlobalMem) / (1 << 30), bus, runtime / 1000, runtime % 1000 / 10,
        driver / 1000, driver % 1000 / 10);
    return TT_OK;
}
