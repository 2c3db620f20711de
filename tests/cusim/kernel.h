// Launches and shared memory of kernels compiled for the CPU; included by kernels/cuda/kernel.cuh.
#ifndef TT_CUSIM_KERNEL_H
#define TT_CUSIM_KERNEL_H

#include <cuda_runtime.h>

#include <tuple>

namespace cusim {

// A kernel with its arguments.
struct task {
    virtual ~task() = default;
    virtual void run() = 0; // by every thread
    virtual size_t size() const = 0;
};

template <class... P> struct bound final : task {
    void (*kernel)(P...);
    std::tuple<P...> arguments;
    template <class... A> bound(void (*k)(P...), A &&...a) : kernel(k), arguments(static_cast<P>(a)...) {}
    void run() override { std::apply(kernel, arguments); }
    size_t size() const override { return sizeof *this; }
};

template <class... P, class... A> task *bind(void (*kernel)(P...), A &&...arguments) {
    return new bound<P...>(kernel, arguments...);
}

cudaError_t launch(const char *name, const void *kernel, dim3 grid, dim3 block, size_t shared,
    cudaStream_t stream, task *task); // takes the task

// Kernels that read this before it is written are reported; it is filled with NaN.
cudaError_t discard(void *memory, size_t bytes, cudaStream_t stream);

// `bytes` of this block's shared memory: the same for all threads that come from the same place.
void *shared_static(size_t bytes, const char *name, const char *file, int line);
void *shared_dynamic();

// Copies that this thread has started (kernels/cuda/async.cuh), by groups.
struct copy {
    void *to;
    const void *from;
    int bytes;
    bool there;
};
void start_copy(const copy &c);
void commit_copies();
// What happens in between is not counted (counts.h): it stands for nothing that a GPU does.
void pause_counts(bool paused);
bool next_arrived(int pending, copy *out); // the oldest, if it is not of the last `pending` groups

} // namespace cusim

#define TT_LAUNCH_ONCE(kernel, grid, block, shared, stream, ...)                                             \
    cusim::launch(#kernel, reinterpret_cast<const void *>(+kernel), (grid), (block), (shared), (stream),     \
        cusim::bind(kernel, __VA_ARGS__))
#define TT_DISCARD(poison, memory, bytes, stream)                                                            \
    ((void)(poison), cusim::discard((memory), (bytes), (stream)))
#define TT_SHARED(type, name, count)                                                                         \
    type *const name =                                                                                       \
        static_cast<type *>(cusim::shared_static(sizeof(type) * (count), #name, __FILE__, __LINE__))
#define TT_SHARED_DYNAMIC(type, name) type *const name = static_cast<type *>(cusim::shared_dynamic())

#endif
