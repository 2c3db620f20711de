#include "host/teacher/plan.h"

#include "host/base/str.h"
#include "host/config/document.h"
#include "host/config/words.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

typedef enum row_type { ROW_TEXT, ROW_INTEGER, ROW_REAL } row_type;

typedef struct row {
    const char *key;
    row_type type;
    size_t offset;
    const char *initial, *help;
    double low, high;
    const char *words; // allowed texts, "a|b"; NULL = any
} row;

// The offset of a field, and a compile error where the field has another type than the row says.
#define FIELD(type_, field) _Generic(&((tt_teach_plan *)0)->field, type_ * : offsetof(tt_teach_plan, field))
#define TEXT(field, initial_, words_, help_)                                                                 \
    {                                                                                                        \
        .key = #field, .type = ROW_TEXT, .offset = FIELD(const char *, field), .initial = initial_,          \
        .words = words_, .help = help_                                                                       \
    }
#define INTEGER(field, initial_, low_, high_, help_)                                                         \
    {                                                                                                        \
        .key = #field, .type = ROW_INTEGER, .offset = FIELD(int64_t, field), .initial = initial_,            \
        .low = low_, .high = high_, .help = help_                                                            \
    }
#define REAL(field, initial_, low_, high_, help_)                                                            \
    {                                                                                                        \
        .key = #field, .type = ROW_REAL, .offset = FIELD(double, field), .initial = initial_, .low = low_,   \
        .high = high_, .help = help_                                                                         \
    }

static const row rows[] = {
    TEXT(questions, "", NULL, "Corpus .h5 whose training questions are asked."),
    TEXT(corpus, "", NULL, "Corpus .h5 to write: the same questions with the teacher's reasoning."),
    TEXT(journal, "", NULL,
        "File that keeps every answer as it comes. Empty = the corpus's name with .journal.jsonl."),
    TEXT(prompts, "", NULL, "Pool of exemplars with its instruction, e.g. datasets/prompts/csqa.yaml."),
    TEXT(url, "https://api.openai.com/v1", NULL, "Address of an OpenAI-compatible endpoint, up to /v1."),
    TEXT(model, "", NULL, "Name of the teacher at that endpoint."),
    TEXT(key_variable, "OPENAI_API_KEY", NULL,
        "Environment variable that holds the key. Where it is not set, no key is sent (local servers need "
        "none)."),
    TEXT(format, "text", "text|json",
        "Format of answers: the paper's text, or a JSON schema where the endpoint has it."),
    INTEGER(exemplars, "8", 0, 1000,
        "Exemplars in a request, drawn from the pool for each question. Of this and the next three keys, the "
        "prompts may have other defaults."),
    INTEGER(n_augment, "8", 1, 1000, "Reasonings to keep of each question, at most."),
    INTEGER(choices, "8", 1, 128, "Answers asked for in one request."),
    INTEGER(rounds, "3", 1, 100, "Rounds of requests; later ones ask for what is missing."),
    REAL(temperature, "0.8", 0, 2, "Sampling temperature of the teacher."),
    INTEGER(max_tokens, "256", 1, 1e6,
        "Tokens of an answer. The round after one that was cut asks for twice as many."),
    INTEGER(seed, "1", 1, 9e12, "Seed for every random choice: exemplars, selection, jitter."),
    TEXT(request_seed, "send", "send|omit", "Whether requests have a seed; some endpoints refuse it."),
    INTEGER(in_flight, "64", 1, 4096, "Requests on their way at a time."),
    INTEGER(requests_per_minute, "0", 0, 1e9, "Limit of requests a minute. 0 = the endpoint's own."),
    INTEGER(tokens_per_minute, "0", 0, 1e12,
        "Limit of tokens a minute, prompts and answers. 0 = the endpoint's own."),
    REAL(timeout, "120", 0.01, 86400, "Seconds that one attempt may take."),
    REAL(longest_wait, "600", 0, 1e7,
        "Seconds that the endpoint may ask to wait; if it asks for more, the run ends in order."),
    INTEGER(attempts, "6", 1, 1000, "Attempts of a request before it counts as failed."),
    REAL(budget, "0", 0, 1e9, "Money to spend at most, in the price table's currency. 0 = no limit."),
    // The provider's limits: "up to 50,000 requests, and a batch input file can be up to 200 MB in size" (OpenAI, Batch API).
    INTEGER(batch_requests, "50000", 1, 1e9, "Requests in a batch file, at most."),
    REAL(batch_megabytes, "200", 0.001, 1e6, "Size of a batch file in millions of bytes, at most."),
    TEXT(batch_limit, "max_tokens", "max_tokens|max_completion_tokens",
        "Name of the limit of an answer's tokens in batch files. Newer models of OpenAI refuse max_tokens; "
        "where an "
        "endpoint is asked directly, this is found out."),
    TEXT(prices, "datasets/prompts/prices.yaml", NULL, "Price table, for the estimate and the budget."),
    TEXT(tokenizer, "datasets/everyday/student.h5", NULL,
        "SentencePiece .model, or a student .h5, by which tokens are estimated."),
};
enum { ROWS = sizeof rows / sizeof *rows };
_Static_assert(ROWS <= sizeof((tt_teach_plan *)0)->set, "tt_teach_plan.set is too small");

