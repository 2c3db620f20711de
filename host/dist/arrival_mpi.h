// Before a collective: do all ranks come to it? MPI itself waits for ever. Private to host/dist.
#ifndef TT_DIST_ARRIVAL_MPI_H
#define TT_DIST_ARRIVAL_MPI_H

#include "host/dist/wire.h"

#include <mpi.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_arrival {
    MPI_Comm ranks; // of its own
    int rank, size;
    double seconds;              // patience
    int64_t number;              // of arrivals so far: the same collective on all ranks
    int64_t told;                // what this rank's notices say; kept until they have gone
    bool *late;                  // [size]: has told that it waits, too
    char (*hosts)[TT_WIRE_HOST]; // [size]
} tt_arrival;

// A collective call of all ranks, as closing is.
tt_status tt_arrival_open(tt_arrival *out, MPI_Comm ranks) TT_MUST_CHECK;
void tt_arrival_close(tt_arrival *arrival);
// Returns when all ranks have come. Errors: TT_ERR_DIST naming those that have not within the patience.
tt_status tt_arrival_wait(tt_arrival *arrival, const char *what) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
