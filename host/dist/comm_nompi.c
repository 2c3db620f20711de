// The build without MPI: several ranks are refused.
#include "host/dist/transport.h"

tt_status tt_comm_join(tt_comm *comm) {
    (void)comm;
    return tt_fail(TT_ERR_UNSUPPORTED,
        "started as one of several ranks, but this build has no MPI; run it as one "
        "process, or install an MPI (libopenmpi-dev) and build again");
}
