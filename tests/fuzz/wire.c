// What ranks send each other without MPI: how they meet, and the messages of collectives. The other ranks are sockets that
// hold bytes of the input; connections and the clock are played (--wrap), so that nothing is waited for and nothing leaves
// the process. The first byte says which side is tried, the second what is called.
#include "tests/fuzz/fuzz.h"

#include "host/dist/arrivals.h"
#include "host/dist/comm.h"
#include "host/dist/rendezvous.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { RANKS = 3, MOST_BYTES = 1 << 16 };
static const tt_secret secret = {
    {'0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'}};

static struct {
    const uint8_t *bytes;
    size_t n;
} peers[RANKS];
static int next_peer, other_ends[4 * RANKS], n_other_ends;
static double now;

// The next connection, from which the peer's bytes come and then nothing more.
static int connect_peer(void) {
    int ends[2];
    if (next_peer == RANKS || socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) return -1;
    for (int i = 0; i < 2; ++i) fcntl(ends[i], F_SETFL, O_NONBLOCK);
    const int i = next_peer++;
    if (peers[i].n > 0) (void)!write(ends[1], peers[i].bytes, peers[i].n);
    shutdown(ends[1], SHUT_WR);
    if (n_other_ends < 4 * RANKS) other_ends[n_other_ends++] = ends[1];
    return ends[0];
}

double __wrap_tt_seconds(void);
tt_status __wrap_tt_secret_draw(tt_secret *out);
tt_status __wrap_tt_wire_listen(int *listener, tt_address *where);
int __wrap_tt_wire_accept(int listener, double deadline);
int __wrap_tt_wire_connect(const tt_address *where, double deadline);

double __wrap_tt_seconds(void) {
    return now += 0.01;
}
tt_status __wrap_tt_secret_draw(tt_secret *out) {
    *out = secret;
    return TT_OK;
}
tt_status __wrap_tt_wire_listen(int *listener, tt_address *where) {
    *where = (tt_address){.host = "here", .port = 1, .n = 1, .numbers = {"127.0.0.1"}};
    *listener = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return TT_OK;
}
int __wrap_tt_wire_accept(int listener, double deadline) {
    (void)listener, (void)deadline;
    return connect_peer();
}
int __wrap_tt_wire_connect(const tt_address *where, double deadline) {
    (void)deadline;
    fuzz_require(where->n >= 0 && where->n <= TT_WIRE_ADDRESSES, "more addresses than there is room for");
    for (int i = 0; i < where->n; ++i)
        fuzz_require(memchr(where->numbers[i], 0, TT_WIRE_NUMBER) != NULL, "an address without an end");
    fuzz_require(memchr(where->host, 0, TT_WIRE_HOST) != NULL, "a name without an end");
    return connect_peer();
}

// Each peer's bytes: their number as two bytes, then the bytes.
static void share_bytes(const uint8_t *data, size_t size) {
    for (int i = 0; i < RANKS; ++i) {
        size_t n = size >= 2 ? (size_t)data[0] | (size_t)data[1] << 8 : 0;
        if (size >= 2) data += 2, size -= 2;
        if (n > size || i == RANKS - 1) n = size;
        peers[i].bytes = data;
        peers[i].n = n;
        data += n;
        size -= n;
    }
}

static void try_host(void) {
    tt_star star;
    const int listener = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC); // poll does not wait for it
    if (fuzz_accepted(tt_star_host(&star, listener, &secret, RANKS, now + 1))) {
        for (int r = 0; r < RANKS; ++r)
            fuzz_require(memchr(star.hosts[r], 0, TT_WIRE_HOST) != NULL, "a name without an end");
        tt_star_close(&star);
    }
    close(listener);
}

static void try_join(void) {
    const tt_address hub = {.host = "there", .port = 1, .n = 1, .numbers = {"127.0.0.1"}};
    const tt_star_seat seat = {.secret = secret, .rank = 1, .size = RANKS, .patience = 1};
    tt_star star;
    bool joined;
    if (fuzz_accepted(tt_star_join(&star, &hub, &seat, &joined)) && joined) {
        for (int r = 0; r < RANKS; ++r)
            fuzz_require(memchr(star.hosts[r], 0, TT_WIRE_HOST) != NULL, "a name without an end");
        tt_star_close(&star);
    }
}

