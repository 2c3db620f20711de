#include "host/teacher/collect.h"

#include "host/base/log.h"
#include "host/base/memory.h"
#include "host/teacher/journal.h"
#include "host/teacher/selection.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// One question on its way.
typedef struct asked {
    const tt_question *question;
    int index;                  // in the corpus
    tt_teacher_choice *choices; // of all rounds, in their order
    const char **texts;         // as they were written
    int n, rounds;              // rounds: that were answered
    size_t choices_capacity, texts_capacity;
    int64_t max_tokens;                       // of the next request
    int64_t prompt_tokens, completion_tokens; // of its answers that count
    bool waiting, failed;
    int *kept, n_kept; // indices of choices
} asked;

// A request that is on its way.
typedef struct pending {
    struct pending *next, *previous;
    asked *question;
    tt_str system, user;
    uint64_t hash;
    char id[TT_TEACH_BATCH_ID];
    int n;
    double money; // what it will cost, estimated
} pending;

struct tt_collection {
    tt_collection_options options;
    tt_arena memory;
    asked *items;
    int n_items;
    asked **by_id; // [n_items], sorted
    pending *on_the_way;
    int *queue; // ring of items that may be asked
    int queue_first, queue_n;
    tt_journal *journal;
    double answer_tokens; // of one choice, estimated
    double system_tokens; // of a byte of system messages, estimated
    double money, money_pending;
    int64_t requests, failed, prompt_tokens, completion_tokens, stale;
    bool out_of_budget, paid; // paid: whatever comes is paid for already
    tt_client_counts counts;
    tt_progress progress;
};

static int compare_ids(const void *a, const void *b) {
    return strcmp((*(asked *const *)a)->question->id, (*(asked *const *)b)->question->id);
}

static tt_status count_tokens(const tt_tokenizer *tokenizer, const char *text, int64_t *n) {
    tt_ids ids = {0};
    tt_status status = tt_tokenizer_encode(tokenizer, text, false, &ids);
    free(ids.items);
    *n = ids.n;
    return status;
}

// An answer is as long as those that the exemplars show.
static tt_status estimate_answer(tt_collection *c) {
    const tt_pool *pool = c->options.pool;
    int64_t total = 0, n;
    for (int i = 0; i < pool->n; ++i) {
        const tt_exemplar *e = &pool->exemplars[i];
        TT_TRY(count_tokens(c->options.tokenizer, e->key_information, &n));
        total += n + 8; // its frame
        for (int o = 0; o < e->n_options; ++o) {
            TT_TRY(count_tokens(c->options.tokenizer, e->explanations[o], &n));
            total += n;
        }
    }
    const double mean = pool->n ? (double)total / pool->n : 100, most = (double)c->options.plan->max_tokens;
    c->answer_tokens = mean < most ? mean : most;
    return TT_OK;
}

static tt_status choose_items(tt_collection *c) {
    const tt_corpus *corpus = c->options.questions;
    TT_TRY(tt_alloc(&c->items, corpus->n_questions + 1, sizeof *c->items, "questions"));
    TT_TRY(tt_alloc(&c->queue, corpus->n_questions + 1, sizeof *c->queue, "questions"));
    for (size_t i = 0; i < corpus->n_questions; ++i) {
        if (corpus->questions[i].split != TT_TRAIN) continue;
        if (c->options.limit > 0 && c->n_items == c->options.limit) break;
        asked *a = &c->items[c->n_items++];
        *a = (asked){
            .question = &corpus->questions[i], .index = (int)i, .max_tokens = c->options.plan->max_tokens};
        a->kept = tt_arena_alloc(&c->memory, (size_t)c->options.plan->n_augment * sizeof *a->kept);
        if (!a->kept) return TT_ERR_NOMEM;
    }
    TT_TRY(tt_alloc(&c->by_id, (size_t)c->n_items + 1, sizeof(void *), "questions"));
    for (int i = 0; i < c->n_items; ++i) c->by_id[i] = &c->items[i];
    qsort(c->by_id, (size_t)c->n_items, sizeof(void *), compare_ids);
    if (c->n_items > 0) return TT_OK;
    return tt_fail(TT_ERR_INPUT, "corpus %s has no training questions to ask about", corpus->name);
}

