// The CUDA device: its copies, its recordings and its table of operations.
//
// All work runs in the order of one stream. Copies go by way of pinned memory. The host waits in downloads, once in each,
// and in an upload if its pinned memory is full.
#include "kernels/cuda/kernel.cuh"
#include "kernels/cuda/scratch.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void memory_free(tt_device *device, void *memory) {
    cudaFreeAsync(memory, tt_stream(device));
}

static tt_status wait_for_all(tt_cuda_state *state) {
    tt_cuda_staging *s = &state->staging;
    const int fetches = s->fetches;
    s->fetches = 0;
    TT_CUDA(cudaStreamSynchronize(state->stream), "computing");
    for (int i = 0; i < fetches; ++i) memcpy(s->fetch[i].to, s->fetch[i].from, s->fetch[i].bytes);
    s->used = s->down_used = 0;
    return TT_OK;
}

// Always by way of pinned memory, in parts where there is no room: memory that is not pinned may be read after the call, on
// some systems by the GPU itself.
static tt_status memory_upload(tt_device *device, void *to, const void *from, size_t bytes) {
    enum { ALIGNMENT = 64 };
    if (device->recording)
        return tt_fail(
            TT_ERR_INTERNAL, "an upload of %zu bytes in a recording, which would repeat it", bytes);
    tt_cuda_state *state = tt_cuda_of(device);
    tt_cuda_staging *s = &state->staging;
    for (size_t done = 0; done < bytes;) {
        if (s->used == tt_cuda_staging::UP) TT_TRY(wait_for_all(state));
        const size_t room = tt_cuda_staging::UP - s->used, part = bytes - done < room ? bytes - done : room;
        char *const staged = s->up + s->used;
        memcpy(staged, static_cast<const char *>(from) + done, part);
        TT_CUDA(cudaMemcpyAsync(
                    static_cast<char *>(to) + done, staged, part, cudaMemcpyHostToDevice, state->stream),
            "copy to the GPU");
        s->used += (part + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        done += part;
    }
    return TT_OK;
}

static tt_status fault_status(const tt_cuda_fault *fault) {
    switch (static_cast<tt_cuda_fault_code>(fault->code)) {
    case TT_FAULT_NONE:
        return TT_OK;
    case TT_FAULT_ID:
        return tt_fail(
            TT_ERR_INPUT, "embedding: id %d at row %d is outside the vocabulary", fault->value, fault->row);
    case TT_FAULT_TARGET:
        return tt_fail(
            TT_ERR_INPUT, "lmhead: target %d at row %d is outside the vocabulary", fault->value, fault->row);
    case TT_FAULT_LOGITS:
        return tt_fail(TT_ERR_NUMERIC,
            "sample: the logits of row %d contain NaN or inf; the model has diverged, or its weights are "
            "damaged",
            fault->row);
    case TT_FAULT_SCORES:
        return tt_fail(TT_ERR_NUMERIC,
            "log_softmax: row %d contains NaN or inf; the model has diverged, or its weights are damaged",
            fault->row);
    case TT_FAULT_UNIFORM:
        return tt_fail(TT_ERR_INPUT, "sample: the random number of row %d is not in [0, 1)", fault->row);
    }
    return tt_fail(TT_ERR_INTERNAL, "GPU: unknown fault %d", fault->code);
}

static tt_status memory_download(tt_device *device, void *to, const void *from, size_t bytes) {
    tt_cuda_state *state = tt_cuda_of(device);
    const tt_cuda_staging *s = &state->staging;
    void *const target = bytes <= tt_cuda_staging::DOWN - s->down_used ? s->down + s->down_used : to;
    TT_CUDA(cudaMemcpyAsync(target, from, bytes, cudaMemcpyDeviceToHost, state->stream), "copy from the GPU");
    TT_CUDA(cudaMemcpyAsync(s->fault, state->fault, sizeof *s->fault, cudaMemcpyDeviceToHost, state->stream),
        "copy from the GPU");
    TT_TRY(wait_for_all(state));
    if (target != to) memcpy(to, target, bytes);
    if (s->fault->code == TT_FAULT_NONE) return TT_OK;
    TT_CUDA(cudaMemsetAsync(state->fault, 0, sizeof *state->fault, state->stream), "computing");
    return fault_status(s->fault);
}

// Where there is no room, it waits.
static tt_status memory_fetch(tt_device *device, void *to, const void *from, size_t bytes) {
    tt_cuda_staging *s = &tt_cuda_of(device)->staging;
    if (device->recording)
        return tt_fail(TT_ERR_INTERNAL, "a fetch of %zu bytes in a recording, which would repeat it", bytes);
    if (s->fetches == tt_cuda_staging::FETCHES || bytes > tt_cuda_staging::DOWN - s->down_used)
        return memory_download(device, to, from, bytes);
    char *const staged = s->down + s->down_used;
    TT_CUDA(
        cudaMemcpyAsync(staged, from, bytes, cudaMemcpyDeviceToHost, tt_stream(device)), "copy from the GPU");
    s->fetch[s->fetches++] = {to, staged, bytes};
    s->down_used += bytes;
    return TT_OK;
}

static tt_status memory_copy(tt_device *device, void *to, const void *from, size_t bytes) {
    TT_CUDA(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, tt_stream(device)), "copy on the GPU");
    return TT_OK;
}