// The first peer's bytes are the file by which ranks meet; the others answer.
static void try_file(void) {
    tt_rendezvous r = {.rank = 1, .size = RANKS, .seconds = 0.2, .path = "place"};
    tt_star star;
    fuzz_write("place", peers[0].bytes, peers[0].n);
    next_peer = 1;
    if (fuzz_accepted(tt_rendezvous_meet(&r, &star))) tt_star_close(&star);
}

// Rank 0 or 1 of ranks that have met properly, whose messages are the input's.
static tt_comm *open_comm(int rank, uint8_t met[RANKS][MOST_BYTES]) {
    tt_hello hello = {.magic = tt_hello_magic, .secret = secret, .size = RANKS, .host = "there"};
    const struct {
        int32_t refused;
        char text[512], hosts[RANKS][TT_WIRE_HOST];
    } welcome = {.hosts = {"there", "here", "there"}};
    tt_comm *comm = NULL;
    for (int i = 0; i < RANKS; ++i) {
        hello.rank = i + 1;
        const size_t before = rank == 0 ? sizeof hello : sizeof welcome;
        if (peers[i].n > MOST_BYTES - before) peers[i].n = MOST_BYTES - before;
        memcpy(met[i], rank == 0 ? (const void *)&hello : (const void *)&welcome, before);
        if (peers[i].n) memcpy(met[i] + before, peers[i].bytes, peers[i].n);
        peers[i].bytes = met[i];
        peers[i].n += before;
    }
    char text[128], digits[TT_SECRET_DIGITS + 1];
    tt_secret_text(&secret, digits);
    snprintf(text, sizeof text, "tinythinker rendezvous 2\n%s there 1\n127.0.0.1\nend\n", digits);
    if (rank > 0) fuzz_write("place", text, strlen(text));
    setenv("TT_RANK", rank == 0 ? "0" : "1", 1);
    fuzz_must(tt_comm_open(&comm), "ranks that behave do not meet");
    return comm;
}

static tt_status call_collective(tt_comm *comm, int which) {
    float singles[8] = {0};
    double doubles[8] = {0};
    int64_t integers[8] = {0};
    char *all = NULL;
    size_t sizes[RANKS];
    tt_comm *part = NULL;
    tt_status status = TT_OK;
    switch (which % 8) {
    case 0:
        return tt_comm_sum_f32(comm, singles, 8);
    case 1:
        return tt_comm_sum_f64(comm, doubles, 8);
    case 2:
        return tt_comm_max_i64(comm, integers, 8);
    case 3:
        return tt_comm_broadcast(comm, doubles, sizeof doubles, which / 8 % RANKS);
    case 4:
        status = tt_comm_gather(comm, doubles, sizeof doubles, &all, sizes);
        free(all);
        return status;
    case 5:
        return tt_comm_barrier(comm);
    case 6:
        return tt_comm_agree(comm, which & 8 ? tt_fail(TT_ERR_IO, "a failure") : TT_OK);
    default:
        status = tt_comm_split(comm, which / 8 % 2, &part);
        if (status == TT_OK) tt_comm_close_part(part);
        return status;
    }
}

static void try_collectives(int rank, int which) {
    static uint8_t met[RANKS][MOST_BYTES];
    tt_comm *comm = open_comm(rank, met);
    (void)fuzz_accepted(call_collective(comm, which));
    tt_comm_close(comm, TT_OK);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc, (void)argv;
    setenv("TT_WORLD", "3", 1);
    setenv("TT_RENDEZVOUS", "place", 1);
    setenv("TT_TIMEOUT", "1", 1);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2 || size > MOST_BYTES) return 0;
    fuzz_begin(data, size);
    next_peer = n_other_ends = 0;
    now = 1;
    share_bytes(data + 2, size - 2);
    switch (data[0] % 5) {
    case 0:
        try_host();
        break;
    case 1:
        try_join();
        break;
    case 2:
        try_file();
        break;
    case 3:
        try_collectives(0, data[1]);
        break;
    default:
        try_collectives(1, data[1]);
        break;
    }
    for (int i = 0; i < n_other_ends; ++i) close(other_ends[i]);
    return fuzz_end();
}
