// Checks before a collective that all ranks arrive at it, since MPI itself would wait forever. Private to
// host/dist.
#ifndef TT_DIST_ARRIVAL_MPI_H
#define TT_DIST_ARRIVAL_MPI_H

#include "host/dist/wire.h"

#include <mpi.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_arrival {
    MPI_Comm ranks; // its own communicator
    int rank, size;
    double seconds;              // patience
    int64_t number;              // of arrivals so far: identifies the collective on all ranks
    int64_t sent_number;         // the number that this rank's notices contain; kept until they are sent
    bool *late;                  // [size]: has sent a notice that it waits, too
    char (*hosts)[TT_WIRE_HOST]; // [size]
} tt_arrival;

// A collective call of all ranks, as closing is.
tt_status tt_arrival_open(tt_arrival *out, MPI_Comm ranks) TT_MUST_CHECK;
void tt_arrival_close(tt_arrival *arrival);
// Returns when all ranks have arrived. Errors: TT_ERR_DIST naming those that have not arrived in time.
tt_status tt_arrival_wait(tt_arrival *arrival, const char *what) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
