#include "host/dist/precision.h"

#include <stdlib.h>

static tt_status ask_device(const char *name, tt_precision *out) {
    tt_device *device;
    TT_TRY(tt_device_open(&device, name, TT_PRECISION_AUTO, 0)); // a number would stay with OpenMP
    *out = device->precision;
    tt_device_close(device);
    return TT_OK;
}

tt_status tt_comm_precision(tt_comm *comm, const char *device, tt_precision *precision) {
    if (*precision != TT_PRECISION_AUTO) return TT_OK;
    TT_TRY(tt_comm_agree(comm, ask_device(device, precision)));
    if (comm->size == 1) return TT_OK;
    char *all = NULL;
    size_t *sizes = calloc((size_t)comm->size, sizeof *sizes);
    tt_status status = sizes ? TT_OK : tt_fail(TT_ERR_NOMEM, "out of memory: the ranks' precisions");
    if (status == TT_OK) status = tt_comm_gather(comm, precision, sizeof *precision, &all, sizes);
    const tt_precision *each = (const tt_precision *)(const void *)all;
    for (int rank = 0; status == TT_OK && comm->rank == 0 && rank < comm->size; ++rank)
        if (each[rank] != TT_BF16) *precision = TT_FP32;
    free(all);
    free(sizes);
    TT_TRY(tt_comm_agree(comm, status));
    return tt_comm_broadcast(comm, precision, sizeof *precision, 0);
}
