// Ranks connected to their rank 0: how they meet, and what each knows about the others. Private to host/dist.
//
// Rank 0 listens; the others connect and send their rank, the number of ranks and the secret of this meeting,
// so that connections from elsewhere, or from an earlier start, are rejected. When all have arrived, rank 0
// sends the machines' names to all.
#ifndef TT_DIST_STAR_H
#define TT_DIST_STAR_H

#include "host/dist/secret.h"
#include "host/dist/wire.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_star {
    int rank, size;
    double seconds;              // patience of a collective
    int *sockets;                // [size]: rank 0's to each other rank; the others use [0]
    char (*hosts)[TT_WIRE_HOST]; // [size]
} tt_star;

// Rank 0 of `size`. The caller closes `listener`. Errors: TT_ERR_DIST naming the ranks that did not arrive
// before the deadline, or a rank that arrived twice or counts another number of ranks; ranks that have
// arrived receive the message. Raises the number of files that this process may open to what so many ranks need; an error
// where the system forbids it.
tt_status tt_star_host(
    tt_star *out, int listener, const tt_secret *secret, int size, double deadline) TT_MUST_CHECK;

typedef struct tt_star_seat {
    tt_secret secret;
    int rank, size;
    double patience; // seconds, the same as rank 0's
} tt_star_seat;

// Another rank, which finds rank 0 at `hub`. *joined is false if no process of this meeting listens there; then
// try again. Errors: what rank 0 reports.
tt_status tt_star_join(
    tt_star *out, const tt_address *hub, const tt_star_seat *seat, bool *joined) TT_MUST_CHECK;
void tt_star_close(tt_star *star);
// TT_ERR_DIST: how the connection to `rank` ended during `what`.
tt_status tt_star_lost(const tt_star *star, int rank, tt_wire_end end, const char *what) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