static tt_message_rules message_rules(const tt_collection *c) {
    const tt_teach_plan *plan = c->options.plan;
    return (tt_message_rules){.exemplars = (int)plan->exemplars,
        .json = strcmp(plan->format, "json") == 0,
        .seed = (uint64_t)plan->seed};
}

static tt_status make_messages(const tt_collection *c, const asked *a, tt_str *system, tt_str *user) {
    const tt_message_rules rules = message_rules(c);
    return tt_pool_messages(c->options.pool, a->question, a->question->gold, &rules, system, user);
}

tt_status tt_collection_open(tt_collection **out, const tt_collection_options *options) {
    *out = NULL;
    tt_collection *c;
    TT_TRY(tt_alloc(&c, 1, sizeof *c, "collection"));
    c->options = *options;
    tt_str system = {0}, user = {0};
    tt_status status = choose_items(c);
    if (status == TT_OK) status = make_messages(c, &c->items[0], &system, &user);
    if (status == TT_OK) status = estimate_answer(c);
    // System messages differ only in their exemplars. Counting the tokens of each would take most of the time.
    int64_t tokens = 0;
    if (status == TT_OK) status = count_tokens(options->tokenizer, tt_str_text(&system), &tokens);
    if (system.length) c->system_tokens = (double)tokens / (double)system.length;
    tt_str_close(&system);
    tt_str_close(&user);
    if (status != TT_OK) {
        tt_collection_close(c);
        return status;
    }
    *out = c;
    return TT_OK;
}

static void free_pending(pending *p) {
    tt_str_close(&p->system);
    tt_str_close(&p->user);
    free(p);
}

void tt_collection_close(tt_collection *c) {
    if (!c) return;
    tt_journal_close(c->journal);
    while (c->on_the_way) {
        pending *p = c->on_the_way;
        c->on_the_way = p->next;
        free_pending(p);
    }
    for (int i = 0; i < c->n_items; ++i) {
        free(c->items[i].choices);
        free(c->items[i].texts);
    }
    free(c->items);
    free(c->by_id);
    free(c->queue);
    tt_arena_close(&c->memory);
    free(c);
}

// Choices that the question's next request asks for; 0 = it is done.
static int missing_choices(const tt_collection *c, const asked *a) {
    const tt_teach_plan *plan = c->options.plan;
    if (a->rounds == 0) return (int)plan->choices;
    const int64_t missing = plan->n_augment - a->n_kept;
    if (a->rounds >= plan->rounds || missing <= 0) return 0;
    return (int)(missing < plan->choices ? missing : plan->choices);
}

static uint64_t hash_request(
    const tt_collection *c, const asked *a, const char *system, const char *user, int n) {
    char numbers[96];
    snprintf(numbers, sizeof numbers, "%d %d %lld %d", a->rounds, n, (long long)a->max_tokens,
        message_rules(c).json);
    uint64_t hash = tt_hash(system, strlen(system)) * 0x9E3779B97F4A7C15ull ^ tt_hash(user, strlen(user));
    return hash * 0x9E3779B97F4A7C15ull ^ tt_hash(numbers, strlen(numbers));
}

