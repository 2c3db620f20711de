// Texts found by what a text begins with: a trie in a double array (Aoe 1989). Private to host/text.
#ifndef TT_TEXT_TRIE_H
#define TT_TEXT_TRIE_H

#include "host/base/status.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_trie tt_trie;

// A text without NUL, and what it stands for, not negative. An empty text is never found.
typedef struct tt_trie_key {
    const char *text;
    int32_t value;
} tt_trie_key;

typedef struct tt_trie_match {
    int32_t length, value;
} tt_trie_match;

// Takes n keys, which it sorts; of keys with the same text the one with the highest value counts. It refers to none of them
// later. On success the caller closes *out. Errors: TT_ERR_NOMEM.
tt_status tt_trie_open(tt_trie **out, tt_trie_key *keys, size_t n) TT_MUST_CHECK;
void tt_trie_close(tt_trie *trie);
// How many keys a text can begin with: the room that tt_trie_matches needs. At least 1.
int tt_trie_most(const tt_trie *trie);
// Writes to `out` the keys that text[0..n) begins with, shorter ones first; their number.
int tt_trie_matches(const tt_trie *trie, const char *text, size_t n, tt_trie_match *out);
// The value of the key text[0..n), or -1.
int32_t tt_trie_find(const tt_trie *trie, const char *text, size_t n);

#ifdef __cplusplus
}
#endif

#endif
