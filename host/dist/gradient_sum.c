#include "host/dist/gradient_sum.h"

#include "host/base/log.h"
#include "host/base/memory.h"
#include "host/dist/nccl.h"
#include "host/dist/rendezvous.h"

#include <stdlib.h>
#include <string.h>

// Elements of a piece: large enough for the links' full speed, small enough that the first sum starts early.
// It is the same on all ranks, so that they all make the same sums.
static size_t piece_size(void) {
    const char *text = getenv("TT_SUM_PIECE");
    const long long wanted = text ? strtoll(text, NULL, 10) : 0;
    return wanted > 0 ? (size_t)wanted : (size_t)8 << 20;
}

tt_status tt_gradient_sum_ready(tt_gradient_sum *sum, size_t from) {
    if (!sum->comm->nccl) return TT_OK;
    const size_t piece = piece_size();
    while (sum->left >= piece && sum->left - piece >= from) {
        sum->left -= piece;
        TT_TRY(tt_nccl_sum(sum->comm->nccl, sum->device, sum->g + sum->left, piece));
    }
    return TT_OK;
}

static tt_status sum_on_host(tt_gradient_sum *sum, float *x) {
    const double began = tt_seconds();
    const tt_status status = tt_comm_sum_f32(sum->comm, x, sum->left);
    sum->waited += tt_seconds() - began;
    return status;
}

static tt_status sum_by_host(tt_gradient_sum *sum) {
    const size_t n = sum->left;
    if (strcmp(sum->device->name, "cpu") == 0) return sum_on_host(sum, sum->g);
    float *host;
    TT_TRY(tt_alloc(&host, n, sizeof *host, "sum over ranks"));
    tt_status status =
        tt_device_download(sum->device, host, sum->g, n * sizeof *host); // waits for the device
    if (status == TT_OK) status = sum_on_host(sum, host);
    if (status == TT_OK) status = tt_device_upload(sum->device, sum->g, host, n * sizeof *host);
    free(host);
    return status;
}

tt_status tt_gradient_sum_end(tt_gradient_sum *sum) {
    if (sum->comm->size == 1) return TT_OK;
    if (!sum->comm->nccl) return sum_by_host(sum);
    TT_TRY(tt_gradient_sum_ready(sum, 0));
    if (sum->left > 0) TT_TRY(tt_nccl_sum(sum->comm->nccl, sum->device, sum->g, sum->left));
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
