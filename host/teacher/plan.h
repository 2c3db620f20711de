// What `tinythinker teach` is told: a YAML file of its own, one table of keys.
#ifndef TT_TEACHER_PLAN_H
#define TT_TEACHER_PLAN_H

#include "host/base/memory.h"
#include "host/base/status.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_teach_plan {
    const char *questions, *corpus, *journal; // files; journal "" = <corpus>.journal.jsonl
    const char *prompts, *prices, *tokenizer;
    const char *url, *model, *key_variable, *format;
    int64_t exemplars, n_augment, rounds, choices, max_tokens, seed;
    double temperature;
    const char *request_seed;
    int64_t in_flight, requests_per_minute, tokens_per_minute, attempts;
    double timeout, longest_wait, budget;
    const char *batch_limit;
    int64_t batch_requests;
    double batch_megabytes;
    bool set[64]; // of the table's keys, in its order: by the file or an override
    tt_arena memory;
} tt_teach_plan;

// The file over the defaults, then `overrides` ("key=value"), then checks. Relative paths are relative to the working
// directory. Errors: TT_ERR_CONFIG naming file, line, key, what was expected and what came.
tt_status tt_teach_plan_load(
    tt_teach_plan *out, const char *path, const char *const *overrides, int n_overrides) TT_MUST_CHECK;
// Sets `key` where neither the file nor an override did: a default of the prompts (pool.h). `where` names their file for
// messages. Errors: TT_ERR_CONFIG.
tt_status tt_teach_plan_default(
    tt_teach_plan *plan, const char *key, const char *value, const char *where) TT_MUST_CHECK;
// Whether the file or an override sets the key; else it has its default, or that of the prompts.
bool tt_teach_plan_sets(const tt_teach_plan *plan, const char *key);
void tt_teach_plan_close(tt_teach_plan *plan);
void tt_teach_plan_help(FILE *out); // every key with its default and meaning

#ifdef __cplusplus
}
#endif

#endif
