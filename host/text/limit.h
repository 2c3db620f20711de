// Texts as token ids within a limit, and what people are told when a text does not fit.
#ifndef TT_TEXT_LIMIT_H
#define TT_TEXT_LIMIT_H

#include "host/text/tokenizer.h"

#ifdef __cplusplus
extern "C" {
#endif

// Ids of `text` with `</s>`; of more than `limit` (at least 1) of them the first limit - 1 are kept and
// `</s>` follows: the text loses its last words. *cut tells whether. See tt_tokenizer_encode for the rest.
tt_status tt_limit_encode(const tt_tokenizer *tokenizer, const char *text, int limit, int32_t **ids,
    size_t *capacity, int *n, bool *cut) TT_MUST_CHECK;

// Each warns if any were cut. `where` names the place ("acquisition, analyze"), `of` is how many there were
// in all, `key` what sets the limit. A caller whose work comes in pieces warns once for all of them.
//
// Of prompts: a prompt without its last words does not say what is to be written.
void tt_limit_warn_prompts(const char *where, int64_t cut, int64_t of, int64_t limit, const char *key);
// Of targets: what is cut is never learned.
void tt_limit_warn_targets(const char *where, int64_t cut, int64_t of, int64_t limit, const char *key);
// Of targets that end with the answer: nothing in them says which option is right.
void tt_limit_warn_answers(const char *where, int64_t cut, int64_t of, int64_t limit, const char *key);

#ifdef __cplusplus
}
#endif

#endif
