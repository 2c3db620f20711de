#include "host/base/memory.h"
#include "host/teacher/collection.h"
#include "host/teacher/outside.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { USELESS = 50 }; // choices, none of them usable, after which a run ends

void tt_collection_enqueue(tt_collection *c, tt_asked *a, bool first) {
    const int size = c->n_items + 1, item = (int)(a - c->items);
    if (tt_asked_missing(a) == 0) return;
    ++c->queue_n;
    if (first)
        c->queue[c->queue_first = (c->queue_first + size - 1) % size] = item;
    else
        c->queue[(c->queue_first + c->queue_n - 1) % size] = item;
}

void tt_collection_drop_pending(tt_collection *c, tt_pending *p) {
    c->money_pending -= p->money;
    if (p->next) p->next->previous = p->previous;
    *(p->previous ? &p->previous->next : &c->on_the_way) = p->next;
    --c->n_on_the_way;
    tt_str_close(&p->system);
    tt_str_close(&p->user);
    free(p);
}

static void add_pending(tt_collection *c, tt_pending *p) {
    p->next = c->on_the_way;
    if (p->next) p->next->previous = p;
    c->on_the_way = p;
    ++c->n_on_the_way;
    c->money_pending += p->money;
}

// ---- the next request

static tt_status write_request(tt_collection *c, tt_pending *p) {
    int64_t user;
    tt_asked *a = p->question;
    p->n = tt_asked_missing(a);
    TT_TRY(tt_collection_messages(c, a, &p->system, &p->user));
    TT_TRY(tt_collection_count_tokens(c, p->user.data, &user));
    p->prompt = llround(c->system_tokens * (double)p->system.length) + user;
    p->money = tt_collection_most(c, p, a->max_tokens);
    p->hash = tt_asked_hash(c, a, &p->system, &p->user);
    tt_teach_batch_id(p->id, a->question->id, p->hash);
    return TT_OK;
}

// Whether the budget covers the request besides those on their way. Where it does not, what comes of these may leave
// enough. Before anything is known of what answers cost, one request tries it.
static bool is_covered(tt_collection *c, const tt_pending *p) {
    const double budget = c->options.plan->budget;
    const bool alone = c->n_on_the_way == 0;
    if (budget <= 0 || c->paid) return true;
    if (!alone && c->requests == 0 && !c->batches) return false;
    if (c->money + c->money_pending + p->money <= budget) return true;
    if (alone || c->batches) c->out_of_budget = true;
    return false;
}

static tt_status reserve_entry(tt_collection *c, const tt_pending *p) {
    const double letters = 8 * c->answer_tokens * p->n; // a token has four or five, JSON adds some
    if (c->batches || !c->journal) return TT_OK;
    return tt_journal_reserve(c->journal, c->n_on_the_way + 1, 512 + (size_t)letters);
}

static void fill_request(tt_collection *c, tt_pending *p, tt_client_request *out) {
    const tt_teach_plan *plan = c->options.plan;
    const tt_asked *a = p->question;
    const bool seed = strcmp(plan->request_seed, "send") == 0;
    const int answers = c->counts.no_n ? 1 : p->n;
    *out = (tt_client_request){
        .chat = {.model = plan->model,
            .system = p->system.data,
            .user = p->user.data,
            .n = p->n,
            .max_tokens = (int)a->max_tokens,
            .temperature = plan->temperature,
            .seed = seed ? (plan->seed - 1) * 1000 + 128 * a->rounds + (a->n - a->begun) : -1,
            .json_options = tt_collection_rules(c).json ? a->question->n_options : 0},
        .tokens = (double)p->prompt + c->answer_tokens * answers,
        .id = p->id,
        .context = p};
}

