// Device memory: blocks of one reserved stretch of addresses, and for each of its bytes, at a fixed distance,
// a byte that says whether anybody has written it. Copies take that along; kernels (check.cc), matrix
// products, sums between GPUs and copies to the host may read only what was written.
#include "machine.h"

#include <map>
#include <set>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

namespace cusim {

uintptr_t heap_begin, heap_end, shadow_distance;

static const size_t addresses = static_cast<size_t>(16) << 30;
static const size_t alignment =
    256; // and a gap behind each block, so that its neighbour does not begin where it ends
static std::map<uintptr_t, region> blocks;       // by begin
static std::multimap<size_t, uintptr_t> freed;   // by size; kept, and handed out again
static std::multimap<size_t, uintptr_t> trimmed; // by size; given back
static uintptr_t unused;                         // from here on

static char *reserve() {
    void *const memory =
        mmap(nullptr, addresses, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        perror("cusim: no addresses for device memory");
        exit(1);
    }
    return static_cast<char *>(memory);
}

static uint8_t *shadow(const void *at) {
    return reinterpret_cast<uint8_t *>(reinterpret_cast<uintptr_t>(at) + shadow_distance);
}

static size_t room(size_t bytes) {
    return (bytes + alignment - 1) / alignment * alignment + alignment;
}

void *allocate(size_t bytes) {
    if (!heap_begin) {
        unused = heap_begin = reinterpret_cast<uintptr_t>(reserve());
        heap_end = heap_begin + addresses;
        shadow_distance = reinterpret_cast<uintptr_t>(reserve()) - heap_begin;
    }
    const size_t size = room(bytes);
    uintptr_t begin = unused;
    const auto again = freed.find(size), back = trimmed.find(size);
    if (again != freed.end()) {
        begin = again->second;
        freed.erase(again);
    } else if (reserved() + size > memory_size()) {
        return nullptr;
    } else if (back != trimmed.end()) {
        begin = back->second;
        trimmed.erase(back);
    } else if (size > heap_end - unused) {
        return nullptr;
    } else {
        unused += size;
    }
    blocks[begin] = {begin, begin + bytes, nullptr, false, "an allocation"};
    void *const memory = reinterpret_cast<void *>(begin);
    memset(memory, 0xcb, bytes);
    memset(shadow(memory), FRESH, bytes);
    return memory;
}

bool release(void *memory) {
    const auto it = blocks.find(reinterpret_cast<uintptr_t>(memory));
    if (it == blocks.end()) return false;
    const size_t bytes = it->second.end - it->second.begin;
    free(it->second.cells);
    blocks.erase(it);
    memset(shadow(memory), NOWHERE, bytes);
    freed.emplace(room(bytes), reinterpret_cast<uintptr_t>(memory));
    return true;
}

void trim() {
    trimmed.insert(freed.begin(), freed.end());
    freed.clear();
}

size_t memory_size() {
    return setting("CUSIM_GPU", "memory", addresses >> 10) << 10;
}

// With load=KIB in CUSIM_GPU the code of each kernel and graph, of cuBLASLt and of each of its choices takes so much.
static std::set<const void *> loaded;

bool load(const void *what) {
    const size_t bytes = setting("CUSIM_GPU", "load", 0) << 10;
    if (bytes == 0 || loaded.count(what) > 0) return true;
    if (reserved() + bytes > memory_size()) return false;
    loaded.insert(what);
    return true;
}

size_t reserved() {
    size_t sum = loaded.size() * (setting("CUSIM_GPU", "load", 0) << 10);
    for (const auto &b : blocks) sum += room(b.second.end - b.second.begin);
    for (const auto &f : freed) sum += f.first;
    return sum;
}

bool is_block(const void *memory) {
    return blocks.count(reinterpret_cast<uintptr_t>(memory)) > 0;
}

size_t allocated() {
    size_t sum = 0;
    for (const auto &b : blocks) sum += b.second.end - b.second.begin;
    return sum;
}

region *find_region(uintptr_t address) {
    if (region *shared_memory = find_shared(address)) return shared_memory;
    auto it = blocks.upper_bound(address);
    if (it == blocks.begin()) return nullptr;
    --it;
    return address < it->second.end ? &it->second : nullptr;
}

void describe_nearest(uintptr_t address, char *out, size_t size) {
    const region *best = nullptr;
    uintptr_t distance = 1 << 20;
    nearest_shared(address, &best, &distance);
    for (const auto &b : blocks) nearest(b.second, address, &best, &distance);
    if (!best)
        snprintf(out, size, "far from all device memory");
    else
        snprintf(out, size, "%zu bytes %s %s of %zu bytes", static_cast<size_t>(distance),
            address < best->begin ? "before" : "behind", best->name,
            static_cast<size_t>(best->end - best->begin));
}

// ---- what has been written

void mark(void *memory, size_t bytes, written state) {
    memset(shadow(memory), state, bytes);
}

void copy_marks(void *to, const void *from, size_t bytes) {
    memmove(shadow(to), shadow(from), bytes);
}

bool find_unwritten(const void *memory, size_t bytes, size_t *at) {
    if (!accesses_seen()) return false;
    const uint8_t *states = shadow(memory);
    if (bytes == 0 || (*states == WRITTEN && memcmp(states, states + 1, bytes - 1) == 0)) return false;
    for (*at = 0; *at < bytes; ++*at)
        if (states[*at] != WRITTEN) return true;
    return false;
}

const char *describe_unwritten(const void *at, char *out, size_t size) {
    const uintptr_t address = reinterpret_cast<uintptr_t>(at);
    const region *r = find_region(address);
    snprintf(out, size, "byte %zu of an allocation of %zu bytes, which nobody has written since it was %s",
        static_cast<size_t>(address - r->begin), static_cast<size_t>(r->end - r->begin),
        *shadow(at) == DISCARDED ? "discarded" : "allocated");
    return out;
}

} // namespace cusim
