// The build without MPI: ranks started by srun meet by a file; ranks started by mpirun are an error.
#include "host/dist/transport.h"

#include <stdlib.h>

tt_status tt_comm_join(tt_comm *comm) {
    if (getenv("SLURM_STEP_ID")) return tt_comm_meet(comm);
    return tt_fail(TT_ERR_UNSUPPORTED,
        "started as one of several ranks, but this build has no MPI; set TT_RANK, TT_WORLD and TT_RENDEZVOUS "
        "(a file that all ranks can access) instead, or install an MPI (libopenmpi-dev) and build again");
}
