// Ranks without MPI: each is connected to rank 0, which adds in the order of ranks and sends the result to
// all. Meant for the small messages of a run, and for gradients of a few CPU ranks; on GPUs NCCL sums
// gradients.
#include "host/base/log.h"
#include "host/base/memory.h"
#include "host/dist/rendezvous.h"
#include "host/dist/transport.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK = 1 << 20 };                            // bytes
static const size_t most_gathered = (size_t)4 << 30; // bytes; more is damage, and their sum would overflow

typedef struct star_state {
    tt_star star;
    char part[CHUNK];
} star_state;

// The operation that a rank is about to do; rank 0 checks that all do the same.
typedef enum operation { SUM_F32, SUM_F64, MAX_I64, BROADCAST, GATHER, BARRIER, SUM_BF16 } operation;
static const char *const operation_names[] = {"sum", "sum", "max", "broadcast", "gather", "barrier", "sum"};

typedef struct notice {
    uint64_t operation, bytes;
} notice;

static star_state *state_of(const tt_comm *comm) {
    return comm->state;
}

static tt_status send_to(const tt_star *star, int rank, const void *bytes, size_t n, operation what) {
    const tt_wire_end end = tt_wire_send(star->sockets[rank], bytes, n, tt_seconds() + star->seconds);
    return end == TT_WIRE_DONE ? TT_OK : tt_star_lost(star, rank, end, operation_names[what]);
}
static tt_status receive_from(const tt_star *star, int rank, void *bytes, size_t n, operation what) {
    const tt_wire_end end = tt_wire_receive(star->sockets[rank], bytes, n, tt_seconds() + star->seconds);
    return end == TT_WIRE_DONE ? TT_OK : tt_star_lost(star, rank, end, operation_names[what]);
}

static tt_status announce_operation(const tt_star *star, operation what, size_t bytes) {
    const notice mine = {what, bytes};
    return send_to(star, 0, &mine, sizeof mine, what);
}

// Rank 0 checks that `rank` does the same operation; *bytes receives the size that it announced.
static tt_status expect_rank(const tt_star *star, int rank, operation what, uint64_t *bytes) {
    notice theirs;
    TT_TRY(receive_from(star, rank, &theirs, sizeof theirs, what));
    *bytes = theirs.bytes;
    if (theirs.operation == (uint64_t)what) return TT_OK;
    return tt_fail(TT_ERR_DIST, "rank %d on %s is at a different operation (%s) than rank 0 (%s)", rank,
        star->hosts[rank], theirs.operation <= SUM_BF16 ? operation_names[theirs.operation] : "?",
        operation_names[what]);
}
static tt_status expect_all_ranks(const tt_star *star, operation what, size_t bytes) {
    for (int r = 1; r < star->size; ++r) {
        uint64_t theirs;
        TT_TRY(expect_rank(star, r, what, &theirs));
        if (theirs != bytes)
            return tt_fail(TT_ERR_DIST, "%s: rank %d has %llu bytes, rank 0 %zu", operation_names[what], r,
                (unsigned long long)theirs, bytes);
    }
    return TT_OK;
}

static void combine_chunk(operation what, void *to, const void *from, size_t bytes) {
    if (what == SUM_F32)
        for (size_t i = 0; i < bytes / sizeof(float); ++i) ((float *)to)[i] += ((const float *)from)[i];
    if (what == SUM_F64)
        for (size_t i = 0; i < bytes / sizeof(double); ++i) ((double *)to)[i] += ((const double *)from)[i];
    if (what == SUM_BF16) tt_add_bf16(to, from, bytes / sizeof(uint16_t));
    int64_t *most = to;
    const int64_t *other = from;
    for (size_t i = 0; what == MAX_I64 && i < bytes / sizeof *most; ++i)
        if (other[i] > most[i]) most[i] = other[i];
}