tt_status tt_collection_estimate(tt_collection *c, tt_estimate *out) {
    enum { LOOKED_AT = 200 };
    const tt_teach_plan *plan = c->options.plan;
    tt_str system = {0}, user = {0};
    const int step = c->n_items > LOOKED_AT ? c->n_items / LOOKED_AT : 1;
    int64_t tokens = 0, looked = 0, n;
    tt_status status = TT_OK;
    for (int i = 0; i < c->n_items && status == TT_OK; i += step, ++looked) {
        status = make_messages(c, &c->items[i], &system, &user);
        if (status == TT_OK) status = count_tokens(c->options.tokenizer, system.data, &n);
        if (status == TT_OK) tokens += n, status = count_tokens(c->options.tokenizer, user.data, &n);
        if (status == TT_OK) tokens += n;
    }
    tt_str_close(&system);
    tt_str_close(&user);
    TT_TRY(status);
    *out = (tt_estimate){.questions = c->n_items,
        .requests = c->n_items,
        .prompt_tokens = llround((double)tokens / (double)looked * c->n_items),
        .answer_tokens = llround(c->answer_tokens * (double)plan->choices * c->n_items)};
    out->money = tt_price_of(&c->options.price, out->prompt_tokens, out->answer_tokens);
    const double all = (double)(out->prompt_tokens + out->answer_tokens);
    const double by_requests =
        plan->requests_per_minute ? 60.0 * (double)out->requests / (double)plan->requests_per_minute : 0;
    const double by_tokens = plan->tokens_per_minute ? 60 * all / (double)plan->tokens_per_minute : 0;
    out->seconds = fmax(by_requests, by_tokens);
    return TT_OK;
}

// Reads the choices of an answer and decides anew what is kept of the question.
static tt_status take_choice(tt_collection *c, asked *a, const tt_teacher_text *text) {
    TT_TRY(tt_grow(&a->choices, &a->choices_capacity, (size_t)a->n + 1, sizeof *a->choices, "choices"));
    TT_TRY(tt_grow(&a->texts, &a->texts_capacity, (size_t)a->n + 1, sizeof *a->texts, "choices"));
    a->texts[a->n] = tt_arena_strdup(&c->memory, text->text ? text->text : "");
    if (!a->texts[a->n]) return TT_ERR_NOMEM;
    TT_TRY(tt_teacher_read(&a->choices[a->n], text, a->question->n_options, &c->memory));
    a->n++;
    return TT_OK;
}

static tt_status end_round(tt_collection *c, asked *a, int first) {
    bool cut = false;
    for (int i = first; i < a->n; ++i) cut = cut || a->choices[i].verdict == TT_CHOICE_CUT;
    if (cut) a->max_tokens *= 2;
    a->rounds++;
    a->waiting = false;
    const tt_selection_rules rules = {.n_options = a->question->n_options,
        .gold = a->question->gold,
        .n_augment = (int)c->options.plan->n_augment,
        .seed = (uint64_t)c->options.plan->seed,
        .question = tt_hash(a->question->id, strlen(a->question->id))};
    return tt_teacher_select(a->choices, a->n, &rules, a->kept, &a->n_kept);
}

static void count_usage(tt_collection *c, int64_t prompt, int64_t completion) {
    ++c->requests;
    c->prompt_tokens += prompt;
    c->completion_tokens += completion;
    c->money += tt_price_of(&c->options.price, prompt, completion);
}

static asked *find_item(const tt_collection *c, const char *id) {
    if (!id) return NULL;
    const tt_question question = {.id = id};
    asked wanted = {.question = &question}, *key = &wanted;
    asked **found = bsearch(&key, c->by_id, (size_t)c->n_items, sizeof(void *), compare_ids);
    return found ? *found : NULL;
}

static int64_t tokens_of(const json_t *entry, const char *key) {
    const json_int_t n = json_integer_value(json_object_get(entry, key));
    return n >= 0 && n <= TT_MOST_TOKENS ? n : 0;
}

