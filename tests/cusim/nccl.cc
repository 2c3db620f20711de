// NCCL between processes of one machine, by shared memory: all-reduce of floats, added in the order of ranks.
//
// Initialisation answers "in progress" until all ranks have come. CUSIM_NCCL_STALL=1 lets the first
// all-reduce never end. CUSIM_NCCL_LOG=1 prints each one on rank 0, with the number of kernels launched so
// far.
#include "machine.h"

#include <nccl.h>

#include <atomic>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

namespace {
const size_t chunk_floats = 1 << 16; // floats
struct shared {
    std::atomic<int> joined, arrived, turn, left;
    float chunks[]; // [ranks, chunk_floats]
};
} // namespace

struct cusim_nccl {
    shared *memory;
    size_t bytes;
    int rank, ranks;
    cudaStream_t stalled;
};

namespace {

void meet(cusim_nccl *c) {
    shared *s = c->memory;
    const int turn = s->turn;
    if (++s->arrived == c->ranks) {
        s->arrived = 0;
        ++s->turn;
    }
    while (s->turn == turn) sched_yield();
}

void all_reduce(cusim_nccl *c, const float *from, float *to, size_t count) {
    for (size_t done = 0; done < count; done += chunk_floats) {
        const size_t n = count - done < chunk_floats ? count - done : chunk_floats;
        memcpy(
            c->memory->chunks + static_cast<size_t>(c->rank) * chunk_floats, from + done, n * sizeof(float));
        meet(c);
        for (size_t i = 0; i < n; ++i) {
            float sum = 0;
            for (int r = 0; r < c->ranks; ++r)
                sum += c->memory->chunks[static_cast<size_t>(r) * chunk_floats + i];
            to[done + i] = sum;
        }
        meet(c);
    }
}

void detach(cusim_nccl *c) {
    munmap(c->memory, c->bytes);
    delete c;
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
    if (rank < 0 || rank >= ranks || config->blocking != 0) return ncclInvalidArgument;
    const int file = shm_open(id.internal, O_RDWR | O_CREAT, 0600);
    const size_t bytes = sizeof(shared) + static_cast<size_t>(ranks) * chunk_floats * sizeof(float);
    if (file < 0 || ftruncate(file, static_cast<off_t>(bytes)) != 0) return ncclSystemError;
    void *memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (memory == MAP_FAILED) return ncclSystemError;
    *comm = new cusim_nccl{static_cast<shared *>(memory), bytes, rank, ranks, nullptr};
    if (++(*comm)->memory->joined == ranks) shm_unlink(id.internal);
    return ncclInProgress;
}
ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t *result) {
    *result = comm->memory->joined < comm->ranks ? ncclInProgress : ncclSuccess;
    return ncclSuccess;
}
ncclResult_t ncclAllReduce(const void *from, void *to, size_t count, ncclDataType_t type, ncclRedOp_t op,
    ncclComm_t comm, cudaStream_t stream) {
    if (type != ncclFloat32 || op != ncclSum || !cusim::find_region(reinterpret_cast<uintptr_t>(from)) ||
        !cusim::find_region(reinterpret_cast<uintptr_t>(to)))
        return ncclInvalidArgument;
    const unsigned long launches = cusim::launches();
    cusim::enqueue(stream, [=] {
        if (getenv("CUSIM_NCCL_STALL")) {
            comm->stalled = stream;
            cusim::stall(stream, true);
            return;
        }
        if (getenv("CUSIM_NCCL_LOG") && comm->rank == 0)
            fprintf(stderr, "cusim: all-reduce of %zu after %lu launches\n", count, launches);
        all_reduce(comm, static_cast<const float *>(from), static_cast<float *>(to), count);
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
