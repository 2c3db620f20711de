// Texts as token ids within a limit, and warnings about texts that do not fit.
#ifndef TT_TEXT_LIMIT_H
#define TT_TEXT_LIMIT_H

#include "host/text/tokenizer.h"

#ifdef __cplusplus
extern "C" {
#endif

// As tt_tokenizer_encode with </s>, but of more than `limit` ids (at least 1) only the first limit - 1 stay and </s>
// follows: the text loses its last words. *cut receives whether it did.
tt_status tt_limit_encode(
    const tt_tokenizer *tokenizer, const char *text, int limit, tt_ids *ids, bool *cut) TT_MUST_CHECK;

// Each warns if any texts were cut: `cut` of `total` were longer than `limit` tokens. `where` names the place
// ("acquisition, analyze"), `key` is the setting that raises the limit. A caller whose work comes in pieces warns once
// for all of them.
//
// For prompts: without its last words a prompt does not say what is to be written.
void tt_limit_warn_prompts(const char *where, int64_t cut, int64_t total, int64_t limit, const char *key);
// For targets: what is cut is never learned.
void tt_limit_warn_targets(const char *where, int64_t cut, int64_t total, int64_t limit, const char *key);
// For targets that end with the answer: without it nothing says which option is right.
void tt_limit_warn_answers(const char *where, int64_t cut, int64_t total, int64_t limit, const char *key);

#ifdef __cplusplus
}
#endif

#endif
