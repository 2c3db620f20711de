#include "host/dist/precision.h"

#include "host/base/memory.h"

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
    tt_precision *each;
    tt_status status = tt_alloc(&each, (size_t)comm->size, sizeof *each, "the ranks' precisions");
    if (status == TT_OK) status = tt_comm_gather_equal(comm, precision, sizeof *precision, each);
    for (int rank = 0; status == TT_OK && comm->rank == 0 && rank < comm->size; ++rank)
        if (each[rank] != TT_BF16) *precision = TT_FP32;
    free(each);
    TT_TRY(tt_comm_agree(comm, status));
    return tt_comm_broadcast(comm, precision, sizeof *precision, 0);
}
