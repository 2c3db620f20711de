#include "host/teacher/collect.h"

#include "host/base/fs.h"
#include "host/base/memory.h"
#include "host/teacher/collection.h"
#include "host/teacher/outside.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare_ids(const void *a, const void *b) {
    return strcmp((*(tt_asked *const *)a)->question->id, (*(tt_asked *const *)b)->question->id);
}

// Questions beyond the limit keep the answers that the journal has.
static tt_status choose_items(tt_collection *c) {
    const tt_corpus *corpus = c->options.questions;
    const int64_t limit = c->options.limit;
    TT_TRY(tt_alloc(&c->items, corpus->n_questions + 1, sizeof *c->items, "questions"));
    TT_TRY(tt_alloc(&c->queue, corpus->n_questions + 1, sizeof *c->queue, "questions"));
    for (size_t i = 0; i < corpus->n_questions; ++i) {
        if (corpus->questions[i].split != TT_TRAIN) continue;
        tt_asked *a = &c->items[c->n_items++];
        *a = (tt_asked){.question = &corpus->questions[i], .index = (int)i};
        a->kept = tt_arena_alloc(&c->memory, (size_t)c->options.plan->n_augment * sizeof *a->kept);
        if (!a->kept) return TT_ERR_NOMEM;
        tt_asked_begin(c, a);
    }
    c->n_asked = limit > 0 && limit < c->n_items ? (int)limit : c->n_items;
    TT_TRY(tt_alloc(&c->by_id, (size_t)c->n_items + 1, sizeof(void *), "questions"));
    for (int i = 0; i < c->n_items; ++i) c->by_id[i] = &c->items[i];
    qsort(c->by_id, (size_t)c->n_items, sizeof(void *), compare_ids);
    if (c->n_items > 0) return TT_OK;
    return tt_fail(TT_ERR_INPUT, "corpus %s has no training questions to ask about", corpus->name);
}

tt_status tt_collection_open(tt_collection **out, const tt_collection_options *options) {
    *out = NULL;
    tt_collection *c;
    TT_TRY(tt_alloc(&c, 1, sizeof *c, "collection"));
    c->options = *options;
    tt_address_shown(&c->address, options->plan->url);
    tt_status status = tt_str_status(&c->address);
    if (status == TT_OK) status = choose_items(c);
    if (status == TT_OK) status = tt_collection_estimate_tokens(c);
    if (status != TT_OK) {
        tt_collection_close(c);
        return status;
    }
    *out = c;
    return TT_OK;
}

void tt_collection_close(tt_collection *c) {
    if (!c) return;
    tt_journal_close(c->journal);
    while (c->on_the_way) tt_collection_drop_pending(c, c->on_the_way);
    for (int i = 0; i < c->n_items; ++i) {
        free(c->items[i].choices);
        free(c->items[i].texts);
    }
    free(c->items);
    free(c->by_id);
    free(c->queue);
    tt_str_close(&c->address);
    tt_arena_close(&c->memory);
    free(c);
}

json_t *tt_collection_identity(const tt_collection *c) {
    const tt_teach_plan *plan = c->options.plan;
    char prompts[20];
    snprintf(prompts, sizeof prompts, "%016llx", (unsigned long long)c->options.pool->hash);
    return json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:f}", "model", plan->model, "format",
        plan->format, "prompts", prompts, "exemplars", (json_int_t)plan->exemplars, "n_augment",
        (json_int_t)plan->n_augment, "choices", (json_int_t)plan->choices, "rounds", (json_int_t)plan->rounds,
        "max_tokens", (json_int_t)plan->max_tokens, "seed", (json_int_t)plan->seed, "temperature",
        plan->temperature);
}

