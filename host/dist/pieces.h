// Work in pieces that ranks take as they get to them: those that finish early take more. What a piece contains must not
// depend on ranks; then neither does what comes out, whoever did which piece.
//
//   tt_pieces_open(&pieces, comm, n);
//   while (tt_pieces_take(&pieces, &piece) is TT_OK and piece >= 0) ...
//
// The next piece's number is counted by rank 0, in a thread of its own, so that nobody waits for what rank 0 computes. Each rank
// has a connection to it beside those of the collectives. Where ranks cannot connect, as by MPI over a network without TCP, they
// take pieces in turn, and rank 0 warns once.
#ifndef TT_DIST_PIECES_H
#define TT_DIST_PIECES_H

#include "host/base/str.h"
#include "host/dist/comm.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_pieces {
    tt_comm *comm; // borrowed
    uint64_t work; // numbers the works of a comm
    int64_t n;
    int64_t taken; // by this rank
    int64_t next;  // of this rank, where pieces are taken in turn
} tt_pieces;

// The ranks begin a work of n pieces; nothing has to be closed. A collective call. Errors: TT_ERR_DIST, TT_ERR_NOMEM.
tt_status tt_pieces_open(tt_pieces *out, tt_comm *comm, int64_t n) TT_MUST_CHECK;
// *piece is 0 to n - 1, above those that this rank took before, or -1 where none is left. Errors: TT_ERR_DIST if rank 0
// does not answer within TT_TIMEOUT seconds.
tt_status tt_pieces_take(tt_pieces *pieces, int64_t *piece) TT_MUST_CHECK;
// After a failure on this rank: all ranks end with the piece that they are at. (Not where pieces are taken in turn.)
void tt_pieces_stop(tt_pieces *pieces);
// Rank 0 receives what the ranks wrote for their pieces in the order of pieces: *all[*bytes], which the caller frees; the other
// ranks NULL. `mine` is what this rank wrote, in the order in which it took pieces: sizes[piece] bytes for each of its own,
// while sizes[n] is 0 for all others. A collective call. Errors: TT_ERR_DIST, TT_ERR_NOMEM.
tt_status tt_pieces_gather(
    const tt_pieces *pieces, const tt_str *mine, int64_t *sizes, char **all, size_t *bytes) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
