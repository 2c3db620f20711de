// The part of CUDA's runtime that kernels/cuda uses, for CPUs: see tests/cusim/README.md.
#ifndef TT_CUSIM_CUDA_RUNTIME_H
#define TT_CUSIM_CUDA_RUNTIME_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)

// Not seen by the checker.
#define CUSIM_UNCHECKED __attribute__((no_sanitize_thread))

// ---- types

struct alignas(8) uint2 {
    uint32_t x, y;
};
struct alignas(16) uint4 {
    uint32_t x, y, z, w;
};
struct alignas(8) float2 {
    float x, y;
};
struct alignas(16) float4 {
    float x, y, z, w;
};
struct uint3 {
    unsigned x, y, z;
};
struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned a = 1, unsigned b = 1, unsigned c = 1) : x(a), y(b), z(c) {}
};
static inline uint2 make_uint2(uint32_t x, uint32_t y) {
    return {x, y};
}
static inline uint4 make_uint4(uint32_t x, uint32_t y, uint32_t z, uint32_t w) {
    return {x, y, z, w};
}
static inline float2 make_float2(float x, float y) {
    return {x, y};
}
static inline float4 make_float4(float x, float y, float z, float w) {
    return {x, y, z, w};
}

// ---- what a thread knows of itself; set by the scheduler

extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;

// ---- barriers and warps

void cusim_barrier(const char *file, int line);
void cusim_syncwarp(unsigned mask, const char *file, int line);
#define __syncthreads() cusim_barrier(__FILE__, __LINE__)
static inline void __syncwarp(
    unsigned mask = 0xffffffffu, const char *file = __builtin_FILE(), int line = __builtin_LINE()) {
    cusim_syncwarp(mask, file, line);
}

// All lanes of `mask` hand in a pointer to a record of their own; the last one to come calls `resolve` with
// all of them (NULL for lanes outside the mask); then each goes on. `operation` names it in complaints.
void cusim_warp(const char *operation, unsigned mask, void *mine, void (*resolve)(void *const lanes[32]),
    const char *file, int line);
[[noreturn]] void cusim_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

template <class T> struct cusim_shuffle {
    T value, result;
    int from, width; // lane in the whole warp; lanes of a group
};

template <class T> CUSIM_UNCHECKED void cusim_shuffle_resolve(void *const lanes[32]) {
    for (int lane = 0; lane < 32; ++lane) {
        auto *mine = static_cast<cusim_shuffle<T> *>(lanes[lane]);
        if (!mine) continue;
        if (mine->from < 0 || mine->from >= 32)
            cusim_complain("shuffle: lane %d reads lane %d of 32", lane, mine->from);
        auto *other = static_cast<cusim_shuffle<T> *>(lanes[mine->from]);
        if (!other)
            cusim_complain("shuffle: lane %d reads lane %d, which is not in the mask", lane, mine->from);
        mine->result = other->value;
    }
}

template <class T> T cusim_shuffle_from(unsigned mask, T value, int from, const char *file, int line) {
    cusim_shuffle<T> mine = {value, value, from, 32};
    cusim_warp("shuffle", mask, &mine, cusim_shuffle_resolve<T>, file, line);
    return mine.result;
}

int cusim_lane();

template <class T>
T __shfl_sync(unsigned mask, T value, int from, int width = 32, const char *file = __builtin_FILE(),
    int line = __builtin_LINE()) {
    const int lane = cusim_lane();
    return cusim_shuffle_from(mask, value, lane / width * width + from % width, file, line);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int bits, int width = 32, const char *file = __builtin_FILE(),
    int line = __builtin_LINE()) {
    (void)width;
    return cusim_shuffle_from(mask, value, cusim_lane() ^ bits, file, line);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned by, int width = 32, const char *file = __builtin_FILE(),
    int line = __builtin_LINE()) {
    const int lane = cusim_lane(), to = lane + static_cast<int>(by);
    return cusim_shuffle_from(mask, value, to / width == lane / width ? to : lane, file, line);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned by, int width = 32, const char *file = __builtin_FILE(),
    int line = __builtin_LINE()) {
    const int lane = cusim_lane(), to = lane - static_cast<int>(by);
    return cusim_shuffle_from(mask, value, to >= lane / width * width ? to : lane, file, line);
}