// An answer of the journal counts if this question would be asked just that now.
static tt_status take_entry(void *context, const json_t *entry) {
    tt_collection *c = context;
    asked *a = find_item(c, json_string_value(json_object_get(entry, "question")));
    const int64_t prompt = tokens_of(entry, "prompt_tokens"), written = tokens_of(entry, "completion_tokens");
    count_usage(c, prompt, written);
    if (!a) return TT_OK; // beyond the limit, or a question that is gone
    tt_str system = {0}, user = {0};
    char wanted[20] = "";
    tt_status status = make_messages(c, a, &system, &user);
    if (status == TT_OK)
        snprintf(wanted, sizeof wanted, "%016llx",
            (unsigned long long)hash_request(c, a, system.data, user.data, missing_choices(c, a)));
    tt_str_close(&system);
    tt_str_close(&user);
    TT_TRY(status);
    const char *kept = json_string_value(json_object_get(entry, "request"));
    if (!kept || strcmp(kept, wanted) != 0) {
        ++c->stale;
        return TT_OK;
    }
    a->prompt_tokens += prompt;
    a->completion_tokens += written;
    const json_t *choices = json_object_get(entry, "choices"), *choice;
    const int first = a->n;
    size_t i;
    json_array_foreach(choices, i, choice) {
        const tt_teacher_text text = {.text = json_string_value(json_object_get(choice, "text")),
            .cut = json_is_true(json_object_get(choice, "cut")),
            .refused = json_is_true(json_object_get(choice, "refused")),
            .json = message_rules(c).json};
        TT_TRY(take_choice(c, a, &text));
    }
    return end_round(c, a, first);
}

static void close_pending(tt_collection *c, pending *p) {
    c->money_pending -= p->money;
    if (p->next) p->next->previous = p->previous;
    *(p->previous ? &p->previous->next : &c->on_the_way) = p->next;
    free_pending(p);
}

static tt_status next_request(void *context, tt_client_request *out, bool *have) {
    tt_collection *c = context;
    const tt_teach_plan *plan = c->options.plan;
    *have = false;
    if (c->queue_n == 0 || c->out_of_budget) return TT_OK;
    asked *a = &c->items[c->queue[c->queue_first]];
    pending *p;
    TT_TRY(tt_alloc(&p, 1, sizeof *p, "request"));
    p->question = a;
    p->n = missing_choices(c, a);
    tt_status status = make_messages(c, a, &p->system, &p->user);
    const int64_t system = llround(c->system_tokens * (double)p->system.length);
    int64_t user = 0;
    if (status == TT_OK) status = count_tokens(c->options.tokenizer, p->user.data, &user);
    const double answers = c->answer_tokens * p->n;
    p->money = tt_price_of(&c->options.price, system + user, llround(answers));
    if (status == TT_OK && plan->budget > 0 && !c->paid &&
        c->money + c->money_pending + p->money > plan->budget)
        c->out_of_budget = true;
    if (status != TT_OK || c->out_of_budget) {
        free_pending(p);
        return status;
    }
    p->hash = hash_request(c, a, p->system.data, p->user.data, p->n);
    tt_teach_batch_id(p->id, a->question->id, p->hash);
    p->next = c->on_the_way;
    if (p->next) p->next->previous = p;
    c->on_the_way = p;
    c->money_pending += p->money;
    c->queue_first = (c->queue_first + 1) % (c->n_items + 1);
    --c->queue_n;
    a->waiting = true;
    *out = (tt_client_request){.chat = {.model = plan->model,
                                   .system = p->system.data,
                                   .user = p->user.data,
                                   .n = p->n,
                                   .max_tokens = (int)a->max_tokens,
                                   .temperature = plan->temperature,
                                   .seed = (plan->seed - 1) * 1000 + 128 * a->rounds,
                                   .json_options = message_rules(c).json ? a->question->n_options : 0},
        .tokens = (double)(system + user) + answers,
        .id = p->id,
        .context = p};
    *have = true;
    return TT_OK;
}

static void enqueue_question(tt_collection *c, asked *a) {
    if (missing_choices(c, a) == 0) return;
    c->queue[(c->queue_first + c->queue_n++) % (c->n_items + 1)] = (int)(a - c->items);
}

