// How ranks part, with all that their comm has opened.
#include "host/base/log.h"
#include "host/base/standard.h"
#include "host/dist/comm.h"
#include "host/dist/counter.h"
#include "host/dist/nccl.h"
#include "host/dist/transport.h"

#include <stdlib.h>

void tt_comm_close(tt_comm *comm, tt_status status) {
    if (!comm) return;
    if (comm->size > 1 && status != TT_OK) {
        // Reported here and not in main, because the first rank that exits ends the others.
        if (comm->rank == 0 || !comm->agreed) tt_error("%s", tt_error_message());
        tt_log_reported();
        // Launchers end the whole job when the first rank exits with a failure: all ranks write what they have to say
        // before any of them does.
        tt_standard_flush();
        if (comm->agreed && tt_comm_barrier(comm) != TT_OK) tt_warn("%s", tt_error_message());
    }
    tt_nccl_close(comm->nccl, status != TT_OK);
    tt_counter_close(comm->counter);
    comm->methods->leave(comm, status != TT_OK && !comm->agreed, tt_status_exit(status));
    free(comm);
}

void tt_comm_close_part(tt_comm *part) {
    if (!part) return;
    tt_nccl_close(part->nccl, part->agreed);
    tt_counter_close(part->counter);
    part->methods->leave(part, false, 0);
    free(part);
}
