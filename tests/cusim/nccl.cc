// NCCL between processes of one machine, by shared memory: all-reduce of floats, added in the order of ranks.
//
// Initialisation answers "in progress" until all ranks have come. CUSIM_NCCL_STALL=1 lets the first
// all-reduce never end, CUSIM_NCCL_STALL=start the initialisation. CUSIM_NCCL_LOG=1 prints each one on rank 0, with the number of kernels launched so
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

bool all_reduce(cusim_nccl *c, const float *from, float *to, size_t count) {
    for (size_t done = 0; done < count; done += chunk_floats) {
        const size_t n = count - done < chunk_floats ? count - done : chunk_floats;
        memcpy(
            c->memory->chunks + static_cast<size_t>(c->rank) * chunk_floats, from + done, n * sizeof(float));
        if (!meet(c)) return false;
        for (size_t i = 0; i < n; ++i) {
            float sum = 0;
            for (int r = 0; r < c->ranks; ++r)
                sum += c->memory->chunks[static_cast<size_t>(r) * chunk_floats + i];
            to[done + i] = sum;
        }
        cusim::mark(to + done, n * sizeof(float), cusim::WRITTEN);
        if (!meet(c)) return false;
    }
    return true;
}

void need_written(const float *from, size_t count) {
    size_t at;
    char place[200];
    if (cusim::find_unwritten(from, count * sizeof(float), &at))
        cusim_complain("ncclAllReduce of %zu floats: uninitialised: reads %s", count,
            cusim::describe_unwritten(reinterpret_cast<const char *>(from) + at, place, sizeof place));
}

void reduce_now(cusim_nccl *c, const float *from, float *to, size_t count, cudaStream_t stream) {
    --c->pending;
    if (!c->gone) need_written(from, count);
    if (c->gone) {
        if (c->pending == 0) delete c;
    } else if (getenv("CUSIM_NCCL_STALL") || !all_reduce(c, from, to, count)) {
        c->stalled = stream; // as on GPUs: it never ends
        cusim::stall(stream, true);
    }
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
    if (type != ncclFloat32 || op != ncclSum || !cusim::find_region(reinterpret_cast<uintptr_t>(from)) ||
        !cusim::find_region(reinterpret_cast<uintptr_t>(to)))
        return ncclInvalidArgument;
    const unsigned long launches = cusim::launches();
    ++comm->pending;
    cusim::enqueue(stream, [=] {
        if (getenv("CUSIM_NCCL_LOG") && comm->rank == 0)
            fprintf(stderr, "cusim: all-reduce of %zu after %lu launches\n", count, launches);
        reduce_now(comm, static_cast<const float *>(from), static_cast<float *>(to), count, stream);
    });
    return ncclSuccess;
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
