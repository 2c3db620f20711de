// The inside of a collection, shared by the files collect*.c alone:
//   collect.c           opening, and how requests reach a teacher
//   collect_rounds.c    what a question has and still needs; the entries of the journal
//   collect_requests.c  the next request, and what becomes of it
//   collect_money.c     tokens and money: what is estimated, spent, and may still be
//   collect_results.c   counts, and the corpus with where it comes from
#ifndef TT_TEACHER_COLLECTION_H
#define TT_TEACHER_COLLECTION_H

#include "host/base/log.h"
#include "host/teacher/collect.h"
#include "host/teacher/journal.h"

#include <jansson.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    TT_DOUBTS = 5
}; // refused requests of different questions, with no answer to any: the endpoint's fault

// One question on its way.
typedef struct tt_asked {
    const tt_question *question;
    int index;                  // in the corpus
    tt_teacher_choice *choices; // of all rounds, in their order
    const char **texts;         // as they were written
    int n, rounds;              // rounds: that are complete
    int begun, wanted;          // of the round: index of its first choice, and how many choices it is to have
    size_t choices_capacity, texts_capacity;
    int64_t max_tokens;                       // of the next request
    int64_t prompt_tokens, completion_tokens; // of its answers that count
    int *kept, n_kept;                        // indices of choices
} tt_asked;

// A request that is on its way.
typedef struct tt_pending {
    struct tt_pending *next, *previous;
    tt_asked *question;
    tt_str system, user;
    uint64_t hash;
    char id[TT_TEACH_BATCH_ID];
    int n;
    int64_t prompt; // tokens, estimated
    double money;   // what it can cost, as far as is known
} tt_pending;

// What one answer took, as the endpoint says or as it is estimated.
typedef struct tt_usage {
    int64_t prompt, written;
} tt_usage;

struct tt_collection {
    tt_collection_options options;
    tt_arena memory;
    tt_str address; // of the endpoint, without anything secret
    tt_asked *items;
    int n_items, n_asked; // the first n_asked may be asked
    tt_asked **by_id;     // [n_items], sorted
    tt_pending *on_the_way;
    int n_on_the_way;
    int *queue; // ring of items that may be asked
    int queue_first, queue_n;
    tt_journal *journal;
    double answer_tokens; // of one choice, estimated
    double system_tokens; // of a byte of system messages, estimated
    double most_written;  // tokens of a choice, that any answer took
    double most_prompt;   // tokens of a byte of both messages
    double money, money_pending;
    int64_t requests, failed, prompt_tokens, completion_tokens, stale;
    int64_t read, usable;          // choices: that came; that follow the format
    bool proven;                   // something was answered
    bool out_of_budget, batches;   // batches: no request is sent here
    bool paid;                     // whatever comes is paid for already
    tt_asked *doubtful[TT_DOUBTS]; // refused before anything was answered
    int n_doubtful;
    char doubt[512];    // why the last of them was
    tt_dialect without; // what any request had to leave out
    tt_client_counts counts;
    tt_progress progress;
};

// ---- collect.c
tt_message_rules tt_collection_rules(const tt_collection *c);
tt_status tt_collection_messages(const tt_collection *c, const tt_asked *a, tt_str *system, tt_str *user);
// What answers depend on; NULL out of memory.
json_t *tt_collection_identity(const tt_collection *c);

// ---- collect_rounds.c
void tt_asked_begin(const tt_collection *c, tt_asked *a); // its first round
int tt_asked_missing(const tt_asked *a); // choices that its next request asks for; 0 = it is done
uint64_t tt_asked_hash(const tt_collection *c, const tt_asked *a, const tt_str *system, const tt_str *user);
// The journal's entry of an answer to `a`'s request.
json_t *tt_asked_entry(const tt_pending *p, const tt_completion *completion, const tt_usage *usage);
// Adds the choices of an answer, decides anew what is kept of the question, and ends the round once it is complete.
tt_status tt_asked_take(tt_collection *c, tt_asked *a, const tt_completion *completion);
// A tt_journal_entry: takes an answer of the journal where its request would be the question's next one.
tt_status tt_asked_take_entry(void *context, const json_t *entry);

// ---- collect_requests.c
void tt_collection_enqueue(tt_collection *c, tt_asked *a, bool first);
void tt_collection_drop_pending(tt_collection *c, tt_pending *p);
tt_client_caller tt_collection_caller(tt_collection *c);
tt_status tt_collection_fail_doubts(const tt_collection *c); // the error of an endpoint that only refused

// ---- collect_money.c
tt_status tt_collection_estimate_tokens(tt_collection *c); // sets answer_tokens and system_tokens
tt_status tt_collection_count_tokens(const tt_collection *c, const char *text, int64_t *n);
// Notes what an answer of n choices to `bytes` of messages took.
void tt_collection_spend(tt_collection *c, const tt_usage *usage, int n, size_t bytes);
// What n choices can cost at most, as far as is known.
double tt_collection_most(const tt_collection *c, const tt_pending *p, int64_t max_tokens);

#ifdef __cplusplus
}
#endif

#endif
