#include "host/dist/gradient_sum.h"

#include "host/base/log.h"
#include "host/base/memory.h"
#include "host/dist/nccl.h"
#include "host/dist/rendezvous.h"
#include "host/dist/shard.h"
#include "kernels/bf16.h"

#include <stdlib.h>
#include <string.h>

// Elements of a piece: large enough for the links' full speed, small enough that the first sum starts early.
// It is the same on all ranks, so that they all make the same sums.
static size_t piece_size(void) {
    const char *text = getenv("TT_SUM_PIECE");
    const long long wanted = text ? strtoll(text, NULL, 10) : 0;
    return wanted > 0 ? (size_t)wanted : (size_t)8 << 20;
}

// Starts the sum of a stretch of g, or of what each rank owns of it.
static tt_status start_sum(const tt_gradient_sum *sum, tt_shard stretch) {
    tt_nccl_work work = {
        .x = sum->g + stretch.begin, .n = stretch.n, .root = TT_ALL_RANKS, .bf16 = sum->bf16};
    if (!sum->to_owners) return tt_nccl_sum(sum->comm->nccl, sum->device, &work);
    for (int r = 0; r < sum->comm->size; ++r) {
        const tt_shard part = tt_shard_common(stretch, tt_shard_of(sum->n, r, sum->comm->size));
        if (part.n == 0) continue;
        work.x = sum->g + part.begin, work.n = part.n, work.root = r;
        TT_TRY(tt_nccl_sum(sum->comm->nccl, sum->device, &work));
    }
    return TT_OK;
}

tt_status tt_gradient_sum_ready(tt_gradient_sum *sum, size_t from) {
    if (!sum->comm->nccl) return TT_OK;
    const size_t piece = piece_size();
    while (sum->left >= piece && sum->left - piece >= from) {
        sum->left -= piece;
        TT_TRY(start_sum(sum, (tt_shard){sum->left, piece}));
    }
    return TT_OK;
}

enum { HOST_PIECE = 1 << 22 };

// Host memory for a piece: NULL where the device's is the host's, or where nothing is rounded.
typedef struct staging {
    float *whole;
    uint16_t *half;
} staging;

static tt_status sum_piece(const tt_gradient_sum *sum, float *piece, uint16_t *half, size_t n, int root) {
    if (!half) return tt_comm_sum_f32_to(sum->comm, piece, n, root);
    tt_bf16_from_float((int64_t)n, half, piece);
    TT_TRY(tt_comm_sum_bf16_to(sum->comm, half, n, root));
    tt_float_from_bf16((int64_t)n, piece, half);
    return TT_OK;
}

// The sum of a stretch, for rank `root` or for all.
static tt_status sum_by_host(tt_gradient_sum *sum, tt_shard stretch, int root, const staging *host) {
    for (size_t done = 0; done < stretch.n; done += HOST_PIECE) {
        const size_t n = stretch.n - done < HOST_PIECE ? stretch.n - done : HOST_PIECE;
        float *x = sum->g + stretch.begin + done, *piece = host->whole ? host->whole : x;
        if (host->whole) TT_TRY(tt_device_download(sum->device, piece, x, n * sizeof *x));
        const double began = tt_seconds(); // the download has waited for this rank's device
        TT_TRY(sum_piece(sum, piece, host->half, n, root));
        sum->waited += tt_seconds() - began;
        if (host->whole && (root == TT_ALL_RANKS || root == sum->comm->rank))
            TT_TRY(tt_device_upload(sum->device, x, piece, n * sizeof *x));
    }
    return TT_OK;
}

static tt_status sum_all_by_host(tt_gradient_sum *sum) {
    const size_t most = sum->n < HOST_PIECE ? sum->n : HOST_PIECE;
    staging host = {NULL, NULL};
    tt_status status = TT_OK;
    if (strcmp(sum->device->name, "cpu") != 0)
        status = tt_alloc(&host.whole, most, sizeof *host.whole, "sum over ranks");
    if (status == TT_OK && sum->bf16)
        status = tt_alloc(&host.half, most, sizeof *host.half, "sum over ranks");
    if (status == TT_OK && !sum->to_owners)
        status = sum_by_host(sum, (tt_shard){0, sum->n}, TT_ALL_RANKS, &host);
    for (int r = 0; sum->to_owners && r < sum->comm->size && status == TT_OK; ++r)
        status = sum_by_host(sum, tt_shard_of(sum->n, r, sum->comm->size), r, &host);
    free(host.whole);
    free(host.half);
    return status;
}

tt_status tt_gradient_sum_end(tt_gradient_sum *sum) {
    if (sum->comm->size == 1) return TT_OK;
    if (!sum->comm->nccl) return sum_all_by_host(sum);
    TT_TRY(tt_gradient_sum_ready(sum, 0));
    if (sum->left > 0) TT_TRY(start_sum(sum, (tt_shard){0, sum->left}));
    sum->left = 0;
    double seconds;
    TT_TRY(tt_patience(&seconds));
    TT_TRY(tt_nccl_finish(sum->comm->nccl, sum->device, seconds));
    sum->waited += tt_nccl_waited(sum->comm->nccl);
    return TT_OK;
}

void tt_gradient_sum_close(tt_gradient_sum *sum) {
    if (sum->comm && sum->comm->nccl) tt_nccl_abandon(sum->comm->nccl);
}
