#include "host/dist/arrivals.h"

#include "host/base/log.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

const uint64_t tt_hello_magic = 0x32726b6e69687474;
static const double hello_seconds = 10; // from a connection to its first message

void tt_arrivals_open(tt_arrivals *out, int listener, const tt_secret *secret) {
    out->listener = listener;
    out->secret = *secret;
    out->n = 0;
}

static void forget(tt_arrivals *a, int i) {
    memmove(&a->waiting[i], &a->waiting[i + 1], (size_t)(--a->n - i) * sizeof *a->waiting);
}

static void drop(tt_arrivals *a, int i) {
    close(a->waiting[i].socket);
    forget(a, i);
}

void tt_arrivals_close(tt_arrivals *a) {
    while (a->n > 0) drop(a, a->n - 1);
}

static void let_in(tt_arrivals *a) {
    while (a->n < TT_ARRIVALS_MOST) {
        const int socket = tt_wire_accept(a->listener, 0);
        if (socket < 0 && a->n > 0 && (errno == EMFILE || errno == ENFILE)) drop(a, 0);
        if (socket < 0) return;
        tt_arrival *new = &a->waiting[a->n++];
        new->socket = socket;
        new->n = 0;
        new->deadline = tt_seconds() + hello_seconds;
    }
}

typedef enum standing { LISTENING, KNOWN, STRANGER } standing;

// Takes what has come of a connection's hello. A stranger is one as soon as it differs from a rank.
static standing listen_to(const tt_arrivals *a, tt_arrival *arrival) {
    const size_t missing = sizeof arrival->hello - arrival->n;
    const ssize_t got = recv(arrival->socket, arrival->hello.bytes + arrival->n, missing, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return tt_seconds() < arrival->deadline ? LISTENING : STRANGER;
    if (got <= 0) return STRANGER;
    arrival->n += (size_t)got;
    const size_t known = arrival->n < sizeof tt_hello_magic ? arrival->n : sizeof tt_hello_magic;
    if (memcmp(arrival->hello.bytes, &tt_hello_magic, known) != 0) return STRANGER;
    if (arrival->n < sizeof arrival->hello) return LISTENING;
    return tt_secret_equal(&arrival->hello.message.secret, &a->secret) ? KNOWN : STRANGER;
}

// Until something comes, or for a short time, since connections that say nothing must be dropped.
static void wait_for_any(const tt_arrivals *a, double deadline) {
    struct pollfd sockets[TT_ARRIVALS_MOST + 1];
    sockets[0] = (struct pollfd){a->listener, POLLIN, 0};
    for (int i = 0; i < a->n; ++i) sockets[i + 1] = (struct pollfd){a->waiting[i].socket, POLLIN, 0};
    const double left = deadline - tt_seconds();
    const int ms = left <= 0 ? 0 : left > 1 ? 1000 : (int)(left * 1000) + 1;
    (void)poll(sockets, (nfds_t)a->n + 1, ms);
}

int tt_arrivals_next(tt_arrivals *a, double deadline, tt_hello *out) {
    for (;;) {
        let_in(a);
        for (int i = 0; i < a->n;) {
            tt_arrival *arrival = &a->waiting[i];
            const standing now = listen_to(a, arrival);
            if (now == KNOWN) {
                const int socket = arrival->socket;
                *out = arrival->hello.message;
                out->host[TT_WIRE_HOST - 1] = '\0';
                forget(a, i);
                return socket;
            }
            if (now == STRANGER)
                drop(a, i);
            else
                ++i;
        }
        if (a->n == TT_ARRIVALS_MOST) drop(a, 0); // who said nothing for the longest time makes room
        if (tt_seconds() >= deadline) return -1;
        wait_for_any(a, deadline);
    }
}
