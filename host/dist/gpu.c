#include "host/dist/gpu.h"

#include "host/base/log.h"
#include "host/base/memory.h"
#include "host/dist/nccl.h"
#include "kernels/cuda/cuda.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct seat {
    bool gpu;
    char host[64], device[TT_CUDA_NAME_SIZE]; // device: what it is, or why there is none
} seat;

static tt_status take_seat(const tt_comm *comm, seat *mine) {
    *mine = (seat){0};
    gethostname(mine->host, sizeof mine->host - 1);
    const tt_status status = tt_cuda_choose(comm->local_rank); // first, since a machine's GPUs may differ
    if (status != TT_OK && status != TT_ERR_UNSUPPORTED) return status;
    mine->gpu = tt_cuda_available(mine->device);
    return mine->gpu ? tt_cuda_describe(mine->device) : TT_OK;
}

static bool each_has_own(const seat *seats, int n) {
    for (int i = 0; i < n; ++i)
        for (int j = 0; j < i; ++j)
            if (strcmp(seats[i].host, seats[j].host) == 0 && strcmp(seats[i].device, seats[j].device) == 0) {
                tt_warn("ranks %d and %d share a GPU on %s, so gradients are summed through host memory; "
                        "start one "
                        "rank for each GPU",
                    j, i, seats[i].host);
                return false;
            }
    return true;
}

static tt_status print_seats(const seat *seats, int n, bool *own_gpu) {
    int with = 0, without = -1;
    for (int r = 0; r < n; ++r) {
        with += seats[r].gpu;
        if (!seats[r].gpu && without < 0) without = r;
    }
    if (with == 0) return TT_OK;
    if (with < n)
        return tt_fail(TT_ERR_UNSUPPORTED,
            "rank %d on %s has no GPU (%s), but %d of %d ranks have one; set device: cpu, or start ranks "
            "only on "
            "machines with GPUs",
            without, seats[without].host, seats[without].device, with, n);
    tt_info("%-5s %-20s %s", "rank", "host", "GPU");
    for (int r = 0; r < n; ++r) tt_info("%-5d %-20s %s", r, seats[r].host, seats[r].device);
    *own_gpu = each_has_own(seats, n);
    return TT_OK;
}

tt_status tt_comm_choose_gpu(tt_comm *comm, const char *device) {
    if (strcmp(device, "cpu") == 0) return TT_OK;
    seat mine;
    TT_TRY(tt_comm_agree(comm, take_seat(comm, &mine)));
    if (comm->size == 1) return TT_OK;
    seat *seats;
    tt_status status = tt_alloc(&seats, (size_t)comm->size, sizeof *seats, "table of GPUs");
    if (status == TT_OK) status = tt_comm_gather_equal(comm, &mine, sizeof mine, seats);
    if (status == TT_OK && comm->rank == 0) status = print_seats(seats, comm->size, &comm->own_gpu);
    free(seats);
    TT_TRY(tt_comm_agree(comm, status));
    return tt_comm_broadcast(comm, &comm->own_gpu, sizeof comm->own_gpu, 0);
}

tt_status tt_comm_connect_gpus(tt_comm *comm, const tt_device *device) {
    if (comm->size == 1 || comm->nccl || !comm->own_gpu || strcmp(device->name, "cuda") != 0) return TT_OK;
    return tt_nccl_open(&comm->nccl, comm);
}