static json_t *entry_of(const pending *p, const tt_completion *completion, int64_t prompt, int64_t written) {
    char request[20];
    const asked *a = p->question;
    snprintf(request, sizeof request, "%016llx", (unsigned long long)p->hash);
    json_t *choices = json_array();
    for (int i = 0; i < completion->n; ++i) {
        const tt_completion_choice *choice = &completion->choices[i];
        json_t *object = json_pack("{s:s}", "text", choice->text);
        if (choice->reasoning) json_object_set_new(object, "reasoning", json_string(choice->reasoning));
        if (choice->cut) json_object_set_new(object, "cut", json_true());
        if (choice->refused) json_object_set_new(object, "refused", json_true());
        json_array_append_new(choices, object);
    }
    return json_pack("{s:s, s:i, s:s, s:i, s:I, s:o, s:I, s:I}", "question", a->question->id, "round",
        a->rounds + 1, "request", request, "n", p->n, "max_tokens", (json_int_t)a->max_tokens, "choices",
        choices, "prompt_tokens", (json_int_t)prompt, "completion_tokens", (json_int_t)written);
}

static tt_status take_answer(
    void *context, const tt_client_request *request, const tt_completion *completion) {
    tt_collection *c = context;
    pending *p = request->context;
    asked *a = p->question;
    // Endpoints that do not count are counted for.
    int64_t prompt = completion->prompt_tokens, written = completion->completion_tokens;
    if (prompt < 0 || written < 0) {
        written = llround(c->answer_tokens * completion->n);
        prompt = llround(request->tokens) - llround(c->answer_tokens * p->n);
    }
    json_t *entry = entry_of(p, completion, prompt, written);
    tt_status status =
        entry ? tt_journal_append(c->journal, entry) : tt_fail(TT_ERR_NOMEM, "out of memory for an answer");
    json_decref(entry);
    const int first = a->n;
    for (int i = 0; i < completion->n && status == TT_OK; ++i) {
        const tt_completion_choice *choice = &completion->choices[i];
        status = take_choice(c, a,
            &(tt_teacher_text){.text = choice->text,
                .cut = choice->cut,
                .refused = choice->refused,
                .json = message_rules(c).json});
    }
    close_pending(c, p);
    TT_TRY(status);
    count_usage(c, prompt, written);
    a->prompt_tokens += prompt;
    a->completion_tokens += written;
    TT_TRY(end_round(c, a, first));
    enqueue_question(c, a);
    return TT_OK;
}

static tt_status take_failure(void *context, const tt_client_request *request, const char *why) {
    tt_collection *c = context;
    pending *p = request->context;
    if (c->failed++ < 5)
        tt_warn("question %s: %s; the next run asks it again", p->question->question->id, why);
    p->question->failed = true;
    p->question->waiting = false;
    close_pending(c, p);
    return TT_OK;
}

static void show_progress(void *context, const tt_client_counts *counts) {
    tt_collection *c = context;
    int64_t answered = 0, accepted = 0;
    c->counts = *counts;
    for (int i = 0; i < c->n_items; ++i) {
        answered += c->items[i].rounds > 0;
        accepted += c->items[i].n_kept;
    }
    tt_str note = {0};
    tt_str_format(&note, "%lld kept", (long long)accepted);
    if (c->options.price.known && c->money > 0)
        tt_str_format(&note, "  %.2f %s", c->money, c->options.price.currency);
    for (int t = 0; t < TT_TROUBLES; ++t)
        if (counts->trouble[t])
            tt_str_format(&note, "  %s %lld", tt_trouble_word((tt_trouble)t), (long long)counts->trouble[t]);
    tt_progress_update(&c->progress, answered, "%s", tt_str_text(&note));
    tt_str_close(&note);
}

