// Connections at rank 0's listener until they have said who they are. Anybody can connect: port scanners, monitoring,
// ranks of another job. All are listened to side by side, so that one who says nothing keeps nobody waiting.
// Private to host/dist.
#ifndef TT_DIST_ARRIVALS_H
#define TT_DIST_ARRIVALS_H

#include "host/dist/secret.h"
#include "host/dist/wire.h"

#ifdef __cplusplus
extern "C" {
#endif

// The first message of a rank, in the byte order of its machine.
typedef struct tt_hello {
    uint64_t magic; // tt_hello_magic
    tt_secret secret;
    int32_t rank, size;
    char host[TT_WIRE_HOST];
} tt_hello;

extern const uint64_t tt_hello_magic; // also detects another byte order or version

enum {
    TT_ARRIVALS_MOST = 256
}; // that are listened to at a time; where all say nothing, the oldest is closed

typedef struct tt_arrival {
    int socket;
    size_t n; // bytes of the hello that have come
    double deadline;
    union {
        tt_hello message;
        char bytes[sizeof(tt_hello)];
    } hello;
} tt_arrival;

typedef struct tt_arrivals {
    int listener;     // borrowed
    tt_secret secret; // of this meeting
    int n;
    tt_arrival waiting[TT_ARRIVALS_MOST]; // in the order in which they came
} tt_arrivals;

// Starts without connections.
void tt_arrivals_open(tt_arrivals *out, int listener, const tt_secret *secret);
// Waits until `deadline` (in tt_seconds) at most for a connection that knows the secret. Returns its socket, which the
// caller closes, and what it said; -1 where none has come. Connections with another first message, with none within ten
// seconds, or that are closed are dropped.
int tt_arrivals_next(tt_arrivals *a, double deadline, tt_hello *out);
// Closes those that are still waiting.
void tt_arrivals_close(tt_arrivals *a);

#ifdef __cplusplus
}
#endif

#endif
