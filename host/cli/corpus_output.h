// How a command writes a corpus.
#ifndef TT_CLI_CORPUS_OUTPUT_H
#define TT_CLI_CORPUS_OUTPUT_H

#include "host/data/corpus.h"

typedef struct tt_token_options {
    const char *tokenizer;
    int64_t extra_ids, max_input, max_target;
} tt_token_options;

#define TT_TOKEN_OPTIONS(t)                                                                                  \
    TT_OPTION_PATH("tokenizer", &(t).tokenizer, "F.model", TT_INPUT,                                         \
        "Also stores the training split as token ids of this tokenizer."),                                   \
        TT_OPTION_INTEGER(                                                                                   \
            "extra-ids", &(t).extra_ids, "N", 0, 1000, "Sentinels of that tokenizer (default 100)."),        \
        TT_OPTION_INTEGER(                                                                                   \
            "max-input", &(t).max_input, "N", 2, 1e6, "Longest input in tokens (default 512)."),             \
        TT_OPTION_INTEGER(                                                                                   \
            "max-target", &(t).max_target, "N", 2, 1e6, "Longest target in tokens (default 200).")

#define TT_NO_TOKENS                                                                                         \
    (tt_token_options) {                                                                                     \
        .extra_ids = 100, .max_input = 512, .max_target = 200                                                \
    }

// Where `status` is TT_OK: tokenises the corpus if asked to, writes it and shows its counts. Closes it in any case. `from`:
// provenance of a corpus without one. Returns `status`, or what went wrong.
tt_status tt_corpus_finish(tt_corpus *corpus, tt_status status, const char *from,
    const tt_token_options *tokens, const char *out) TT_MUST_CHECK;

#endif