static tt_status memory_zero(tt_device *device, void *memory, size_t bytes) {
    TT_CUDA(cudaMemsetAsync(memory, 0, bytes, tt_stream(device)), "zeroing GPU memory");
    return TT_OK;
}

static tt_status memory_discard(tt_device *device, void *memory, size_t bytes) {
    TT_CUDA(TT_DISCARD(device->poison, memory, bytes, tt_stream(device)), "discarding GPU memory");
    return TT_OK;
}

static tt_status device_wait(tt_device *device) {
    return wait_for_all(tt_cuda_of(device));
}

// A recording is a CUDA graph captured from the stream.
struct tt_recording {
    cudaGraphExec_t graph;
};

static tt_status device_record(tt_device *device) {
    TT_CUDA(cudaStreamBeginCapture(tt_stream(device), cudaStreamCaptureModeThreadLocal), "recording");
    return TT_OK;
}

static tt_status device_recorded(tt_device *device, tt_recording **out) {
    cudaGraph_t graph;
    TT_CUDA(cudaStreamEndCapture(tt_stream(device), &graph), "recording");
    tt_recording *recording = static_cast<tt_recording *>(calloc(1, sizeof *recording));
    if (!recording) {
        cudaGraphDestroy(graph);
        return tt_fail(TT_ERR_NOMEM, "out of memory: recording");
    }
    const cudaError_t error =
        tt_cuda_load(tt_stream(device), [&] { return cudaGraphInstantiate(&recording->graph, graph, 0); });
    cudaGraphDestroy(graph);
    if (error != cudaSuccess) {
        free(recording);
        return tt_cuda_failed(error, "recording");
    }
    *out = recording;
    return TT_OK;
}

static tt_status device_replay(tt_device *device, tt_recording *recording) {
    const cudaStream_t stream = tt_stream(device);
    TT_CUDA(tt_cuda_load(stream, [&] { return cudaGraphLaunch(recording->graph, stream); }),
        "replaying a recording");
    return TT_OK;
}

static void device_forget(tt_device *device, tt_recording *recording) {
    cudaStreamSynchronize(tt_stream(device)); // it may be running
    cudaGraphExecDestroy(recording->graph);
    free(recording);
}

static void device_close(tt_device *device) {
    tt_cuda_state *state = tt_cuda_of(device);
    if (!state) return;
    tt_cuda_gemm_close(state);
    if (state->fault) cudaFreeAsync(state->fault, state->stream);
    for (size_t i = 0; i < state->n_tables; ++i) {
        cudaFreeAsync(state->tables[i].bucket, state->stream);
        cudaFreeAsync(state->tables[i].begin, state->stream);
    }
    free(state->tables);
    if (state->stream) {
        cudaStreamSynchronize(state->stream);
        cudaFreeHost(state->staging.up); // one piece with the others
        cudaStreamDestroy(state->stream);
    }
    free(state);
    device->state = nullptr;
}