static const row *find_row(const char *key) {
    for (int r = 0; r < ROWS; ++r)
        if (strcmp(rows[r].key, key) == 0) return &rows[r];
    return NULL;
}

// Errors say key and what is wrong, without a place.
static tt_status set_row(tt_teach_plan *plan, const row *r, const char *text) {
    void *field = (char *)plan + r->offset;
    if (r->type == ROW_TEXT) {
        if (r->words) TT_TRY(tt_word_check(TT_ERR_CONFIG, r->key, r->words, text));
        const char *copy = tt_arena_strdup(&plan->memory, text);
        if (!copy) return TT_ERR_NOMEM;
        *(const char **)field = copy;
        return TT_OK;
    }
    const tt_number_range range = {.low = r->low, .high = r->high, .whole = r->type == ROW_INTEGER};
    double value;
    TT_TRY(tt_number_read(r->key, text, &range, &value));
    if (range.whole)
        *(int64_t *)field = (int64_t)value;
    else
        *(double *)field = value;
    return TT_OK;
}

// The text of a YAML scalar as set_row takes it. Nothing is an empty text where that is the key's default.
static tt_status text_of(const row *r, tt_document_node *node, const char **out) {
    if (r->type != ROW_TEXT)
        return tt_plain_of(r->key, r->type == ROW_INTEGER ? "a whole number" : "a number", node, out);
    *out = "";
    if (tt_scalar_of(node).kind == TT_SCALAR_NULL && !*r->initial) return TT_OK;
    return tt_string_of(r->key, node, out);
}

static tt_status read_file(tt_teach_plan *plan, const char *path) {
    const char *keys[ROWS];
    tt_document yaml;
    for (int r = 0; r < ROWS; ++r) keys[r] = rows[r].key;
    TT_TRY(tt_document_open(&yaml, path));
    tt_status status = tt_document_check_keys(&yaml, tt_document_root(&yaml), "teach", keys, ROWS);
    for (int r = 0; r < ROWS && status == TT_OK; ++r) {
        tt_document_node *node = tt_document_find(&yaml, tt_document_root(&yaml), rows[r].key);
        const char *text;
        if (!node) continue;
        plan->set[r] = true;
        status = text_of(&rows[r], node, &text);
        if (status == TT_OK) status = set_row(plan, &rows[r], text);
        if (status != TT_OK) status = tt_context(TT_ERR_CONFIG, "%s:%d", path, tt_document_line(node));
    }
    tt_document_close(&yaml);
    return status;
}

