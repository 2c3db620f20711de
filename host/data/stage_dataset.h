// The examples that a stage is trained on, from a corpus.
#ifndef TT_DATA_STAGE_DATASET_H
#define TT_DATA_STAGE_DATASET_H

#include "host/data/corpus.h"
#include "host/data/dataset.h"
#include "host/text/stages.h"

#ifdef __cplusplus
extern "C" {
#endif

// Which examples of a corpus, and how they are tokenised.
typedef struct tt_stage_options {
    tt_split split;
    tt_stage_set set; // the stages that the student goes through
    tt_stage stage;   // the one of them whose examples are built
    const tt_tokenizer *tokenizer;
    int max_input, max_target; // tokens, </s> included; longer texts are cut
    int reasonings;            // only the first so many of each question's reasonings that agree; 0 = all
} tt_stage_options;

// Builds the stage's (input, target) pairs without duplicates (with answers alone: without duplicate inputs). For
// answers alone (summarize_only) they come from the questions and need no reasoning; for all other stage sets they
// come from the reasoning that agrees with the right answer. The caller zero-initialises `dataset` and closes it, before the
// corpus, whose own tokens it may borrow.
// Errors: TT_ERR_INPUT where the corpus lacks what the stage set needs (e.g. specific knowledge: use no_analyze),
// where it was tokenised with another tokenizer, or where there is no example.
tt_status tt_dataset_build(
    tt_dataset *dataset, const tt_corpus *corpus, const tt_stage_options *options) TT_MUST_CHECK;
// Whether the corpus has these examples as tokens already, so that nothing is gained by keeping them elsewhere, too.
bool tt_dataset_is_built(const tt_corpus *corpus, const tt_stage_options *options);
// Tokenises the stages of the largest stage set that the corpus has reasoning for (all, no_recall, no_analyze, or
// summarize_only, which needs none) and keeps the tokens in the corpus; tt_corpus_save writes them. Warns of texts
// that are cut. Errors: TT_ERR_INPUT without training questions.
tt_status tt_corpus_tokenise(
    tt_corpus *corpus, const tt_tokenizer *tokenizer, int max_input, int max_target) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
