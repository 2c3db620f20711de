// What tokens cost, from a table in YAML.
//
//   currency: USD
//   models:
//     - {model: my-teacher, input: 0.15, output: 0.60}     per million tokens
#ifndef TT_TEACHER_PRICES_H
#define TT_TEACHER_PRICES_H

#include "host/base/status.h"

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_price {
    bool known;
    double input, output; // a token
    char currency[16];
} tt_price;

// The price of `model`; not known where the table lacks it. Errors: TT_ERR_IO, TT_ERR_CONFIG with file and line.
tt_status tt_price_load(tt_price *out, const char *path, const char *model) TT_MUST_CHECK;
// 0 where the price is not known.
double tt_price_of(const tt_price *price, int64_t prompt_tokens, int64_t completion_tokens);

#ifdef __cplusplus
}
#endif

#endif
