// Included by every file of CUDA kernels: launches, errors, conversions, reductions, access by fours.
//
// Conventions
//   - Kernels take the contract's structures (kernels/ops.h) by value; pointers in them are device memory.
//   - T is the type of operands: float (parity) or __nv_bfloat16.
//   - No floating-point atomics: sums that cross blocks are written as partial sums and added in a fixed
//     order by a second kernel, so that results do not depend on how blocks were scheduled.
//   - Shared memory is declared with TT_SHARED (fixed size) and TT_SHARED_DYNAMIC (size of the launch), and
//     kernels are launched with TT_LAUNCH, so that the same source also compiles for tests/cusim.
#ifndef TT_KERNELS_CUDA_KERNEL_CUH
#define TT_KERNELS_CUDA_KERNEL_CUH

#include "kernels/cuda/cuda.h"
#include "kernels/ops.h"

#include <cuda_bf16.h>
#include <cuda_runtime.h>
#include <stdint.h>

#ifdef TT_CUSIM
#include "tests/cusim/kernel.h"
#else
#define TT_LAUNCH_ONCE(kernel, grid, block, shared, stream, ...)                                             \
    (kernel<<<(grid), (block), (shared), (stream)>>>(__VA_ARGS__), cudaGetLastError())
#define TT_DISCARD(poison, memory, bytes, stream)                                                            \
    ((poison) ? cudaMemsetAsync((memory), 0xff, (bytes), (stream)) : cudaSuccess)
#define TT_SHARED(type, name, count) __shared__ __align__(16) type name[count]
// 16-byte aligned; one per kernel.
#define TT_SHARED_DYNAMIC(type, name)                                                                        \
    extern __shared__ uint4 tt_shared_memory[];                                                              \
    type *const name = reinterpret_cast<type *>(tt_shared_memory)
#endif

using bf16 = __nv_bfloat16;

// ---- host side

// An error that a kernel found in its data; the next download reports it.
enum tt_cuda_fault_code {
    TT_FAULT_NONE,
    TT_FAULT_ID,
    TT_FAULT_TARGET,
    TT_FAULT_LOGITS,
    TT_FAULT_UNIFORM,
    TT_FAULT_SCORES
};
struct tt_cuda_fault {
    int code, row, value;
};

// Device memory: the bucket of each distance (attention.cuh). Kept until the device is closed, since
// recordings contain its address.
struct tt_cuda_bucket_table {
    bool bidirectional;
    int buckets, max_distance;
    uint8_t *bucket;
    int32_t *begin;
    int last; // the least distance in the last bucket
};

// The host's side of copies: pinned, so that a copy makes nobody wait but who asks for its result (device.cu).
struct tt_cuda_staging {
    enum { UP = 4 << 20, DOWN = 1 << 20, FETCHES = 4 }; // bytes; fetches that no wait has ended
    char *up;   // what is under way to the GPU: [used]; all of it has arrived after a wait
    char *down; // what fetches bring: [down_used], and then a download
    tt_cuda_fault *fault;
    size_t used, down_used;
    struct {
        void *to;
        const char *from;
        size_t bytes;
    } fetch[FETCHES];
    int fetches;
};

struct tt_cuda_gemm; // gemm.cu's own
struct tt_cuda_state {
    cudaStream_t stream;
    cudaMemPool_t pool;   // where all device memory comes from; keeps what is freed
    int processors;       // multiprocessors
    int shared_most;      // bytes of shared memory that a block may have
    tt_cuda_fault *fault; // device memory
    tt_cuda_staging staging;
    tt_cuda_gemm *gemm;
    tt_cuda_bucket_table *tables;
    size_t n_tables, table_capacity;
};

static inline tt_cuda_state *tt_cuda_of(tt_device *device) {
    return static_cast<tt_cuda_state *>(device->state);
}
static inline cudaStream_t tt_stream(tt_device *device) {
    return tt_cuda_of(device)->stream;
}

// Returns TT_ERR_DEVICE (TT_ERR_NOMEM if memory ran out) with CUDA's message after `what`.
tt_status tt_cuda_failed(cudaError_t error, const char *what);
#define TT_CUDA(call, what)                                                                                  \
    do {                                                                                                     \
        cudaError_t tt_cuda_error_ = (call);                                                                 \
        if (tt_cuda_error_ != cudaSuccess) return tt_cuda_failed(tt_cuda_error_, what);                      \
    } while (0)