// `root`: the rank that receives the result, or TT_ALL_RANKS.
static tt_status reduce(tt_comm *comm, operation what, void *x, size_t bytes, int root) {
    star_state *s = state_of(comm);
    const tt_star *star = &s->star;
    if (comm->size == 1) return TT_OK;
    TT_TRY(comm->rank == 0 ? expect_all_ranks(star, what, bytes) : announce_operation(star, what, bytes));
    for (size_t done = 0; done < bytes; done += CHUNK) {
        char *chunk = (char *)x + done;
        const size_t n = bytes - done < CHUNK ? bytes - done : CHUNK;
        if (comm->rank != 0) {
            TT_TRY(send_to(star, 0, chunk, n, what));
            if (root == TT_ALL_RANKS || root == comm->rank) TT_TRY(receive_from(star, 0, chunk, n, what));
            continue;
        }
        for (int r = 1; r < comm->size; ++r) {
            TT_TRY(receive_from(star, r, s->part, n, what));
            combine_chunk(what, chunk, s->part, n);
        }
        for (int r = 1; r < comm->size; ++r)
            if (root == TT_ALL_RANKS || root == r) TT_TRY(send_to(star, r, chunk, n, what));
    }
    return TT_OK;
}

static tt_status star_sum(tt_comm *comm, void *x, size_t n, tt_sum_type type, int root) {
    switch (type) {
    case TT_SUM_F32:
        return reduce(comm, SUM_F32, x, n * sizeof(float), root);
    case TT_SUM_F64:
        return reduce(comm, SUM_F64, x, n * sizeof(double), root);
    case TT_SUM_BF16:
        break;
    }
    return reduce(comm, SUM_BF16, x, n * sizeof(uint16_t), root);
}
static tt_status star_max_i64(tt_comm *comm, int64_t *x, size_t n) {
    return reduce(comm, MAX_I64, x, n * sizeof *x, TT_ALL_RANKS);
}

static tt_status star_broadcast(tt_comm *comm, void *bytes, size_t n, int root) {
    const tt_star *star = &state_of(comm)->star;
    if (comm->size == 1) return TT_OK;
    if (comm->rank != 0) {
        TT_TRY(announce_operation(star, BROADCAST, n));
        return comm->rank == root ? send_to(star, 0, bytes, n, BROADCAST)
                                  : receive_from(star, 0, bytes, n, BROADCAST);
    }
    TT_TRY(expect_all_ranks(star, BROADCAST, n));
    if (root != 0) TT_TRY(receive_from(star, root, bytes, n, BROADCAST));
    for (int r = 1; r < comm->size; ++r)
        if (r != root) TT_TRY(send_to(star, r, bytes, n, BROADCAST));
    return TT_OK;
}

static tt_status receive_blocks(const tt_star *star, const void *mine, size_t n, char **all, size_t *sizes) {
    size_t total = sizes[0] = n;
    for (int r = 1; r < star->size; ++r) {
        uint64_t bytes;
        TT_TRY(expect_rank(star, r, GATHER, &bytes));
        if (bytes > most_gathered - total)
            return tt_fail(TT_ERR_DIST,
                "gather: rank %d on %s announces %llu bytes, which with those before it are more than %zu; "
                "do all "
                "ranks run the same version?",
                r, star->hosts[r], (unsigned long long)bytes, most_gathered);
        total += sizes[r] = (size_t)bytes;
    }
    TT_TRY(tt_alloc(all, total + 1, 1, "gathered bytes"));
    if (n) memcpy(*all, mine, n);
    char *block = *all + n;
    for (int r = 1; r < star->size; block += sizes[r++]) {
        const tt_status status = receive_from(star, r, block, sizes[r], GATHER);
        if (status == TT_OK) continue;
        free(*all);
        *all = NULL;
        return status;
    }
    return TT_OK;
}

static tt_status star_gather(tt_comm *comm, const void *bytes, size_t n, char **all, size_t *sizes) {
    const tt_star *star = &state_of(comm)->star;
    if (comm->rank == 0) return receive_blocks(star, bytes, n, all, sizes);
    TT_TRY(announce_operation(star, GATHER, n));
    return send_to(star, 0, bytes, n, GATHER);
}

static tt_status star_barrier(tt_comm *comm) {
    return reduce(comm, BARRIER, &(char){0}, 1, TT_ALL_RANKS);
}

// Leaving closes the connection; the others notice when they next wait for this rank.
static void star_leave(tt_comm *comm, bool abort_job, int exit_status) {
    (void)abort_job, (void)exit_status;
    tt_star_close(&state_of(comm)->star);
    free(comm->state);
}

