// NCCL in non-blocking mode: the host polls for the state of each call, so that a lost rank gives an error
// message instead of a hang.
#include "kernels/cuda/kernel.cuh"

#include "host/base/log.h"
#include "host/dist/nccl.h"
#include "host/dist/rendezvous.h"

#include <nccl.h>
#include <sched.h>
#include <stdlib.h>

struct tt_nccl {
    ncclComm_t comm;
    cudaStream_t stream;
    cudaEvent_t ready, done; // the device has reached a sum; the sums have ended
    double seconds;          // patience while GPUs are connected: at the start, and in the first sum
    double waited;           // see tt_nccl_waited
    int size;
    bool connected; // a sum has been started
    bool running;   // sums have been started and not awaited
    bf16 *half;     // of a piece, device memory
    size_t half_size;
};

namespace {

tt_status nccl_failed(const tt_nccl *nccl, ncclResult_t result, const char *what) {
    const char *last = ncclGetLastError(nccl->comm);
    return tt_fail(TT_ERR_DIST, "NCCL: %s of %d ranks: %s%s%s; NCCL_DEBUG=INFO prints details", what,
        nccl->size, ncclGetErrorString(result), last && *last ? ": " : "", last ? last : "");
}

// Waits while NCCL works on `result`'s call in the background.
tt_status settle_call(const tt_nccl *nccl, ncclResult_t result, double seconds, const char *what) {
    const double deadline = tt_seconds() + seconds;
    while (result == ncclInProgress) {
        if (tt_seconds() > deadline)
            return tt_fail(TT_ERR_DIST,
                "NCCL: %s of %d ranks did not end within %g seconds; is the network between the GPUs open? "
                "NCCL_DEBUG=INFO prints details, TT_NCCL_TIMEOUT=seconds waits longer",
                what, nccl->size, seconds);
        sched_yield();
        const ncclResult_t asked = ncclCommGetAsyncError(nccl->comm, &result);
        if (asked != ncclSuccess) result = asked;
    }
    return result == ncclSuccess ? TT_OK : nccl_failed(nccl, result, what);
}

// Aborts what is running after a failure, so that nothing on the GPU waits for it. Returns `status`.
tt_status give_up(tt_nccl *nccl, tt_status status) {
    if (status != TT_OK && nccl->comm) {
        ncclCommAbort(nccl->comm);
        nccl->comm = nullptr;
        nccl->running = false;
    }
    return status;
}

tt_status make_stream(tt_nccl *nccl) {
    TT_CUDA(cudaStreamCreateWithFlags(&nccl->stream, cudaStreamNonBlocking), "stream of NCCL");
    TT_CUDA(cudaEventCreateWithFlags(&nccl->ready, cudaEventDisableTiming), "stream of NCCL");
    TT_CUDA(cudaEventCreateWithFlags(&nccl->done, cudaEventDisableTiming), "stream of NCCL");
    return TT_OK;
}

tt_status join_ranks(tt_nccl *nccl, tt_comm *comm) {
    struct {
        ncclResult_t result;
        ncclUniqueId id;
    } news = {ncclSuccess, {}};
    if (comm->rank == 0) news.result = ncclGetUniqueId(&news.id);
    TT_TRY(tt_comm_broadcast(comm, &news, sizeof news, 0));
    TT_TRY(tt_comm_barrier(comm)); // some MPIs finish sending a broadcast only in a later call
    if (news.result != ncclSuccess) return nccl_failed(nccl, news.result, "start");
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
    config.blocking = 0;
    return settle_call(nccl, ncclCommInitRankConfig(&nccl->comm, comm->size, news.id, comm->rank, &config),
        nccl->seconds, "start");
}

} // namespace

tt_status tt_nccl_open(tt_nccl **out, tt_comm *comm) {
    *out = nullptr;
    tt_nccl *nccl = static_cast<tt_nccl *>(calloc(1, sizeof *nccl));
    tt_status status = nccl ? TT_OK : tt_fail(TT_ERR_NOMEM, "out of memory: NCCL");
    if (status == TT_OK) {
        nccl->size = comm->size;
        status = tt_nccl_patience(&nccl->seconds);
    }
    if (status == TT_OK) status = make_stream(nccl);
    status = tt_comm_agree(comm, status); // no rank waits for one that could not begin
    if (status == TT_OK) status = tt_comm_agree(comm, join_ranks(nccl, comm));
    if (status == TT_OK)
        *out = nccl;
    else
        tt_nccl_close(nccl, true);
    return status;
}

void tt_nccl_close(tt_nccl *nccl, bool failed) {
    if (!nccl) return;
    if (failed) (void)give_up(nccl, TT_ERR_DIST);
    if (nccl->comm)
        (void)give_up(nccl, settle_call(nccl, ncclCommFinalize(nccl->comm), nccl->seconds, "end"));
    if (nccl->comm) ncclCommDestroy(nccl->comm);
    if (nccl->half) cudaFreeAsync(nccl->half, nccl->stream);
    if (nccl->ready) cudaEventDestroy(nccl->ready);
    if (nccl->done) cudaEventDestroy(nccl->done);
    if (nccl->stream) cudaStreamDestroy(nccl->stream);
    free(nccl);
}

// The first sum connects GPUs, for which NCCL takes memory of its own. If it gets none, the communicator is lost: so what
// the device's pool does not need is given back before.
static tt_status make_room(tt_nccl *nccl, tt_device *device) {
    TT_CUDA(tt_cuda_make_room(tt_stream(device)), "sum over ranks");
    nccl->connected = true;
    return TT_OK;
}