static tt_status apply_override(tt_teach_plan *plan, const char *text) {
    const char *equals = strchr(text, '='), *names[ROWS];
    char key[64];
    if (!equals || (size_t)(equals - text) >= sizeof key)
        return tt_fail(TT_ERR_CONFIG, "--set %.*s: expected KEY=VALUE", (int)strcspn(text, "="), text);
    snprintf(key, sizeof key, "%.*s", (int)(equals - text), text);
    const row *r = find_row(key);
    for (int i = 0; i < ROWS; ++i) names[i] = rows[i].key;
    const char *near = r ? NULL : tt_nearest(key, names, ROWS);
    if (!r)
        return tt_fail(TT_ERR_CONFIG, "--set: unknown key '%s'%s%s%s", key, near ? "; did you mean " : "",
            near ? near : "", near ? "?" : "");
    plan->set[r - rows] = true;
    return set_row(plan, r, equals + 1) == TT_OK ? TT_OK : tt_context(TT_ERR_CONFIG, "--set");
}

// A key in place of its variable's name must not be printed.
static tt_status check_variable(const char *name) {
    const size_t n = strlen(name);
    if (n > 0 && n <= 64 && strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == n) return TT_OK;
    return tt_fail(TT_ERR_CONFIG,
        "key_variable: expected the name of an environment variable, of capitals, digits and _, such as "
        "OPENAI_API_KEY; the key itself belongs into that variable");
}

static tt_status check_plan(tt_teach_plan *plan) {
    const struct {
        const char *key, *value;
    } needed[] = {{"questions", plan->questions}, {"corpus", plan->corpus}, {"prompts", plan->prompts},
        {"model", plan->model}};
    for (int i = 0; i < 4; ++i)
        if (!*needed[i].value) return tt_fail(TT_ERR_CONFIG, "%s: is missing", needed[i].key);
    TT_TRY(check_variable(plan->key_variable));
    if (*plan->journal) return TT_OK;
    tt_str name = {0};
    tt_str_append(&name, plan->corpus);
    if (name.length > 3 && strcmp(name.data + name.length - 3, ".h5") == 0)
        name.data[name.length -= 3] = '\0';
    tt_str_append(&name, ".journal.jsonl");
    tt_status status = tt_str_status(&name);
    if (status == TT_OK && !(plan->journal = tt_arena_strdup(&plan->memory, name.data)))
        status = TT_ERR_NOMEM;
    tt_str_close(&name);
    return status;
}

tt_status tt_teach_plan_load(
    tt_teach_plan *out, const char *path, const char *const *overrides, int n_overrides) {
    *out = (tt_teach_plan){0};
    tt_status status = TT_OK;
    for (int r = 0; r < ROWS && status == TT_OK; ++r) status = set_row(out, &rows[r], rows[r].initial);
    if (status == TT_OK) status = read_file(out, path);
    for (int i = 0; i < n_overrides && status == TT_OK; ++i) status = apply_override(out, overrides[i]);
    if (status == TT_OK && check_plan(out) != TT_OK) status = tt_context(TT_ERR_CONFIG, "%s", path);
    if (status != TT_OK) tt_teach_plan_close(out);
    return status;
}

tt_status tt_teach_plan_default(tt_teach_plan *plan, const char *key, const char *value, const char *where) {
    const row *r = find_row(key);
    if (!r || plan->set[r - rows]) return TT_OK;
    return set_row(plan, r, value) == TT_OK ? TT_OK : tt_context(TT_ERR_CONFIG, "%s: defaults", where);
}

bool tt_teach_plan_sets(const tt_teach_plan *plan, const char *key) {
    const row *r = find_row(key);
    return r && plan->set[r - rows];
}

void tt_teach_plan_close(tt_teach_plan *plan) {
    tt_arena_close(&plan->memory);
    *plan = (tt_teach_plan){0};
}

void tt_teach_plan_help(FILE *out) {
    for (int r = 0; r < ROWS; ++r) {
        fprintf(out, "%s  (%s", rows[r].key,
            rows[r].type == ROW_TEXT   ? "text"
            : rows[r].type == ROW_REAL ? "number"
                                       : "whole number");
        fprintf(out, *rows[r].initial ? ", default %s)\n" : ")\n", rows[r].initial);
        fprintf(out, "    %s%s%s%s\n", rows[r].help, rows[r].words ? " (" : "",
            rows[r].words ? rows[r].words : "", rows[r].words ? ")" : "");
    }
}
