// Checks every memory access of a kernel. The compiler's -fsanitize=thread puts a call before each access;
// usually ThreadSanitizer's library answers, here we do. Complaints name kernel, block, thread and line:
//   - an address outside device memory, this block's shared memory and the thread's own stack;
//   - a vector access that is not aligned to its size;
//   - shared memory that is read before this block has written it, device memory that is read before anybody
//   has
//     written it since it was allocated or discarded;
//   - two threads of a block (or two blocks of a launch) that touch the same bytes, one of them writing, with
//     no barrier between.
// CUSIM_RACES=0 leaves out what needs to know who accessed it last: the last one, and shared memory's part of
// the one before. That is several times as fast, for whole models.
#include "machine.h"

#include "kernel.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

extern "C" char __executable_start, end;

namespace cusim {

static const char *line_of(const void *code, char *out, size_t size) {
    snprintf(out, size, "an unknown line");
    char command[160];
    snprintf(command, sizeof command, "addr2line -s -e /proc/%d/exe %#zx 2>/dev/null", getpid(),
        static_cast<size_t>(static_cast<const char *>(code) - 1 - &__executable_start));
    FILE *answer = popen(command, "r");
    if (!answer) return out;
    char text[200];
    if (fgets(text, sizeof text, answer) && text[0] != '?') {
        text[strcspn(text, " \n")] = 0;
        snprintf(out, size, "%s", text);
    }
    pclose(answer);
    return out;
}

// Whether `then` certainly came before (or is the same thread as) `now`.
static bool ordered(const region *r, const moment &then) {
    const moment &now = current->now;
    // Blocks share no memory but the device's; an earlier launch is over.
    if (then.block != now.block) return r->shared || then.block < current->first_block;
    if (then.thread == now.thread || then.epoch != now.epoch) return true;
    return then.thread / 32 == now.thread / 32 && then.warp_epoch != now.warp_epoch;
}

[[noreturn]] static void race(
    const region *r, const moment &other, bool writes, bool other_wrote, const void *code) {
    char line[200];
    line_of(code, line, sizeof line);
    if (other.block == current->now.block)
        cusim_complain("%s: race on %s: it %s what thread %d %s since the last barrier", line, r->name,
            writes ? "writes" : "reads", other.thread, other_wrote ? "wrote" : "read");
    cusim_complain("%s: race on %s: it %s what another block %s in the same launch", line, r->name,
        writes ? "writes" : "reads", other_wrote ? "wrote" : "read");
}

// halves: of the two bytes of a cell.
static void touch(region *r, cell *c, bool writes, uint8_t halves, const void *code) {
    const moment &now = current->now;
    const bool was_written = c->written.block != 0, was_read = c->read.block != 0;
    if (r->shared && !writes && c->written.block != now.block) {
        char line[200];
        cusim_complain("%s: uninitialised: reads %s where no thread of this block has written it yet",
            line_of(code, line, sizeof line), r->name);
    }
    if (was_written && (c->halves & halves) && !ordered(r, c->written))
        race(r, c->written, writes, true, code);
    if (writes) {
        const bool alone = was_read && c->read.block == now.block && c->read.thread == now.thread;
        if (was_read && !ordered(r, c->read)) race(r, c->read, true, false, code);
        if (alone && c->more_readers && c->read.epoch == now.epoch) race(r, c->read, true, false, code);
        c->written = now;
        c->halves = halves;
        c->read = {};
        c->more_readers = false;
    } else {
        const bool together = was_read && !ordered(r, c->read);
        c->more_readers = together || (c->more_readers && was_read && c->read.block == now.block &&
                                          c->read.epoch == now.epoch);
        c->read = now;
    }
}

// The region that an access is in; NULL if it needs no more checks.
static region *region_of(
    const void *at, size_t bytes, size_t alignment, const char *does, bool writes, const void *code) {
    if (!current) return nullptr;
    const uintptr_t address = reinterpret_cast<uintptr_t>(at);
    if (address >= current->stack && address < current->stack_end) return nullptr;
    if (address >= current->arguments && address < current->arguments_end) return nullptr;
    char line[200], place[200];
    region *r = find_region(address);
    if (!r) {
        if (!writes && address >= reinterpret_cast<uintptr_t>(&__executable_start) &&
            address < reinterpret_cast<uintptr_t>(&end))
            return nullptr; // a constant, or what the runtime keeps for the thread
        describe_nearest(address, place, sizeof place);
        cusim_complain(
            "%s: out of bounds: %s %zu bytes, %s", line_of(code, line, sizeof line), does, bytes, place);
    }
    if (address + bytes > r->end)
        cusim_complain("%s: out of bounds: %s %zu bytes, of which %zu are behind %s of %zu bytes",
            line_of(code, line, sizeof line), does, bytes, static_cast<size_t>(address + bytes - r->end),
            r->name, static_cast<size_t>(r->end - r->begin));
    if (address % alignment)
        cusim_complain("%s: misaligned: %s %zu bytes at an address that is no multiple of %zu",
            line_of(code, line, sizeof line), does, bytes, alignment);
    return r;
}

static const bool races_wanted = [] {
    const char *races = getenv("CUSIM_RACES");
    return !races || strcmp(races, "0") != 0;
}();

static uint8_t *states_of(const void *at) {
    return reinterpret_cast<uint8_t *>(reinterpret_cast<uintptr_t>(at) + shadow_distance);
}

static struct {
    uint32_t launch; // number of its first block
    uintptr_t begin, end;
} last_shared;

static bool all_written(const uint8_t *states, size_t bytes) {
    if (bytes == 4) return memcmp(states, "\2\2\2\2", 4) == 0;
    for (size_t i = 0; i < bytes; ++i)
        if (states[i] != WRITTEN) return false;
    return true;
}

// Of device memory, which `at` is known to be within.
static void read_or_write(const void *at, size_t bytes, bool writes, const void *code) {
    uint8_t *states = states_of(at);
    if (all_written(states, bytes)) return;
    size_t first;
    if (writes) {
        memset(states, WRITTEN, bytes);
    } else if (find_unwritten(at, bytes, &first)) {
        char line[200], place[200];
        cusim_complain("%s: uninitialised: reads %s", line_of(code, line, sizeof line),
            describe_unwritten(static_cast<const char *>(at) + first, place, sizeof place));
    }
}

// Whether an access needs no more looking at: to the thread's own stack, or aligned and within the shared
// memory that was accessed last, or within device memory that holds what it wants. Races aside.
static bool quickly(const void *at, size_t bytes, size_t alignment) {
    const uintptr_t address = reinterpret_cast<uintptr_t>(at);
    if (address >= current->stack && address < current->stack_end) return true;
    if (address % alignment) return false;
    if (address - heap_begin < heap_end - heap_begin) return all_written(states_of(at), bytes);
    return last_shared.launch == current->first_block && address >= last_shared.begin &&
           address + bytes <= last_shared.end;
}

static void check(const void *at, size_t bytes, size_t alignment, bool writes, const void *code) {
    if (counting) count_access(at, bytes, writes, false, code);
    if (!races_wanted && current && quickly(at, bytes, alignment)) return;
    region *r = region_of(at, bytes, alignment, writes ? "writes" : "reads", writes, code);
    if (!r) return;
    if (!r->shared)
        read_or_write(at, bytes, writes, code);
    else
        last_shared = {current->first_block, r->begin, r->end};
    if (!races_wanted) return;
    if (!r->cells) r->cells = static_cast<cell *>(calloc((r->end - r->begin) / 2 + 1, sizeof(cell)));
    const uintptr_t from = reinterpret_cast<uintptr_t>(at) - r->begin;
    const uint8_t halves = bytes > 1 ? 3 : static_cast<uint8_t>(1 << from % 2);
    for (size_t i = from / 2; i <= (from + bytes - 1) / 2; ++i) touch(r, &r->cells[i], writes, halves, code);
}

} // namespace cusim

