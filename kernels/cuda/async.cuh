// Asynchronous copies from device memory to a block's shared memory (cp.async): threads continue while they
// run. commit_copies makes a group of the copies that this thread has started since the last one;
// wait_for_copies<N> returns when all but the last N groups of this thread have arrived. Other threads see
// them after a barrier.
#ifndef TT_KERNELS_CUDA_ASYNC_CUH
#define TT_KERNELS_CUDA_ASYNC_CUH

#include "kernels/cuda/kernel.cuh"

#ifdef TT_CUSIM
// The target is NaN until the copy is waited for, so that a read before that shows in the results.
template <int BYTES> __device__ __forceinline__ void copy_async(void *to, const void *from, bool there) {
    cusim::pause_counts(true);
    if (BYTES == 16)
        *static_cast<uint4 *>(to) = make_uint4(~0u, ~0u, ~0u, ~0u);
    else
        *static_cast<uint32_t *>(to) = ~0u;
    cusim::pause_counts(false);
    cusim::start_copy({to, from, BYTES, there});
}
__device__ __forceinline__ void commit_copies() {
    cusim::commit_copies();
}
template <int PENDING> __device__ __forceinline__ void wait_for_copies() {
    cusim::copy c;
    while (cusim::next_arrived(PENDING, &c)) {
        if (c.bytes == 16)
            *static_cast<uint4 *>(c.to) =
                c.there ? *static_cast<const uint4 *>(c.from) : make_uint4(0, 0, 0, 0);
        else
            *static_cast<uint32_t *>(c.to) = c.there ? *static_cast<const uint32_t *>(c.from) : 0;
    }
}
#else
// 16 or 4 bytes; both addresses are aligned to that size. Unless `there`, zeros are written and nothing is
// read.
template <int BYTES> __device__ __forceinline__ void copy_async(void *to, const void *from, bool there) {
    const uint32_t shared = static_cast<uint32_t>(__cvta_generic_to_shared(to));
    const int bytes = there ? BYTES : 0;
    if (BYTES == 16)
        asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;\n" ::"r"(shared), "l"(from), "r"(bytes)
                     : "memory");
    else
        asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;\n" ::"r"(shared), "l"(from), "r"(bytes)
                     : "memory");
}
__device__ __forceinline__ void commit_copies() {
    asm volatile("cp.async.commit_group;\n" ::: "memory");
}
template <int PENDING> __device__ __forceinline__ void wait_for_copies() {
    asm volatile("cp.async.wait_group %0;\n" ::"n"(PENDING) : "memory");
}
#endif

#endif
