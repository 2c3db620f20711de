// What the kernels and the host do, counted: for tests and for people who look for what to make faster. Counts
// depend on the sources and the sizes alone, never on the machine or on time. See README.md.
#ifndef TT_CUSIM_COUNTS_H
#define TT_CUSIM_COUNTS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { CUSIM_SECTOR = 32, CUSIM_NAME = 64 }; // bytes that memory is read and written in; of a kernel's name

// What the host asked for.
typedef struct cusim_host_counts {
    uint64_t launches; // kernels, launched one by one
    uint64_t products; // calls of cublasLtMatmul
    uint64_t asked;    // calls of cublasLtMatmulAlgoGetHeuristic
    uint64_t graphs;   // launches of a graph
    uint64_t nodes;    // all that was in these graphs
    uint64_t copies;   // calls that copy or set memory
    uint64_t waits;    // calls in which the host waits for the GPU; copies to pageable memory wait, too
    uint64_t bytes_up, bytes_down;
} cusim_host_counts;

// What a kernel did in all its launches. A request is what the lanes of a warp ask for by one instruction.
typedef struct cusim_kernel_counts {
    char name[CUSIM_NAME];
    uint64_t launches, blocks;
    // Device memory. Distinct sectors count once for a launch (as if all caches were large enough),
    // block_sectors once for each block that touches them (as if only blocks had a cache).
    uint64_t requests, sectors, used_bytes; // used_bytes: of the sectors of each request
    uint64_t distinct_sectors, block_sectors;
    uint64_t sectors_read, sectors_written; // distinct for a launch
    // Shared memory: passes that the banks need, and would need without conflicts.
    uint64_t wavefronts, least_wavefronts;
    // Work is the number of requests and of operations of a warp. Over all stretches between barriers: of the
    // busiest warp, and of the mean warp. Blocks that had nothing to do do not count.
    double busiest_warp, mean_warp;
    double longest_block, mean_block; // of their busiest warps; summed over launches
    uint64_t atomics, atomic_lanes;   // requests; sum of the most lanes that change one address
} cusim_kernel_counts;

// Counts from here on, as CUSIM_COUNTS=1 does from the beginning.
void cusim_counts_start(void);
// Forgets what was counted.
void cusim_counts_clear(void);
cusim_host_counts cusim_counts_of_host(void);
// Kernels in the order of their first launch; *out is valid until the next launch or clear.
size_t cusim_counts_of_kernels(const cusim_kernel_counts **out);

#ifdef __cplusplus
}
#endif

#endif