// What follows on NCCL's stream sees all operations submitted to the device so far.
static tt_status follow_device(tt_nccl *nccl, tt_device *device) {
    if (!nccl->comm)
        return tt_fail(TT_ERR_DIST, "NCCL: a sum of %d ranks after one that was aborted", nccl->size);
    if (!nccl->connected) TT_TRY(make_room(nccl, device));
    nccl->running = true;
    TT_CUDA(cudaEventRecord(nccl->ready, tt_stream(device)), "sum over ranks");
    TT_CUDA(cudaStreamWaitEvent(nccl->stream, nccl->ready, 0), "sum over ranks");
    return TT_OK;
}

// NCCL's stream has memory for one piece in bf16: there one piece follows the other. It outlives devices, whose tallies have it from
// their first sum on.
static tt_status reserve_half(tt_nccl *nccl, tt_device *device, size_t n) {
    static const char what[] = "sum over ranks";
    if (n > nccl->half_size) {
        void *memory = nullptr;
        tt_tally_remove(&device->tally, nccl->half);
        if (nccl->half) TT_CUDA(cudaFreeAsync(nccl->half, nccl->stream), what);
        nccl->half = nullptr;
        nccl->half_size = 0;
        TT_CUDA(tt_cuda_load(tt_stream(device),
                    [&] { return cudaMallocAsync(&memory, n * sizeof(bf16), nccl->stream); }),
            what);
        nccl->half = static_cast<bf16 *>(memory);
        nccl->half_size = n;
    }
    if (tt_tally_find(&device->tally, nccl->half)) return TT_OK;
    return tt_tally_add(&device->tally, nccl->half, nccl->half_size * sizeof(bf16), what);
}

static ncclResult_t submit_sum(const tt_nccl *nccl, void *x, size_t n, ncclDataType_t type, int root) {
    return root == TT_ALL_RANKS ? ncclAllReduce(x, x, n, type, ncclSum, nccl->comm, nccl->stream)
                                : ncclReduce(x, x, n, type, ncclSum, root, nccl->comm, nccl->stream);
}

tt_status tt_nccl_sum(tt_nccl *nccl, tt_device *device, const tt_nccl_work *work) {
    const int64_t n = static_cast<int64_t>(work->n);
    TT_TRY(follow_device(nccl, device));
    void *x = work->x;
    if (work->bf16) {
        TT_TRY(reserve_half(nccl, device, work->n));
        TT_TRY(tt_cuda_narrow(nccl->stream, nccl->half, work->x, n));
        x = nccl->half;
    }
    const ncclResult_t result =
        submit_sum(nccl, x, work->n, work->bf16 ? ncclBfloat16 : ncclFloat32, work->root);
    TT_TRY(give_up(nccl, settle_call(nccl, result, nccl->seconds, "sum")));
    return work->bf16 ? tt_cuda_widen(nccl->stream, work->x, nccl->half, n) : TT_OK;
}

tt_status tt_nccl_broadcast(tt_nccl *nccl, tt_device *device, float *x, size_t n, int root) {
    TT_TRY(follow_device(nccl, device));
    const ncclResult_t result = ncclBroadcast(x, x, n, ncclFloat32, root, nccl->comm, nccl->stream);
    return give_up(nccl, settle_call(nccl, result, nccl->seconds, "broadcast"));
}

static tt_status await_sums(tt_nccl *nccl, double seconds) {
    const double deadline = tt_seconds() + seconds;
    double reached = -1; // when this rank's GPU was first seen to have come to the last sum
    for (;;) {
        if (reached < 0 && cudaEventQuery(nccl->ready) != cudaErrorNotReady) reached = tt_seconds();
        const cudaError_t error = cudaEventQuery(nccl->done);
        nccl->waited = reached < 0 ? 0 : tt_seconds() - reached;
        if (error == cudaSuccess) return TT_OK;
        if (error != cudaErrorNotReady) return tt_cuda_failed(error, "sum over ranks");
        ncclResult_t result = ncclSuccess;
        if (ncclCommGetAsyncError(nccl->comm, &result) == ncclSuccess && result != ncclSuccess &&
            result != ncclInProgress)
            return nccl_failed(nccl, result, "sum");
        if (tt_seconds() > deadline)
            return tt_fail(TT_ERR_DIST,
                "NCCL: the sum over %d ranks did not end within %g seconds, although all ranks reached it; "
                "NCCL_DEBUG=INFO prints details, TT_TIMEOUT=seconds waits longer",
                nccl->size, seconds);
        sched_yield();
    }
}

tt_status tt_nccl_finish(tt_nccl *nccl, tt_device *device, double seconds) {
    TT_CUDA(cudaEventRecord(nccl->done, nccl->stream), "sum over ranks");
    TT_TRY(give_up(nccl, await_sums(nccl, seconds)));
    nccl->running = false;
    TT_CUDA(cudaStreamWaitEvent(tt_stream(device), nccl->done, 0), "sum over ranks");
    return TT_OK;
}

double tt_nccl_waited(const tt_nccl *nccl) {
    return nccl->waited;
}

void tt_nccl_abandon(tt_nccl *nccl) {
    if (nccl->running) (void)give_up(nccl, TT_ERR_DIST);
}
