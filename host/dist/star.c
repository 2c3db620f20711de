#include "host/dist/star.h"

#include "host/base/log.h"
#include "host/base/memory.h"
#include "host/base/str.h"
#include "host/dist/arrivals.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static const double answer_seconds = 10;

typedef struct answer {
    int32_t refused;
    char text[512];
} answer;

static tt_status open_star(tt_star *out, int rank, int size) {
    *out = (tt_star){.rank = rank, .size = size};
    TT_TRY(tt_alloc(&out->sockets, (size_t)size, sizeof *out->sockets, "ranks"));
    for (int r = 0; r < size; ++r) out->sockets[r] = -1;
    return tt_alloc(&out->hosts, (size_t)size, sizeof *out->hosts, "ranks");
}

void tt_star_close(tt_star *star) {
    for (int r = 0; star->sockets && r < star->size; ++r)
        if (star->sockets[r] >= 0) close(star->sockets[r]);
    free(star->sockets);
    free(star->hosts);
    *star = (tt_star){0};
}

tt_status tt_star_lost(const tt_star *star, int rank, tt_wire_end end, const char *what) {
    if (end == TT_WIRE_CLOSED)
        return tt_fail(TT_ERR_DIST, "%s: rank %d on %s has left; see its own error message", what, rank,
            star->hosts[rank]);
    return tt_fail(TT_ERR_DIST,
        "%s: no word from rank %d on %s within %g seconds; TT_TIMEOUT=seconds waits longer", what, rank,
        star->hosts[rank], star->seconds);
}

// ---- rank 0

static tt_status missing_ranks(const tt_star *star) {
    tt_str names = {0};
    int n = 0;
    for (int r = 1; r < star->size; ++r)
        if (star->sockets[r] < 0 && n++ < 32) tt_str_format(&names, "%s%d", n > 1 ? ", " : "", r);
    const tt_status status = tt_fail(TT_ERR_DIST,
        "%d of %d ranks did not arrive in time: %s%s; see their messages, or wait longer with "
        "TT_TIMEOUT=seconds",
        n, star->size, tt_str_text(&names), n > 32 ? ", ..." : "");
    tt_str_close(&names);
    return status;
}

static tt_status seat_rank(tt_star *star, int socket, const tt_hello *h) {
    if (h->size != star->size)
        return tt_fail(TT_ERR_DIST,
            "rank %d on %s was started as one of %d ranks, but rank 0 on %s as one of %d", h->rank, h->host,
            h->size, star->hosts[0], star->size);
    if (h->rank < 1 || h->rank >= star->size)
        return tt_fail(
            TT_ERR_DIST, "rank %d on %s is out of range: there are %d ranks", h->rank, h->host, star->size);
    if (star->sockets[h->rank] >= 0)
        return tt_fail(TT_ERR_DIST, "rank %d was started twice: on %s and on %s", h->rank,
            star->hosts[h->rank], h->host);
    star->sockets[h->rank] = socket;
    memcpy(star->hosts[h->rank], h->host, TT_WIRE_HOST);
    return TT_OK;
}

static tt_status refuse_rank(int socket) {
    answer no = {.refused = 1};
    snprintf(no.text, sizeof no.text, "%s", tt_error_message());
    return tt_wire_send(socket, &no, sizeof no, tt_seconds() + answer_seconds) == TT_WIRE_DONE ? TT_OK
                                                                                               : TT_ERR_DIST;
}

static tt_status admit_rank(tt_star *star, int socket, const tt_hello *hello) {
    const tt_status status = seat_rank(star, socket, hello);
    if (status != TT_OK) {
        (void)!refuse_rank(socket);
        close(socket);
    }
    return status;
}

static tt_status welcome_ranks(tt_star *star) {
    const answer yes = {0};
    const double deadline = tt_seconds() + answer_seconds;
    for (int r = 1; r < star->size; ++r)
        if (tt_wire_send(star->sockets[r], &yes, sizeof yes, deadline) != TT_WIRE_DONE ||
            tt_wire_send(star->sockets[r], star->hosts, (size_t)star->size * TT_WIRE_HOST, deadline) !=
                TT_WIRE_DONE)
            return tt_fail(TT_ERR_DIST, "rank %d on %s connected and left again", r, star->hosts[r]);
    return TT_OK;
}