// alloc.cu: device memory, zeroed or with undefined contents. Errors: TT_ERR_NOMEM, whose message says how much is free.
tt_status tt_cuda_alloc(tt_device *device, void *out, size_t bytes, const char *what);
tt_status tt_cuda_alloc_undefined(tt_device *device, void *out, size_t bytes, const char *what);
// Waits, and gives back what the pool keeps without need: memory of this process that CUDA and its libraries do not get
// otherwise. Not in a recording, where nothing can be waited for: an error.
cudaError_t tt_cuda_make_room(cudaStream_t stream);

// The first use of a kernel or graph loads its code, which may find no memory: then `call` is made once more.
template <class Call> cudaError_t tt_cuda_load(cudaStream_t stream, const Call &call) {
    const cudaError_t error = call();
    return error == cudaErrorMemoryAllocation && tt_cuda_make_room(stream) == cudaSuccess ? call() : error;
}
#define TT_LAUNCH(kernel, grid, block, shared, stream, ...)                                                  \
    tt_cuda_load(stream, [&] { return TT_LAUNCH_ONCE(kernel, grid, block, shared, stream, __VA_ARGS__); })

static inline int tt_ceil_div(int64_t a, int64_t b) {
    return static_cast<int>((a + b - 1) / b);
}

// Calls `function<float>(args)` or `function<bf16>(args)` by the device's operands.
#define TT_BY_OPERAND(device, function, ...)                                                                 \
    ((device)->operand_size == sizeof(float) ? function<float>(__VA_ARGS__) : function<bf16>(__VA_ARGS__))

// A kernel has to be allowed more than 48 KiB of dynamic shared memory.
#define TT_ALLOW_SHARED(kernel, bytes, stream, what)                                                         \
    TT_CUDA(tt_cuda_load((stream),                                                                           \
                [&] {                                                                                        \
                    return cudaFuncSetAttribute(reinterpret_cast<const void *>(&kernel),                     \
                        cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes));               \
                }),                                                                                          \
        what)

// ---- device side

static __device__ __forceinline__ float to_float(float x) {
    return x;
}
static __device__ __forceinline__ float to_float(bf16 x) {
    return __bfloat162float(x);
}
template <class T> __device__ __forceinline__ T from_float(float x);
template <> __device__ __forceinline__ float from_float<float>(float x) {
    return x;
}
template <> __device__ __forceinline__ bf16 from_float<bf16>(float x) {
    return __float2bfloat16_rn(x);
}

struct float4x {
    float v[4];
};

// Four consecutive elements as floats. `whole`: all four exist and p is aligned to four elements; otherwise
// only the first n exist and the rest are 0.
static __device__ __forceinline__ float4x load4(const float *p, bool whole, int n) {
    float4x out = {{0, 0, 0, 0}};
    if (whole) {
        const float4 x = *reinterpret_cast<const float4 *>(p);
        out.v[0] = x.x, out.v[1] = x.y, out.v[2] = x.z, out.v[3] = x.w;
    } else {
        for (int i = 0; i < 4; ++i)
            if (i < n) out.v[i] = p[i];
    }
    return out;
}
static __device__ __forceinline__ float4x load4(const bf16 *p, bool whole, int n) {
    float4x out = {{0, 0, 0, 0}};
    if (whole) {
        const uint2 x = *reinterpret_cast<const uint2 *>(p);
        out.v[0] = __uint_as_float(x.x << 16), out.v[1] = __uint_as_float(x.x & 0xffff0000u);
        out.v[2] = __uint_as_float(x.y << 16), out.v[3] = __uint_as_float(x.y & 0xffff0000u);
    } else {
        for (int i = 0; i < 4; ++i)
            if (i < n) out.v[i] = to_float(p[i]);
    }
    return out;
}
static __device__ __forceinline__ uint32_t pack2(float low, float high) {
    const __nv_bfloat162 both = __floats2bfloat162_rn(low, high); // one instruction
    return static_cast<uint32_t>(__bfloat16_as_ushort(both.x)) |
           static_cast<uint32_t>(__bfloat16_as_ushort(both.y)) << 16;
}
static __device__ __forceinline__ void store4(float *p, const float4x &x, bool whole, int n) {
    if (whole) {
        *reinterpret_cast<float4 *>(p) = make_float4(x.v[0], x.v[1], x.v[2], x.v[3]);
    } else {
        for (int i = 0; i < 4; ++i)
            if (i < n) p[i] = x.v[i];
    }
}
static __device__ __forceinline__ void store4(bf16 *p, const float4x &x, bool whole, int n) {
    if (whole) {
        *reinterpret_cast<uint2 *>(p) = make_uint2(pack2(x.v[0], x.v[1]), pack2(x.v[2], x.v[3]));
    } else {
        for (int i = 0; i < 4; ++i)
            if (i < n) p[i] = from_float<bf16>(x.v[i]);
    }
}

