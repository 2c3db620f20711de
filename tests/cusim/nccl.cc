// NCCL between processes of one machine, by shared memory: all-reduce, reduce and broadcast of floats and of
// bf16, added in the order of ranks; sums of bf16 are rounded after each addition.
//
// Initialisation answers "in progress" until all ranks have come. CUSIM_NCCL_STALL=1 lets the first
// operation never end, CUSIM_NCCL_STALL=start the initialisation. CUSIM_NCCL_LOG=1 prints each one on rank 0, with the number of kernels launched so
// far.
#include "machine.h"

#include <cuda_bf16.h>
#include <nccl.h>

#include <atomic>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

namespace {
enum { MOST_RANKS = 64 };
const size_t chunk_floats = 1 << 16; // floats
struct shared {
    std::atomic<int> joined, arrived, turn, left;
    std::atomic<pid_t> process[MOST_RANKS];
    float chunks[]; // [ranks, chunk_floats]
};
} // namespace

struct cusim_nccl {
    shared *memory;
    size_t bytes;
    int rank, ranks;
    cudaStream_t stalled;
    int pending; // sums that a stream has still to do
    bool gone;   // destroyed or aborted: what is pending does nothing
};

namespace {

// False: one of the others is no more.
bool meet(cusim_nccl *c) {
    shared *s = c->memory;
    const int turn = s->turn;
    if (++s->arrived == c->ranks) {
        s->arrived = 0;
        ++s->turn;
    }
    while (s->turn == turn) {
        for (int r = 0; r < c->ranks; ++r)
            if (kill(s->process[r], 0) != 0 && s->turn == turn) return false;
        sched_yield();
    }
    return true;
}

enum kind { ALL_REDUCE, REDUCE, BROADCAST };
const char *const kind_names[] = {"all-reduce", "reduce", "broadcast"};

struct collective {
    kind what;
    const void *from;
    void *to;
    size_t count;
    ncclDataType_t type;
    int root; // not of an all-reduce
};

size_t size_of(const collective &o) {
    return o.type == ncclFloat32 ? sizeof(float) : sizeof(__nv_bfloat16);
}

float rounded(const collective &o, float x) {
    return o.type == ncclFloat32 ? x : __bfloat162float(__float2bfloat16_rn(x));
}

float result_of(const cusim_nccl *c, const collective &o, size_t i) {
    if (o.what == BROADCAST) return c->memory->chunks[static_cast<size_t>(o.root) * chunk_floats + i];
    float sum = 0;
    for (int r = 0; r < c->ranks; ++r)
        sum = rounded(o, sum + c->memory->chunks[static_cast<size_t>(r) * chunk_floats + i]);
    return sum;
}

bool gives(const cusim_nccl *c, const collective &o) {
    return o.what != BROADCAST || c->rank == o.root;
}

void give(const collective &o, size_t from, size_t n, float *chunk) {
    for (size_t i = 0; i < n; ++i)
        chunk[i] = o.type == ncclFloat32
                       ? static_cast<const float *>(o.from)[from + i]
                       : __bfloat162float(static_cast<const __nv_bfloat16 *>(o.from)[from + i]);
}

void take(const collective &o, size_t i, float x) {
    if (o.type == ncclFloat32)
        static_cast<float *>(o.to)[i] = x;
    else
        static_cast<__nv_bfloat16 *>(o.to)[i] = __float2bfloat16_rn(x);
}

bool run_collective(cusim_nccl *c, const collective &o) {
    const bool receives = o.what != REDUCE || c->rank == o.root;
    for (size_t done = 0; done < o.count; done += chunk_floats) {
        const size_t n = o.count - done < chunk_floats ? o.count - done : chunk_floats;
        if (gives(c, o)) give(o, done, n, c->memory->chunks + static_cast<size_t>(c->rank) * chunk_floats);
        if (!meet(c)) return false;
        for (size_t i = 0; receives && i < n; ++i) take(o, done + i, result_of(c, o, i));
        if (receives)
            cusim::mark(static_cast<char *>(o.to) + done * size_of(o), n * size_of(o), cusim::WRITTEN);
        if (!meet(c)) return false;
    }
    return true;
}

void need_written(const collective &o) {
    size_t at;
    char place[200];
    if (cusim::find_unwritten(o.from, o.count * size_of(o), &at))
        cusim_complain("%s of %zu numbers: uninitialised: reads %s", kind_names[o.what], o.count,
            cusim::describe_unwritten(static_cast<const char *>(o.from) + at, place, sizeof place));
}

void collect_now(cusim_nccl *c, const collective &o, cudaStream_t stream) {
    --c->pending;
    if (!c->gone && gives(c, o)) need_written(o);
    if (c->gone) {
        if (c->pending == 0) delete c;
    } else if (getenv("CUSIM_NCCL_STALL") || !run_collective(c, o)) {
        c->stalled = stream; // as on GPUs: it never ends
        cusim::stall(stream, true);
    }
}

ncclResult_t submit(cusim_nccl *c, const collective &o, cudaStream_t stream) {
    if (!cusim::find_region(reinterpret_cast<uintptr_t>(o.from)) ||
        !cusim::find_region(reinterpret_cast<uintptr_t>(o.to)) || o.root < 0 || o.root >= c->ranks ||
        (o.type != ncclFloat32 && o.type != ncclBfloat16))
        return ncclInvalidArgument;
    const unsigned long launches = cusim::launches();
    ++c->pending;
    cusim::enqueue(stream, [=] {
        if (getenv("CUSIM_NCCL_LOG") && c->rank == 0)
            fprintf(stderr, "cusim: %s of %zu after %lu launches%s\n", kind_names[o.what], o.count, launches,
                o.type == ncclFloat32 ? "" : " in bf16");
        collect_now(c, o, stream);
    });
    return ncclSuccess;
}

void detach(cusim_nccl *c) {
    munmap(c->memory, c->bytes);
    c->gone = true;
    if (c->pending == 0) delete c;
}

} // namespace

