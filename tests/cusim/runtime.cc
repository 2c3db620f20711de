// CUDA's functions for the host: streams, graphs, launches, copies. See README.md.
#include "machine.h"

#include "kernel.h"

#include <algorithm>
#include <chrono>
#include <deque>
#include <iterator>
#include <map>
#include <memory>
#include <set>
#include <stdio.h>
#include <stdlib.h>
#include <string>
#include <vector>

using namespace cusim;

static cudaError_t last_error = cudaSuccess;
static std::map<const void *, size_t> allowed_shared; // cudaFuncSetAttribute

static cudaError_t fail(cudaError_t error) {
    last_error = error;
    return error;
}

// ---- streams

struct cusim_graph {
    std::vector<std::function<void()>> work;
};
// Work of the first stream waits until the host, or another stream, waits for it: as late as a GPU might do
// it. Other streams do theirs at once: as early as a GPU might. So a missing wait shows.
struct cusim_stream {
    cusim_graph *recording = nullptr;
    std::deque<std::function<void()>> queue;
    bool stalled = false; // see cusim::stall
};
struct cusim_event {
    cudaStream_t stream = nullptr;
    std::shared_ptr<bool> passed; // of the latest record
    std::chrono::steady_clock::time_point at;
};
static cusim_stream default_stream;
static cudaStream_t first_stream;
static std::set<cudaStream_t> streams = {&default_stream};
// Memory of the host that copies write without a wait: its end by its begin.
static std::map<const char *, const char *> pinned_blocks;
static bool pinned(const void *memory) {
    const char *at = static_cast<const char *>(memory);
    const auto next = pinned_blocks.upper_bound(at);
    return next != pinned_blocks.begin() && at < std::prev(next)->second;
}

static bool do_next(cudaStream_t stream) {
    if (stream->queue.empty() || stream->stalled) return false;
    const std::function<void()> work = std::move(stream->queue.front());
    stream->queue.pop_front();
    work();
    return true;
}
static void drain(cudaStream_t stream) {
    while (do_next(stream)) {
    }
}
static bool pass(const std::shared_ptr<bool> &passed, cudaStream_t stream) {
    while (!*passed && do_next(stream)) {
    }
    return *passed;
}

namespace cusim {
size_t setting(const char *variable, const char *name, size_t otherwise) {
    const char *at = getenv(variable);
    const size_t length = strlen(name);
    while (at && *at) {
        const size_t word = strcspn(at, " ");
        if (strncmp(at, name, length) == 0) {
            if (word == length) return 1;
            if (at[length] == '=') return strtoull(at + length + 1, nullptr, 10);
        }
        at += word + strspn(at + word, " ");
    }
    return otherwise;
}

cudaError_t enqueue(cudaStream_t stream, std::function<void()> work) {
    enum { MOST = 4096 }; // a GPU gets on by itself, too
    if (!stream) stream = &default_stream;
    if (stream->recording) {
        stream->recording->work.push_back(std::move(work));
        return cudaSuccess;
    }
    stream->queue.push_back(std::move(work));
    if (stream != first_stream || stream->queue.size() > MOST) drain(stream);
    return cudaSuccess;
}

bool recording() {
    for (cudaStream_t stream : streams)
        if (stream->recording) return true;
    return false;
}

void stall(cudaStream_t stream, bool stalled) {
    stream->stalled = stalled;
}

static unsigned long launched;
unsigned long launches() {
    return launched;
}

cudaError_t launch(const char *name, const void *kernel, dim3 grid, dim3 block, size_t shared,
    cudaStream_t stream, task *work) {
    if (!recording()) ++launched, count_host(&cusim_host_counts::launches, 1);
    const std::shared_ptr<task> task(work);
    const size_t threads = static_cast<size_t>(block.x) * block.y * block.z;
    const auto allowed = allowed_shared.find(kernel);
    const size_t limit = allowed == allowed_shared.end() ? 48u << 10 : allowed->second;
    if (threads < 1 || threads > MAX_THREADS || grid.x < 1 || grid.y < 1 || grid.z < 1 || grid.y > 65535 ||
        grid.z > 65535 || shared > limit) {
        fprintf(stderr,
            "cusim: %s: launch of (%u, %u, %u) blocks of %zu threads with %zu of %zu bytes shared\n", name,
            grid.x, grid.y, grid.z, threads, shared, limit);
        return fail(cudaErrorInvalidConfiguration);
    }
    return enqueue(stream, [=] { run_grid(name, grid, block, shared, task.get()); });
}

} // namespace cusim

