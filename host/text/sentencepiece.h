// C interface of the SentencePiece library, for all but cutting texts (sentencepiece_encode.h). Private to host/text. No
// exception crosses it.
#ifndef TT_TEXT_SENTENCEPIECE_H
#define TT_TEXT_SENTENCEPIECE_H

#include "host/text/tokenizer.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_spm tt_spm;

// Checks the bytes of a .model, which the library trusts once it has them: the protocol buffer, the type, the table of
// replacements. Errors: TT_ERR_FORMAT; TT_ERR_UNSUPPORTED for another type of model than unigram.
tt_status tt_spm_check(const void *bytes, size_t n) TT_MUST_CHECK;

// NULL on success, else a message in static thread-local memory.
const char *tt_spm_open(tt_spm **out, const void *bytes, size_t n);
void tt_spm_close(tt_spm *spm);
int tt_spm_size(const tt_spm *spm);
int tt_spm_pad(const tt_spm *spm);
int tt_spm_eos(const tt_spm *spm);
int tt_spm_unk(const tt_spm *spm);
const char *tt_spm_piece(const tt_spm *spm, int id);
int tt_spm_find(const tt_spm *spm, const char *piece); // unk's id where there is none
// Calls take(context, text, length) once.
const char *tt_spm_decode(
    const tt_spm *spm, const int32_t *ids, int n, void (*take)(void *, const char *, size_t), void *context);
// Calls take(context, model, size) once.
const char *tt_spm_train(const char *const *texts, size_t n, const tt_tokenizer_training *how,
    void (*take)(void *, const char *, size_t), void *context);

#ifdef __cplusplus
}
#endif
#endif