#define CHECKED(size)                                                                                        \
    void __tsan_read##size(void *at) {                                                                       \
        cusim::check(at, size, size, false, __builtin_return_address(0));                                    \
    }                                                                                                        \
    void __tsan_write##size(void *at) {                                                                      \
        cusim::check(at, size, size, true, __builtin_return_address(0));                                     \
    }                                                                                                        \
    void __tsan_unaligned_read##size(void *at) {                                                             \
        cusim::check(at, size, 1, false, __builtin_return_address(0));                                       \
    }                                                                                                        \
    void __tsan_unaligned_write##size(void *at) {                                                            \
        cusim::check(at, size, 1, true, __builtin_return_address(0));                                        \
    }                                                                                                        \
    void __tsan_volatile_read##size(void *at) {                                                              \
        cusim::check(at, size, size, false, __builtin_return_address(0));                                    \
    }                                                                                                        \
    void __tsan_volatile_write##size(void *at) {                                                             \
        cusim::check(at, size, size, true, __builtin_return_address(0));                                     \
    }

bool cusim::accesses_seen() {
    return true;
}

void cusim_atomic(const void *at, size_t bytes) {
    using namespace cusim;
    const void *code = __builtin_return_address(0);
    if (counting) count_access(at, bytes, true, true, code);
    region *r = region_of(at, bytes, bytes, "atomically changes", true, code);
    if (!r) return;
    if (!r->shared) return read_or_write(at, bytes, false, code);
    if (!races_wanted) return;
    if (!r->cells) r->cells = static_cast<cell *>(calloc((r->end - r->begin) / 2 + 1, sizeof(cell)));
    const cell *c = &r->cells[(reinterpret_cast<uintptr_t>(at) - r->begin) / 2];
    char line[200];
    if (c->written.block != current->now.block)
        cusim_complain(
            "%s: uninitialised: atomically changes %s where no thread of this block has written it yet",
            line_of(code, line, sizeof line), r->name);
}

extern "C" {
CHECKED(1)
CHECKED(2)
CHECKED(4)
CHECKED(8)
CHECKED(16)
void __tsan_read_range(void *at, size_t bytes) {
    cusim::check(at, bytes, 1, false, __builtin_return_address(0));
}
void __tsan_write_range(void *at, size_t bytes) {
    cusim::check(at, bytes, 1, true, __builtin_return_address(0));
}
void __tsan_vptr_update(void **, void *) {}
void __tsan_vptr_read(void **) {}
void __tsan_init() {}
void __tsan_func_entry(void *) {}
void __tsan_func_exit() {}
}