// What answers depend on.
static json_t *identity_of(const tt_collection *c) {
    const tt_teach_plan *plan = c->options.plan;
    char prompts[20];
    snprintf(prompts, sizeof prompts, "%016llx", (unsigned long long)c->options.pool->hash);
    return json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:f}", "model", plan->model, "format",
        plan->format, "prompts", prompts, "exemplars", (json_int_t)plan->exemplars, "n_augment",
        (json_int_t)plan->n_augment, "choices", (json_int_t)plan->choices, "rounds", (json_int_t)plan->rounds,
        "max_tokens", (json_int_t)plan->max_tokens, "seed", (json_int_t)plan->seed, "temperature",
        plan->temperature);
}

// How requests reach a teacher and answers come back.
typedef tt_status (*transport)(void *context, const tt_client_caller *caller);

static tt_status ask_missing(tt_collection *c, transport ask, void *context) {
    int64_t before = 0;
    for (int i = 0; i < c->n_items; ++i) {
        before += c->items[i].rounds > 0;
        enqueue_question(c, &c->items[i]);
    }
    if (c->stale)
        tt_warn("%s: %lld answers belong to other questions or prompts and are left out",
            c->options.plan->journal, (long long)c->stale);
    const tt_client_caller caller = {.context = c,
        .next = next_request,
        .answered = take_answer,
        .failed = take_failure,
        .tick = show_progress};
    tt_progress_open(&c->progress, "teacher", "questions", c->n_items, before);
    tt_status status = ask(context, &caller);
    tt_progress_close(&c->progress);
    const tt_status synced = tt_journal_sync(c->journal);
    return status == TT_OK ? synced : status;
}

static tt_status run_collection(tt_collection *c, transport ask, void *context) {
    json_t *identity = identity_of(c);
    if (!identity) return tt_fail(TT_ERR_NOMEM, "out of memory for a journal");
    tt_status status = tt_journal_open(&c->journal, c->options.plan->journal, identity, take_entry, c);
    json_decref(identity);
    return status == TT_OK ? ask_missing(c, ask, context) : status;
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
    return a->collection->queue_n == 0 ? TT_OK : tt_client_run(a->client, caller);
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
    return run_collection(c, export_requests, &a);
}

static tt_status import_answers(void *context, const tt_client_caller *caller) {
    const asking *a = context;
    return tt_teach_batch_read(a->files, a->n_files, caller, a->imported);
}

tt_status tt_collection_import(
    tt_collection *c, const char *const *files, int n, tt_teach_batch_import *out) {
    asking a = {.collection = c, .files = files, .n_files = n, .imported = out};
    c->paid = true;
    return run_collection(c, import_answers, &a);
}

tt_status tt_collection_report_of(tt_collection *c, tt_collection_report *out) {
    *out = (tt_collection_report){.questions = c->n_items,
        .requests = c->requests,
        .failed = c->failed,
        .prompt_tokens = c->prompt_tokens,
        .completion_tokens = c->completion_tokens,
        .money = c->money,
        .out_of_budget = c->out_of_budget,
        .client = c->counts};
    for (int i = 0; i < c->n_items; ++i) {
        const asked *a = &c->items[i];
        out->answered += a->rounds > 0;
        out->with_reasoning += a->n_kept > 0;
        out->reasonings += a->n_kept;
        out->complete += a->n_kept == c->options.plan->n_augment;
        out->relabelled += a->n_kept > 0 && a->choices[a->kept[0]].answer != a->question->gold;
        out->choices += a->n;
        for (int k = 0; k < a->n; ++k) {
            const tt_verdict verdict = a->choices[k].verdict;
            out->verdicts[verdict]++;
            if (verdict != TT_CHOICE_KEPT && !out->examples[verdict]) out->examples[verdict] = a->texts[k];
        }
    }
    return TT_OK;
}

static tt_status add_kept(const tt_collection *c, const asked *a, tt_corpus *out) {
    for (int k = 0; k < a->n_kept; ++k) {
        const tt_teacher_choice *choice = &a->choices[a->kept[k]];
        const tt_reasoning reasoning = {.question = a->index,
            .general = choice->general,
            .specific = (const char *const *)choice->specific,
            .answer = choice->answer,
            .source = c->options.plan->model};
        TT_TRY(tt_corpus_add_reasoning(out, &reasoning));
    }
    return TT_OK;
}

