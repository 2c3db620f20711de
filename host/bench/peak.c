// The fastest matrix products of this machine, which training is compared with.
#include "host/base/log.h"
#include "host/base/memory.h"
#include "host/base/philox.h"
#include "host/bench/parts.h"
#include "kernels/ops.h"

#include <stdlib.h>
#include <string.h>

// Which size runs fastest depends on the caches, or on how well the products fill a GPU.
enum { SIZES = 3, BLOCK = 1 << 20 };
static const int cpu_sizes[SIZES] = {1024, 1536, 2048}, gpu_sizes[SIZES] = {4096, 6144, 8192};

tt_status tt_bench_fill(tt_device *device, void *memory, size_t n, size_t size) {
    float *block;
    TT_TRY(tt_alloc(&block, BLOCK, sizeof *block, "matrices of the peak's measurement"));
    tt_rng rng;
    tt_rng_open(&rng, 1, TT_FOR_TEST, 0, 0);
    for (size_t i = 0; i < BLOCK; ++i) block[i] = (float)tt_rng_uniform(&rng) - 0.5f;
    uint16_t *half = (uint16_t *)block;
    for (size_t i = 0; size == sizeof *half && i < BLOCK; ++i) {
        uint32_t bits;
        memcpy(&bits, &block[i], sizeof bits);
        half[i] = (uint16_t)(bits >> 16); // bf16 is fp32's upper half
    }
    tt_status status = TT_OK;
    for (size_t done = 0; done < n && status == TT_OK; done += BLOCK)
        status = tt_device_upload(
            device, (char *)memory + done * size, block, (n - done < BLOCK ? n - done : BLOCK) * size);
    free(block);
    return status;
}

// Three matrices of the largest size in the device's memory.
typedef struct matrices {
    char *memory;
    size_t count; // elements of each
} matrices;

// Runs `times` products of n x n matrices, one after another, after one that is not counted if times > 1.
static tt_status time_products(tt_device *device, const matrices *space, int n, int times, double *rate) {
    const tt_gemm product = {.m = n,
        .n = n,
        .k = n,
        .alpha = 1,
        .a = space->memory,
        .b = tt_operand_at(device, space->memory, space->count),
        .c = tt_operand_at(device, space->memory, 2 * space->count),
        .lda = n,
        .ldb = n,
        .ldc = n};
    double started = tt_seconds();
    for (int i = times == 1 ? 1 : 0; i <= times; ++i) {
        TT_TRY(device->ops->gemm(device, &product));
        if (i > 0) continue;
        TT_TRY(tt_device_wait(device));
        started = tt_seconds();
    }
    TT_TRY(tt_device_wait(device));
    *rate = 2.0 * n * n * n * times / (tt_seconds() - started);
    return TT_OK;
}

tt_status tt_bench_peak(tt_device *device, int tries, double *flops_per_second) {
    const bool gpu = tt_bench_apart(device);
    const int *sizes = gpu ? gpu_sizes : cpu_sizes;
    matrices space = {.count = (size_t)sizes[SIZES - 1] * (size_t)sizes[SIZES - 1]};
    TT_TRY(tt_device_alloc(
        device, &space.memory, 3 * space.count, device->operand_size, "matrices of the peak's measurement"));
    tt_status status = tt_bench_fill(device, space.memory, 2 * space.count, device->operand_size);
    for (int i = 0; i < SIZES * tries && status == TT_OK; ++i) {
        double rate = 0;
        status = time_products(device, &space, sizes[i % SIZES], gpu ? 10 : 1, &rate);
        if (rate > *flops_per_second) *flops_per_second = rate;
    }
    tt_device_free(device, space.memory);
    return status;
}
