// A Unigram model as the `tokenizers` package runs it: the pieces with the highest sum of scores. Private to host/text.
#ifndef TT_TEXT_UNIGRAM_H
#define TT_TEXT_UNIGRAM_H

#include "host/base/status.h"

#include <jansson.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_unigram tt_unigram;

// Reads the "model" of a tokenizer.json. On success the caller closes *out. Errors: TT_ERR_UNSUPPORTED for another type than
// Unigram, or a model without an id for what it does not know; TT_ERR_FORMAT naming the piece that is wrong.
tt_status tt_unigram_open(tt_unigram **out, const json_t *model) TT_MUST_CHECK;
void tt_unigram_close(tt_unigram *unigram);

int tt_unigram_size(const tt_unigram *unigram);                   // pieces
int tt_unigram_unk(const tt_unigram *unigram);                    // id of the unknown
const char *tt_unigram_piece(const tt_unigram *unigram, int id);  // owned by the model
int tt_unigram_find(const tt_unigram *unigram, const char *text); // the id of a piece, or -1
// The byte that piece `id` stands for where the model writes unknown characters as bytes (<0x41>), else -1.
int tt_unigram_byte(const tt_unigram *unigram, int id);
// Calls take(context, id) for each piece of text[0..n), which is well-formed UTF-8. Errors: TT_ERR_NOMEM.
tt_status tt_unigram_encode(const tt_unigram *unigram, const char *text, size_t n, void (*take)(void *, int),
    void *context) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
