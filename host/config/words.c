#include "host/config/words.h"

#include "host/base/str.h"
#include "kernels/device.h"

#include <string.h>

tt_status tt_word_parse(const tt_words *words, const char *word, int *out) {
    for (int i = 0; i < words->n; ++i)
        if (strcmp(word, words->words[i]) == 0) {
            *out = i;
            return TT_OK;
        }
    tt_str allowed = {0};
    for (int i = 0; i < words->n; ++i) tt_str_format(&allowed, "%s%s", i ? ", " : "", words->words[i]);
    tt_fail(words->error, "unknown %s '%s'; allowed are %s", words->what, word, tt_str_text(&allowed));
    tt_str_close(&allowed);
    return words->error;
}

static bool is_one_of(const char *words, const char *text) {
    const size_t n = strlen(text);
    for (const char *word = words; word; word = strchr(word, '|')) {
        if (*word == '|') ++word;
        if (strcspn(word, "|") == n && strncmp(word, text, n) == 0) return true;
    }
    return false;
}

tt_status tt_word_check(tt_status code, const char *where, const char *words, const char *text) {
    if (is_one_of(words, text)) return TT_OK;
    tt_precision precision;
    if (tt_ends_with(where, "precision") && tt_precision_parse(&precision, text) != TT_OK)
        return tt_context(code, "%s", where);
    tt_str list = {0}; // "a|b|c" becomes "a, b, c"
    for (const char *p = words; *p; ++p) tt_str_append_n(&list, *p == '|' ? ", " : p, *p == '|' ? 2 : 1);
    tt_fail(code, "%s: '%s' is not allowed; allowed are %s", where, text, tt_str_text(&list));
    tt_str_close(&list);
    return code;
}

bool tt_targets_recall(const char *word) {
#define RECALL(code, text, recall, analyze)                                                                  \
    if (strcmp(word, text) == 0) return recall;
    TT_TARGETS_MAP(RECALL)
#undef RECALL
    return false;
}

bool tt_targets_analyze(const char *word) {
#define ANALYZE(code, text, recall, analyze)                                                                 \
    if (strcmp(word, text) == 0) return analyze;
    TT_TARGETS_MAP(ANALYZE)
#undef ANALYZE
    return false;
}

bool tt_recompute_layers(const char *word) {
    enum { TT_RECOMPUTE_MAP(TT_WORD_CODE) };
    static const char *const words[] = {TT_RECOMPUTE_MAP(TT_WORD_TEXT)};
    return word && strcmp(word, words[TT_RECOMPUTE_LAYERS]) == 0;
}

bool tt_reduction_bf16(const char *word) {
    enum { TT_REDUCTION_MAP(TT_WORD_CODE) };
    static const char *const words[] = {TT_REDUCTION_MAP(TT_WORD_TEXT)};
    return word && strcmp(word, words[TT_REDUCE_BF16]) == 0;
}
