#include "host/cli/corpus_output.h"

#include "host/base/log.h"
#include "host/data/stage_dataset.h"

#include <stdio.h>

static tt_status tokenise_corpus(tt_corpus *corpus, const tt_token_options *t) {
    if (!t->tokenizer) return TT_OK;
    tt_tokenizer *tokenizer;
    TT_TRY(tt_tokenizer_load(&tokenizer, t->tokenizer, (int)t->extra_ids));
    tt_status status = tt_corpus_tokenise(corpus, tokenizer, (int)t->max_input, (int)t->max_target);
    tt_tokenizer_close(tokenizer);
    return status;
}

tt_status tt_corpus_finish(
    tt_corpus *corpus, tt_status status, const char *from, const tt_token_options *t, const char *out) {
    if (status == TT_OK) status = tokenise_corpus(corpus, t);
    if (status == TT_OK) {
        if (!corpus->provenance) corpus->provenance = from;
        status = tt_corpus_save(corpus, out);
    }
    if (status == TT_OK) {
        tt_corpus_show(corpus, 0, stdout);
        tt_info("wrote %s", out);
    }
    tt_corpus_close(corpus);
    return status;
}
