#include "host/text/limit.h"

#include "host/base/log.h"

tt_status tt_limit_encode(
    const tt_tokenizer *tokenizer, const char *text, int limit, tt_ids *ids, bool *cut) {
    *cut = false;
    TT_TRY(tt_tokenizer_encode(tokenizer, text, true, ids));
    if (ids->n <= limit) return TT_OK;
    ids->n = limit;
    ids->items[limit - 1] = TT_EOS;
    *cut = true;
    return TT_OK;
}

void tt_limit_warn_prompts(const char *where, int64_t cut, int64_t total, int64_t limit, const char *key) {
    if (cut > 0)
        tt_warn("%s: %lld of %lld prompts are longer than %lld tokens and lose their last words, among them "
                "the mark that says what to write (such as 'Summarize:'); raise %s",
            where, (long long)cut, (long long)total, (long long)limit, key);
}

void tt_limit_warn_targets(const char *where, int64_t cut, int64_t total, int64_t limit, const char *key) {
    if (cut > 0)
        tt_warn("%s: %lld of %lld targets are longer than %lld tokens and lose their last words, so that the "
                "student does not learn them; raise %s",
            where, (long long)cut, (long long)total, (long long)limit, key);
}

void tt_limit_warn_answers(const char *where, int64_t cut, int64_t total, int64_t limit, const char *key) {
    if (cut > 0)
        tt_warn("%s: %lld of %lld targets are longer than %lld tokens and lose their answer ('So the answer "
                "is option X.'), so that the student learns no answer from them; raise %s",
            where, (long long)cut, (long long)total, (long long)limit, key);
}
