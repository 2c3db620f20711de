// The training split of a corpus as token ids, kept in its file under /stages with the tokenizer's hash, so
// that large corpora are tokenised once. Private to host/data.
#ifndef TT_DATA_CORPUS_TOKENS_H
#define TT_DATA_CORPUS_TOKENS_H

#include "host/data/corpus.h"
#include "host/data/dataset.h"
#include "host/data/hdf5_file.h"
#include "host/text/stages.h"

#ifdef __cplusplus
extern "C" {
#endif

struct tt_corpus_tokens {
    tt_stage_set set;
    uint64_t tokenizer;
    int max_input, max_target;
    tt_dataset stages[TT_STAGES];
};

// Release, show, write and read corpus->tokens, which may be NULL.
void tt_corpus_tokens_close(tt_corpus *corpus);
void tt_corpus_tokens_show(const tt_corpus *corpus, FILE *out);
tt_status tt_corpus_tokens_write(const tt_h5 *h, const tt_corpus *corpus) TT_MUST_CHECK;
tt_status tt_corpus_tokens_read(const tt_h5 *h, tt_corpus *corpus) TT_MUST_CHECK;
// Copies a stage's ids into `dataset` where the corpus has just these (same stage set and limits); *taken
// says whether. Errors: TT_ERR_INPUT where they were made with another tokenizer.
tt_status tt_corpus_tokens_take(tt_dataset *dataset, const tt_corpus *corpus, tt_split split,
    tt_stage_set set, tt_stage stage, const tt_tokenizer *tokenizer, int max_input, int max_target,
    bool *taken) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
