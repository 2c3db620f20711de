// Counts what kernels and the host do. machine.cc tells of launches, blocks, barriers and warps, runtime.cc of
// the host, check.cc of every memory access.
//
// The lanes of a warp run one after another, so a request of the warp is put together afterwards: accesses of
// different lanes belong together if they come from the same instruction for the n-th time since all lanes
// last met, at a barrier or in an operation of the whole warp.
#include "counts.h"

#include "kernel.h"
#include "machine.h"

#include <algorithm>
#include <memory>
#include <stdio.h>
#include <stdlib.h>
#include <unordered_map>
#include <vector>

namespace cusim {

bool counting;
static bool paused;

void pause_counts(bool p) {
    paused = p;
}

enum { LANES = 32, WARPS = MAX_THREADS / LANES, BANKS = 32, WORD = 4 };

struct request {
    uint32_t mask;
    uint32_t bytes; // of a lane
    uintptr_t at[LANES];
};
struct site { // an instruction
    bool shared, writes, atomic;
    uint32_t times[LANES]; // since the lanes met
    std::vector<request> requests;
};
struct warp_counts {
    std::unordered_map<const void *, site> sites;
    std::vector<site *> used;
    uint64_t work; // since the last barrier
};

static cusim_host_counts host_counts;
static std::vector<cusim_kernel_counts> kernels;
static warp_counts warps[WARPS];
static struct {
    size_t kernel; // index
    int warps;
    uint32_t launch, block;                          // numbers
    double block_path, longest, sum, blocks_at_work; // of the launch
} running_now;

// ---- which sectors a launch and a block have touched

// By number of the launch or block that touched a sector last.
struct stamps {
    std::vector<uint32_t> last;
    bool first(size_t sector, uint32_t now) {
        if (sector >= last.size()) last.resize(sector + sector / 2 + 1024);
        const bool is = last[sector] != now;
        last[sector] = now;
        return is;
    }
};
static stamps by_launch, by_block, read_by_launch, written_by_launch;

static void count_sectors(const request &r, const site &s) {
    struct part {
        uintptr_t sector;
        uint32_t bytes; // a bit for each
    };
    part parts[LANES * 2];
    int n = 0;
    for (int lane = 0; lane < LANES; ++lane) {
        if (!(r.mask >> lane & 1)) continue;
        for (uintptr_t at = r.at[lane]; at < r.at[lane] + r.bytes; ++at) {
            const uintptr_t sector = at / CUSIM_SECTOR;
            int i = n - 1; // mostly the last one
            while (i >= 0 && parts[i].sector != sector) --i;
            if (i < 0) parts[i = n++] = {sector, 0};
            parts[i].bytes |= 1u << at % CUSIM_SECTOR;
        }
    }
    cusim_kernel_counts &k = kernels[running_now.kernel];
    ++k.requests;
    k.sectors += static_cast<uint64_t>(n);
    for (int i = 0; i < n; ++i) {
        k.used_bytes += static_cast<uint64_t>(__builtin_popcount(parts[i].bytes));
        const size_t sector = parts[i].sector - heap_begin / CUSIM_SECTOR;
        k.distinct_sectors += by_launch.first(sector, running_now.launch);
        k.block_sectors += by_block.first(sector, running_now.block);
        if (s.writes) k.sectors_written += written_by_launch.first(sector, running_now.launch);
        if (!s.writes || s.atomic) k.sectors_read += read_by_launch.first(sector, running_now.launch);
    }
}

// A bank gives one word of 4 bytes at a time, to all lanes that want it. Accesses of 8 bytes are made for half
// a warp at a time, of 16 bytes for a quarter.
static void count_wavefronts(const request &r) {
    const int together = r.bytes <= WORD ? LANES : LANES * WORD / static_cast<int>(r.bytes);
    cusim_kernel_counts &k = kernels[running_now.kernel];
    for (int first = 0; first < LANES; first += together) {
        std::vector<uintptr_t> words[BANKS];
        size_t most = 0;
        for (int lane = first; lane < first + together; ++lane) {
            if (!(r.mask >> lane & 1)) continue;
            for (uintptr_t word = r.at[lane] / WORD; word <= (r.at[lane] + r.bytes - 1) / WORD; ++word) {
                std::vector<uintptr_t> &bank = words[word % BANKS];
                if (std::find(bank.begin(), bank.end(), word) == bank.end()) bank.push_back(word);
                most = std::max(most, bank.size());
            }
        }
        k.wavefronts += most;
        k.least_wavefronts += most > 0;
    }
}

static void count_atomic(const request &r) {
    int most = 0;
    for (int a = 0; a < LANES; ++a) {
        int same = 0;
        for (int b = 0; b < LANES; ++b) same += (r.mask >> a & 1) && (r.mask >> b & 1) && r.at[a] == r.at[b];
        most = std::max(most, same);
    }
    cusim_kernel_counts &k = kernels[running_now.kernel];
    ++k.atomics;
    k.atomic_lanes += static_cast<uint64_t>(most);
}

static void finish_requests(warp_counts &w) {
    for (site *s : w.used) {
        for (const request &r : s->requests) {
            if (s->atomic) count_atomic(r);
            if (s->shared)
                count_wavefronts(r);
            else
                count_sectors(r, *s);
        }
        w.work += s->requests.size();
        s->requests.clear();
        std::fill(s->times, s->times + LANES, 0);
    }
    w.used.clear();
}

// ---- told by machine.cc and check.cc

void count_access(const void *memory, size_t bytes, bool writes, bool atomic, const void *code) {
    const uintptr_t at = reinterpret_cast<uintptr_t>(memory);
    const bool global = at >= heap_begin && at < heap_end;
    if (paused || !current || bytes > 16 || (!global && !find_shared(at))) return;
    const int thread = current->now.thread, lane = thread % LANES;
    warp_counts &w = warps[thread / LANES];
    site &s = w.sites[code];
    if (s.requests.empty()) {
        s.shared = !global, s.writes = writes, s.atomic = atomic;
        w.used.push_back(&s);
    }
    const uint32_t n = s.times[lane]++;
    if (n == s.requests.size()) s.requests.push_back({0, static_cast<uint32_t>(bytes), {}});
    s.requests[n].mask |= 1u << lane;
    s.requests[n].at[lane] = at;
}

void count_warp(int warp, bool whole) {
    if (whole) finish_requests(warps[warp]);
    ++warps[warp].work;
}

void count_barrier() {
    uint64_t most = 0, sum = 0;
    for (int i = 0; i < running_now.warps; ++i) {
        finish_requests(warps[i]);
        most = std::max(most, warps[i].work);
        sum += warps[i].work;
        warps[i].work = 0;
    }
    cusim_kernel_counts &k = kernels[running_now.kernel];
    k.busiest_warp += static_cast<double>(most);
    k.mean_warp += static_cast<double>(sum) / running_now.warps;
    running_now.block_path += static_cast<double>(most);
}

void count_grid(const char *name, int threads) {
    // The text of TT_LAUNCH: with parentheses if there are commas.
    char text[CUSIM_NAME];
    snprintf(text, sizeof text, "%s", name[0] == '(' ? name + 1 : name);
    if (name[0] == '(' && strchr(text, ')')) *strrchr(text, ')') = 0;
    size_t i = 0;
    while (i < kernels.size() && strcmp(kernels[i].name, text) != 0) ++i;
    if (i == kernels.size()) {
        kernels.emplace_back();
        snprintf(kernels[i].name, sizeof kernels[i].name, "%s", text);
    }
    ++kernels[i].launches;
    running_now = {i, (threads + LANES - 1) / LANES, running_now.launch + 1, running_now.block, 0, 0, 0, 0};
}

void count_block() {
    ++kernels[running_now.kernel].blocks;
    ++running_now.block;
    running_now.block_path = 0;
}

void count_block_end() {
    count_barrier();
    running_now.longest = std::max(running_now.longest, running_now.block_path);
    running_now.sum += running_now.block_path;
    running_now.blocks_at_work += running_now.block_path > 0;
}

void count_grid_end() {
    if (running_now.blocks_at_work == 0) return;
    kernels[running_now.kernel].longest_block += running_now.longest;
    kernels[running_now.kernel].mean_block += running_now.sum / running_now.blocks_at_work;
}

void count_host(uint64_t cusim_host_counts::*what, uint64_t by) {
    if (counting) host_counts.*what += by;
}

// ---- CUSIM_COUNTS=1: all of a program, at its end

static double ratio(double a, double b) {
    return b > 0 ? a / b : 0;
}

static void print_all() {
    const cusim_host_counts &h = host_counts;
    fprintf(stderr,
        "cusim: %llu launches, %llu matrix products, %llu graphs of %llu, %llu copies, %llu waits, %llu "
        "bytes "
        "up, %llu down\n",
        static_cast<unsigned long long>(h.launches), static_cast<unsigned long long>(h.products),
        static_cast<unsigned long long>(h.graphs), static_cast<unsigned long long>(h.nodes),
        static_cast<unsigned long long>(h.copies), static_cast<unsigned long long>(h.waits),
        static_cast<unsigned long long>(h.bytes_up), static_cast<unsigned long long>(h.bytes_down));
    fprintf(stderr, "cusim: %-40s %8s %12s %9s %9s %9s %9s %9s\n", "kernel", "launches", "bytes", "used",
        "conflicts", "warps", "blocks", "atomics");
    for (const cusim_kernel_counts &k : kernels)
        fprintf(stderr, "cusim: %-40.40s %8llu %12llu %9.3f %9.3f %9.3f %9.3f %9.3f\n", k.name,
            static_cast<unsigned long long>(k.launches),
            static_cast<unsigned long long>(k.distinct_sectors * CUSIM_SECTOR),
            ratio(static_cast<double>(k.used_bytes), static_cast<double>(k.sectors * CUSIM_SECTOR)),
            ratio(static_cast<double>(k.wavefronts), static_cast<double>(k.least_wavefronts)),
            ratio(k.busiest_warp, k.mean_warp), ratio(k.longest_block, k.mean_block),
            ratio(static_cast<double>(k.atomic_lanes), static_cast<double>(k.atomics)));
}

static const bool wanted_by_environment = [] {
    const char *text = getenv("CUSIM_COUNTS");
    if (!text || strcmp(text, "1") != 0) return false;
    atexit(print_all);
    return counting = true;
}();

} // namespace cusim

using namespace cusim;

extern "C" {
void cusim_counts_start(void) {
    counting = true;
}
void cusim_counts_clear(void) {
    host_counts = {};
    kernels.clear();
}
cusim_host_counts cusim_counts_of_host(void) {
    return host_counts;
}
size_t cusim_counts_of_kernels(const cusim_kernel_counts **out) {
    *out = kernels.data();
    return kernels.size();
}
}
