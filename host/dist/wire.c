#include "host/dist/wire.h"

#include "host/base/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

// For one address; after that the next one is tried.
static const double connect_seconds = 3;

bool tt_address_check(tt_address *address) {
    if (address->n < 0 || address->n > TT_WIRE_ADDRESSES) return false;
    address->host[TT_WIRE_HOST - 1] = 0;
    for (int i = 0; i < address->n; ++i) address->numbers[i][TT_WIRE_NUMBER - 1] = 0;
    return true;
}

void tt_wire_host(char out[TT_WIRE_HOST]) {
    memset(out, 0, TT_WIRE_HOST);
    gethostname(out, TT_WIRE_HOST - 1);
}

static bool wait_for(int socket, short events, double deadline) {
    struct pollfd wanted = {socket, events, 0};
    for (;;) {
        const double left = deadline - tt_seconds();
        const int ms = left <= 0 ? 0 : left > 1000 ? 1000000 : (int)(left * 1000) + 1;
        const int n = poll(&wanted, 1, ms);
        if (n > 0) return true;
        if (n < 0 && errno != EINTR) return true; // the call that follows reports it
        if (left <= 0) return false;
    }
}

// Messages are sent at once (no Nagle), and a peer whose machine is gone is noticed within minutes.
static void prepare_socket(int socket) {
    const int on = 1, idle = 60, every = 10, times = 6;
    fcntl(socket, F_SETFL, fcntl(socket, F_GETFL) | O_NONBLOCK);
    fcntl(socket, F_SETFD, FD_CLOEXEC);
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(socket, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    setsockopt(socket, IPPROTO_TCP, TCP_KEEPINTVL, &every, sizeof every);
    setsockopt(socket, IPPROTO_TCP, TCP_KEEPCNT, &times, sizeof times);
}

static bool usable_address(const struct ifaddrs *interface, bool loopback) {
    if (!interface->ifa_addr || !(interface->ifa_flags & IFF_UP) ||
        !(interface->ifa_flags & IFF_LOOPBACK) == loopback)
        return false;
    if (interface->ifa_addr->sa_family == AF_INET) return true;
    return interface->ifa_addr->sa_family == AF_INET6 &&
           !IN6_IS_ADDR_LINKLOCAL(
               &((const struct sockaddr_in6 *)(const void *)interface->ifa_addr)->sin6_addr);
}

static void list_addresses(tt_address *out) {
    struct ifaddrs *all = NULL;
    if (getifaddrs(&all) != 0) all = NULL;
    for (int loopback = 0; loopback < 2; ++loopback) {
        for (const struct ifaddrs *interface = all; interface && out->n < TT_WIRE_ADDRESSES;
             interface = interface->ifa_next) {
            if (!usable_address(interface, loopback)) continue;
            const socklen_t size = interface->ifa_addr->sa_family == AF_INET ? sizeof(struct sockaddr_in)
                                                                             : sizeof(struct sockaddr_in6);
            if (getnameinfo(interface->ifa_addr, size, out->numbers[out->n], TT_WIRE_NUMBER, NULL, 0,
                    NI_NUMERICHOST) == 0)
                out->n++;
        }
    }
    if (all) freeifaddrs(all);
    if (out->n == 0) snprintf(out->numbers[out->n++], TT_WIRE_NUMBER, "127.0.0.1");
}

// Both IP versions where the machine has both.
static int bound_socket(void) {
    const int off = 0;
    int s = socket(AF_INET6, SOCK_STREAM, 0);
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_addr = in6addr_any};
    if (s >= 0 && setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) == 0 &&
        bind(s, (const struct sockaddr *)&six, sizeof six) == 0)
        return s;
    if (s >= 0) close(s);
    s = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY)};
    if (s >= 0 && bind(s, (const struct sockaddr *)&four, sizeof four) == 0) return s;
    if (s >= 0) close(s);
    return -1;
}

tt_status tt_wire_listen(int *listener, tt_address *where) {
    memset(where, 0, sizeof *where);
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    char port[16];
    const int s = bound_socket();
    if (s < 0 || listen(s, SOMAXCONN) != 0 || getsockname(s, (struct sockaddr *)&address, &size) != 0 ||
        getnameinfo((const struct sockaddr *)&address, size, NULL, 0, port, sizeof port, NI_NUMERICSERV) !=
            0) {
        const int error = errno;
        if (s >= 0) close(s);
        return tt_fail(TT_ERR_DIST, "cannot listen for the other ranks: %s", strerror(error));
    }
    fcntl(s, F_SETFL, fcntl(s, F_GETFL) | O_NONBLOCK);
    fcntl(s, F_SETFD, FD_CLOEXEC);
    where->port = (int)strtol(port, NULL, 10);
    tt_wire_host(where->host);
    list_addresses(where);
    *listener = s;
    return TT_OK;
}

int tt_wire_accept(int listener, double deadline) {
    for (;;) {
        const int s = accept(listener, NULL, NULL);
        if (s >= 0) {
            prepare_socket(s);
            return s;
        }
        if (errno == EMFILE || errno == ENFILE) return -1; // waiting does not help
        if (!wait_for(listener, POLLIN, deadline)) return -1;
    }
}

static int connect_to(const char *number, int port, double deadline) {
    char service[16];
    snprintf(service, sizeof service, "%d", port);
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *found;
    if (getaddrinfo(number, service, &hints, &found) != 0) return -1;
    const int s = socket(found->ai_family, SOCK_STREAM, 0);
    bool connected = false;
    if (s >= 0) {
        prepare_socket(s);
        connected = connect(s, found->ai_addr, found->ai_addrlen) == 0;
        if (!connected && errno == EINPROGRESS && wait_for(s, POLLOUT, deadline)) {
            int error = 0;
            socklen_t size = sizeof error;
            connected = getsockopt(s, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
        }
    }
    freeaddrinfo(found);
    if (connected) return s;
    if (s >= 0) close(s);
    return -1;
}

int tt_wire_connect(const tt_address *where, double deadline) {
    for (int i = 0; i < where->n; ++i) {
        const double soon = tt_seconds() + connect_seconds;
        const int s = connect_to(where->numbers[i], where->port, soon < deadline ? soon : deadline);
        if (s >= 0) return s;
    }
    return -1;
}

tt_wire_end tt_wire_send(int socket, const void *bytes, size_t n, double deadline) {
    for (size_t done = 0; done < n;) {
        const ssize_t sent = send(socket, (const char *)bytes + done, n - done, MSG_NOSIGNAL);
        if (sent > 0)
            done += (size_t)sent;
        else if (sent < 0 && errno != EAGAIN && errno != EINTR)
            return TT_WIRE_CLOSED;
        else if (!wait_for(socket, POLLOUT, deadline))
            return TT_WIRE_LATE;
    }
    return TT_WIRE_DONE;
}

tt_wire_end tt_wire_receive(int socket, void *bytes, size_t n, double deadline) {
    for (size_t done = 0; done < n;) {
        const ssize_t got = recv(socket, (char *)bytes + done, n - done, 0);
        if (got > 0)
            done += (size_t)got;
        else if (got == 0 || (errno != EAGAIN && errno != EINTR))
            return TT_WIRE_CLOSED;
        else if (!wait_for(socket, POLLIN, deadline))
            return TT_WIRE_LATE;
    }
    return TT_WIRE_DONE;
}
