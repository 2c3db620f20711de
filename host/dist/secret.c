#include "host/dist/secret.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

static const char digits[] = "0123456789abcdef";

tt_status tt_secret_draw(tt_secret *out) {
    ssize_t n;
    do n = getrandom(out->bytes, sizeof out->bytes, 0);
    while (n < 0 && errno == EINTR);
    if (n == (ssize_t)sizeof out->bytes) return TT_OK;
    return tt_fail(TT_ERR_DIST, "cannot draw a secret for the meeting of the ranks: %s", strerror(errno));
}

bool tt_secret_equal(const tt_secret *a, const tt_secret *b) {
    unsigned different = 0;
    for (int i = 0; i < TT_SECRET_BYTES; ++i) different |= (unsigned)(a->bytes[i] ^ b->bytes[i]);
    return different == 0;
}

void tt_secret_text(const tt_secret *secret, char out[TT_SECRET_DIGITS + 1]) {
    for (int i = 0; i < TT_SECRET_BYTES; ++i) {
        out[2 * i] = digits[secret->bytes[i] >> 4];
        out[2 * i + 1] = digits[secret->bytes[i] & 15];
    }
    out[TT_SECRET_DIGITS] = '\0';
}

bool tt_secret_parse(const char *text, tt_secret *out) {
    if (strlen(text) != TT_SECRET_DIGITS || strspn(text, digits) != TT_SECRET_DIGITS) return false;
    for (int i = 0; i < TT_SECRET_BYTES; ++i) {
        const long high = strchr(digits, text[2 * i]) - digits,
                   low = strchr(digits, text[2 * i + 1]) - digits;
        out->bytes[i] = (uint8_t)(high * 16 + low);
    }
    return true;
}