static const tt_ops operations = {
    .embed_fwd = tt_cuda_embed_fwd,
    .embed_bwd = tt_cuda_embed_bwd,
    .rmsnorm_fwd = tt_cuda_rmsnorm_fwd,
    .rmsnorm_bwd = tt_cuda_rmsnorm_bwd,
    .rmsnorm_dw = tt_cuda_rmsnorm_dw,
    .gemm = tt_cuda_gemm_multiply,
    .attention_fwd = tt_cuda_attention_fwd,
    .attention_bwd = tt_cuda_attention_bwd,
    .attention_dbias = tt_cuda_attention_dbias,
    .ffn_fwd = tt_cuda_ffn_fwd,
    .ffn_bwd = tt_cuda_ffn_bwd,
    .lmhead_fwd = tt_cuda_lmhead_fwd,
    .lmhead_bwd = tt_cuda_lmhead_bwd,
    .lmhead_fused = tt_cuda_lmhead_fused,
    .adamw = tt_cuda_adamw,
    .square_sum = tt_cuda_square_sum,
    .scale = tt_cuda_scale,
    .to_bf16 = tt_cuda_to_bf16,
    .attention_decode = tt_cuda_attention_decode,
    .enter = tt_cuda_enter,
    .advance = tt_cuda_advance,
    .sample = tt_cuda_sample,
    .log_softmax = tt_cuda_log_softmax,
    .penalise = tt_cuda_penalise,
    .top = tt_cuda_top,
    .beam_step = tt_cuda_beam_step,
};

static const tt_memory memory_functions = {
    .alloc = tt_cuda_alloc,
    .free = memory_free,
    .host = false,
    .upload = memory_upload,
    .download = memory_download,
    .fetch = memory_fetch,
    .copy = memory_copy,
    .zero = memory_zero,
    .discard = memory_discard,
    .wait = device_wait,
    .close = device_close,
    .record = device_record,
    .recorded = device_recorded,
    .replay = device_replay,
    .forget = device_forget,
};

static tt_status open_state(tt_device *device) {
    tt_cuda_state *state = tt_cuda_of(device);
    int index;
    TT_CUDA(cudaGetDevice(&index), "choosing a GPU");
    TT_CUDA(cudaDeviceGetAttribute(&state->processors, cudaDevAttrMultiProcessorCount, index), "GPU");
    TT_CUDA(
        cudaDeviceGetAttribute(&state->shared_most, cudaDevAttrMaxSharedMemoryPerBlockOptin, index), "GPU");
    device->busy_elements = tt_cuda_busy_elements(state->processors);
    uint64_t keep = UINT64_MAX;
    TT_CUDA(cudaDeviceGetDefaultMemPool(&state->pool, index), "GPU memory");
    TT_CUDA(cudaMemPoolSetAttribute(state->pool, cudaMemPoolAttrReleaseThreshold, &keep), "GPU memory");
    TT_CUDA(cudaStreamCreateWithFlags(&state->stream, cudaStreamNonBlocking), "GPU stream");
    tt_cuda_staging *s = &state->staging;
    const size_t pinned = tt_cuda_staging::UP + tt_cuda_staging::DOWN + sizeof *s->fault;
    const cudaError_t error = cudaMallocHost(&s->up, pinned);
    if (error == cudaErrorMemoryAllocation)
        return tt_fail(
            TT_ERR_NOMEM, "the system gives no %zu bytes of pinned memory; does ulimit -l limit it?", pinned);
    TT_CUDA(error, "pinned memory");
    s->down = s->up + tt_cuda_staging::UP;
    s->fault = reinterpret_cast<tt_cuda_fault *>(s->down + tt_cuda_staging::DOWN);
    return tt_cuda_alloc(device, &state->fault, sizeof *state->fault, "GPU");
}

tt_status tt_cuda_open(tt_device *device) {
    device->state = calloc(1, sizeof(tt_cuda_state));
    if (!device->state) return tt_fail(TT_ERR_NOMEM, "out of memory: state of the CUDA device");
    device->ops = &operations;
    device->memory = &memory_functions;
    device->name = "cuda";
    device->operand_size = device->precision == TT_BF16 ? sizeof(bf16) : sizeof(float);
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);
    device->threads = cores > 0 ? static_cast<int>(cores) : 1; // for conversions on the host
    tt_status status = open_state(device);
    if (status != TT_OK) device_close(device);
    return status;
}
