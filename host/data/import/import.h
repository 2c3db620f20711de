// Importers: questions (and reasoning) from files of other formats. Each appends to `corpus`, which the caller closes.
// Errors: TT_ERR_IO; TT_ERR_INPUT with `file:line: ...` or the question's id.
#ifndef TT_DATA_IMPORT_IMPORT_H
#define TT_DATA_IMPORT_IMPORT_H

#include "host/base/fs.h"
#include "host/base/json.h"
#include "host/base/str.h"
#include "host/data/corpus.h"

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

// CommonsenseQA's .jsonl files, the authors' or exports from the Hugging Face hub. Its dev file is the test split; a random sample of train of the same size,
// drawn from `seed`, becomes the validation split.
tt_status tt_import_csqa(tt_corpus *corpus, const char *train, const char *dev, uint64_t seed) TT_MUST_CHECK;

// OpenBookQA's .jsonl files, the authors' or exports from the Hugging Face hub; official splits.
tt_status tt_import_obqa(
    tt_corpus *corpus, const char *train, const char *dev, const char *test) TT_MUST_CHECK;

// StrategyQA's .json files, or .jsonl, joined, shuffled from `seed` and split into 80 % train, 10 % validation, 10 % test.
// With facts_as_recall the human-written facts, a list of texts or one text, become the general knowledge of a recall +
// summarize corpus (stages: no_analyze). Warns of questions without facts; TT_ERR_INPUT where none has any, or where facts
// are of another type, with their number.
tt_status tt_import_strategyqa(tt_corpus *corpus, const char *const *paths, int n_paths, bool facts_as_recall,
    uint64_t seed) TT_MUST_CHECK;

// The numbers 0 to n - 1 in an order drawn from `seed`, by which questions go to splits; free() releases them.
tt_status tt_split_order(int32_t **out, int n, uint64_t seed) TT_MUST_CHECK;

// Appends the corpus as such JSONL: reading it gives the same questions and reasoning, with the same hash where the reasoning
// is in the order of the questions (tt_corpus_group_reasoning). Errors: TT_ERR_NOMEM.
tt_status tt_export_jsonl(const tt_corpus *corpus, tt_str *out) TT_MUST_CHECK;

// Why a record of a file, or one of its reasonings, was not added. The words follow a number.
#define TT_ADDED_MAP(X)                                                                                      \
    X(UNKNOWN, "of questions that the corpus does not have")                                                 \
    X(AMBIGUOUS, "of questions whose text several questions of the corpus have")                             \
    X(UNFIT, "that do not fit their questions")                                                              \
    X(REPEATED, "that their questions already have")                                                         \
    X(EMPTY, "without reasoning")
typedef enum tt_added_reason {
#define TT_ADDED_CODE(name, words) TT_ADDED_##name,
    TT_ADDED_MAP(TT_ADDED_CODE)
#undef TT_ADDED_CODE
        TT_ADDED_REASONS
} tt_added_reason;

// What became of the records of a file.
typedef struct tt_added {
    int64_t records;                    // lines of JSONL, records of CSV
    int64_t added;                      // reasonings
    int64_t few_votes;                  // explanations with fewer votes than asked for
    int64_t left_out[TT_ADDED_REASONS]; // records or reasonings
} tt_added;

// Counts what is left out, and warns with the message, which names file and line; of each reason the first 10 times.
void tt_added_note(tt_added *report, tt_added_reason reason, const char *format, ...) TT_PRINTF(3, 4);
// Prints the counts.
void tt_added_print(const tt_added *report, FILE *out);

// Adds reasoning to questions that the corpus has, joined by id, and groups it (tt_corpus_group_reasoning). A line has an
// "id" and a "reasoning" list as above, or the members of one reasoning beside the id. "question", "options" and "gold" may
// stand there, too; they must be the question's own. What cannot be added is counted. Errors: TT_ERR_INPUT for a line that
// is malformed: no id, unknown members, a wrong type of "reasoning".
tt_status tt_add_answers(tt_corpus *corpus, const char *path, tt_added *report) TT_MUST_CHECK;

// Adds free-text explanations from a CSV file as general knowledge of the questions that have the same text (runs of white
// space count as one space), and groups the reasoning. The YAML map names the columns:
//   question: Input.question
//   explanations: [Input.explanation_1, Input.explanation_2]
//   acceptable: Answer.acceptable    optional: the numbers, from 1, of the explanations to use; without it all are used
//   separator: "|"                   optional: what separates these numbers
//   least_votes: 1                   optional: records that must call an explanation acceptable, where a question has several
//   source: "GPT-3"                  optional: kept beside each reasoning
// Each leads to the question's gold answer. What cannot be added is counted. Errors: TT_ERR_CONFIG for the map, TT_ERR_INPUT
// for the file, e.g. a column that it lacks, or a number that names no explanation.
tt_status tt_add_explanations(
    tt_corpus *corpus, const char *map, const char *csv, tt_added *report) TT_MUST_CHECK;

// Warns of questions that have the same option twice: how many, and one of them by id.
void tt_import_warn_options(const tt_corpus *corpus);

// Shared by the importers: calls take(context, object, where) for each object of a file, which has one a line or is a list
// of objects; blank lines are skipped. `where` is "file:line" or "file: entry N". The object is released after the call.
// Errors: TT_ERR_IO; TT_ERR_INPUT for text that is not UTF-8, for a line or an entry that is no object, and for a file without
// any; what `take` returns.
typedef tt_status (*tt_take_json)(void *context, const json_t *object, const char *where);
tt_status tt_read_jsonl(const char *path, tt_take_json take, void *context) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
