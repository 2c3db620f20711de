// A pool of worked examples with the instruction before them, from YAML, and the messages made of it.
//
//   name: csqa
//   instruction: |              the system message in the text format
//     ...
//   json_instruction: |         the system message for endpoints with a JSON schema
//     ...
//   defaults:                   of the plan's keys, for whoever does not set them; all may be left out
//     exemplars: 8
//     n_augment: 8
//     choices: 8
//     rounds: 3
//   exemplars:
//     - question: "..."
//       options: ["...", "..."]
//       key_information: "..."
//       explanations:           one for each option, in their order; one says "is correct"
//         - "A is incorrect. Because ..."
//         - "B is correct. Because ..."
#ifndef TT_TEACHER_POOL_H
#define TT_TEACHER_POOL_H

#include "host/base/str.h"
#include "host/data/corpus.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_exemplar {
    const char *question, *key_information;
    const char **options, **explanations; // [n_options], explanations whole: "A is incorrect. Because ..."
    const char **reasons;                 // [n_options], what follows the word that begins the reason
    int n_options, answer;
} tt_exemplar;

enum { TT_POOL_DEFAULTS = 4 };
extern const char *const tt_pool_default_keys[TT_POOL_DEFAULTS]; // names of keys of a plan

typedef struct tt_pool {
    const char *defaults[TT_POOL_DEFAULTS];            // texts of the values; NULL where the pool has none
    const char *name, *instruction, *json_instruction; // json_instruction NULL where the pool has none
    tt_exemplar *exemplars;
    int n;
    uint64_t hash; // of the file
    tt_arena memory;
} tt_pool;

// Errors: TT_ERR_CONFIG naming file, line and what is wrong: unknown keys, an exemplar that could not be read as a
// teacher's answer, that leaves an option out or calls none or two correct, or whose question and options an earlier one has.
tt_status tt_pool_load(tt_pool *out, const char *path) TT_MUST_CHECK;
void tt_pool_close(tt_pool *pool);

// Appends exemplar i as requests show it. Errors: TT_ERR_NOMEM.
tt_status tt_pool_example(const tt_pool *pool, int i, bool json, tt_str *out) TT_MUST_CHECK;

typedef struct tt_message_rules {
    int exemplars; // drawn for a question, at most pool->n
    bool json;     // answers follow the JSON schema
    uint64_t seed;
} tt_message_rules;

// The system message, with exemplars drawn by (seed, question id), and the user message: the question, its options, and
// explanations primed with `answer` first. Errors: TT_ERR_CONFIG where the pool is smaller than rules->exemplars or has no
// json_instruction; TT_ERR_NOMEM.
tt_status tt_pool_messages(const tt_pool *pool, const tt_question *question, int answer,
    const tt_message_rules *rules, tt_str *system, tt_str *user) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
