#include "host/dist/counter.h"

#include "host/base/log.h"
#include "host/base/memory.h"
#include "host/dist/rendezvous.h"
#include "host/dist/star.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const double connect_seconds = 30, request_seconds = 10;

typedef struct request {
    uint64_t work;
    int64_t more;
} request;

struct tt_counter {
    tt_star star;
    // Of rank 0:
    pthread_t thread;
    int wake[2]; // a pipe; the thread ends once its other end is closed
    pthread_mutex_t lock;
    uint64_t work;
    int64_t count;
    bool
        lost; // a rank has gone: nothing more is handed out, so that the others come to the collective that names it
};

static int64_t add_here(tt_counter *c, const request *r) {
    pthread_mutex_lock(&c->lock);
    int64_t value = INT64_MAX;
    if (r->work > c->work) {
        c->work = r->work;
        c->count = 0;
    }
    if (r->work == c->work && !c->lost) {
        value = c->count;
        c->count = r->more > INT64_MAX - value ? INT64_MAX : value + r->more;
    }
    pthread_mutex_unlock(&c->lock);
    return value;
}

// False where the connection has ended.
static bool answer_rank(tt_counter *c, int socket) {
    const double deadline = tt_seconds() + request_seconds;
    request r;
    if (tt_wire_receive(socket, &r, sizeof r, deadline) != TT_WIRE_DONE) return false;
    const int64_t value = add_here(c, &r);
    return tt_wire_send(socket, &value, sizeof value, deadline) == TT_WIRE_DONE;
}

static void lose(tt_counter *c) {
    pthread_mutex_lock(&c->lock);
    c->lost = true;
    pthread_mutex_unlock(&c->lock);
}

// Until the pipe is closed. A rank that has gone is named by the next collective.
static void answer_ranks(tt_counter *c, struct pollfd *wanted) {
    const int size = c->star.size;
    for (;;) {
        if (poll(wanted, (nfds_t)size, -1) < 0 && errno != EINTR) return;
        if (wanted[0].revents) return;
        for (int r = 1; r < size; ++r)
            if (wanted[r].revents && !answer_rank(c, wanted[r].fd)) {
                wanted[r].fd = -1;
                lose(c);
            }
    }
}

static void *serve(void *counter) {
    tt_counter *c = counter;
    struct pollfd *wanted = calloc((size_t)c->star.size, sizeof *wanted);
    if (!wanted) return NULL; // ranks hear nothing and say so
    for (int r = 0; r < c->star.size; ++r)
        wanted[r] = (struct pollfd){.fd = r ? c->star.sockets[r] : c->wake[0], .events = POLLIN};
    answer_ranks(c, wanted);
    free(wanted);
    return NULL;
}

static tt_status start_thread(tt_counter *c) {
    if (pipe(c->wake) != 0) return tt_fail(TT_ERR_DIST, "pieces: cannot open a pipe: %s", strerror(errno));
    pthread_mutex_init(&c->lock, NULL);
    sigset_t all, before; // signals are the main thread's
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    const int error = pthread_create(&c->thread, NULL, serve, c);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error == 0) return TT_OK;
    close(c->wake[0]);
    close(c->wake[1]);
    pthread_mutex_destroy(&c->lock);
    return tt_fail(TT_ERR_DIST, "pieces: cannot start a thread: %s", strerror(error));
}

typedef struct place {
    tt_secret secret;
    tt_address address;
    bool listens;
} place;

// *connected tells whether this rank is.
static tt_status connect_ranks(tt_counter *c, tt_comm *comm, bool *connected) {
    place hub = {0};
    int listener = -1;
    if (comm->rank == 0 && tt_secret_draw(&hub.secret) == TT_OK)
        hub.listens = tt_wire_listen(&listener, &hub.address) == TT_OK;
    tt_status status = tt_comm_broadcast(comm, &hub, sizeof hub, 0);
    if (status == TT_OK && hub.listens && comm->rank == 0)
        *connected = tt_star_host(&c->star, listener, &hub.secret, comm->size,
                         tt_seconds() + connect_seconds) == TT_OK &&
                     start_thread(c) == TT_OK;
    else if (status == TT_OK && hub.listens && tt_address_check(&hub.address))
        (void)!tt_star_join(&c->star, &hub.address,
            &(tt_star_seat){
                .secret = hub.secret, .rank = comm->rank, .size = comm->size, .patience = connect_seconds},
            connected);
    if (listener >= 0) close(listener);
    return status;
}

tt_status tt_counter_open(tt_counter **out, tt_comm *comm) {
    *out = NULL;
    tt_counter *c;
    bool connected = false;
    double seconds;
    TT_TRY(tt_patience(&seconds));
    TT_TRY(tt_comm_agree(comm, tt_alloc(&c, 1, sizeof *c, "pieces")));
    tt_status status = connect_ranks(c, comm, &connected);
    c->star.seconds = seconds;
    int64_t missing = !connected;
    if (status == TT_OK) status = tt_comm_max_i64(comm, &missing, 1);
    if (status == TT_OK && !missing) {
        *out = c;
        return TT_OK;
    }
    if (connected)
        tt_counter_close(c);
    else {
        tt_star_close(&c->star);
        free(c);
    }
    if (status == TT_OK && comm->rank == 0 && !tt_interrupted())
        tt_warn(
            "ranks cannot connect to rank 0 by TCP: they take pieces of generation and evaluation in turn, "
            "and those that finish early wait");
    return status;
}

void tt_counter_close(tt_counter *c) {
    if (!c) return;
    if (c->star.rank == 0) {
        close(c->wake[1]);
        pthread_join(c->thread, NULL);
        close(c->wake[0]);
        pthread_mutex_destroy(&c->lock);
    }
    tt_star_close(&c->star);
    free(c);
}

tt_status tt_counter_add(tt_counter *c, uint64_t work, int64_t more, int64_t *value) {
    const request r = {work, more};
    if (c->star.rank == 0) {
        *value = add_here(c, &r);
        return TT_OK;
    }
    const double deadline = tt_seconds() + c->star.seconds;
    tt_wire_end end = tt_wire_send(c->star.sockets[0], &r, sizeof r, deadline);
    if (end == TT_WIRE_DONE) end = tt_wire_receive(c->star.sockets[0], value, sizeof *value, deadline);
    return end == TT_WIRE_DONE ? TT_OK : tt_star_lost(&c->star, 0, end, "pieces");
}
