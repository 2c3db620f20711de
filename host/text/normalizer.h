// The normaliser of a tokenizer.json: how a text is changed before it is cut into pieces. Private to host/text.
#ifndef TT_TEXT_NORMALIZER_H
#define TT_TEXT_NORMALIZER_H

#include "host/base/status.h"
#include "host/base/str.h"

#include <jansson.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_normalizer tt_normalizer;

// Reads the file's "normalizer"; NULL or null changes nothing. On success the caller closes *out. Read are Precompiled
// (SentencePiece's table), Replace of a text or of " {2,}", Strip, Prepend, and a Sequence of these. Errors:
// TT_ERR_UNSUPPORTED naming any other; TT_ERR_FORMAT.
tt_status tt_normalizer_open(tt_normalizer **out, const json_t *description) TT_MUST_CHECK;
void tt_normalizer_close(tt_normalizer *normalizer);
// Replaces *text, well-formed UTF-8, by its normal form. Out of memory shows in tt_str_status.
void tt_normalizer_apply(const tt_normalizer *normalizer, tt_str *text);

#ifdef __cplusplus
}
#endif

#endif