struct cusim_vote {
    bool yes;
    unsigned ballot, mask;
};
CUSIM_UNCHECKED static inline void cusim_vote_resolve(void *const lanes[32]) {
    unsigned ballot = 0;
    for (int lane = 0; lane < 32; ++lane)
        if (lanes[lane] && static_cast<cusim_vote *>(lanes[lane])->yes) ballot |= 1u << lane;
    for (int lane = 0; lane < 32; ++lane)
        if (lanes[lane]) static_cast<cusim_vote *>(lanes[lane])->ballot = ballot;
}
static inline unsigned __ballot_sync(
    unsigned mask, int yes, const char *file = __builtin_FILE(), int line = __builtin_LINE()) {
    cusim_vote mine = {yes != 0, 0, mask};
    cusim_warp("vote", mask, &mine, cusim_vote_resolve, file, line);
    return mine.ballot;
}
static inline int __any_sync(
    unsigned mask, int yes, const char *file = __builtin_FILE(), int line = __builtin_LINE()) {
    return __ballot_sync(mask, yes, file, line) != 0;
}
static inline int __all_sync(
    unsigned mask, int yes, const char *file = __builtin_FILE(), int line = __builtin_LINE()) {
    return __ballot_sync(mask, yes, file, line) == mask;
}

static inline unsigned __reduce_add_sync(
    unsigned mask, unsigned value, const char *file = __builtin_FILE(), int line = __builtin_LINE()) {
    for (int step = 16; step > 0; step /= 2) value += __shfl_xor_sync(mask, value, step, 32, file, line);
    return value;
}

// ---- atomics: threads never run at the same time; of these accesses the checker sees where they go, no
// races

void cusim_atomic(const void *at, size_t bytes);
template <class T, class V> CUSIM_UNCHECKED T atomicAdd(T *at, V by) {
    cusim_atomic(at, sizeof *at);
    T old = *at;
    *at = old + static_cast<T>(by);
    return old;
}
template <class T, class V> CUSIM_UNCHECKED T atomicMin(T *at, V by) {
    cusim_atomic(at, sizeof *at);
    T old = *at;
    if (static_cast<T>(by) < old) *at = static_cast<T>(by);
    return old;
}
template <class T, class V> CUSIM_UNCHECKED T atomicMax(T *at, V by) {
    cusim_atomic(at, sizeof *at);
    T old = *at;
    if (static_cast<T>(by) > old) *at = static_cast<T>(by);
    return old;
}
template <class T, class V, class W> CUSIM_UNCHECKED T atomicCAS(T *at, V expected, W desired) {
    cusim_atomic(at, sizeof *at);
    T old = *at;
    if (old == static_cast<T>(expected)) *at = static_cast<T>(desired);
    return old;
}
template <class T, class V> CUSIM_UNCHECKED T atomicOr(T *at, V bits) {
    cusim_atomic(at, sizeof *at);
    T old = *at;
    *at = old | static_cast<T>(bits);
    return old;
}
template <class T, class V> CUSIM_UNCHECKED T atomicExch(T *at, V value) {
    cusim_atomic(at, sizeof *at);
    T old = *at;
    *at = static_cast<T>(value);
    return old;
}

// ---- small functions

static inline float __uint_as_float(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}
static inline uint32_t __float_as_uint(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}
static inline int __float_as_int(float x) {
    return static_cast<int>(__float_as_uint(x));
}
static inline float __int_as_float(int bits) {
    return __uint_as_float(static_cast<uint32_t>(bits));
}
// Bytes of {b, a} that the lower four digits of `which` name.
static inline uint32_t __byte_perm(uint32_t a, uint32_t b, uint32_t which) {
    const uint64_t both = static_cast<uint64_t>(b) << 32 | a;
    uint32_t out = 0;
    for (int i = 0; i < 4; ++i)
        out |= static_cast<uint32_t>(both >> 8 * (which >> 4 * i & 7) & 0xff) << 8 * i;
    return out;
}
static inline uint32_t __umulhi(uint32_t a, uint32_t b) {
    return static_cast<uint32_t>((static_cast<uint64_t>(a) * b) >> 32);
}
static inline int __popc(uint32_t x) {
    return __builtin_popcount(x);
}
static inline int __ffs(int x) {
    return __builtin_ffs(x);
}
static inline int __clz(int x) {
    return x ? __builtin_clz(static_cast<unsigned>(x)) : 32;
}
#define __expf expf
#define __logf logf
static inline float rsqrtf(float x) {
    return 1.0f / sqrtf(x);
}
static inline float __fdividef(float a, float b) {
    return a / b;
}
static inline float __fmaf_rn(float a, float b, float c) {
    return fmaf(a, b, c);
}
template <class T> static inline T __ldg(const T *p) {
    return *p;
}
static inline int min(int a, int b) {
    return a < b ? a : b;
}
static inline int max(int a, int b) {
    return a > b ? a : b;
}
static inline unsigned min(unsigned a, unsigned b) {
    return a < b ? a : b;
}
static inline unsigned max(unsigned a, unsigned b) {
    return a > b ? a : b;
}

