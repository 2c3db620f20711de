// The examples that a stage is trained on, from a corpus.
#ifndef TT_DATA_STAGE_DATASET_H
#define TT_DATA_STAGE_DATASET_H

#include "host/data/corpus.h"
#include "host/data/dataset.h"
#include "host/text/stages.h"

#ifdef __cplusplus
extern "C" {
#endif

// The stage's pairs of a split in a corpus, duplicates dropped (of answers alone: duplicate inputs). Answers
// alone come from the questions and need no reasoning; all else comes from the reasoning that agrees with the
// right answer. `dataset` is zero-initialised by the caller. Errors: TT_ERR_INPUT where the corpus lacks what
// the stage set needs (e.g. no specific knowledge: use no_analyze).
tt_status tt_dataset_build(tt_dataset *dataset, const tt_corpus *corpus, tt_split split, tt_stage_set set,
    tt_stage stage, const tt_tokenizer *tokenizer, int max_input, int max_target) TT_MUST_CHECK;
// Tokenises the stages of the largest stage set that the corpus has reasoning for (all, no_recall,
// no_analyze, or summarize_only, which needs none); tt_corpus_save then writes them. Warns of what is cut.
// Errors: TT_ERR_INPUT without training questions.
tt_status tt_corpus_tokenise(
    tt_corpus *corpus, const tt_tokenizer *tokenizer, int max_input, int max_target) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
