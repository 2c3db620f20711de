#include "host/base/checksum.h"

#include <string.h>

// The constants and steps are those of doc/xxhash_spec.md of xxHash.
static const uint64_t p1 = 0x9E3779B185EBCA87u, p2 = 0xC2B2AE3D27D4EB4Fu, p3 = 0x165667B19E3779F9u,
                      p4 = 0x85EBCA77C2B2AE63u, p5 = 0x27D4EB2F165667C5u;

static uint64_t rotate(uint64_t x, int by) {
    return x << by | x >> (64 - by);
}

static uint64_t load(const unsigned char *at, int bytes) {
    uint64_t x = 0;
    for (int i = 0; i < bytes; ++i) x |= (uint64_t)at[i] << 8 * i; // compilers make one load of it
    return x;
}

static uint64_t mix(uint64_t lane, uint64_t input) {
    return rotate(lane + input * p2, 31) * p1;
}

void tt_checksum_open(tt_checksum *sum) {
    *sum = (tt_checksum){.lanes = {p1 + p2, p2, 0, 0 - p1}};
}

// Mixes whole stripes of 32 bytes.
static void add_stripes(tt_checksum *sum, const unsigned char *at, size_t stripes) {
    uint64_t a = sum->lanes[0], b = sum->lanes[1], c = sum->lanes[2], d = sum->lanes[3];
    for (; stripes > 0; --stripes, at += 32) {
        a = mix(a, load(at, 8));
        b = mix(b, load(at + 8, 8));
        c = mix(c, load(at + 16, 8));
        d = mix(d, load(at + 24, 8));
    }
    sum->lanes[0] = a;
    sum->lanes[1] = b;
    sum->lanes[2] = c;
    sum->lanes[3] = d;
}

void tt_checksum_add(tt_checksum *sum, const void *bytes, size_t n) {
    const unsigned char *at = bytes;
    const size_t held = sum->bytes % 32;
    sum->bytes += n;
    if (held) {
        const size_t taken = n < 32 - held ? n : 32 - held;
        memcpy(sum->rest + held, at, taken);
        if (held + taken < 32) return;
        add_stripes(sum, sum->rest, 1);
        at += taken;
        n -= taken;
    }
    add_stripes(sum, at, n / 32);
    memcpy(sum->rest, at + n / 32 * 32, n % 32);
}

uint64_t tt_checksum_value(const tt_checksum *sum) {
    const uint64_t *v = sum->lanes;
    uint64_t h = p5;
    if (sum->bytes >= 32) {
        h = rotate(v[0], 1) + rotate(v[1], 7) + rotate(v[2], 12) + rotate(v[3], 18);
        for (int i = 0; i < 4; ++i) h = (h ^ mix(0, v[i])) * p1 + p4;
    }
    h += sum->bytes;
    const unsigned char *at = sum->rest, *end = at + sum->bytes % 32;
    for (; end - at >= 8; at += 8) h = rotate(h ^ mix(0, load(at, 8)), 27) * p1 + p4;
    if (end - at >= 4) {
        h = rotate(h ^ load(at, 4) * p1, 23) * p2 + p3;
        at += 4;
    }
    for (; at < end; ++at) h = rotate(h ^ *at * p5, 11) * p1;
    h = (h ^ h >> 33) * p2;
    h = (h ^ h >> 29) * p3;
    return h ^ h >> 32;
}
