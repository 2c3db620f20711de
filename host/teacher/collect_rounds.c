#include "host/base/memory.h"
#include "host/teacher/collection.h"
#include "host/teacher/selection.h"

#include <stdio.h>
#include <string.h>

enum { MOST_TOKENS = 1000000 }; // as plan.c allows

static void begin_round(const tt_collection *c, tt_asked *a) {
    const tt_teach_plan *plan = c->options.plan;
    const int64_t missing = a->rounds == 0             ? plan->choices
                            : a->rounds < plan->rounds ? plan->n_augment - a->n_kept
                                                       : 0;
    a->begun = a->n;
    a->wanted = (int)(missing < 0 ? 0 : missing < plan->choices ? missing : plan->choices);
}

void tt_asked_begin(const tt_collection *c, tt_asked *a) {
    a->max_tokens = c->options.plan->max_tokens;
    begin_round(c, a);
}

uint64_t tt_asked_hash(const tt_collection *c, const tt_asked *a, const tt_str *system, const tt_str *user) {
    char numbers[120], rest[32] = "";
    if (a->n > a->begun) snprintf(rest, sizeof rest, " %d", a->n - a->begun); // the rest of a round
    snprintf(numbers, sizeof numbers, "%d %d %lld %d%s", a->rounds, tt_asked_missing(a),
        (long long)a->max_tokens, tt_collection_rules(c).json, rest);
    uint64_t hash =
        tt_hash(system->data, system->length) * 0x9E3779B97F4A7C15ull ^ tt_hash(user->data, user->length);
    return hash * 0x9E3779B97F4A7C15ull ^ tt_hash(numbers, strlen(numbers));
}

static void end_round(const tt_collection *c, tt_asked *a) {
    bool cut = false;
    for (int i = a->begun; i < a->n; ++i) cut = cut || a->choices[i].verdict == TT_CHOICE_CUT;
    if (cut) a->max_tokens = a->max_tokens < MOST_TOKENS / 2 ? 2 * a->max_tokens : MOST_TOKENS;
    a->rounds++;
    begin_round(c, a);
}

static tt_status take_choice(tt_collection *c, tt_asked *a, const tt_completion_choice *choice) {
    const tt_teacher_text text = {.text = choice->text,
        .cut = choice->cut,
        .refused = choice->refused,
        .broken = choice->broken,
        .json = tt_collection_rules(c).json};
    TT_TRY(tt_grow(&a->choices, &a->choices_capacity, (size_t)a->n + 1, sizeof *a->choices, "choices"));
    TT_TRY(tt_grow(&a->texts, &a->texts_capacity, (size_t)a->n + 1, sizeof *a->texts, "choices"));
    a->texts[a->n] = tt_arena_strdup(&c->memory, text.text ? text.text : "");
    if (!a->texts[a->n]) return TT_ERR_NOMEM;
    TT_TRY(tt_teacher_read(&a->choices[a->n], &text, a->question->n_options, &c->memory));
    c->usable += a->choices[a->n++].verdict == TT_CHOICE_KEPT;
    c->read++;
    return TT_OK;
}

tt_status tt_asked_take(tt_collection *c, tt_asked *a, const tt_completion *completion) {
    const tt_selection_rules rules = {.n_options = a->question->n_options,
        .gold = a->question->gold,
        .n_augment = (int)c->options.plan->n_augment,
        .seed = (uint64_t)c->options.plan->seed,
        .question = tt_hash(a->question->id, strlen(a->question->id))};
    for (int i = 0; i < completion->n; ++i) TT_TRY(take_choice(c, a, &completion->choices[i]));
    TT_TRY(tt_teacher_select(a->choices, a->n, &rules, a->kept, &a->n_kept));
    if (tt_asked_missing(a) == 0) end_round(c, a);
    return TT_OK;
}

// ---- entries of the journal

// What the request left out of what answers depend on.
static json_t *describe_dialect(const tt_dialect *sent) {
    json_t *list = json_array();
    if (sent->no_temperature) json_array_append_new(list, json_string("temperature"));
    if (sent->no_seed) json_array_append_new(list, json_string("seed"));
    if (sent->no_schema) json_array_append_new(list, json_string("response_format"));
    if (json_array_size(list)) return list;
    json_decref(list);
    return NULL;
}

