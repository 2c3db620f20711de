// The training split of a corpus as token ids, kept in its file under /stages, so that a large corpus is tokenised
// once: for each stage ids and offsets as in tt_dataset, and counts of what was cut; as attributes of /stages the stage
// set, the limits and the tokenizer's hash. Private to host/data.
#ifndef TT_DATA_CORPUS_TOKENS_H
#define TT_DATA_CORPUS_TOKENS_H

#include "host/data/corpus.h"
#include "host/data/dataset.h"
#include "host/data/hdf5_file.h"
#include "host/text/stages.h"

#ifdef __cplusplus
extern "C" {
#endif

// Version of the rules by which a corpus becomes examples: tokens of another version are made again from the texts.
enum { TT_TOKEN_RULES = 2 };

struct tt_corpus_tokens {
    tt_stage_set set;
    uint64_t tokenizer;
    int max_input, max_target;
    tt_dataset stages[TT_STAGES];
};

struct tt_stage_options;

// Releases the tokens and sets corpus->tokens to NULL.
void tt_corpus_tokens_close(tt_corpus *corpus);
// Prints a line for people; nothing where there are no tokens.
void tt_corpus_tokens_show(const tt_corpus *corpus, FILE *out);
// Writes the group /stages, or nothing where there are no tokens. Errors: TT_ERR_IO.
tt_status tt_corpus_tokens_write(const tt_h5 *h, const tt_corpus *corpus) TT_MUST_CHECK;
// Tokens that another version made are left out with a warning. Errors: TT_ERR_FORMAT for damaged ones.
tt_status tt_corpus_tokens_read(const tt_h5 *h, tt_corpus *corpus) TT_MUST_CHECK;
// Whether the corpus has tokens of just this split, stage set and limits.
bool tt_corpus_tokens_fit(const tt_corpus *corpus, const struct tt_stage_options *options);
// Lends a stage's ids to `dataset` where the corpus has just these; *lent receives whether it has. Errors: TT_ERR_INPUT
// where they were made with another tokenizer; TT_ERR_FORMAT where an id is not among the tokenizer's.
tt_status tt_corpus_tokens_lend(tt_dataset *dataset, const tt_corpus *corpus,
    const struct tt_stage_options *options, bool *lent) TT_MUST_CHECK;

// Writes the examples of a stage under /stages/STAGE, or nothing where there are none. Errors: TT_ERR_IO.
tt_status tt_stage_tokens_write(const tt_h5 *h, const tt_dataset *dataset, tt_stage stage) TT_MUST_CHECK;
// Reads them into a zero-initialised dataset, which stays so where there are none. Errors: TT_ERR_FORMAT; TT_ERR_NOMEM.
tt_status tt_stage_tokens_read(const tt_h5 *h, tt_dataset *dataset, tt_stage stage) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
