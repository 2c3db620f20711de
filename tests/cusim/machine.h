// What the parts of cusim know of each other: blocks (machine.cc), the host's functions (runtime.cc), device
// memory (memory.cc), the checker (check.cc), the libraries (cublaslt.cc, nccl.cc).
#ifndef TT_CUSIM_MACHINE_H
#define TT_CUSIM_MACHINE_H

#include "counts.h"

#include <cuda_runtime.h>

#include <functional>
#include <stddef.h>
#include <stdint.h>

namespace cusim {

// Where a memory access stands in the order of a block.
struct moment {
    uint32_t block;      // number of the block's run, counted over all launches from 1; 0: none
    uint32_t epoch;      // barriers of the block so far
    uint16_t thread;     // within the block
    uint16_t warp_epoch; // __syncwarp of its whole warp so far
};

// What the checker knows of two bytes of memory: who wrote and who read them last.
struct cell {
    moment written, read;
    bool more_readers; // other threads have read since `written` too
    uint8_t
        halves; // what was written: bit 0 the first byte, bit 1 the second; only the last write is remembered
};

struct region {
    uintptr_t begin, end;
    cell *cells; // (end - begin + 1) / 2, made when first needed
    bool shared; // of a block: uninitialised until this block has written it
    const char *name;
};

// NULL outside a kernel.
struct running {
    const char *kernel;
    uint32_t first_block; // number of the launch's first block
    moment now;           // of the thread that runs
    uintptr_t stack, stack_end, arguments, arguments_end;
};
extern running *current;

// The number behind NAME= among the words of an environment variable; 1 for the word alone; `otherwise` without it.
size_t setting(const char *variable, const char *name, size_t otherwise);

// machine.cc: the blocks of a launch, one after another; the shared memory of the one that runs.
enum { MAX_THREADS = 1024 };
struct task;
void run_grid(const char *name, dim3 grid, dim3 block, size_t shared, task *body);
region *find_shared(uintptr_t address);
void nearest(const region &r, uintptr_t address, const region **best, uintptr_t *distance);
void nearest_shared(uintptr_t address, const region **best, uintptr_t *distance);

// runtime.cc
cudaError_t enqueue(cudaStream_t stream, std::function<void()> work);
bool recording();                              // some stream
void stall(cudaStream_t stream, bool stalled); // its work waits
unsigned long launches();                      // so far, of kernels; in graphs, of all that is in them

// memory.cc
void *allocate(size_t bytes); // device memory; NULL if there is none left
void trim();                  // what was released counts no more
size_t reserved();            // bytes that count: allocated, or released since the last trim
size_t memory_size();
bool load(const void *what); // the code of what is used for the first time; false: there is no memory for it
bool release(void *memory);  // false: it is none
bool is_block(const void *memory);
size_t allocated();                     // bytes
region *find_region(uintptr_t address); // device memory or this block's shared memory; NULL
void describe_nearest(uintptr_t address, char *out, size_t size);

// Whether the accesses of kernels are seen: this program has check.cc. Else nothing is known of what was
// written.
bool accesses_seen();

// Of each byte of device memory, kept `shadow_distance` behind it. Only what is WRITTEN may be read.
enum written : uint8_t { NOWHERE, FRESH, WRITTEN, DISCARDED };
extern uintptr_t heap_begin, heap_end, shadow_distance; // all device memory is in between
void mark(void *memory, size_t bytes, written state);
void copy_marks(void *to, const void *from, size_t bytes);
// False if all is, or if nothing is known. *at: the first byte that is not.
bool find_unwritten(const void *memory, size_t bytes, size_t *at);
const char *describe_unwritten(const void *at, char *out, size_t size);

// counts.cc, if `counting`: called where it happens.
extern bool counting;
void count_grid(const char *name, int threads);
void count_grid_end();
void count_block();
void count_block_end();
void count_barrier();
void count_warp(int warp, bool whole); // an operation of a warp; whole: of all its lanes
void count_access(const void *at, size_t bytes, bool writes, bool atomic, const void *code);
void count_host(uint64_t cusim_host_counts::*what, uint64_t by);

} // namespace cusim

#endif