json_t *tt_asked_entry(const tt_pending *p, const tt_completion *completion, const tt_usage *usage) {
    char request[20];
    const tt_asked *a = p->question;
    snprintf(request, sizeof request, "%016llx", (unsigned long long)p->hash);
    json_t *choices = json_array();
    for (int i = 0; i < completion->n; ++i) {
        const tt_completion_choice *choice = &completion->choices[i];
        json_t *object = json_pack("{s:s}", "text", choice->text);
        if (choice->reasoning) json_object_set_new(object, "reasoning", json_string(choice->reasoning));
        if (choice->cut) json_object_set_new(object, "cut", json_true());
        if (choice->refused) json_object_set_new(object, "refused", json_true());
        if (choice->broken) json_object_set_new(object, "broken", json_true());
        json_array_append_new(choices, object);
    }
    return json_pack("{s:s, s:i, s:s, s:i, s:I, s:o, s:I, s:I, s:o*}", "question", a->question->id, "round",
        a->rounds + 1, "request", request, "n", p->n, "max_tokens", (json_int_t)a->max_tokens, "choices",
        choices, "prompt_tokens", (json_int_t)usage->prompt, "completion_tokens", (json_int_t)usage->written,
        "without", describe_dialect(&completion->sent));
}

static tt_asked *find_item(const tt_collection *c, const char *id) {
    size_t low = 0, high = (size_t)c->n_items;
    while (id && low < high) {
        const size_t middle = low + (high - low) / 2;
        const int order = strcmp(id, c->by_id[middle]->question->id);
        if (order == 0) return c->by_id[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

static int64_t tokens_of(const json_t *entry, const char *key) {
    const int64_t value = tt_completion_tokens(json_integer_value(json_object_get(entry, key)));
    return value > 0 ? value : 0;
}

static tt_status take_choices(tt_collection *c, tt_asked *a, const json_t *choices) {
    const size_t n = json_array_size(choices);
    tt_completion completion = {.n = (int)n};
    TT_TRY(tt_alloc(&completion.choices, n, sizeof *completion.choices, "choices"));
    for (size_t i = 0; i < n; ++i) {
        const json_t *choice = json_array_get(choices, i);
        completion.choices[i] =
            (tt_completion_choice){.text = json_string_value(json_object_get(choice, "text")),
                .cut = json_is_true(json_object_get(choice, "cut")),
                .refused = json_is_true(json_object_get(choice, "refused")),
                .broken = json_is_true(json_object_get(choice, "broken"))};
    }
    const tt_status status = tt_asked_take(c, a, &completion);
    free(completion.choices);
    return status;
}

static void note_dialect(tt_collection *c, const json_t *without) {
    const json_t *word;
    size_t i;
    json_array_foreach(without, i, word) {
        const char *text = json_string_value(word) ? json_string_value(word) : "";
        if (strcmp(text, "temperature") == 0) c->without.no_temperature = true;
        if (strcmp(text, "seed") == 0) c->without.no_seed = true;
        if (strcmp(text, "response_format") == 0) c->without.no_schema = true;
    }
}

tt_status tt_asked_take_entry(void *context, const json_t *entry) {
    tt_collection *c = context;
    tt_asked *a = find_item(c, json_string_value(json_object_get(entry, "question")));
    const json_t *choices = json_object_get(entry, "choices");
    const int n = (int)json_array_size(choices);
    const tt_usage usage = {tokens_of(entry, "prompt_tokens"), tokens_of(entry, "completion_tokens")};
    tt_str system = {0}, user = {0};
    char wanted[20] = "";
    if (n > 0) c->proven = true;
    tt_status status = a ? tt_collection_messages(c, a, &system, &user) : TT_OK;
    tt_collection_spend(c, &usage, n, system.length + user.length);
    // Earlier versions ended a round however many choices had come.
    if (a && a->n > a->begun && json_integer_value(json_object_get(entry, "round")) > a->rounds + 1)
        end_round(c, a);
    if (a && status == TT_OK)
        snprintf(wanted, sizeof wanted, "%016llx", (unsigned long long)tt_asked_hash(c, a, &system, &user));
    tt_str_close(&system);
    tt_str_close(&user);
    if (!a || n == 0 || status != TT_OK)
        return status; // a question that is gone; an answer that only cost something
    const char *kept = json_string_value(json_object_get(entry, "request"));
    if (!kept || strcmp(kept, wanted) != 0) {
        ++c->stale;
        return TT_OK;
    }
    a->prompt_tokens += usage.prompt;
    a->completion_tokens += usage.written;
    note_dialect(c, json_object_get(entry, "without"));
    return take_choices(c, a, choices);
}
