// Texts to ids as the SentencePiece library cuts them (EncodeOptimized of 0.1.97 to 0.2.1; 0.2.3 chooses otherwise between cuts
// that are equally good, as of a long row of dots), without its copies: from the bytes of the .model itself. Private to
// host/text.
#ifndef TT_TEXT_SENTENCEPIECE_ENCODE_H
#define TT_TEXT_SENTENCEPIECE_ENCODE_H

#include "host/base/status.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_spm_encoder tt_spm_encoder;

// Where the pieces go: take(context, id, text, n) for each in turn, with what it spells; for the unknown the characters
// themselves.
typedef struct tt_spm_sink {
    void (*take)(void *context, int id, const char *text, size_t n);
    void *context;
} tt_spm_sink;

// Reads a .model that tt_spm_check and the library have accepted. On success the caller closes *out. Errors: TT_ERR_NOMEM;
// TT_ERR_FORMAT.
tt_status tt_spm_encoder_open(tt_spm_encoder **out, const void *bytes, size_t n) TT_MUST_CHECK;
void tt_spm_encoder_close(tt_spm_encoder *encoder);
// Cuts text[0..n), which is well-formed UTF-8 without NUL. Errors: TT_ERR_NOMEM.
tt_status tt_spm_encode(
    const tt_spm_encoder *encoder, const char *text, size_t n, const tt_spm_sink *sink) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
