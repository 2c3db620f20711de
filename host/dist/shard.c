#include "host/dist/shard.h"

#include "host/base/memory.h"
#include "host/dist/nccl.h"
#include "host/dist/rendezvous.h"

#include <stdlib.h>
#include <string.h>

enum { ALIGNED = 64, PIECE = 1 << 22 }; // elements

tt_shard tt_shard_of(size_t size, int rank, int ranks) {
    const size_t n = (size_t)ranks, each = ((size + n - 1) / n + ALIGNED - 1) / ALIGNED * ALIGNED;
    const size_t begin = (size_t)rank * each < size ? (size_t)rank * each : size;
    return (tt_shard){begin, size - begin < each ? size - begin : each};
}

tt_shard tt_shard_common(tt_shard a, tt_shard b) {
    const size_t begin = a.begin > b.begin ? a.begin : b.begin;
    const size_t end = a.begin + a.n < b.begin + b.n ? a.begin + a.n : b.begin + b.n;
    return (tt_shard){begin, end > begin ? end - begin : 0};
}

static tt_status share_by_nccl(tt_comm *comm, tt_device *device, float *x, size_t size) {
    double seconds;
    TT_TRY(tt_patience(&seconds));
    for (int r = 0; r < comm->size; ++r) {
        const tt_shard s = tt_shard_of(size, r, comm->size);
        if (s.n > 0) TT_TRY(tt_nccl_broadcast(comm->nccl, device, x + s.begin, s.n, r));
    }
    return tt_nccl_finish(comm->nccl, device, seconds);
}

// One stretch, of rank `owner`. host: memory for a piece, NULL where the device's memory is the host's.
static tt_status share_stretch(tt_comm *comm, tt_device *device, float *x, size_t n, int owner, float *host) {
    for (size_t done = 0; done < n; done += PIECE) {
        const size_t part = n - done < PIECE ? n - done : PIECE, bytes = part * sizeof *x;
        float *piece = host ? host : x + done;
        if (host && comm->rank == owner) TT_TRY(tt_device_download(device, host, x + done, bytes));
        TT_TRY(tt_comm_broadcast(comm, piece, bytes, owner));
        if (host && comm->rank != owner) TT_TRY(tt_device_upload(device, x + done, host, bytes));
    }
    return TT_OK;
}

tt_status tt_shard_share(tt_comm *comm, tt_device *device, float *x, size_t size) {
    if (comm->size == 1) return TT_OK;
    if (comm->nccl) return share_by_nccl(comm, device, x, size);
    float *host = NULL;
    if (strcmp(device->name, "cpu") != 0)
        TT_TRY(tt_alloc(&host, size < PIECE ? size : PIECE, sizeof *host, "weights of other ranks"));
    tt_status status = TT_OK;
    for (int r = 0; r < comm->size && status == TT_OK; ++r) {
        const tt_shard s = tt_shard_of(size, r, comm->size);
        status = share_stretch(comm, device, x + s.begin, s.n, r, host);
    }
    free(host);
    return status;
}

tt_status tt_shard_fetch(
    tt_comm *comm, tt_device *device, const float *mine, size_t size, tt_shard wanted, float *out) {
    const tt_shard own = tt_shard_of(size, comm->rank, comm->size), part = tt_shard_common(own, wanted);
    float *host;
    char *all = NULL;
    size_t *sizes = NULL;
    TT_TRY(tt_alloc(&host, part.n, sizeof *host, "a rank's part"));
    tt_status status = TT_OK;
    if (part.n > 0)
        status = tt_device_download(device, host, mine + (part.begin - own.begin), part.n * sizeof *host);
    if (status == TT_OK) status = tt_alloc(&sizes, (size_t)comm->size, sizeof *sizes, "ranks");
    // Blocks arrive in the order of ranks, which is that of elements.
    if (status == TT_OK) status = tt_comm_gather(comm, host, part.n * sizeof *host, &all, sizes);
    size_t bytes = 0;
    for (int r = 0; status == TT_OK && comm->rank == 0 && r < comm->size; ++r) bytes += sizes[r];
    if (status == TT_OK && comm->rank == 0 && bytes != wanted.n * sizeof *out)
        status = tt_fail(TT_ERR_DIST,
            "the ranks sent %zu bytes of %zu elements; do all run the same version?", bytes, wanted.n);
    if (status == TT_OK && comm->rank == 0) memcpy(out, all, bytes);
    free(all);
    free(sizes);
    free(host);
    return status;
}