// ---- the host's side

enum cudaError_t {
    cudaSuccess = 0,
    cudaErrorInvalidValue = 1,
    cudaErrorMemoryAllocation = 2,
    cudaErrorInvalidConfiguration = 9,
    cudaErrorInsufficientDriver = 35,
    cudaErrorInvalidDeviceFunction = 98,
    cudaErrorNoDevice = 100,
    cudaErrorNoKernelImageForDevice = 209,
    cudaErrorUnsupportedPtxVersion = 222,
    cudaErrorIllegalState = 401,
    cudaErrorNotReady = 600,
    cudaErrorSystemNotReady = 802,
    cudaErrorSystemDriverMismatch = 803
};
enum cudaMemcpyKind {
    cudaMemcpyHostToHost,
    cudaMemcpyHostToDevice,
    cudaMemcpyDeviceToHost,
    cudaMemcpyDeviceToDevice,
    cudaMemcpyDefault
};
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize = 8 };
enum cudaDeviceAttr {
    cudaDevAttrMaxSharedMemoryPerBlockOptin = 97,
    cudaDevAttrMultiProcessorCount = 16,
    cudaDevAttrComputeCapabilityMajor = 75,
    cudaDevAttrComputeCapabilityMinor = 76
};
enum cudaMemPoolAttr { cudaMemPoolAttrReleaseThreshold = 4, cudaMemPoolAttrUsedMemCurrent = 7 };
enum cudaStreamCaptureMode { cudaStreamCaptureModeGlobal, cudaStreamCaptureModeThreadLocal };

typedef struct cusim_stream *cudaStream_t;
typedef struct cusim_event *cudaEvent_t;
typedef struct cusim_graph *cudaGraph_t;
typedef struct cusim_graph *cudaGraphExec_t;
typedef struct cusim_pool *cudaMemPool_t;
struct cudaDeviceProp {
    char name[256];
    size_t totalGlobalMem;
    int major, minor, multiProcessorCount;
};
struct cudaFuncAttributes {
    int binaryVersion;
};
enum { cudaStreamNonBlocking = 1, cudaEventDisableTiming = 2, cudaEventDefault = 0 };

extern "C" {
const char *cudaGetErrorString(cudaError_t error);
const char *cudaGetErrorName(cudaError_t error);
cudaError_t cudaGetLastError();
cudaError_t cudaPeekAtLastError();
cudaError_t cudaGetDeviceCount(int *count);
cudaError_t cudaSetDevice(int device);
cudaError_t cudaGetDevice(int *device);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp *out, int device);
cudaError_t cudaDeviceGetAttribute(int *out, cudaDeviceAttr attribute, int device);
cudaError_t cudaDeviceGetPCIBusId(char *out, int size, int device);
cudaError_t cudaDriverGetVersion(int *version);
cudaError_t cudaRuntimeGetVersion(int *version);
cudaError_t cudaDeviceSynchronize();
cudaError_t cudaMemGetInfo(size_t *free, size_t *total);
cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t *pool, int device);
cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t pool, cudaMemPoolAttr attribute, void *value);
cudaError_t cudaMemPoolGetAttribute(cudaMemPool_t pool, cudaMemPoolAttr attribute, void *value);
cudaError_t cudaMemPoolTrimTo(cudaMemPool_t pool, size_t bytes);
cudaError_t cudaMallocAsync(void **out, size_t bytes, cudaStream_t stream);
cudaError_t cudaFreeAsync(void *memory, cudaStream_t stream);
cudaError_t cudaMallocHost(void **out, size_t bytes);
cudaError_t cudaFreeHost(void *memory);
cudaError_t cudaMemcpyAsync(
    void *to, const void *from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream);
cudaError_t cudaMemsetAsync(void *memory, int value, size_t bytes, cudaStream_t stream);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t *out, unsigned flags);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t *out, unsigned flags);
cudaError_t cudaEventDestroy(cudaEvent_t event);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream);
cudaError_t cudaEventQuery(cudaEvent_t event);
cudaError_t cudaEventSynchronize(cudaEvent_t event);
cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t from, cudaEvent_t to);
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes *out, const void *kernel);
cudaError_t cudaFuncSetAttribute(const void *kernel, cudaFuncAttribute attribute, int value);
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode);
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t *out, cudaGraph_t graph, unsigned long long flags);
cudaError_t cudaGraphLaunch(cudaGraphExec_t graph, cudaStream_t stream);
cudaError_t cudaGraphDestroy(cudaGraph_t graph);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph);
}
template <class T> cudaError_t cudaMallocHost(T **out, size_t bytes) {
    return cudaMallocHost(reinterpret_cast<void **>(out), bytes);
}

#endif
