// Tokens beside those of the model: special ones and words that were added later. They are found in a text before the model
// sees it. Private to host/text.
#ifndef TT_TEXT_ADDED_TOKENS_H
#define TT_TEXT_ADDED_TOKENS_H

#include "host/base/memory.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_added_token {
    const char *content; // as it is spelled; owned by the list
    int id;
    bool special;        // left out of decoded texts
    bool single_word;    // only where it is no part of a longer word
    bool lstrip, rstrip; // takes the white space at its left, right
    bool normalized;     // looked for in the normalised text (where the model has a normaliser of its own)
} tt_added_token;

typedef struct tt_added_tokens {
    tt_added_token *items; // [n], the longest first
    int n;
    size_t capacity;
    bool begins[256]; // whether an item begins with this byte
    tt_arena memory;
} tt_added_tokens;

// Adds a token, or changes the one of the same content; copies what it points to. Errors: TT_ERR_NOMEM.
tt_status tt_added_put(tt_added_tokens *list, const tt_added_token *token) TT_MUST_CHECK;
// Adds the tokens of an array of objects with id, content and flags, as in a tokenizer.json. Errors: TT_ERR_FORMAT naming the
// entry; TT_ERR_NOMEM.
tt_status tt_added_put_all(tt_added_tokens *list, const json_t *array) TT_MUST_CHECK;
void tt_added_close(tt_added_tokens *list);
// The token that is spelled text[0..n), or NULL.
const tt_added_token *tt_added_find(const tt_added_tokens *list, const char *text, size_t n);

// Receives a text in parts, from left to right: added tokens, and what lies between them.
typedef struct tt_added_sink {
    tt_status (*token)(void *context, const tt_added_token *token);
    tt_status (*text)(
        void *context, const char *text, size_t n, bool at_start); // n >= 1; whether it begins the text
    void *context;
} tt_added_sink;

// Cuts text[0..n) by the rules of transformers' Python tokenizers, to which T5Tokenizer belonged until version 4. Errors:
// TT_ERR_NOMEM and those of the sink.
tt_status tt_added_cut(
    const tt_added_tokens *list, const char *text, size_t n, const tt_added_sink *sink) TT_MUST_CHECK;
// The same by the rules of the `tokenizers` package.
tt_status tt_added_cut_fast(const tt_added_tokens *list, const char *text, size_t n, bool at_start,
    const tt_added_sink *sink) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