static tt_status star_split(tt_comm *comm, int group, tt_comm *out);

static const tt_comm_transport star_transport = {
    .sum = star_sum,
    .max_i64 = star_max_i64,
    .broadcast = star_broadcast,
    .gather = star_gather,
    .barrier = star_barrier,
    .leave = star_leave,
    .split = star_split,
};

static tt_status open_state(star_state **out) {
    return tt_alloc(out, 1, sizeof **out, "connections");
}

static void enter_star(tt_comm *comm, star_state *state) {
    comm->state = state;
    comm->methods = &star_transport;
    comm->transport = "tcp";
    comm->rank = state->star.rank;
    comm->size = state->star.size;
}

// ---- parts of a world: its lowest rank becomes rank 0 of a star of its own

typedef struct place {
    int group;
    tt_secret secret;
    tt_address address;
} place;

static tt_status share_places(tt_comm *comm, const place *mine, place *places) {
    TT_TRY(tt_comm_gather_equal(comm, mine, sizeof *mine, places));
    TT_TRY(tt_comm_broadcast(comm, places, (size_t)comm->size * sizeof *places, 0));
    for (int r = 0; r < comm->size; ++r) {
        const tt_address *address = &places[r].address;
        if (!tt_address_check(&places[r].address))
            return tt_fail(TT_ERR_DIST,
                "split: rank %d names %d addresses; do all ranks run the same version?", r, address->n);
    }
    return TT_OK;
}

static tt_status meet_group(const tt_comm *comm, const place *places, int listener, tt_star *out) {
    int rank = 0, size = 0, hub = -1;
    for (int r = 0; r < comm->size; ++r) {
        if (places[r].group != places[comm->rank].group) continue;
        if (hub < 0) hub = r;
        rank += r < comm->rank;
        size++;
    }
    const double patience = state_of(comm)->star.seconds, deadline = tt_seconds() + patience;
    if (rank == 0) return tt_star_host(out, listener, &places[hub].secret, size, deadline);
    bool joined;
    TT_TRY(tt_star_join(out, &places[hub].address,
        &(tt_star_seat){.secret = places[hub].secret, .rank = rank, .size = size, .patience = patience},
        &joined));
    return joined ? TT_OK
                  : tt_fail(TT_ERR_DIST, "no connection to rank %d on %s, port %d", hub,
                        places[hub].address.host, places[hub].address.port);
}

static tt_status split_state(tt_comm *comm, int group, star_state *state) {
    place mine = {.group = group}, *places;
    int listener;
    TT_TRY(tt_secret_draw(&mine.secret));
    TT_TRY(tt_wire_listen(&listener, &mine.address));
    tt_status status = tt_alloc(&places, (size_t)comm->size, sizeof *places, "ranks");
    if (status == TT_OK) {
        status = share_places(comm, &mine, places);
        if (status == TT_OK) status = meet_group(comm, places, listener, &state->star);
        free(places);
    }
    close(listener);
    state->star.seconds = state_of(comm)->star.seconds;
    return status;
}

static tt_status star_split(tt_comm *comm, int group, tt_comm *out) {
    star_state *state;
    TT_TRY(open_state(&state));
    const tt_status status = split_state(comm, group, state);
    if (status != TT_OK) {
        free(state);
        return status;
    }
    *out = (tt_comm){.local_rank = comm->local_rank, .local_size = comm->local_size};
    enter_star(out, state);
    return TT_OK;
}

tt_status tt_comm_meet(tt_comm *comm) {
    tt_rendezvous rendezvous;
    TT_TRY(tt_rendezvous_read(&rendezvous));
    star_state *state;
    TT_TRY(open_state(&state));
    const tt_status status = tt_rendezvous_meet(&rendezvous, &state->star);
    if (status != TT_OK) {
        free(state);
        return tt_context(status, "rank %d of %d", rendezvous.rank, rendezvous.size);
    }
    enter_star(comm, state);
    const tt_star *star = &state->star;
    comm->local_rank = comm->local_size = 0;
    for (int r = 0; r < star->size; ++r) {
        const bool here = strcmp(star->hosts[r], star->hosts[star->rank]) == 0;
        comm->local_rank += here && r < star->rank;
        comm->local_size += here;
    }
    return TT_OK;
}