// The beginning of a text, cut between characters.
static json_t *excerpt_of(const char *text) {
    enum { LONGEST = 800 };
    size_t n = strlen(text);
    if (n <= LONGEST) return json_string(text);
    for (n = LONGEST; n > 0 && ((unsigned char)text[n] & 0xC0) == 0x80;) --n;
    return json_stringn(text, n);
}

// What became of all answers, as JSON (data/provenance.h): the same after whatever faults and restarts.
static json_t *describe_counts(tt_collection *c) {
    tt_collection_report r;
    int64_t prompt = 0, written = 0;
    if (tt_collection_report_of(c, &r) != TT_OK) return NULL;
    for (int i = 0; i < c->n_items; ++i) {
        prompt += c->items[i].prompt_tokens;
        written += c->items[i].completion_tokens;
    }
    json_t *verdicts = json_object(), *examples = json_object();
    for (int v = 0; v < TT_VERDICTS; ++v) {
        const char *word = tt_verdict_word((tt_verdict)v);
        if (r.verdicts[v]) json_object_set_new(verdicts, word, json_integer((json_int_t)r.verdicts[v]));
        if (r.examples[v]) json_object_set_new(examples, word, excerpt_of(r.examples[v]));
    }
    json_t *counts = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "questions",
        (json_int_t)r.questions, "answered", (json_int_t)r.answered, "with_reasoning",
        (json_int_t)r.with_reasoning, "complete", (json_int_t)r.complete, "reasonings",
        (json_int_t)r.reasonings, "relabelled", (json_int_t)r.relabelled, "answers", (json_int_t)r.choices,
        "prompt_tokens", (json_int_t)prompt, "completion_tokens", (json_int_t)written, "verdicts", verdicts,
        "examples", examples);
    const tt_price *price = &c->options.price;
    if (counts && price->known) {
        json_object_set_new(counts, "cost", json_real(tt_price_of(price, prompt, written)));
        json_object_set_new(counts, "currency", json_string(price->currency));
    }
    return counts;
}

// Where the reasoning comes from, as JSON.
static tt_status describe_source(tt_collection *c, tt_corpus *out) {
    json_t *teacher = identity_of(c);
    const char *before = c->options.questions->provenance;
    json_t *questions = before ? json_loads(before, JSON_DECODE_ANY, NULL) : NULL;
    if (teacher) {
        json_object_set_new(teacher, "url", json_string(c->options.plan->url));
        json_object_set_new(teacher, "pool", json_string(c->options.pool->name));
        json_object_set_new(teacher, "instruction",
            json_string(
                message_rules(c).json ? c->options.pool->json_instruction : c->options.pool->instruction));
        json_object_set_new(teacher, "counts", describe_counts(c));
    }
    json_t *object = json_pack("{s:o, s:o*}", "teacher", teacher, "questions", questions);
    char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
    json_decref(object);
    if (text) out->provenance = tt_arena_strdup(&out->memory, text);
    free(text);
    return out->provenance ? TT_OK : tt_fail(TT_ERR_NOMEM, "out of memory for a corpus");
}

tt_status tt_collection_corpus(tt_collection *c, tt_corpus *out) {
    const tt_corpus *from = c->options.questions;
    for (size_t i = 0; i < from->n_questions; ++i) TT_TRY(tt_corpus_add_question(out, &from->questions[i]));
    for (int i = 0; i < c->n_items; ++i) TT_TRY(add_kept(c, &c->items[i], out));
    out->name = tt_arena_strdup(&out->memory, from->name ? from->name : "questions");
    if (!out->name) return TT_ERR_NOMEM;
    return describe_source(c, out);
}
