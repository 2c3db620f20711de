// Unigram tokenizer. With a SentencePiece .model it behaves like T5Tokenizer(legacy=True) of transformers 4, with a
// tokenizer.json like the `tokenizers` package.
#ifndef TT_TEXT_TOKENIZER_H
#define TT_TEXT_TOKENIZER_H

#include "host/base/status.h"
#include "host/base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_tokenizer tt_tokenizer;

enum { TT_PAD = 0, TT_EOS = 1, TT_UNK = 2 };

// Opens a file, or the bytes of one, which are copied: SentencePiece's .model, or the tokenizer.json of the `tokenizers`
// package with a Unigram model. The pieces of a .model are followed by `extra_ids` sentinels, of which <extra_id_0> has the
// highest id, as in T5; a tokenizer.json names its sentinels itself, and extra_ids is not used. On success the caller closes
// *out. Errors: TT_ERR_IO; TT_ERR_FORMAT for a damaged or foreign file, or other ids than 0, 1, 2 for pad, eos and unk;
// TT_ERR_UNSUPPORTED for a model of another type (BPE, words, characters) or a tokenizer.json with parts that are not known
// here; TT_ERR_CONFIG for more than 1000 sentinels.
tt_status tt_tokenizer_load(tt_tokenizer **out, const char *path, int extra_ids) TT_MUST_CHECK;
tt_status tt_tokenizer_parse(tt_tokenizer **out, const void *bytes, size_t n, int extra_ids) TT_MUST_CHECK;
void tt_tokenizer_close(tt_tokenizer *tokenizer);

// Adds tokens of a Hugging Face directory to those of the file, once at most. `json` is an array of objects, as
// "added_tokens" of a tokenizer.json: id, content, special, single_word, lstrip, rstrip, normalized. Ids may leave gaps.
// Errors: TT_ERR_FORMAT.
tt_status tt_tokenizer_add(tt_tokenizer *tokenizer, const char *json) TT_MUST_CHECK;
const char *tt_tokenizer_added(const tt_tokenizer *tokenizer); // what tt_tokenizer_add was given, or NULL
// Appends all tokens beside the model's pieces in the same form, by id. Out of memory shows in tt_str_status.
void tt_tokenizer_all_added(const tt_tokenizer *tokenizer, tt_str *json);

int tt_tokenizer_size(const tt_tokenizer *tokenizer);      // the highest id + 1
int tt_tokenizer_pieces(const tt_tokenizer *tokenizer);    // pieces without sentinels and added tokens
int tt_tokenizer_extra_ids(const tt_tokenizer *tokenizer); // sentinels, whose ids count down
int tt_tokenizer_first_sentinel(
    const tt_tokenizer *tokenizer); // the id of <extra_id_0>; -1 without sentinels
uint64_t tt_tokenizer_hash(
    const tt_tokenizer *tokenizer); // of the file's bytes, extra_ids and what was added
bool tt_tokenizer_is_json(
    const tt_tokenizer *tokenizer); // whether the file is a tokenizer.json, not a .model
// The bytes of the file, owned by the tokenizer.
const void *tt_tokenizer_bytes(const tt_tokenizer *tokenizer, size_t *n);
// The piece of an id, or what an added token is spelled like, "<extra_id_3>" for sentinels; owned by the tokenizer.
const char *tt_tokenizer_piece(const tt_tokenizer *tokenizer, int id);
// The id of the added token or piece that is spelled so, or -1.
int tt_tokenizer_find(const tt_tokenizer *tokenizer, const char *piece);

// Token ids in memory that grows by tt_grow and may be reused from text to text. Zero-initialise; the caller releases
// items with free().
typedef struct tt_ids {
    int32_t *items; // [n]
    size_t capacity;
    int n;
} tt_ids;

// Replaces the contents of *ids by the ids of `text`. With `eos`, </s> is appended unless the text ends in one; a
// tokenizer.json appends it in any case. Special and added tokens that are spelled in the text (<extra_id_N>, </s>, <pad>,
// <unk>) become their ids. Errors: TT_ERR_INPUT for invalid UTF-8; TT_ERR_NOMEM.
tt_status tt_tokenizer_encode(
    const tt_tokenizer *tokenizer, const char *text, bool eos, tt_ids *ids) TT_MUST_CHECK;
// *text receives the text of the ids up to the first </s>, to be released with free(). Special tokens (pad, eos, unk,
// sentinels, added ones that are special), ids without a token, spaces at both ends and spaces before punctuation and contractions are left out, as with Hugging Face's
// skip_special_tokens and clean_up_tokenization_spaces.
tt_status tt_tokenizer_decode(
    const tt_tokenizer *tokenizer, const int32_t *ids, int n, char **text) TT_MUST_CHECK;

// How a new tokenizer is trained.
typedef struct tt_tokenizer_training {
    int pieces;                 // size of the vocabulary without sentinels
    const char *const *symbols; // n_symbols pieces that are never split or joined, e.g. "(A)"
    int n_symbols;
    bool split_punctuation; // "water." never becomes one piece
} tt_tokenizer_training;

// Trains a unigram model on n texts with SentencePiece's trainer and writes it to `path`. The same texts give the same
// bytes. Errors: TT_ERR_INPUT with the trainer's message; TT_ERR_IO.
tt_status tt_tokenizer_train(
    const char *const *texts, size_t n, const tt_tokenizer_training *how, const char *path) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
