// Several corpora as one.
#ifndef TT_DATA_MERGE_H
#define TT_DATA_MERGE_H

#include "host/data/corpus.h"

#ifdef __cplusplus
extern "C" {
#endif

// What a corpus was merged from.
typedef struct tt_merge_counts {
    int64_t shared;   // questions that were in an earlier file, too
    int64_t repeated; // reasonings that equal an earlier one of their question; they are kept
} tt_merge_counts;

// Reads the files into `out` (zero-initialised; the caller closes it): questions by id in the order of the files, the
// reasoning of each question in the order of the files. Name: the first file's. Provenance: that of every file, with its name
// and hash. Errors: those of tt_corpus_load; TT_ERR_INPUT naming both files where a question of the same id has another
// text, split or gold answer, or other options.
tt_status tt_corpus_merge(
    tt_corpus *out, const char *const *paths, int n, tt_merge_counts *counts) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
