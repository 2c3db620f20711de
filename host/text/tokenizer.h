// SentencePiece unigram tokenizer as Hugging Face's T5Tokenizer(legacy=True) behaves.
#ifndef TT_TEXT_TOKENIZER_H
#define TT_TEXT_TOKENIZER_H

#include "host/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_tokenizer tt_tokenizer;

enum { TT_PAD = 0, TT_EOS = 1, TT_UNK = 2 };

// From a .model file, or from the bytes of one (copied). `extra_ids` sentinels (<extra_id_0> has the highest
// id, as in T5) follow the pieces. Errors: TT_ERR_IO, TT_ERR_FORMAT (not a SentencePiece model; pad, eos, unk
// not 0, 1, 2).
tt_status tt_tokenizer_load(tt_tokenizer **out, const char *path, int extra_ids) TT_MUST_CHECK;
tt_status tt_tokenizer_parse(tt_tokenizer **out, const void *bytes, size_t n, int extra_ids) TT_MUST_CHECK;
void tt_tokenizer_close(tt_tokenizer *tokenizer);

int tt_tokenizer_size(const tt_tokenizer *tokenizer);      // pieces and sentinels
int tt_tokenizer_pieces(const tt_tokenizer *tokenizer);    // pieces alone
int tt_tokenizer_extra_ids(const tt_tokenizer *tokenizer); // sentinels
uint64_t tt_tokenizer_hash(const tt_tokenizer *tokenizer); // of the model's bytes and extra_ids
const void *tt_tokenizer_bytes(
    const tt_tokenizer *tokenizer, size_t *n);                         // of the model; owned by the tokenizer
const char *tt_tokenizer_piece(const tt_tokenizer *tokenizer, int id); // "<extra_id_3>" for sentinels
int tt_tokenizer_piece_id(const tt_tokenizer *tokenizer, const char *piece); // TT_UNK if there is none

// Ids of `text`, `</s>` appended if `eos` and the text does not end in one. *ids grows by tt_grow (release
// with free()), *n is their number. Special tokens spelled in the text (<extra_id_N>, </s>, <pad>, <unk>)
// become their ids. Errors: TT_ERR_INPUT for invalid UTF-8.
tt_status tt_tokenizer_encode(const tt_tokenizer *tokenizer, const char *text, bool eos, int32_t **ids,
    size_t *capacity, int *n) TT_MUST_CHECK;
// Text of ids up to the first </s>, special tokens (pad, eos, unk, sentinels) left out, spaces at both ends
// taken away, spaces before punctuation and contractions closed up (skip_special_tokens and
// clean_up_tokenization_spaces of Hugging Face); *text is released with free().
tt_status tt_tokenizer_decode(
    const tt_tokenizer *tokenizer, const int32_t *ids, int n, char **text) TT_MUST_CHECK;

// How a new tokenizer is trained.
typedef struct tt_tokenizer_training {
    int pieces;                 // size of the vocabulary without sentinels
    const char *const *symbols; // pieces that are always whole, e.g. "(A)"; n_symbols of them
    int n_symbols;
    bool split_punctuation; // "water." never becomes one piece
} tt_tokenizer_training;

// Trains a unigram model on n texts with the library's trainer and writes it to `path`. Deterministic.
tt_status tt_tokenizer_train(
    const char *const *texts, size_t n, const tt_tokenizer_training *how, const char *path) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
