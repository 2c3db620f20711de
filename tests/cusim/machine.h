// Between the runtime (machine.cc) and the checker (check.cc).
#ifndef TT_CUSIM_MACHINE_H
#define TT_CUSIM_MACHINE_H

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

region *find_region(uintptr_t address); // device memory or this block's shared memory; NULL
void describe_nearest(uintptr_t address, char *out, size_t size);

} // namespace cusim

#endif
