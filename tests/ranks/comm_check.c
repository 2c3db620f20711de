// Collectives that check themselves; run under mpirun by comm.sh, by processes that meet without MPI in
// rendezvous.sh. Sizes cross the chunks that sums are cut
// into. comm_check agree: rank 1 fails, all agree. comm_check leave: rank 1 leaves with a failure while
// others wait; comm_check sleep: rank 1 arrives nine seconds late. comm_check pieces: works in pieces, by a rank that is slow,
// one that fails, one that has gone; comm_check turns: rank 0 may open no more files, so that pieces are taken in turn.
#include "host/base/log.h"
#include "host/base/memory.h"
#include "host/base/str.h"
#include "host/dist/pieces.h"
#include "host/dist/shard.h"
#include "kernels/bf16.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
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

// For one rank alone: the right sum. Two numbers have one sum, so that of two ranks has the bits of the sum for all.
static tt_status check_sum_to(tt_comm *comm, size_t n, int root) {
    float *x, *all;
    TT_TRY(tt_alloc(&x, 2 * n, sizeof *x, "test"));
    all = x + n;
    for (size_t i = 0; i < n; ++i) x[i] = all[i] = value(comm->rank, i);
    tt_status status = tt_comm_sum_f32_to(comm, x, n, root);
    if (status == TT_OK) status = tt_comm_sum_f32(comm, all, n);
    for (size_t i = 0; i < n && status == TT_OK && comm->rank == root; ++i) {
        const float error = x[i] > all[i] ? x[i] - all[i] : all[i] - x[i];
        if (!(error <= (comm->size > 2 ? 1e-6f * all[i] : 0)))
            status = tt_fail(TT_ERR_INTERNAL, "sum of %zu for rank %d: [%zu] = %.9g, expected %.9g", n, root,
                i, (double)x[i], (double)all[i]);
    }
    free(x);
    return status;
}

// bf16: what each rank rounds, and what the sum does, by hand: (1 + 2^-7) + 2^-8 is halfway between two numbers of 8 bits, and
// the even one is 1 + 2^-6; 2^-9 is too little to be seen beside 1. Beyond that, all ranks have the same, near the true sum.
static tt_status check_sum_bf16(tt_comm *comm, size_t n, int root) {
    uint16_t *x;
    float sum;
    TT_TRY(tt_alloc(&x, n, sizeof *x, "test"));
    for (size_t i = 0; i < n; ++i) tt_bf16_from_float(1, &x[i], &(float){value(comm->rank, i)});
    tt_status status = tt_comm_sum_bf16_to(comm, x, n, root);
    const bool here = root == TT_ALL_RANKS || root == comm->rank;
    for (size_t i = 0; i < n && status == TT_OK && here; ++i) {
        float expected = 0;
        for (int r = 0; r < comm->size; ++r) expected += value(r, i);
        tt_float_from_bf16(1, &sum, &x[i]);
        const float error = sum > expected ? sum - expected : expected - sum;
        if (!(error <= (float)comm->size * 0x1p-8f * expected))
            status = tt_fail(TT_ERR_INTERNAL, "sum of %zu in bf16: [%zu] = %.9g, expected %.9g", n, i,
                (double)sum, (double)expected);
    }
    uint64_t mine = tt_hash(x, n * sizeof *x), first = mine;
    if (status == TT_OK) status = tt_comm_broadcast(comm, &first, sizeof first, 0);
    if (status == TT_OK && root == TT_ALL_RANKS && first != mine)
        status = tt_fail(TT_ERR_INTERNAL, "sum of %zu in bf16: other bits than rank 0", n);
    free(x);
    if (status != TT_OK || comm->size != 2) return status;
    uint16_t two[2] = {comm->rank == 0 ? 0x3f81 : 0x3b80, comm->rank == 0 ? 0x3f80 : 0x3b00};
    TT_TRY(tt_comm_sum_bf16_to(comm, two, 2, TT_ALL_RANKS));
    return two[0] == 0x3f82 && two[1] == 0x3f80
               ? TT_OK
               : tt_fail(TT_ERR_INTERNAL, "two sums in bf16: %04x, %04x", two[0], two[1]);
}