// Two consecutive elements, the first at an even place.
static __device__ __forceinline__ void store_pair(float *p, float low, float high) {
    *reinterpret_cast<float2 *>(p) = make_float2(low, high);
}
static __device__ __forceinline__ void store_pair(bf16 *p, float low, float high) {
    *reinterpret_cast<uint32_t *>(p) = pack2(low, high);
}

// As many consecutive elements as 16 bytes hold: four, of bf16 eight. `whole` and `n` as above.
template <class T> struct piece {
    static constexpr int fours = 4 / sizeof(T), size = 4 * fours;
    float4x four[fours];
    __device__ __forceinline__ float &operator[](int i) { return four[i / 4].v[i % 4]; }
};
static __device__ __forceinline__ void load_piece(piece<float> *out, const float *p, bool whole, int n) {
    out->four[0] = load4(p, whole, n);
}
static __device__ __forceinline__ void load_piece(piece<bf16> *out, const bf16 *p, bool whole, int n) {
    if (whole) {
        const uint4 x = *reinterpret_cast<const uint4 *>(p);
        const uint32_t pairs[4] = {x.x, x.y, x.z, x.w};
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            out->four[i / 2].v[2 * (i % 2)] = __uint_as_float(pairs[i] << 16);
            out->four[i / 2].v[2 * (i % 2) + 1] = __uint_as_float(pairs[i] & 0xffff0000u);
        }
    } else {
        out->four[0] = load4(p, false, n);
        out->four[1] = load4(p + 4, false, n - 4);
    }
}
static __device__ __forceinline__ void store_piece(float *p, const piece<float> &x, bool whole, int n) {
    store4(p, x.four[0], whole, n);
}
static __device__ __forceinline__ void store_piece(bf16 *p, const piece<bf16> &x, bool whole, int n) {
    if (whole) {
        *reinterpret_cast<uint4 *>(p) =
            make_uint4(pack2(x.four[0].v[0], x.four[0].v[1]), pack2(x.four[0].v[2], x.four[0].v[3]),
                pack2(x.four[1].v[0], x.four[1].v[1]), pack2(x.four[1].v[2], x.four[1].v[3]));
    } else {
        store4(p, x.four[0], false, n);
        store4(p + 4, x.four[1], false, n - 4);
    }
}

// The floats that go with a piece of T.
template <class T>
__device__ __forceinline__ void load_floats(piece<T> *out, const float *p, bool whole, int n) {
#pragma unroll
    for (int k = 0; k < piece<T>::fours; ++k) out->four[k] = load4(p + 4 * k, whole, n - 4 * k);
}
template <class T>
__device__ __forceinline__ void store_floats(float *p, const piece<T> &x, bool whole, int n) {
#pragma unroll
    for (int k = 0; k < piece<T>::fours; ++k) store4(p + 4 * k, x.four[k], whole, n - 4 * k);
}

enum { WARP = 32 };
#define TT_ALL_LANES 0xffffffffu

// The same sum (maximum) in all lanes; the tree is fixed.
template <class N> __device__ __forceinline__ N warp_sum(N x) {
    for (int step = WARP / 2; step > 0; step /= 2) x += __shfl_xor_sync(TT_ALL_LANES, x, step);
    return x;
}
static __device__ __forceinline__ float warp_max(float x) {
    for (int step = WARP / 2; step > 0; step /= 2) x = fmaxf(x, __shfl_xor_sync(TT_ALL_LANES, x, step));
    return x;
}

#define TT_LOG2E 1.4426950408889634f

// 2^x in one instruction, 0 for minus infinity; its error is about two units of the last place.
static __device__ __forceinline__ float power_of_two(float x) {
#ifdef TT_CUSIM
    return exp2f(x);
#else
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
#endif
}