// ---- memory

static bool device_memory(const void *at, size_t bytes, const char *what) {
    const uintptr_t begin = reinterpret_cast<uintptr_t>(at);
    const region *r = find_region(begin);
    if (r && begin + bytes <= r->end) return true;
    fprintf(stderr, "cusim: %s of %zu bytes is not within an allocation of device memory\n", what, bytes);
    return false;
}

// Within device memory what was never written may be copied, and has not been written there either.
static void copy_now(void *to, const void *from, size_t bytes, bool to_device, bool from_device) {
    size_t at;
    if (from_device && !to_device && find_unwritten(from, bytes, &at)) {
        char place[200];
        cusim_complain("a copy of %zu bytes to the host: uninitialised: reads %s", bytes,
            describe_unwritten(static_cast<const char *>(from) + at, place, sizeof place));
    }
    memmove(to, from, bytes);
    if (to_device && from_device)
        copy_marks(to, from, bytes);
    else if (to_device)
        mark(to, bytes, WRITTEN);
}

cudaError_t cusim::discard(void *memory, size_t bytes, cudaStream_t stream) {
    if (!device_memory(memory, bytes, "memory to discard")) return fail(cudaErrorInvalidValue);
    return enqueue(stream, [=] {
        memset(memory, 0xff, bytes);
        mark(memory, bytes, DISCARDED);
    });
}

extern "C" {

const char *cudaGetErrorName(cudaError_t error) {
    switch (error) {
    case cudaSuccess:
        return "cudaSuccess";
    case cudaErrorInvalidValue:
        return "cudaErrorInvalidValue";
    case cudaErrorMemoryAllocation:
        return "cudaErrorMemoryAllocation";
    case cudaErrorInvalidConfiguration:
        return "cudaErrorInvalidConfiguration";
    case cudaErrorInsufficientDriver:
        return "cudaErrorInsufficientDriver";
    case cudaErrorNoDevice:
        return "cudaErrorNoDevice";
    case cudaErrorIllegalState:
        return "cudaErrorIllegalState";
    case cudaErrorNotReady:
        return "cudaErrorNotReady";
    default:
        break;
    }
    return "unknown error";
}
const char *cudaGetErrorString(cudaError_t error) {
    return cudaGetErrorName(error);
}
cudaError_t cudaGetLastError() {
    const cudaError_t error = last_error;
    last_error = cudaSuccess;
    return error;
}
cudaError_t cudaPeekAtLastError() {
    return last_error;
}
cudaError_t cudaGetDeviceCount(int *count) {
    const char *text = getenv("CUSIM_DEVICES");
    int driver, runtime;
    *count = 0;
    cudaDriverGetVersion(&driver), cudaRuntimeGetVersion(&runtime);
    if (driver / 1000 < runtime / 1000) return fail(cudaErrorInsufficientDriver);
    *count = text ? atoi(text) : 1;
    return *count > 0 ? cudaSuccess : fail(cudaErrorNoDevice);
}
static int chosen_device;
cudaError_t cudaSetDevice(int device) {
    int count;
    if (cudaGetDeviceCount(&count) != cudaSuccess || device < 0 || device >= count)
        return fail(cudaErrorInvalidValue);
    chosen_device = device;
    return cudaSuccess;
}
cudaError_t cudaGetDevice(int *device) {
    *device = chosen_device;
    return cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp *out, int device) {
    char own[32]; // capability1=75: of GPU 1
    snprintf(own, sizeof own, "capability%d", device);
    const int capability =
        static_cast<int>(setting("CUSIM_GPU", own, setting("CUSIM_GPU", "capability", 90)));
    *out = {};
    snprintf(out->name, sizeof out->name, "cusim (CPU run-time for tests)");
    out->totalGlobalMem = memory_size();
    out->major = capability / 10;
    out->minor = capability % 10;
    out->multiProcessorCount = 4;
    return cudaSuccess;
}
// Bytes of shared memory that a block may have: an H100's.
static int most_shared() {
    const char *text = getenv("CUSIM_SHARED");
    return text ? atoi(text) : 227 << 10;
}
cudaError_t cudaDeviceGetAttribute(int *out, cudaDeviceAttr attribute, int device) {
    (void)device;
    switch (attribute) {
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
        *out = most_shared();
        break;
    case cudaDevAttrMultiProcessorCount:
        *out = 4;
        break;
    case cudaDevAttrComputeCapabilityMajor:
        *out = 9;
        break;
    case cudaDevAttrComputeCapabilityMinor:
        *out = 0;
        break;
    }
    return cudaSuccess;
}
cudaError_t cudaDeviceGetPCIBusId(char *out, int size, int device) {
    snprintf(out, static_cast<size_t>(size), "0000:%02x:00.0", device);
    return cudaSuccess;
}
cudaError_t cudaDriverGetVersion(int *version) {
    *version = static_cast<int>(setting("CUSIM_GPU", "driver", 13000));
    return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int *version) {
    *version = 13000;
    return cudaSuccess;
}
cudaError_t cudaDeviceSynchronize() {
    count_host(&cusim_host_counts::waits, 1);
    for (cudaStream_t stream : streams) drain(stream);
    return cudaSuccess;
}
cudaError_t cudaMemGetInfo(size_t *free_bytes, size_t *total) {
    *total = memory_size();
    *free_bytes = *total - reserved();
    return cudaSuccess;
}
cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t *pool, int device) {
    (void)device;
    *pool = nullptr;
    return cudaSuccess;
}
cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t pool, cudaMemPoolAttr attribute, void *value) {
    (void)pool, (void)attribute, (void)value;
    return cudaSuccess;
}
cudaError_t cudaMemPoolGetAttribute(cudaMemPool_t pool, cudaMemPoolAttr attribute, void *value) {
    (void)pool;
    if (attribute != cudaMemPoolAttrUsedMemCurrent) return fail(cudaErrorInvalidValue);
    *static_cast<uint64_t *>(value) = allocated();
    return cudaSuccess;
}
// Freed memory is kept, by its exact size, until it is trimmed: a pool may keep it in pieces that are too small.
cudaError_t cudaMemPoolTrimTo(cudaMemPool_t pool, size_t bytes) {
    (void)pool, (void)bytes;
    trim();
    return cudaSuccess;
}
// Bytes that a stream's order says are allocated: what cudaFreeAsync was called for is none, though it may be released later.
static std::map<void *, size_t> held;
static size_t held_now, held_most;

