// Where a corpus comes from, as the JSON text that it carries (tt_corpus.provenance).
//
// A corpus of tinythinker teach has {"teacher": {"model", "url", ..., "counts": {...}}, "questions": {...}}. counts:
//   questions, answered, with_reasoning, complete, reasonings, relabelled, answers, prompt_tokens, completion_tokens
//   cost, currency         where the price of the model was known
//   verdicts               {word: answers}, in the order of the table of verdicts (teacher/answer.h)
//   examples               {word: the first answer that was not kept for this reason}
#ifndef TT_DATA_PROVENANCE_H
#define TT_DATA_PROVENANCE_H

#include "host/base/status.h"

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

// Reads it from a corpus file, and nothing else; *out is NULL where it is not JSON, else to be released with json_decref.
// *hash: of the corpus's content. Errors: TT_ERR_IO, TT_ERR_FORMAT.
tt_status tt_provenance_read(const char *path, uint64_t *hash, json_t **out) TT_MUST_CHECK;
// Prints the text ("" or NULL: nothing) for people as a tree, one line for each value, and a teacher's counts as a table.
void tt_provenance_show(const char *provenance, FILE *out);

#ifdef __cplusplus
}
#endif

#endif
