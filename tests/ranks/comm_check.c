// Collectives that check themselves; run under mpirun by comm.sh, by processes that meet without MPI in
// rendezvous.sh. Sizes cross the chunks that sums are cut
// into. comm_check agree: rank 1 fails, all agree. comm_check leave: rank 1 leaves with a failure while
// others wait; comm_check sleep: rank 1 arrives nine seconds late.
#include "host/base/log.h"
#include "host/base/memory.h"
#include "host/base/str.h"
#include "host/dist/comm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static float value(int rank, size_t i) {
    return (float)(rank + 1) * 0.1f + (float)(i % 1013) * 1e-3f;
}

// The sum is right, and all ranks hold the same bits.
static tt_status check_sum(tt_comm *comm, size_t n) {
    float *x;
    TT_TRY(tt_alloc(&x, n, sizeof *x, "test"));
    for (size_t i = 0; i < n; ++i) x[i] = value(comm->rank, i);
    tt_status status = tt_comm_sum_f32(comm, x, n);
    for (size_t i = 0; i < n && status == TT_OK; ++i) {
        double expected = 0;
        for (int r = 0; r < comm->size; ++r) expected += value(r, i);
        const double error = x[i] > expected ? x[i] - expected : expected - x[i];
        if (!(error <= 1e-6 * expected))
            status =
                tt_fail(TT_ERR_INTERNAL, "sum of %zu: [%zu] = %.9g, expected %.9g", n, i, x[i], expected);
    }
    uint64_t mine = tt_hash(x, n * sizeof *x), first = mine;
    if (status == TT_OK) status = tt_comm_broadcast(comm, &first, sizeof first, 0);
    if (status == TT_OK && first != mine)
        status = tt_fail(TT_ERR_INTERNAL, "sum of %zu: other bits than rank 0", n);
    free(x);
    return status;
}

static tt_status check_small(tt_comm *comm) {
    double sums[2] = {comm->rank, 1};
    int64_t most = comm->rank == comm->size / 2 ? 1000 : -comm->rank;
    TT_TRY(tt_comm_sum_f64(comm, sums, 2));
    TT_TRY(tt_comm_max_i64(comm, &most, 1));
    if (sums[0] != comm->size * (comm->size - 1) / 2 || sums[1] != comm->size || most != 1000)
        return tt_fail(TT_ERR_INTERNAL, "sums %g, %g, most %lld", sums[0], sums[1], (long long)most);
    return tt_comm_barrier(comm);
}

// Blocks of different sizes, an empty one among them.
static tt_status check_gather(tt_comm *comm) {
    char mine[64] = "", expected[1024] = "", *all;
    size_t sizes[64], at = 0;
    for (int r = 0; r < comm->size; ++r)
        for (int i = 0; i < 3 * r; ++i) at += (size_t)snprintf(expected + at, sizeof expected - at, "%d", r);
    memset(mine, '0' + comm->rank, (size_t)(3 * comm->rank));
    TT_TRY(tt_comm_gather(comm, mine, strlen(mine), &all, sizes));
    if (comm->rank != 0) return all ? tt_fail(TT_ERR_INTERNAL, "gathered on rank %d", comm->rank) : TT_OK;
    const bool same =
        memcmp(all, expected, strlen(expected)) == 0 && sizes[comm->size - 1] == (size_t)(3 * comm->size - 3);
    free(all);
    return same ? TT_OK : tt_fail(TT_ERR_INTERNAL, "gathered something else");
}

// Odd and even ranks apart: each part adds up its own, in worlds with numbers of their own.
static tt_status check_split(tt_comm *comm) {
    tt_comm *part;
    TT_TRY(tt_comm_split(comm, comm->rank % 2, &part));
    double sum = comm->rank, expected = 0;
    for (int r = comm->rank % 2; r < comm->size; r += 2) expected += r;
    char *all;
    size_t sizes[64];
    tt_status status = tt_comm_sum_f64(part, &sum, 1);
    if (status == TT_OK) status = tt_comm_gather(part, &comm->rank, sizeof comm->rank, &all, sizes);
    if (status == TT_OK && part->rank == 0)
        for (int r = 0; r < part->size; ++r)
            if (((const int *)(const void *)all)[r] != 2 * r + comm->rank % 2)
                status = tt_fail(TT_ERR_INTERNAL, "part: wrong order of ranks");
    if (status == TT_OK) free(all);
    if (status == TT_OK && (sum != expected || part->rank != comm->rank / 2))
        status = tt_fail(TT_ERR_INTERNAL, "part: rank %d, sum %g, expected %g", part->rank, sum, expected);
    tt_comm_close_part(part);
    return status;
}

static tt_status check(tt_comm *comm, const char *what) {
    const bool fails = comm->rank == 1;
    if (strcmp(what, "agree") == 0)
        return tt_comm_agree(comm, fails ? tt_fail(TT_ERR_INPUT, "the second rank is unhappy") : TT_OK);
    if (strcmp(what, "leave") == 0)
        return fails ? tt_fail(TT_ERR_IO, "the second rank is gone") : tt_comm_barrier(comm);
    if (strcmp(what, "sleep") == 0) {
        if (fails) sleep(9);
        return tt_comm_barrier(comm);
    }
    static const size_t sizes[] = {1, 2, 7, 4096, (1 << 22) - 1, (1 << 22) + 1, 2 * (1 << 22) + 5};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i) TT_TRY(check_sum(comm, sizes[i]));
    TT_TRY(check_small(comm));
    TT_TRY(check_split(comm));
    return check_gather(comm);
}

int main(int argc, char **argv) {
    tt_comm *comm;
    tt_status status = tt_comm_open(&comm);
    if (status == TT_OK) {
        const char *expected = getenv("EXPECTED_RANKS");
        status = check(comm, argc > 1 ? argv[1] : "");
        if (status == TT_OK && expected && comm->size != (int)strtol(expected, NULL, 10))
            status = tt_fail(TT_ERR_INTERNAL, "%d ranks, expected %s", comm->size, expected);
        tt_comm_close(comm, status);
    }
    if (status != TT_OK) tt_error("%s", tt_error_message());
    return tt_status_exit(status);
}
