// Importers: questions (and reasoning) from files of other formats. Each appends to `corpus`, which the caller closes.
// Errors: TT_ERR_IO; TT_ERR_INPUT with `file:line: ...` or the question's id.
#ifndef TT_DATA_IMPORT_IMPORT_H
#define TT_DATA_IMPORT_IMPORT_H

#include "host/data/corpus.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// Our own JSONL, one question a line (documented in datasets/README.md):
//   {"id", "question", "options": [..], "gold": index | letter | text of the option, "split",
//    "general", "specific": [..]} or "reasoning": [{"general", "specific", "answer", "source"}, ..]
// id, split (train) and all reasoning are optional.
tt_status tt_import_jsonl(tt_corpus *corpus, const char *path) TT_MUST_CHECK;

// CommonsenseQA's .jsonl files. Its dev file is the test split; a random sample of train of the same size,
// drawn from `seed`, becomes the validation split.
tt_status tt_import_csqa(tt_corpus *corpus, const char *train, const char *dev, uint64_t seed) TT_MUST_CHECK;

// OpenBookQA's .jsonl files, official splits.
tt_status tt_import_obqa(
    tt_corpus *corpus, const char *train, const char *dev, const char *test) TT_MUST_CHECK;

// StrategyQA's .json files, joined, shuffled from `seed` and split into 80 % train, 10 % validation, 10 % test. With
// facts_as_recall the human-written facts become the general knowledge of a recall + summarize corpus (stages:
// no_analyze).
tt_status tt_import_strategyqa(tt_corpus *corpus, const char *const *paths, int n_paths, bool facts_as_recall,
    uint64_t seed) TT_MUST_CHECK;

// Shared by the importers: calls take(context, object, "file:line") for each non-empty line of a JSONL file. The
// object is released after the call. Errors: TT_ERR_IO; TT_ERR_INPUT for a line that is no object, or an empty file;
// what `take` returns.
typedef tt_status (*tt_take_json)(void *context, const json_t *object, const char *where);
tt_status tt_read_jsonl(const char *path, tt_take_json take, void *context) TT_MUST_CHECK;
// *out receives the member `name`, which must be a string; the object owns it. Errors: TT_ERR_INPUT naming `where` and
// the member.
tt_status tt_json_text(
    const json_t *object, const char *name, const char *where, const char **out) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