extern "C" {

const char *ncclGetErrorString(ncclResult_t result) {
    return result == ncclSuccess ? "no error" : result == ncclInProgress ? "in progress" : "error";
}
const char *ncclGetLastError(ncclComm_t comm) {
    (void)comm;
    return "";
}
ncclResult_t ncclGetUniqueId(ncclUniqueId *id) {
    static int count = 0;
    memset(id, 0, sizeof *id);
    snprintf(id->internal, sizeof id->internal, "/cusim-nccl-%ld-%d", static_cast<long>(getpid()), ++count);
    return ncclSuccess;
}
ncclResult_t ncclCommInitRankConfig(
    ncclComm_t *comm, int ranks, ncclUniqueId id, int rank, ncclConfig_t *config) {
    if (rank < 0 || rank >= ranks || ranks > MOST_RANKS || config->blocking != 0) return ncclInvalidArgument;
    const int file = shm_open(id.internal, O_RDWR | O_CREAT, 0600);
    const size_t bytes = sizeof(shared) + static_cast<size_t>(ranks) * chunk_floats * sizeof(float);
    if (file < 0 || ftruncate(file, static_cast<off_t>(bytes)) != 0) return ncclSystemError;
    void *memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (memory == MAP_FAILED) return ncclSystemError;
    *comm = new cusim_nccl{static_cast<shared *>(memory), bytes, rank, ranks, nullptr, 0, false};
    (*comm)->memory->process[rank] = getpid();
    if (++(*comm)->memory->joined == ranks) shm_unlink(id.internal);
    return ncclInProgress;
}
ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t *result) {
    const char *stall = getenv("CUSIM_NCCL_STALL");
    const bool never = stall && strcmp(stall, "start") == 0;
    *result = never || comm->memory->joined < comm->ranks ? ncclInProgress : ncclSuccess;
    return ncclSuccess;
}
ncclResult_t ncclAllReduce(const void *from, void *to, size_t count, ncclDataType_t type, ncclRedOp_t op,
    ncclComm_t comm, cudaStream_t stream) {
    return op == ncclSum ? submit(comm, {ALL_REDUCE, from, to, count, type, 0}, stream) : ncclInvalidArgument;
}
ncclResult_t ncclReduce(const void *from, void *to, size_t count, ncclDataType_t type, ncclRedOp_t op,
    int root, ncclComm_t comm, cudaStream_t stream) {
    return op == ncclSum ? submit(comm, {REDUCE, from, to, count, type, root}, stream) : ncclInvalidArgument;
}
ncclResult_t ncclBroadcast(const void *from, void *to, size_t count, ncclDataType_t type, int root,
    ncclComm_t comm, cudaStream_t stream) {
    return submit(comm, {BROADCAST, from, to, count, type, root}, stream);
}
ncclResult_t ncclCommFinalize(ncclComm_t comm) {
    ++comm->memory->left;
    return ncclSuccess;
}
ncclResult_t ncclCommDestroy(ncclComm_t comm) {
    detach(comm);
    return ncclSuccess;
}
ncclResult_t ncclCommAbort(ncclComm_t comm) {
    if (comm->stalled) cusim::stall(comm->stalled, false);
    detach(comm);
    return ncclSuccess;
}
}