// Answers to other prompts or questions: they are left out only where the prompts are the same.
static tt_status check_stale(const tt_collection *c) {
    const tt_teach_plan *plan = c->options.plan;
    if (c->stale == 0) return TT_OK;
    if (tt_journal_other_prompts(c->journal))
        return tt_fail(TT_ERR_CONFIG,
            "%s: holds answers to other prompts: the texts of %s have changed, and %lld answers are not to "
            "them; restore it, or collect into another journal",
            plan->journal, plan->prompts, (long long)c->stale);
    tt_warn("%s: %lld answers belong to other questions than those of %s and are left out", plan->journal,
        (long long)c->stale, plan->questions);
    return TT_OK;
}

static tt_status open_journal(tt_collection *c) {
    if (c->journal) return TT_OK;
    json_t *identity = tt_collection_identity(c);
    if (!identity) return tt_fail(TT_ERR_NOMEM, "out of memory for a journal");
    tt_status status =
        tt_journal_open(&c->journal, c->options.plan->journal, identity, tt_asked_take_entry, c);
    json_decref(identity);
    return status == TT_OK ? check_stale(c) : status;
}

tt_status tt_collection_resume(tt_collection *c) {
    return tt_file_exists(c->options.plan->journal) ? open_journal(c) : TT_OK;
}

// How requests reach a teacher and answers come back.
typedef tt_status (*transport)(void *context, const tt_client_caller *caller);

static tt_status run_collection(tt_collection *c, transport ask, void *context) {
    int64_t before = 0;
    TT_TRY(open_journal(c));
    for (int i = 0; i < c->n_asked; ++i) {
        before += c->items[i].rounds > 0;
        tt_collection_enqueue(c, &c->items[i], false);
    }
    const tt_client_caller caller = tt_collection_caller(c);
    tt_progress_open(&c->progress, "teacher", "questions", c->n_asked, before);
    tt_status status = ask(context, &caller);
    tt_progress_close(&c->progress);
    const tt_status synced = tt_journal_sync(c->journal);
    if (status == TT_OK) status = synced;
    return status == TT_OK && c->n_doubtful > 0 ? tt_collection_fail_doubts(c) : status;
}

typedef struct asking { // what a transport is called with
    tt_collection *collection;
    const tt_client_options *client;
    const char *directory;
    tt_teach_batch_export *exported;
    const char *const *files;
    int n_files;
    tt_teach_batch_import *imported;
} asking;

static tt_status ask_endpoint(void *context, const tt_client_caller *caller) {
    const asking *a = context;
    tt_client_options client = *a->client;
    client.proven = a->collection->proven;
    return a->collection->queue_n == 0 ? TT_OK : tt_client_run(&client, caller);
}

tt_status tt_collection_run(tt_collection *c, const tt_client_options *client) {
    asking a = {.collection = c, .client = client};
    return run_collection(c, ask_endpoint, &a);
}

static tt_status export_requests(void *context, const tt_client_caller *caller) {
    const asking *a = context;
    const tt_teach_plan *plan = a->collection->options.plan;
    const tt_teach_batch_files files = {.directory = a->directory,
        .requests = plan->batch_requests,
        .size = llround(plan->batch_megabytes * 1e6),
        .dialect = {.max_completion_tokens = strcmp(plan->batch_limit, "max_completion_tokens") == 0}};
    return tt_teach_batch_write(&files, caller, a->exported);
}

tt_status tt_collection_export(tt_collection *c, const char *directory, tt_teach_batch_export *out) {
    asking a = {.collection = c, .directory = directory, .exported = out};
    c->batches = true;
    return run_collection(c, export_requests, &a);
}

static tt_status import_answers(void *context, const tt_client_caller *caller) {
    const asking *a = context;
    return tt_teach_batch_read(a->files, a->n_files, caller, a->imported);
}

tt_status tt_collection_import(
    tt_collection *c, const char *const *files, int n, tt_teach_batch_import *out) {
    asking a = {.collection = c, .files = files, .n_files = n, .imported = out};
    c->paid = c->batches = true;
    return run_collection(c, import_answers, &a);
}
