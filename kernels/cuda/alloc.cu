// Device memory, from the stream-ordered pool, which keeps what is freed. What it keeps in pieces that are too small for
// a request is given back before a request fails.
#include "kernels/cuda/kernel.cuh"

tt_status tt_cuda_failed(cudaError_t error, const char *what) {
    cudaGetLastError(); // clears the error, so that the next call does not report it again
    if (error == cudaErrorMemoryAllocation)
        return tt_fail(TT_ERR_NOMEM, "out of GPU memory: %s; try a smaller batch or fewer slots", what);
    return tt_fail(
        TT_ERR_DEVICE, "%s: CUDA: %s (%s)", what, cudaGetErrorString(error), cudaGetErrorName(error));
}

cudaError_t tt_cuda_make_room(cudaStream_t stream) {
    int index;
    cudaMemPool_t pool;
    cudaGetLastError();
    cudaError_t error = cudaStreamSynchronize(stream); // memory is freed in the stream's order
    if (error == cudaSuccess) error = cudaGetDevice(&index);
    if (error == cudaSuccess) error = cudaDeviceGetDefaultMemPool(&pool, index);
    return error == cudaSuccess ? cudaMemPoolTrimTo(pool, 0) : error;
}

static tt_status out_of_memory(const tt_cuda_state *state, size_t bytes, const char *what) {
    size_t free_bytes = 0, total = 0;
    uint64_t ours = 0;
    cudaMemGetInfo(&free_bytes, &total);
    cudaMemPoolGetAttribute(state->pool, cudaMemPoolAttrUsedMemCurrent, &ours);
    cudaGetLastError();
    const double mib = 1 << 20;
    return tt_fail(TT_ERR_NOMEM,
        "out of GPU memory: %s: %.1f MiB asked for, %.1f of %.1f MiB free, %.1f in use by this process; when "
        "training, raise accumulate, set recompute: layers, lower batch_size or train adapters "
        "(model.adapters.rank); when generating, lower evaluation.slots",
        what, static_cast<double>(bytes) / mib, static_cast<double>(free_bytes) / mib,
        static_cast<double>(total) / mib, static_cast<double>(ours) / mib);
}

tt_status tt_cuda_alloc_undefined(tt_device *device, void *out, size_t bytes, const char *what) {
    tt_cuda_state *state = tt_cuda_of(device);
    const size_t size = bytes ? bytes : 1;
    void *memory = nullptr;
    cudaError_t error = cudaMallocAsync(&memory, size, state->stream);
    if (error == cudaErrorMemoryAllocation && !device->recording) {
        TT_CUDA(tt_cuda_make_room(state->stream), "computing");
        error = cudaMallocAsync(&memory, size, state->stream);
    }
    if (error == cudaErrorMemoryAllocation) return out_of_memory(state, size, what);
    TT_CUDA(error, what);
    *static_cast<void **>(out) = memory;
    return TT_OK;
}

tt_status tt_cuda_alloc(tt_device *device, void *out, size_t bytes, const char *what) {
    TT_TRY(tt_cuda_alloc_undefined(device, out, bytes, what));
    return device->memory->zero(device, *static_cast<void **>(out), bytes ? bytes : 1);
}
