// TCP connections between ranks: whole messages with a deadline (in tt_seconds). Private to host/dist.
#ifndef TT_DIST_WIRE_H
#define TT_DIST_WIRE_H

#include "host/base/status.h"

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { TT_WIRE_HOST = 64, TT_WIRE_ADDRESSES = 8, TT_WIRE_NUMBER = 48 };

// Where a listener can be reached: its machine's addresses, those that other machines can reach first.
typedef struct tt_address {
    char host[TT_WIRE_HOST];
    int port, n;
    char numbers[TT_WIRE_ADDRESSES][TT_WIRE_NUMBER];
} tt_address;

// Makes an address that another process sent safe to read; false where it is none.
bool tt_address_check(tt_address *address);

void tt_wire_host(char out[TT_WIRE_HOST]); // this machine's name

// A listening socket on a free port of all interfaces; the caller closes it. Errors: TT_ERR_DIST.
tt_status tt_wire_listen(int *listener, tt_address *where) TT_MUST_CHECK;
// The next connection, or -1 if none came before the deadline or this process may open no more.
int tt_wire_accept(int listener, double deadline);
// Tries the addresses one after the other; -1 if no process listens at any of them.
int tt_wire_connect(const tt_address *where, double deadline);

typedef enum tt_wire_end { TT_WIRE_DONE, TT_WIRE_LATE, TT_WIRE_CLOSED } tt_wire_end;
// Send or receive all n bytes. TT_WIRE_LATE: the deadline passed; TT_WIRE_CLOSED: the connection is lost.
tt_wire_end tt_wire_send(int socket, const void *bytes, size_t n, double deadline) TT_MUST_CHECK;
tt_wire_end tt_wire_receive(int socket, void *bytes, size_t n, double deadline) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
