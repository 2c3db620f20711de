// What ranks of one meeting know and nobody else does. Private to host/dist.
#ifndef TT_DIST_SECRET_H
#define TT_DIST_SECRET_H

#include "host/base/status.h"

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { TT_SECRET_BYTES = 16, TT_SECRET_DIGITS = 2 * TT_SECRET_BYTES };

typedef struct tt_secret {
    uint8_t bytes[TT_SECRET_BYTES];
} tt_secret;

// 128 random bits of the operating system. Errors: TT_ERR_DIST.
tt_status tt_secret_draw(tt_secret *out) TT_MUST_CHECK;
// Takes the same time for every pair, so that a stranger learns nothing from trying.
bool tt_secret_equal(const tt_secret *a, const tt_secret *b);
// As lower-case hexadecimal digits and a NUL.
void tt_secret_text(const tt_secret *secret, char out[TT_SECRET_DIGITS + 1]);
// False where `text` is not TT_SECRET_DIGITS lower-case hexadecimal digits.
bool tt_secret_parse(const char *text, tt_secret *out);

#ifdef __cplusplus
}
#endif

#endif
