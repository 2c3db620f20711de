// NCCL between processes of one machine, by shared memory: all-reduce, reduce and broadcast of floats, added in the order
// of ranks.
//
// Initialisation answers "in progress" until all ranks have come. CUSIM_NCCL_STALL=1 lets the first
// operation never end, CUSIM_NCCL_STALL=start the initialisation. CUSIM_NCCL_LOG=1 prints each one on rank 0, with the number of kernels launched so
// far.
#include "machine.h"

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
    const float *from;
    float *to;
    size_t count;
    int root; // not of an all-reduce
};

float result_of(const cusim_nccl *c, const collective &o, size_t i) {
    if (o.what == BROADCAST) return c->memory->chunks[static_cast<size_t>(o.root) * chunk_floats + i];
    float sum = 0;
    for (int r = 0; r < c->ranks; ++r) sum += c->memory->chunks[static_cast<size_t>(r) * chunk_floats + i];
    return sum;
}

bool gives(const cusim_nccl *c, const collective &o) {
    return o.what != BROADCAST || c->rank == o.root;
}

bool run_collective(cusim_nccl *c, const collective &o) {
    const bool receives = o.what != REDUCE || c->rank == o.root;
    for (size_t done = 0; done < o.count; done += chunk_floats) {
        const size_t n = o.count - done < chunk_floats ? o.count - done : chunk_floats;
        float *own = c->memory->chunks + static_cast<size_t>(c->rank) * chunk_floats;
        if (gives(c, o)) memcpy(own, o.from + done, n * sizeof(float));
        if (!meet(c)) return false;
        for (size_t i = 0; receives && i < n; ++i) o.to[done + i] = result_of(c, o, i);
        if (receives) cusim::mark(o.to + done, n * sizeof(float), cusim::WRITTEN);
        if (!meet(c)) return false;
    }
    return true;
}

void need_written(const collective &o) {
    size_t at;
    char place[200];
    if (cusim::find_unwritten(o.from, o.count * sizeof(float), &at))
        cusim_complain("%s of %zu floats: uninitialised: reads %s", kind_names[o.what], o.count,
            cusim::describe_unwritten(reinterpret_cast<const char *>(o.from) + at, place, sizeof place));
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
        !cusim::find_region(reinterpret_cast<uintptr_t>(o.to)) || o.root < 0 || o.root >= c->ranks)
        return ncclInvalidArgument;
    const unsigned long launches = cusim::launches();
    ++c->pending;
    cusim::enqueue(stream, [=] {
        if (getenv("CUSIM_NCCL_LOG") && c->rank == 0)
            fprintf(stderr, "cusim: %s of %zu after %lu launches\n", kind_names[o.what], o.count, launches);
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
    if (type != ncclFloat32 || op != ncclSum) return ncclInvalidArgument;
    return submit(
        comm, {ALL_REDUCE, static_cast<const float *>(from), static_cast<float *>(to), count, 0}, stream);
}
ncclResult_t ncclReduce(const void *from, void *to, size_t count, ncclDataType_t type, ncclRedOp_t op,
    int root, ncclComm_t comm, cudaStream_t stream) {
    if (type != ncclFloat32 || op != ncclSum) return ncclInvalidArgument;
    return submit(
        comm, {REDUCE, static_cast<const float *>(from), static_cast<float *>(to), count, root}, stream);
}
ncclResult_t ncclBroadcast(const void *from, void *to, size_t count, ncclDataType_t type, int root,
    ncclComm_t comm, cudaStream_t stream) {
    if (type != ncclFloat32) return ncclInvalidArgument;
    return submit(
        comm, {BROADCAST, static_cast<const float *>(from), static_cast<float *>(to), count, root}, stream);
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