static void print_most_held() {
    fprintf(stderr, "cusim: at most %zu bytes of device memory\n", held_most);
}

static void note_held(void *memory, size_t bytes) {
    static const bool asked = getenv("CUSIM_MEMORY") && atexit(print_most_held) == 0;
    if (!asked) return;
    held[memory] = bytes;
    held_now += bytes;
    held_most = std::max(held_most, held_now);
}

static void note_freed(void *memory) {
    const auto it = held.find(memory);
    if (it == held.end()) return;
    held_now -= it->second;
    held.erase(it);
}

cudaError_t cudaMallocAsync(void **out, size_t bytes, cudaStream_t stream) {
    (void)stream;
    *out = allocate(bytes);
    if (!*out) return fail(cudaErrorMemoryAllocation);
    note_held(*out, bytes);
    return cudaSuccess;
}
cudaError_t cudaFreeAsync(void *memory, cudaStream_t stream) {
    if (!is_block(memory)) return fail(cudaErrorInvalidValue);
    note_freed(memory);
    return enqueue(stream, [=] { release(memory); });
}
cudaError_t cudaMallocHost(void **out, size_t bytes) {
    *out = malloc(bytes + 1);
    if (*out) pinned_blocks[static_cast<char *>(*out)] = static_cast<char *>(*out) + bytes;
    return *out ? cudaSuccess : fail(cudaErrorMemoryAllocation);
}
cudaError_t cudaFreeHost(void *memory) {
    cudaDeviceSynchronize();
    pinned_blocks.erase(static_cast<char *>(memory));
    free(memory);
    return cudaSuccess;
}
cudaError_t cudaMemcpyAsync(
    void *to, const void *from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
    const bool to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
    const bool from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
    if ((to_device && !device_memory(to, bytes, "destination of a copy")) ||
        (from_device && !device_memory(from, bytes, "source of a copy")))
        return fail(cudaErrorInvalidValue);
    if ((!to_device && find_region(reinterpret_cast<uintptr_t>(to))) ||
        (!from_device && find_region(reinterpret_cast<uintptr_t>(from)))) {
        fprintf(stderr, "cusim: a copy takes device memory for the host's\n");
        return fail(cudaErrorInvalidValue);
    }
    if (!recording()) {
        count_host(&cusim_host_counts::copies, 1);
        if (!from_device) count_host(&cusim_host_counts::bytes_up, bytes);
        if (!to_device) count_host(&cusim_host_counts::bytes_down, bytes);
        if (!to_device && !pinned(to)) count_host(&cusim_host_counts::waits, 1);
    }
    // Memory of the host, pinned or not, is read as late as the copy can be made.
    return enqueue(stream, [=] { copy_now(to, from, bytes, to_device, from_device); });
}
cudaError_t cudaMemsetAsync(void *memory, int value, size_t bytes, cudaStream_t stream) {
    if (!device_memory(memory, bytes, "memory to set")) return fail(cudaErrorInvalidValue);
    if (!recording()) count_host(&cusim_host_counts::copies, 1);
    return enqueue(stream, [=] {
        memset(memory, value, bytes);
        mark(memory, bytes, WRITTEN);
    });
}
cudaError_t cudaStreamCreateWithFlags(cudaStream_t *out, unsigned flags) {
    (void)flags;
    *out = new cusim_stream;
    if (!first_stream) first_stream = *out;
    streams.insert(*out);
    return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
    drain(stream);
    if (stream == first_stream) first_stream = nullptr;
    streams.erase(stream);
    delete stream;
    return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
    if (!stream) stream = &default_stream;
    if (stream->recording) return fail(cudaErrorIllegalState);
    count_host(&cusim_host_counts::waits, 1);
    drain(stream);
    return cudaSuccess;
}
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags) {
    (void)flags;
    if (!event->passed) return cudaSuccess; // never recorded
    const auto passed = event->passed;
    const cudaStream_t other = event->stream;
    return enqueue(stream, [=] {
        if (!pass(passed, other)) cusim_complain("a stream waits for a stream that waits for it");
    });
}
cudaError_t cudaEventCreateWithFlags(cudaEvent_t *out, unsigned flags) {
    (void)flags;
    *out = new cusim_event;
    return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
    if (event->passed) pass(event->passed, event->stream);
    delete event;
    return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
    const auto passed = std::make_shared<bool>(false);
    event->stream = stream ? stream : &default_stream;
    event->passed = passed;
    return enqueue(stream, [=] {
        event->at = std::chrono::steady_clock::now();
        *passed = true;
    });
}
cudaError_t cudaEventQuery(cudaEvent_t event) {
    return !event->passed || pass(event->passed, event->stream) ? cudaSuccess : cudaErrorNotReady;
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
    count_host(&cusim_host_counts::waits, 1);
    if (event->passed) pass(event->passed, event->stream);
    return cudaSuccess;
}
cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t from, cudaEvent_t to) {
    *ms = std::chrono::duration<float, std::milli>(to->at - from->at).count();
    return cudaSuccess;
}
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes *out, const void *kernel) {
    (void)kernel;
    *out = {};
    return setting("CUSIM_GPU", "code", 1) ? cudaSuccess : fail(cudaErrorNoKernelImageForDevice);
}
cudaError_t cudaFuncSetAttribute(const void *kernel, cudaFuncAttribute attribute, int value) {
    (void)attribute;
    if (value > most_shared()) return fail(cudaErrorInvalidValue);
    allowed_shared[kernel] = static_cast<size_t>(value);
    return cudaSuccess;
}
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode) {
    (void)mode;
    if (!stream || stream->recording) return fail(cudaErrorIllegalState);
    stream->recording = new cusim_graph;
    return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph) {
    if (!stream || !stream->recording) return fail(cudaErrorIllegalState);
    *graph = stream->recording;
    stream->recording = nullptr;
    return cudaSuccess;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t *out, cudaGraph_t graph, unsigned long long flags) {
    (void)flags;
    *out = new cusim_graph(*graph);
    return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t graph, cudaStream_t stream) {
    if (getenv("CUSIM_GRAPH_LOG")) fprintf(stderr, "cusim: graph of %zu\n", graph->work.size());
    cusim::launched += graph->work.size();
    count_host(&cusim_host_counts::graphs, 1);
    count_host(&cusim_host_counts::nodes, graph->work.size());
    for (const auto &work : graph->work) enqueue(stream, work);
    return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
    delete graph;
    return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph) {
    delete graph;
    return cudaSuccess;
}
}