// Stretches of a vector: together they are all of it, each begins at a multiple of 64, and what their owners wrote is
// everywhere afterwards; rank 0 fetches across their borders.
static tt_status check_shards(tt_comm *comm, tt_device *device, size_t n) {
    const tt_shard mine = tt_shard_of(n, comm->rank, comm->size), middle = {n / 3, n - n / 2};
    size_t end = 0;
    for (int r = 0; r < comm->size; ++r) {
        const tt_shard s = tt_shard_of(n, r, comm->size);
        if (s.begin != end || (s.n > 0 && s.begin % 64 != 0))
            return tt_fail(TT_ERR_INTERNAL, "stretch %d of %zu begins at %zu", r, n, s.begin);
        end += s.n;
    }
    if (end != n) return tt_fail(TT_ERR_INTERNAL, "stretches of %zu end at %zu", n, end);
    float *x;
    TT_TRY(tt_alloc(&x, n + middle.n, sizeof *x, "test"));
    for (size_t i = mine.begin; i < mine.begin + mine.n; ++i) x[i] = value(comm->rank, i);
    tt_status status =
        tt_shard_fetch(comm, device, x + mine.begin, n, middle, comm->rank == 0 ? x + n : NULL);
    if (status == TT_OK) status = tt_shard_share(comm, device, x, n);
    for (int r = 0; r < comm->size && status == TT_OK; ++r) {
        const tt_shard s = tt_shard_of(n, r, comm->size);
        for (size_t i = s.begin; i < s.begin + s.n; ++i)
            if (x[i] != value(r, i))
                return tt_fail(TT_ERR_INTERNAL, "shared [%zu] of %zu = %g", i, n, (double)x[i]);
    }
    if (status == TT_OK && comm->rank == 0 && memcmp(x + n, x + middle.begin, middle.n * sizeof *x) != 0)
        status = tt_fail(TT_ERR_INTERNAL, "rank 0 fetched something else of %zu", n);
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

// Takes pieces until none is left, or `most`; a line for each.
static tt_status take_pieces(tt_pieces *p, int64_t most, tt_str *lines, int64_t *sizes) {
    int64_t piece = 0, last = -1;
    for (; most > 0; --most) {
        TT_TRY(tt_pieces_take(p, &piece));
        if (piece < 0) break;
        if (piece <= last || piece >= p->n)
            return tt_fail(TT_ERR_INTERNAL, "piece %lld after %lld", (long long)piece, (long long)last);
        last = piece;
        const size_t before = lines->length;
        tt_str_format(lines, "%lld\n", (long long)piece);
        sizes[piece] = (int64_t)(lines->length - before);
    }
    return TT_OK;
}

enum { MOST_PIECES = 1000 };

// Rank 0 has every piece once, in order.
static tt_status check_lines(const tt_pieces *p, const tt_str *lines, int64_t *sizes) {
    tt_str expected = {0};
    char *all;
    size_t bytes;
    TT_TRY(tt_pieces_gather(p, lines, sizes, &all, &bytes));
    for (int64_t i = 0; i < p->n; ++i) tt_str_format(&expected, "%lld\n", (long long)i);
    const bool right = p->comm->rank
                           ? all == NULL
                           : bytes == expected.length && memcmp(all, tt_str_text(&expected), bytes) == 0;
    free(all);
    tt_str_close(&expected);
    return right ? TT_OK : tt_fail(TT_ERR_INTERNAL, "%lld pieces: gathered others", (long long)p->n);
}

static tt_status check_work(tt_comm *comm, int64_t n, int slow) {
    int64_t sizes[MOST_PIECES] = {0}, taken;
    tt_str lines = {0};
    tt_pieces p;
    TT_TRY(tt_pieces_open(&p, comm, n));
    // The slow rank is at its first piece until the others have done the rest.
    if (comm->rank == slow) TT_TRY(take_pieces(&p, 1, &lines, sizes));
    if (slow >= 0) TT_TRY(tt_comm_barrier(comm));
    if (comm->rank != slow) TT_TRY(take_pieces(&p, INT64_MAX, &lines, sizes));
    if (slow >= 0) TT_TRY(tt_comm_barrier(comm));
    if (comm->rank == slow) TT_TRY(take_pieces(&p, INT64_MAX, &lines, sizes));
    taken = comm->rank == slow ? p.taken : 0;
    TT_TRY(tt_comm_max_i64(comm, &taken, 1));
    if (slow >= 0 && taken != 1)
        return tt_fail(
            TT_ERR_INTERNAL, "the slow rank took %lld of %lld pieces", (long long)taken, (long long)n);
    const tt_status status = check_lines(&p, &lines, sizes);
    tt_str_close(&lines);
    return status;
}

static tt_status check_pieces(tt_comm *comm) {
    static const int64_t works[] = {0, 1, 2, 7, MOST_PIECES};
    for (size_t i = 0; i < sizeof works / sizeof *works; ++i) TT_TRY(check_work(comm, works[i], -1));
    for (int slow = 0; slow < comm->size && comm->size > 1; ++slow) TT_TRY(check_work(comm, 50, slow));
    tt_comm *part; // a part counts its own works
    TT_TRY(tt_comm_split(comm, comm->rank % 2, &part));
    tt_status status = check_work(part, 9, -1);
    tt_comm_close_part(part);
    if (status != TT_OK) return status;
    // One rank fails at its first piece: nobody gets another.
    tt_pieces p;
    int64_t piece, last = comm->size - 1;
    TT_TRY(tt_pieces_open(&p, comm, MOST_PIECES));
    TT_TRY(tt_pieces_take(&p, &piece));
    if (comm->rank == last) tt_pieces_stop(&p);
    TT_TRY(tt_comm_barrier(comm));
    TT_TRY(tt_pieces_take(&p, &piece));
    return piece == -1 ? check_work(comm, 7, -1) : tt_fail(TT_ERR_INTERNAL, "pieces go on after a failure");
}

// Rank 0 has gone, or stands still, while the others take pieces.
static tt_status lose_hub(tt_comm *comm, bool leaves) {
    tt_pieces p;
    int64_t piece;
    TT_TRY(tt_pieces_open(&p, comm, INT64_MAX));
    TT_TRY(tt_comm_barrier(comm));
    if (comm->rank == 0 && leaves) return tt_fail(TT_ERR_IO, "the first rank is gone");
    if (comm->rank == 0) kill(getpid(), SIGSTOP);
    do TT_TRY(tt_pieces_take(&p, &piece));
    while (piece >= 0);
    return TT_OK;
}

// No connection can be opened; the ranks take turns.
static tt_status check_turns(tt_comm *comm) {
    const int next = dup(0);
    close(next);
    if (comm->rank == 0) setrlimit(RLIMIT_NOFILE, &(struct rlimit){(rlim_t)next, (rlim_t)next});
    TT_TRY(check_work(comm, 7, -1));
    return comm->counter && comm->size > 1 ? tt_fail(TT_ERR_INTERNAL, "there is a counter") : TT_OK;
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
    if (strcmp(what, "pieces") == 0) return check_pieces(comm);
    if (strcmp(what, "turns") == 0) return check_turns(comm);
    if (strncmp(what, "hub", 3) == 0) return lose_hub(comm, strcmp(what, "hub leaves") == 0);
    static const size_t sizes[] = {1, 2, 7, 4096, (1 << 22) - 1, (1 << 22) + 1, 2 * (1 << 22) + 5};
    tt_device *device;
    TT_TRY(tt_device_open(&device, "cpu", TT_FP32, 1));
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i) {
        TT_TRY(check_sum(comm, sizes[i]));
        if (sizes[i] > (1 << 22) + 1) continue; // one chunk and a bit are enough
        TT_TRY(check_sum_to(comm, sizes[i], (int)i % comm->size));
        TT_TRY(check_sum_bf16(comm, sizes[i], i % 2 ? (int)i % comm->size : TT_ALL_RANKS));
        TT_TRY(check_shards(comm, device, sizes[i]));
    }
    tt_device_close(device);
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