static tt_status next_request(void *context, tt_client_request *out, bool *have) {
    tt_collection *c = context;
    *have = false;
    if (c->queue_n == 0 || c->out_of_budget) return TT_OK;
    tt_pending *p;
    TT_TRY(tt_alloc(&p, 1, sizeof *p, "request"));
    p->question = &c->items[c->queue[c->queue_first]];
    tt_status status = write_request(c, p);
    const bool covered = status == TT_OK && is_covered(c, p);
    if (covered) status = reserve_entry(c, p);
    if (status == TT_OK && covered) {
        add_pending(c, p);
        c->queue_first = (c->queue_first + 1) % (c->n_items + 1);
        --c->queue_n;
        fill_request(c, p, out);
        *have = true;
        return TT_OK;
    }
    tt_str_close(&p->system);
    tt_str_close(&p->user);
    free(p);
    return status;
}

// ---- what becomes of it

// What is not counted by the endpoint is estimated.
static tt_usage usage_of(const tt_collection *c, const tt_pending *p, const tt_completion *completion) {
    const int64_t prompt = completion->prompt_tokens, written = completion->completion_tokens;
    return (tt_usage){
        prompt >= 0 ? prompt : p->prompt, written >= 0 ? written : llround(c->answer_tokens * completion->n)};
}

static tt_status keep_entry(
    tt_collection *c, const tt_pending *p, const tt_completion *completion, const tt_usage *usage) {
    json_t *entry = tt_asked_entry(p, completion, usage);
    const tt_status status =
        entry ? tt_journal_append(c->journal, entry) : tt_fail(TT_ERR_NOMEM, "out of memory for an answer");
    json_decref(entry);
    if (status == TT_OK) tt_collection_spend(c, usage, completion->n, p->system.length + p->user.length);
    return status;
}

// A teacher that never answers as it is asked to is paid for nothing.
static tt_status check_usable(const tt_collection *c, const tt_asked *a) {
    char text[240];
    if (c->paid || c->usable > 0 || c->read < USELESS || a->n == 0) return TT_OK;
    const tt_verdict verdict = a->choices[a->n - 1].verdict;
    tt_outside_excerpt(text, sizeof text, a->texts[a->n - 1]);
    return tt_fail(TT_ERR_INPUT,
        "none of the first %lld answers can be used; nothing more is asked. The last one %s: \"%s\". Try "
        "another model, format, prompts or max_tokens, with --limit 5",
        (long long)c->read, tt_verdict_meaning(verdict), text);
}

static tt_status take_completion(tt_collection *c, tt_pending *p, const tt_completion *completion) {
    tt_asked *a = p->question;
    const tt_usage usage = usage_of(c, p, completion);
    tt_status status = keep_entry(c, p, completion, &usage);
    tt_collection_drop_pending(c, p);
    TT_TRY(status);
    a->prompt_tokens += usage.prompt;
    a->completion_tokens += usage.written;
    const int rounds = a->rounds;
    TT_TRY(tt_asked_take(c, a, completion));
    tt_collection_enqueue(c, a, a->rounds == rounds); // the rest of a round before other questions
    return check_usable(c, a);
}

static tt_status take_answer(
    void *context, const tt_client_request *request, const tt_completion *completion) {
    tt_collection *c = context;
    const tt_dialect *sent = &completion->sent;
    c->counts.no_n = c->counts.no_n || sent->no_n;
    c->without.no_temperature = c->without.no_temperature || sent->no_temperature;
    c->without.no_seed = c->without.no_seed || sent->no_seed;
    c->without.no_schema = c->without.no_schema || sent->no_schema;
    c->proven = true;
    // Now refusals are the requests' own.
    while (c->n_doubtful > 0) tt_collection_enqueue(c, c->doubtful[--c->n_doubtful], false);
    return take_completion(c, request->context, completion);
}

static tt_status take_failure(void *context, const tt_client_request *request, const char *why) {
    tt_collection *c = context;
    tt_pending *p = request->context;
    if (c->failed++ < 5)
        tt_warn("question %s: %s; the next run asks it again", p->question->question->id, why);
    tt_collection_drop_pending(c, p);
    return TT_OK;
}