static int count_seated(const tt_star *star) {
    int n = 1; // this one
    for (int r = 1; r < star->size; ++r) n += star->sockets[r] >= 0;
    return n;
}

static tt_status gather_all(tt_star *star, tt_arrivals *arrivals, double deadline) {
    tt_wire_host(star->hosts[0]);
    while (count_seated(star) < star->size) {
        // In short waits, so that Ctrl-C is noticed.
        const double now = tt_seconds();
        tt_hello hello;
        const int socket = tt_arrivals_next(arrivals, now + 0.2 < deadline ? now + 0.2 : deadline, &hello);
        if (socket >= 0) TT_TRY(admit_rank(star, socket, &hello));
        if (tt_interrupted())
            return tt_fail(TT_ERR_INTERRUPTED, "interrupted while waiting for the other ranks");
        if (socket < 0 && now >= deadline) return missing_ranks(star);
    }
    return welcome_ranks(star);
}

// Many systems let a process open 1024 files unless it asks for more.
static tt_status raise_file_limit(int size) {
    enum { OTHER_FILES = 16 };
    struct rlimit files;
    const rlim_t wanted = 2 * (rlim_t)size + TT_ARRIVALS_MOST + OTHER_FILES, // connections of pieces, too
        least = (rlim_t)size + OTHER_FILES;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur >= wanted) return TT_OK;
    files.rlim_cur = files.rlim_max < wanted ? files.rlim_max : wanted;
    (void)setrlimit(RLIMIT_NOFILE, &files);
    if (files.rlim_cur >= least) return TT_OK;
    return tt_fail(TT_ERR_DIST,
        "rank 0 may open %llu files, too few for connections to %d ranks: raise the hard limit to %llu "
        "(ulimit -Hn)",
        (unsigned long long)files.rlim_max, size, (unsigned long long)wanted);
}

tt_status tt_star_host(tt_star *out, int listener, const tt_secret *secret, int size, double deadline) {
    tt_status status = open_star(out, 0, size);
    tt_arrivals *arrivals = NULL;
    if (status == TT_OK) status = raise_file_limit(size);
    if (status == TT_OK) status = tt_alloc(&arrivals, 1, sizeof *arrivals, "connections");
    if (status == TT_OK) {
        tt_arrivals_open(arrivals, listener, secret);
        status = gather_all(out, arrivals, deadline);
        tt_arrivals_close(arrivals);
    }
    free(arrivals);
    if (status == TT_OK) return TT_OK;
    for (int r = 1; out->sockets && r < size; ++r)
        if (out->sockets[r] >= 0) (void)!refuse_rank(out->sockets[r]);
    tt_star_close(out);
    return status;
}

// ---- the others

static tt_status take_seat(tt_star *star, int socket, const tt_star_seat *seat, bool *joined) {
    // Rank 0 answers when all have arrived.
    const double deadline = tt_seconds() + seat->patience + answer_seconds;
    tt_hello h = {.magic = tt_hello_magic, .secret = seat->secret, .rank = star->rank, .size = star->size};
    tt_wire_host(h.host);
    answer a;
    if (tt_wire_send(socket, &h, sizeof h, deadline) != TT_WIRE_DONE ||
        tt_wire_receive(socket, &a, sizeof a, deadline) != TT_WIRE_DONE)
        return TT_OK; // not a process of this meeting
    a.text[sizeof a.text - 1] = 0;
    if (a.refused)
        return tt_fail(TT_ERR_DIST, "%s",
            *a.text ? a.text
                    : "rank 0 gave no reason for refusing this rank; do all ranks run the same version?");
    if (tt_wire_receive(socket, star->hosts, (size_t)star->size * TT_WIRE_HOST, deadline) != TT_WIRE_DONE)
        return tt_fail(TT_ERR_DIST, "rank 0 left during the start");
    *joined = true;
    return TT_OK;
}

tt_status tt_star_join(tt_star *out, const tt_address *hub, const tt_star_seat *seat, bool *joined) {
    *joined = false;
    *out = (tt_star){0};
    const int socket = tt_wire_connect(hub, tt_seconds() + seat->patience);
    if (socket < 0) return TT_OK;
    tt_status status = open_star(out, seat->rank, seat->size);
    if (status == TT_OK) status = take_seat(out, socket, seat, joined);
    if (status == TT_OK && *joined) {
        out->sockets[0] = socket;
        return TT_OK;
    }
    close(socket);
    tt_star_close(out);
    return status;
}
