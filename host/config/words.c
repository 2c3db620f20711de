#include "host/config/words.h"

#include "host/base/str.h"

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
