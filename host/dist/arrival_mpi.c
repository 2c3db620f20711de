// A non-blocking barrier that is polled. When a rank has waited too long, it sends all others a notice that
// it waits, and those that wait, too, answer with theirs: a rank without a notice has not arrived.
#include "host/dist/arrival_mpi.h"

#include "host/base/log.h"
#include "host/base/memory.h"
#include "host/base/str.h"
#include "host/dist/rendezvous.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TAG_WAITING = 11 };
static const double answer_seconds = 3;   // for the others' notices
static const double awake_seconds = 2e-3; // then short sleeps between polls
static const struct timespec nap = {.tv_nsec = 100 * 1000};

static tt_status check_mpi(int code, const char *what) {
    return code == MPI_SUCCESS
               ? TT_OK
               : tt_fail(TT_ERR_DIST, "MPI failed while waiting for the ranks before a %s", what);
}

tt_status tt_arrival_open(tt_arrival *out, MPI_Comm ranks) {
    *out = (tt_arrival){.ranks = MPI_COMM_NULL};
    char mine[TT_WIRE_HOST];
    tt_wire_host(mine);
    TT_TRY(tt_patience(&out->seconds));
    TT_TRY(check_mpi(MPI_Comm_dup(ranks, &out->ranks), "start"));
    TT_TRY(check_mpi(MPI_Comm_rank(out->ranks, &out->rank), "start"));
    TT_TRY(check_mpi(MPI_Comm_size(out->ranks, &out->size), "start"));
    TT_TRY(tt_alloc(&out->late, (size_t)out->size, sizeof *out->late, "ranks"));
    TT_TRY(tt_alloc(&out->hosts, (size_t)out->size, sizeof *out->hosts, "ranks"));
    return check_mpi(
        MPI_Allgather(mine, TT_WIRE_HOST, MPI_CHAR, out->hosts, TT_WIRE_HOST, MPI_CHAR, out->ranks), "start");
}

void tt_arrival_close(tt_arrival *arrival) {
    if (arrival->ranks != MPI_COMM_NULL) MPI_Comm_free(&arrival->ranks);
    free(arrival->late);
    free(arrival->hosts);
    *arrival = (tt_arrival){.ranks = MPI_COMM_NULL};
}

// Receives the notices that have come. True if one says that its rank waits for this arrival.
static bool hear_notices(tt_arrival *a) {
    bool heard = false;
    for (;;) {
        int there = 0;
        MPI_Status from;
        int64_t number;
        if (MPI_Iprobe(MPI_ANY_SOURCE, TAG_WAITING, a->ranks, &there, &from) != MPI_SUCCESS || !there)
            return heard;
        MPI_Recv(&number, 1, MPI_INT64_T, from.MPI_SOURCE, TAG_WAITING, a->ranks, MPI_STATUS_IGNORE);
        if (number == a->number) heard = a->late[from.MPI_SOURCE] = true;
    }
}

static void send_notices(tt_arrival *a) {
    a->sent_number = a->number;
    // The requests are freed, not waited for: the messages are a few bytes.
    for (int r = 0; r < a->size; ++r) { // NOLINT(clang-analyzer-optin.mpi.MPI-Checker)
        MPI_Request request;
        if (r == a->rank) continue;
        if (MPI_Isend(&a->sent_number, 1, MPI_INT64_T, r, TAG_WAITING, a->ranks, &request) == MPI_SUCCESS)
            MPI_Request_free(&request);
    }
}

static tt_status missing_ranks(const tt_arrival *a, const char *what) {
    tt_str names = {0};
    int n = 0;
    for (int r = 0; r < a->size; ++r)
        if (r != a->rank && !a->late[r] && n++ < 16)
            tt_str_format(&names, "%srank %d on %s", n > 1 ? ", " : "", r, a->hosts[r]);
    const tt_status status = tt_fail(TT_ERR_DIST,
        "%s: no word from %s%s within %g seconds; TT_TIMEOUT=seconds waits longer", what,
        n ? tt_str_text(&names) : "MPI, although all ranks have arrived", n > 16 ? ", ..." : "", a->seconds);
    tt_str_close(&names);
    return status;
}

tt_status tt_arrival_wait(tt_arrival *a, const char *what) {
    MPI_Request request;
    int done = 0;
    a->number++;
    memset(a->late, 0, (size_t)a->size * sizeof *a->late);
    TT_TRY(check_mpi(MPI_Ibarrier(a->ranks, &request), what));
    const double start = tt_seconds();
    bool notified = false;
    for (double notified_at = 0;;) {
        TT_TRY(check_mpi(MPI_Test(&request, &done, MPI_STATUS_IGNORE), what));
        if (done) return TT_OK;
        const double now = tt_seconds();
        if (now - start < awake_seconds) {
            sched_yield();
            continue;
        }
        nanosleep(&nap, NULL);
        if (hear_notices(a) || now - start > a->seconds) {
            if (!notified) {
                send_notices(a);
                notified_at = now;
            }
            notified = true;
        }
        if (notified && now - notified_at > answer_seconds && now - start > a->seconds)
            return missing_ranks(a, what);
    }
}
