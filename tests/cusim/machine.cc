// A small GPU's multiprocessor on one CPU thread: the threads of a block are fibers that run until they come
// to a barrier or to an operation of their warp; blocks run one after another. See README.md.
#include "machine.h"

#include "kernel.h"

#include <deque>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

namespace cusim {

running *current;

// ---- fibers

enum { WARP_SIZE = 32 };
static const size_t stack_bytes = 256 << 10, guard_bytes = 4096;

enum class state { ready, at_barrier, in_warp, done };

struct fiber {
    void *stack_pointer; // where it stopped
#if !defined(__x86_64__)
    ucontext_t context;
#endif
    char *stack;
    state at;
    const char *file; // of what it waits at
    int line;
    uint16_t warp_epoch;
};

// A thread's copies that nobody has waited for, each with its group.
struct under_way {
    std::deque<std::pair<int, copy>> copies;
    int groups; // complete ones
};
static under_way copies_of[MAX_THREADS];

// What a warp is in the middle of.
struct warp {
    const char *operation, *file;
    int line;
    unsigned mask, arrived;
    void *records[WARP_SIZE];
};

static struct {
    fiber fibers[MAX_THREADS];
    warp warps[MAX_THREADS / WARP_SIZE];
    fiber host;
    int running; // index of the fiber
    int threads;
    task *body;
    uint32_t epoch;
    uint32_t blocks_run; // of all launches
} machine;

#if defined(__x86_64__)
// Saves what a call must preserve, then goes on where the other stack stopped.
extern "C" void cusim_switch(void **save, void *load);
__asm__(".text\n.globl cusim_switch\n.type cusim_switch,@function\ncusim_switch:\n"
        "pushq %rbp\npushq %rbx\npushq %r12\npushq %r13\npushq %r14\npushq %r15\n"
        "movq %rsp, (%rdi)\nmovq %rsi, %rsp\n"
        "popq %r15\npopq %r14\npopq %r13\npopq %r12\npopq %rbx\npopq %rbp\nret\n"
        ".size cusim_switch,.-cusim_switch\n");
#endif

static void switch_to(fiber *from, fiber *to) {
#if defined(__x86_64__)
    cusim_switch(&from->stack_pointer, to->stack_pointer);
#else
    swapcontext(&from->context, &to->context);
#endif
}

static void enter() {
    machine.body->run();
    fiber *self = &machine.fibers[machine.running];
    self->at = state::done;
    switch_to(self, &machine.host);
    abort();
}

static void prepare(fiber *f) {
    if (!f->stack) {
        void *memory = mmap(nullptr, stack_bytes + guard_bytes, PROT_READ | PROT_WRITE,
            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED || mprotect(memory, guard_bytes, PROT_NONE) != 0) {
            perror("cusim: no memory for a thread's stack");
            exit(1);
        }
        f->stack = static_cast<char *>(memory) + guard_bytes;
    }
    f->at = state::ready;
    f->warp_epoch = 0;
#if defined(__x86_64__)
    // As if cusim_switch had stopped right before `enter`, the stack aligned as at a function's start.
    void **top = reinterpret_cast<void **>(f->stack + stack_bytes) - 1;
    *top-- = nullptr; // return address of `enter`, never used
    *top-- = reinterpret_cast<void *>(enter);
    for (int i = 0; i < 6; ++i) *top-- = nullptr;
    f->stack_pointer = top + 1;
#else
    getcontext(&f->context);
    f->context.uc_stack.ss_sp = f->stack;
    f->context.uc_stack.ss_size = stack_bytes;
    makecontext(&f->context, enter, 0);
#endif
}

static running now;

static void run_fiber(int index) {
    fiber *f = &machine.fibers[index];
    machine.running = index;
    const unsigned x = static_cast<unsigned>(index);
    threadIdx = {x % blockDim.x, x / blockDim.x % blockDim.y, x / (blockDim.x * blockDim.y)};
    now.now.thread = static_cast<uint16_t>(index);
    now.now.epoch = machine.epoch;
    now.now.warp_epoch = f->warp_epoch;
    now.stack = reinterpret_cast<uintptr_t>(f->stack);
    now.stack_end = now.stack + stack_bytes;
    current = &now;
    switch_to(&machine.host, f);
    current = nullptr;
}

static void wait(state why, const char *file, int line) {
    fiber *self = &machine.fibers[machine.running];
    self->at = why;
    self->file = file;
    self->line = line;
    switch_to(self, &machine.host);
}

// ---- complaints

static std::string where() {
    char text[200];
    snprintf(text, sizeof text, "kernel %s, block (%u, %u, %u)", now.kernel ? now.kernel : "?", blockIdx.x,
        blockIdx.y, blockIdx.z);
    return text;
}

static const char *base(const char *file) {
    const char *slash = strrchr(file, '/');
    return slash ? slash + 1 : file;
}

[[noreturn]] static void give_up(const std::string &text) {
    current = nullptr;
    fflush(stdout);
    fprintf(stderr, "cusim: %s\n", text.c_str());
    fflush(stderr);
    _exit(86);
}

// ---- scheduling

// Called when no thread can go on: either all stand at the same barrier, or the kernel is wrong.
static void pass_barrier() {
    const fiber *first = nullptr;
    int waiting = 0, finished = -1;
    for (int i = 0; i < machine.threads; ++i) {
        const fiber *f = &machine.fibers[i];
        if (f->at == state::in_warp) {
            const warp *w = &machine.warps[i / WARP_SIZE];
            char text[300];
            snprintf(text, sizeof text,
                "%s: divergent %s: thread %d waits at %s:%d for lanes %08x of its warp, which never come",
                where().c_str(), w->operation, i, base(f->file), f->line, w->mask & ~w->arrived);
            give_up(text);
        }
        if (f->at == state::done) {
            finished = i;
            continue;
        }
        ++waiting;
        if (!first) first = f;
        if (f->line != first->line || strcmp(f->file, first->file) != 0) {
            char text[300];
            snprintf(text, sizeof text, "%s: divergent barrier: thread %d waits at %s:%d, thread %d at %s:%d",
                where().c_str(), static_cast<int>(first - machine.fibers), base(first->file), first->line, i,
                base(f->file), f->line);
            give_up(text);
        }
    }
    if (waiting == 0) return;
    if (finished >= 0) {
        char text[300];
        snprintf(text, sizeof text,
            "%s: divergent barrier: thread %d waits at %s:%d, thread %d has already returned",
            where().c_str(), static_cast<int>(first - machine.fibers), base(first->file), first->line,
            finished);
        give_up(text);
    }
    ++machine.epoch;
    if (counting) count_barrier();
    for (int i = 0; i < machine.threads; ++i) machine.fibers[i].at = state::ready;
}

// The order in which threads run must not matter; CUSIM_ORDER=reverse tries the other one.
static bool reversed() {
    static const char *order = getenv("CUSIM_ORDER");
    return order && strcmp(order, "reverse") == 0;
}

struct shared_block {
    region where;
    const char *file;
    int line;
};
static std::vector<shared_block> shared_statics;
static region shared_dynamic_region;

static void forget_shared() {
    for (shared_block &s : shared_statics) free(reinterpret_cast<void *>(s.where.begin)), free(s.where.cells);
    shared_statics.clear();
}

static void run_block() {
    for (int i = 0; i < machine.threads; ++i) prepare(&machine.fibers[i]), copies_of[i] = {};
    for (warp &w : machine.warps) w = {};
    machine.epoch = 0;
    now.now.block = ++machine.blocks_run;
    // Old contents must not look like new ones.
    if (shared_dynamic_region.begin)
        memset(reinterpret_cast<void *>(shared_dynamic_region.begin), 0xcb,
            shared_dynamic_region.end - shared_dynamic_region.begin);
    for (const shared_block &s : shared_statics)
        memset(reinterpret_cast<void *>(s.where.begin), 0xcb, s.where.end - s.where.begin);
    for (;;) {
        bool ran = false;
        for (int k = 0; k < machine.threads; ++k) {
            const int i = reversed() ? machine.threads - 1 - k : k;
            if (machine.fibers[i].at != state::ready) continue;
            run_fiber(i);
            ran = true;
        }
        if (ran) continue;
        pass_barrier();
        bool alive = false;
        for (int i = 0; i < machine.threads; ++i) alive = alive || machine.fibers[i].at == state::ready;
        if (!alive) return;
    }
}

// ---- a launch's blocks, and their shared memory

void run_grid(const char *name, dim3 grid, dim3 block, size_t shared, task *body) {
    now = {};
    now.kernel = name;
    now.first_block = machine.blocks_run + 1;
    now.arguments = reinterpret_cast<uintptr_t>(body);
    now.arguments_end = now.arguments + body->size();
    machine.body = body;
    machine.threads = static_cast<int>(block.x * block.y * block.z);
    blockDim = block;
    gridDim = grid;
    shared_dynamic_region = {};
    void *dynamic = nullptr;
    if (shared) {
        if (posix_memalign(&dynamic, 128, shared)) abort();
        shared_dynamic_region = {reinterpret_cast<uintptr_t>(dynamic),
            reinterpret_cast<uintptr_t>(dynamic) + shared, nullptr, true, "dynamic shared memory"};
    }
    if (counting) count_grid(name, machine.threads);
    for (unsigned z = 0; z < grid.z; ++z)
        for (unsigned y = 0; y < grid.y; ++y)
            for (unsigned x = 0; x < grid.x; ++x) {
                blockIdx = {x, y, z};
                if (counting) count_block();
                run_block();
                if (counting) count_block_end();
            }
    if (counting) count_grid_end();
    free(shared_dynamic_region.cells);
    shared_dynamic_region = {};
    free(dynamic);
    forget_shared();
    now.kernel = nullptr;
}

void *shared_static(size_t bytes, const char *name, const char *file, int line) {
    for (const shared_block &s : shared_statics)
        if (s.line == line && s.file == file && s.where.end - s.where.begin == bytes)
            return reinterpret_cast<void *>(s.where.begin);
    void *memory;
    if (posix_memalign(&memory, 128, bytes)) abort();
    memset(memory, 0xcb, bytes);
    const uintptr_t at = reinterpret_cast<uintptr_t>(memory);
    shared_statics.push_back({{at, at + bytes, nullptr, true, name}, file, line});
    return memory;
}

void *shared_dynamic() {
    return reinterpret_cast<void *>(shared_dynamic_region.begin);
}
region *find_shared(uintptr_t address) {
    if (shared_dynamic_region.begin && address >= shared_dynamic_region.begin &&
        address < shared_dynamic_region.end)
        return &shared_dynamic_region;
    for (shared_block &s : shared_statics)
        if (address >= s.where.begin && address < s.where.end) return &s.where;
    return nullptr;
}

void nearest(const region &r, uintptr_t address, const region **best, uintptr_t *distance) {
    const uintptr_t away = address < r.begin ? r.begin - address : address - r.end;
    if (away < *distance) *best = &r, *distance = away;
}

void nearest_shared(uintptr_t address, const region **best, uintptr_t *distance) {
    if (shared_dynamic_region.begin) nearest(shared_dynamic_region, address, best, distance);
    for (const shared_block &s : shared_statics) nearest(s.where, address, best, distance);
}

void start_copy(const copy &c) {
    under_way &own = copies_of[machine.running];
    own.copies.emplace_back(own.groups, c);
}

void commit_copies() {
    ++copies_of[machine.running].groups;
}

bool next_arrived(int pending, copy *out) {
    under_way &own = copies_of[machine.running];
    if (own.copies.empty() || own.copies.front().first >= own.groups - pending) return false;
    *out = own.copies.front().second;
    own.copies.pop_front();
    return true;
}

// For mma.h.
void add_product(float (&d)[16][8], const float (&a)[16][16], const float (&b)[16][8]);
void add_product(float (&d)[16][8], const float (&a)[16][16], const float (&b)[16][8]) {
    for (int row = 0; row < 16; ++row) {
        float sum[8];
        memcpy(sum, d[row], sizeof sum);
        for (int k = 0; k < 16; ++k)
            for (int column = 0; column < 8; ++column) sum[column] += a[row][k] * b[k][column];
        memcpy(d[row], sum, sizeof sum);
    }
}

} // namespace cusim

