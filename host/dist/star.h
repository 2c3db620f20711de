// Ranks connected to their rank 0: how they meet, and what each knows of the others. Private to host/dist.
//
// Rank 0 listens; the others connect and say which rank of how many they are, with the nonce of this meeting,
// so that who knocks from elsewhere, or from an earlier start, is sent away. When all have come, rank 0 tells
// everyone the machines' names.
#ifndef TT_DIST_STAR_H
#define TT_DIST_STAR_H

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

// Rank 0 of `size`. `listener` stays the caller's. Errors: TT_ERR_DIST naming the ranks that did not come
// until the deadline, or a rank that came twice or counts another number of ranks; those who came hear it.
tt_status tt_star_host(tt_star *out, int listener, uint64_t nonce, int size, double deadline) TT_MUST_CHECK;
// Another rank; `patience` in seconds, as long as rank 0's. *joined is false where nobody of this meeting
// listens there: to be tried again. Errors: what rank 0 says.
tt_status tt_star_join(tt_star *out, const tt_address *hub, uint64_t nonce, int rank, int size,
    double patience, bool *joined) TT_MUST_CHECK;
void tt_star_close(tt_star *star);

uint64_t tt_nonce(void); // not guessable

#ifdef __cplusplus
}
#endif

#endif