tt_status tt_collection_fail_doubts(const tt_collection *c) {
    return tt_fail(TT_ERR_CONFIG, "%s: refuses requests: %s", tt_str_text(&c->address), c->doubt);
}

// Nothing was ever answered: as likely as not the endpoint refuses everything.
static tt_status take_doubt(tt_collection *c, tt_pending *p, const char *why) {
    const bool full = c->n_doubtful == TT_DOUBTS; // those that were on their way when the run ended
    snprintf(c->doubt, sizeof c->doubt, "%s", why);
    if (!full) c->doubtful[c->n_doubtful++] = p->question;
    tt_collection_drop_pending(c, p);
    return c->n_doubtful < TT_DOUBTS ? TT_OK : tt_collection_fail_doubts(c);
}

// A refusal is an answer: it is kept, so that it stops nothing and is asked for only as often as other answers.
static tt_status take_refusal(void *context, const tt_client_request *request, const char *why) {
    tt_collection *c = context;
    tt_pending *p = request->context;
    if (!c->proven && c->paid) return take_failure(context, request, why);
    if (!c->proven) return take_doubt(c, p, why);
    tt_completion_choice *choices;
    const int n = p->n;
    TT_TRY(tt_alloc(&choices, (size_t)n, sizeof *choices, "choices"));
    for (int i = 0; i < n; ++i) choices[i] = (tt_completion_choice){.text = why, .refused = true};
    const tt_status status = take_completion(c, p, &(tt_completion){.choices = choices, .n = n});
    free(choices);
    return status;
}

static tt_status take_cost(
    void *context, const tt_client_request *request, const tt_completion *completion, bool *again) {
    tt_collection *c = context;
    tt_pending *p = request->context;
    const double budget = c->options.plan->budget;
    const tt_usage usage = usage_of(c, p, completion);
    TT_TRY(keep_entry(c, p, completion, &usage));
    c->money_pending -= p->money;
    p->money = tt_collection_most(c, p, p->question->max_tokens);
    c->money_pending += p->money;
    *again = budget <= 0 || c->money + c->money_pending <= budget;
    if (*again) return TT_OK;
    tt_collection_enqueue(c, p->question, true); // next_request decides
    tt_collection_drop_pending(c, p);
    return TT_OK;
}

static void print_tokens(tt_str *out, int64_t n) {
    if (n < 100000)
        tt_str_format(out, "  %lld tokens", (long long)n);
    else
        tt_str_format(out, n < 100000000 ? "  %.1f M tokens" : "  %.0f M tokens", (double)n / 1e6);
}

static void show_progress(void *context, const tt_client_counts *counts) {
    tt_collection *c = context;
    int64_t answered = 0, accepted = 0;
    c->counts = *counts;
    for (int i = 0; i < c->n_asked; ++i) {
        answered += c->items[i].rounds > 0;
        accepted += c->items[i].n_kept;
    }
    tt_str note = {0};
    tt_str_format(&note, "%lld kept", (long long)accepted);
    print_tokens(&note, c->prompt_tokens + c->completion_tokens);
    if (c->options.price.known && c->money > 0)
        tt_str_format(&note, "  %.2f %s", c->money, c->options.price.currency);
    if (counts->failed) tt_str_format(&note, "  failed %lld", (long long)counts->failed);
    for (int t = 0; t < TT_TROUBLES; ++t)
        if (counts->trouble[t])
            tt_str_format(&note, "  %s %lld", tt_trouble_word((tt_trouble)t), (long long)counts->trouble[t]);
    tt_progress_update(&c->progress, answered, "%s", tt_str_text(&note));
    tt_str_close(&note);
}

tt_client_caller tt_collection_caller(tt_collection *c) {
    return (tt_client_caller){.context = c,
        .next = next_request,
        .answered = take_answer,
        .refused = take_refusal,
        .failed = take_failure,
        .spent = take_cost,
        .tick = show_progress};
}