using namespace cusim;

// ---- what threads call

void cusim_barrier(const char *file, int line) {
    wait(state::at_barrier, file, line);
}

int cusim_lane() {
    return machine.running % WARP_SIZE;
}

void cusim_warp(const char *operation, unsigned mask, void *mine, void (*resolve)(void *const lanes[32]),
    const char *file, int line) {
    const int index = machine.running, lane = index % WARP_SIZE, first = index - lane;
    warp *w = &machine.warps[index / WARP_SIZE];
    if (!(mask >> lane & 1))
        cusim_complain(
            "%s at %s:%d by lane %d, which is not in its mask %08x", operation, base(file), line, lane, mask);
    for (int other = 0; !w->arrived && other < WARP_SIZE; ++other)
        if ((mask >> other & 1) &&
            (first + other >= machine.threads || machine.fibers[first + other].at == state::done))
            cusim_complain("divergent %s at %s:%d: lane %d of mask %08x is not there", operation, base(file),
                line, other, mask);
    if (!w->arrived) {
        *w = {operation, file, line, mask, 0, {}};
    } else if (w->mask != mask || w->line != line ||
               (w->operation != operation && strcmp(w->operation, operation) != 0)) {
        cusim_complain("divergent warp: thread %d is at %s of %s:%d with mask %08x, others at %s of %s:%d "
                       "with mask %08x",
            index, operation, base(file), line, mask, w->operation, base(w->file), w->line, w->mask);
    }
    w->records[lane] = mine;
    w->arrived |= 1u << lane;
    if (w->arrived != mask) {
        wait(state::in_warp, file, line);
        return;
    }
    void *lanes[WARP_SIZE];
    memcpy(lanes, w->records, sizeof lanes);
    *w = {};
    if (resolve) resolve(lanes);
    if (counting) count_warp(index / WARP_SIZE, mask == 0xffffffffu);
    for (int other = 0; other < WARP_SIZE; ++other)
        if (mask >> other & 1) machine.fibers[first + other].at = state::ready;
}

void cusim_syncwarp(unsigned mask, const char *file, int line) {
    cusim_warp("__syncwarp", mask, nullptr, nullptr, file, line);
    fiber *self = &machine.fibers[machine.running];
    if (mask == 0xffffffffu) now.now.warp_epoch = ++self->warp_epoch;
}

void cusim_complain(const char *format, ...) {
    char text[600];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (!current) give_up(text);
    char thread[80];
    snprintf(thread, sizeof thread, ", thread (%u, %u, %u): ", threadIdx.x, threadIdx.y, threadIdx.z);
    give_up(where() + thread + text);
}

// The checker has others.
__attribute__((weak)) bool cusim::accesses_seen() {
    return false;
}
__attribute__((weak)) void cusim_atomic(const void *at, size_t bytes) {
    (void)at, (void)bytes;
}
