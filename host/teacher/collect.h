// From questions to reasoning: rounds of requests, a journal of answers, selection, a corpus.
//
// What a question's reasoning becomes follows from the questions, the plan and the answers to its own requests, whatever
// their order, faults and restarts were.
#ifndef TT_TEACHER_COLLECT_H
#define TT_TEACHER_COLLECT_H

#include "host/data/corpus.h"
#include "host/teacher/answer.h"
#include "host/teacher/batch.h"
#include "host/teacher/client.h"
#include "host/teacher/plan.h"
#include "host/teacher/pool.h"
#include "host/teacher/prices.h"
#include "host/text/tokenizer.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_collection tt_collection;

typedef struct tt_collection_options {
    const tt_teach_plan *plan;
    const tt_pool *pool;
    const tt_corpus *questions;    // its training questions are asked
    const tt_tokenizer *tokenizer; // by which tokens are estimated
    tt_price price;                // of the plan's model
    int64_t limit; // ask only the first so many questions; 0 = all. Answers that are there count
} tt_collection_options;

// All is borrowed until tt_collection_close. Errors: TT_ERR_INPUT without training questions; TT_ERR_CONFIG where pool and
// plan do not fit together; TT_ERR_NOMEM.
tt_status tt_collection_open(tt_collection **out, const tt_collection_options *options) TT_MUST_CHECK;
void tt_collection_close(tt_collection *collection);

// Reads the journal, if there is one: what it has need not be asked. The functions below do so too, and begin one. Errors:
// those of tt_journal_open; TT_ERR_CONFIG where its answers are to other prompts.
tt_status tt_collection_resume(tt_collection *collection) TT_MUST_CHECK;

// What the next request of each question takes that is not done: of a new collection, the first round.
typedef struct tt_estimate {
    int64_t questions, requests, prompt_tokens, answer_tokens;
    double money, seconds; // seconds by the plan's limits alone; 0 = no limits
    bool resumed;          // some answers are there
} tt_estimate;

// Tokens of up to 200 questions spread over all, extrapolated; an answer is taken to be as long as the exemplars'.
tt_status tt_collection_estimate(tt_collection *collection, tt_estimate *out) TT_MUST_CHECK;

// Reads the journal, asks for what is missing, keeps every answer in it. Under a budget no more is on its way than it
// covers, were each answer as long as the limit of tokens and as dear as the dearest so far; the first request goes
// alone. Errors: those of tt_collection_resume, tt_client_run and of writing; TT_ERR_CONFIG where the endpoint refuses all
// requests; TT_ERR_INPUT where no answer can be used. All that was answered is kept.
tt_status tt_collection_run(tt_collection *collection, const tt_client_options *client) TT_MUST_CHECK;
// The same with batch files (batch.h) in place of an endpoint. Export writes the requests of each question's next round and
// ends; the budget counts each at what it can cost at most. Import takes the answers to them, whatever the budget is; a
// question that needs another round is in the next export. Errors: those of the journal and of batch.h.
tt_status tt_collection_export(
    tt_collection *collection, const char *directory, tt_teach_batch_export *out) TT_MUST_CHECK;
tt_status tt_collection_import(
    tt_collection *collection, const char *const *files, int n, tt_teach_batch_import *out) TT_MUST_CHECK;

typedef struct tt_collection_report {
    int64_t questions, answered;                  // asked or answered; with an answer, readable or not
    int64_t with_reasoning, reasonings, complete; // complete: n_augment reasonings
    int64_t relabelled;                           // the teacher's majority is not the data set's gold
    int64_t choices, verdicts[TT_VERDICTS];
    const char
        *examples[TT_VERDICTS]; // a text of each kind that is not kept, of the first question that has one
    int64_t requests, failed;   // answered ever; failed in this run
    int64_t prompt_tokens, completion_tokens;
    double money;
    bool out_of_budget;
    tt_client_counts client; // of this run
} tt_collection_report;

// Valid until the collection is closed.
tt_status tt_collection_report_of(tt_collection *collection, tt_collection_report *out) TT_MUST_CHECK;
// The questions (all splits) with the reasoning that was selected, into `out` (zero-initialised).
tt_status tt_collection_corpus(tt_collection *collection, tt_corpus *out) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