// The same over a block of BLOCK threads (a multiple of 32): the result in all threads. `partial` is shared
// memory, BLOCK / 32 elements; it may be used again at once.
template <int BLOCK, class N> __device__ __forceinline__ N block_sum(N x, N *partial) {
    x = warp_sum(x);
    if (threadIdx.x % WARP == 0) partial[threadIdx.x / WARP] = x;
    __syncthreads();
    N sum = 0;
    for (int i = 0; i < BLOCK / WARP; ++i) sum += partial[i];
    __syncthreads();
    return sum;
}
template <int BLOCK> __device__ __forceinline__ float block_max(float x, float *partial) {
    x = warp_max(x);
    if (threadIdx.x % WARP == 0) partial[threadIdx.x / WARP] = x;
    __syncthreads();
    float top = partial[0];
    for (int i = 1; i < BLOCK / WARP; ++i) top = fmaxf(top, partial[i]);
    __syncthreads();
    return top;
}

static __device__ __forceinline__ void tt_fault(tt_cuda_fault *fault, int code, int row, int value) {
    if (atomicCAS(&fault->code, TT_FAULT_NONE, code) != TT_FAULT_NONE) return;
    fault->row = row;
    fault->value = value;
}

// ---- operations, one file each

// Sums over strips, many in one launch.
struct tt_cuda_strips {
    enum { MOST = 128 }; // a launch's arguments may have 4 KiB
    int n;
    struct {
        float *to;
        const float *partial;
        int strips;
    } of[MOST];
};
// For each: to[c] += sum over strips of partial[strip, c] (device memory), in an order that depends on the
// sizes alone.
tt_status tt_cuda_add_strips(tt_device *, const tt_cuda_strips *, int columns);
tt_status tt_cuda_add_strips(tt_device *, float *to, const float *partial, int strips, int columns);

tt_status tt_cuda_embed_fwd(tt_device *, const tt_embedding *);
tt_status tt_cuda_embed_bwd(tt_device *, const tt_embedding *);
tt_status tt_cuda_rmsnorm_fwd(tt_device *, const tt_rmsnorm *);
tt_status tt_cuda_rmsnorm_bwd(tt_device *, const tt_rmsnorm *);
tt_status tt_cuda_rmsnorm_dw(tt_device *, const tt_rmsnorm_sum *, int n, int d);
tt_status tt_cuda_gemm_multiply(tt_device *, const tt_gemm *);
void tt_cuda_gemm_close(tt_cuda_state *);
tt_status tt_cuda_attention_fwd(tt_device *, const tt_attention *);
tt_status tt_cuda_attention_bwd(tt_device *, const tt_attention *);
tt_status tt_cuda_attention_dbias(tt_device *, const tt_attention *);
tt_status tt_cuda_ffn_fwd(tt_device *, const tt_ffn *);
tt_status tt_cuda_ffn_bwd(tt_device *, const tt_ffn *);
tt_status tt_cuda_lmhead_fwd(tt_device *, const tt_lmhead *);
tt_status tt_cuda_lmhead_bwd(tt_device *, const tt_lmhead *);
tt_status tt_cuda_lmhead_fused(tt_device *, const tt_lmhead *);
tt_status tt_cuda_adamw(tt_device *, const tt_adamw *);
tt_status tt_cuda_square_sum(tt_device *, double *sum, const float *x, int64_t n);
tt_status tt_cuda_scale(tt_device *, float *x, int64_t n, float factor);
// Conversions on any stream.
tt_status tt_cuda_narrow(cudaStream_t stream, bf16 *out, const float *x, int64_t n);
tt_status tt_cuda_widen(cudaStream_t stream, float *out, const bf16 *x, int64_t n);
tt_status tt_cuda_to_bf16(tt_device *, uint16_t *out, const float *x, int64_t n);
tt_status tt_cuda_attention_decode(tt_device *, const tt_attention_decode *);
tt_status tt_cuda_enter(tt_device *, const tt_enter *);
tt_status tt_cuda_advance(tt_device *, const tt_advance *);
tt_status tt_cuda_sample(tt_device *, const tt_sample *);
tt_status tt_cuda_log_softmax(tt_device *, float *x, int rows, int n);
tt_status tt_cuda_penalise(tt_device *, const tt_penalise *);
tt_status tt_cuda_top(tt_device *, const tt_top *);
tt_status tt_cuda_beam_step(tt_device *, const tt_beam_step *);

#endif
