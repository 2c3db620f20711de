#include "host/teacher/pool.h"

#include "host/base/fs.h"
#include "host/base/memory.h"
#include "host/base/philox.h"
#include "host/config/document.h"
#include "host/teacher/answer.h"
#include "host/text/stages.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static tt_status read_texts(
    tt_document *yaml, tt_document_node *list, const char *key, tt_arena *memory, const char ***out, int *n) {
    TT_TRY(tt_document_list(yaml, list, key, n));
    if (!(*out = tt_arena_alloc(memory, ((size_t)*n + 1) * sizeof **out))) return TT_ERR_NOMEM;
    for (int i = 0; i < *n; ++i)
        TT_TRY(tt_document_text(yaml, tt_document_item(yaml, list, i), key, memory, &(*out)[i]));
    return TT_OK;
}

static void append_options(tt_str *out, const char *question, const char *const *options, int n) {
    tt_str_format(out, "%s\nOptions: ", question);
    for (int o = 0; o < n; ++o) tt_str_format(out, "%s%c. %s", o ? ", " : "", 'A' + o, options[o]);
    tt_str_append(out, "\n");
}

// The answer that the exemplar shows, as a teacher would write it.
static void append_answer(tt_str *out, const tt_exemplar *e) {
    tt_str_format(out, "Key Information: %s\nExplanations: ", e->key_information);
    for (int o = 0; o < e->n_options; ++o) tt_str_format(out, "%s%s", o ? "\n" : "", e->explanations[o]);
}

// An exemplar must be an answer that we would accept.
static tt_status check_exemplar(tt_document *yaml, tt_document_node *node, tt_exemplar *e, tt_arena *memory) {
    tt_str text = {0};
    tt_teacher_choice choice;
    append_answer(&text, e);
    tt_status status = tt_str_status(&text);
    if (status == TT_OK)
        status = tt_teacher_read(&choice, &(tt_teacher_text){.text = text.data}, e->n_options, memory);
    tt_str_close(&text);
    TT_TRY(status);
    if (choice.verdict != TT_CHOICE_KEPT)
        return tt_document_fail(yaml, node, "exemplar: %s", tt_verdict_meaning(choice.verdict));
    for (int o = 0; o < e->n_options; ++o)
        if (!choice.specific[o] || *e->explanations[o] != 'A' + o)
            return tt_document_fail(yaml, node,
                "exemplar: explanation %d must begin with option %c: \"%c is ...\"", o + 1, 'A' + o, 'A' + o);
    e->reasons = choice.specific;
    e->answer = choice.answer;
    return TT_OK;
}

static tt_status read_exemplar(tt_document *yaml, tt_document_node *node, tt_exemplar *e, tt_arena *memory) {
    static const char *const keys[] = {"question", "options", "key_information", "explanations"};
    tt_document_node *values[4];
    int explanations;
    TT_TRY(tt_document_check_keys(yaml, node, "exemplar", keys, 4));
    for (int k = 0; k < 4; ++k)
        if (!(values[k] = tt_document_find(yaml, node, keys[k])))
            return tt_document_fail(yaml, node, "exemplar: %s is missing", keys[k]);
    TT_TRY(tt_document_text(yaml, values[0], keys[0], memory, &e->question));
    TT_TRY(read_texts(yaml, values[1], keys[1], memory, &e->options, &e->n_options));
    TT_TRY(tt_document_text(yaml, values[2], keys[2], memory, &e->key_information));
    TT_TRY(read_texts(yaml, values[3], keys[3], memory, &e->explanations, &explanations));
    if (e->n_options < TT_MIN_OPTIONS || e->n_options > TT_MAX_OPTIONS)
        return tt_document_fail(yaml, values[1], "options: expected %d to %d, got %d", TT_MIN_OPTIONS,
            TT_MAX_OPTIONS, e->n_options);
    if (explanations != e->n_options)
        return tt_document_fail(yaml, values[3], "explanations: expected %d, one for each option, got %d",
            e->n_options, explanations);
    return check_exemplar(yaml, node, e, memory);
}

const char *const tt_pool_default_keys[TT_POOL_DEFAULTS] = {"exemplars", "n_augment", "choices", "rounds"};

// What a collection with this pool takes where its plan does not say.
static tt_status read_defaults(tt_pool *pool, tt_document *yaml, tt_document_node *node) {
    TT_TRY(tt_document_check_keys(yaml, node, "defaults", tt_pool_default_keys, TT_POOL_DEFAULTS));
    for (int k = 0; k < TT_POOL_DEFAULTS; ++k) {
        tt_document_node *value = tt_document_find(yaml, node, tt_pool_default_keys[k]);
        if (value)
            TT_TRY(tt_document_text(yaml, value, tt_pool_default_keys[k], &pool->memory, &pool->defaults[k]));
    }
    return TT_OK;
}

static bool same_question(const tt_exemplar *a, const tt_exemplar *b) {
    bool same = strcmp(a->question, b->question) == 0 && a->n_options == b->n_options;
    for (int o = 0; same && o < a->n_options; ++o) same = strcmp(a->options[o], b->options[o]) == 0;
    return same;
}

// No question stands in a prompt twice.
static tt_status read_exemplars(tt_pool *pool, tt_document *yaml, tt_document_node *list) {
    TT_TRY(tt_document_list(yaml, list, "exemplars", &pool->n));
    if (!(pool->exemplars = tt_arena_alloc(&pool->memory, ((size_t)pool->n + 1) * sizeof *pool->exemplars)))
        return TT_ERR_NOMEM;
    for (int i = 0; i < pool->n; ++i) {
        tt_document_node *node = tt_document_item(yaml, list, i);
        TT_TRY(read_exemplar(yaml, node, &pool->exemplars[i], &pool->memory));
        for (int k = 0; k < i; ++k)
            if (same_question(&pool->exemplars[k], &pool->exemplars[i]))
                return tt_document_fail(yaml, node,
                    "exemplar: the exemplar in line %d has the same question and options",
                    tt_document_line(tt_document_item(yaml, list, k)));
    }
    return TT_OK;
}

static tt_status read_pool(tt_pool *pool, tt_document *yaml) {
    static const char *const keys[] = {"name", "instruction", "json_instruction", "exemplars", "defaults"};
    tt_document_node *root = tt_document_root(yaml), *values[5];
    TT_TRY(tt_document_check_keys(yaml, root, "pool of exemplars", keys, 5));
    for (int k = 0; k < 5; ++k)
        if (!(values[k] = tt_document_find(yaml, root, keys[k])) && k != 2 && k != 4)
            return tt_document_fail(yaml, root, "%s is missing", keys[k]);
    TT_TRY(tt_document_text(yaml, values[0], keys[0], &pool->memory, &pool->name));
    TT_TRY(tt_document_text(yaml, values[1], keys[1], &pool->memory, &pool->instruction));
    if (values[2]) TT_TRY(tt_document_text(yaml, values[2], keys[2], &pool->memory, &pool->json_instruction));
    if (values[4]) TT_TRY(read_defaults(pool, yaml, values[4]));
    return read_exemplars(pool, yaml, values[3]);
}

tt_status tt_pool_load(tt_pool *out, const char *path) {
    *out = (tt_pool){0};
    tt_document yaml;
    char *text;
    size_t size;
    TT_TRY(tt_read_file(path, (size_t)64 << 20, &text, &size));
    out->hash = tt_hash(text, size);
    free(text);
    TT_TRY(tt_document_open(&yaml, path));
    tt_status status = read_pool(out, &yaml);
    tt_document_close(&yaml);
    if (status != TT_OK) tt_pool_close(out);
    return status;
}

void tt_pool_close(tt_pool *pool) {
    tt_arena_close(&pool->memory);
    *pool = (tt_pool){0};
}

static tt_status append_object(tt_str *out, const tt_exemplar *e) {
    json_t *list = json_array();
    for (int o = 0; o < e->n_options; ++o) {
        const char letter[2] = {(char)('A' + o), '\0'};
        json_array_append_new(list, json_pack("{s:s, s:b, s:s}", "option", letter, "correct", o == e->answer,
                                        "because", e->reasons[o]));
    }
    json_t *object = json_pack("{s:s, s:o}", "key_information", e->key_information, "explanations", list);
    char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
    json_decref(object);
    if (!text) return tt_fail(TT_ERR_NOMEM, "out of memory for a prompt");
    tt_str_append(out, text);
    free(text);
    return TT_OK;
}

tt_status tt_pool_example(const tt_pool *pool, int i, bool json, tt_str *out) {
    const tt_exemplar *e = &pool->exemplars[i];
    append_options(out, e->question, e->options, e->n_options);
    if (json)
        TT_TRY(append_object(out, e));
    else
        append_answer(out, e);
    tt_str_append(out, "\n");
    return tt_str_status(out);
}

static tt_status append_system(
    const tt_pool *pool, const tt_question *question, const tt_message_rules *rules, tt_str *out) {
    tt_rng rng;
    int32_t *order;
    TT_TRY(tt_alloc(&order, (size_t)pool->n + 1, sizeof *order, "exemplars"));
    for (int i = 0; i < pool->n; ++i) order[i] = i;
    tt_rng_open(&rng, rules->seed, TT_FOR_TEACHER, tt_hash(question->id, strlen(question->id)), 2);
    tt_rng_shuffle(&rng, order, pool->n);
    tt_str_append(out, rules->json ? pool->json_instruction : pool->instruction);
    if (out->length && out->data[out->length - 1] != '\n') tt_str_append(out, "\n");
    tt_status status = TT_OK;
    for (int k = 0; k < rules->exemplars && status == TT_OK; ++k) {
        tt_str_append(out, "###\n");
        status = tt_pool_example(pool, order[k], rules->json, out);
    }
    if (rules->exemplars > 0) tt_str_append(out, "###\n");
    free(order);
    return status == TT_OK ? tt_str_status(out) : status;
}

tt_status tt_pool_messages(const tt_pool *pool, const tt_question *q, int answer,
    const tt_message_rules *rules, tt_str *system, tt_str *user) {
    if (rules->exemplars > pool->n)
        return tt_fail(TT_ERR_CONFIG, "exemplars: %d are asked for, the pool %s has %d", rules->exemplars,
            pool->name, pool->n);
    if (rules->json && !pool->json_instruction)
        return tt_fail(TT_ERR_CONFIG, "format: json: the pool %s has no json_instruction", pool->name);
    tt_str_clear(system);
    tt_str_clear(user);
    TT_TRY(append_system(pool, q, rules, system));
    append_options(user, q->text, q->options, q->n_options);
    tt_str_format(user, "Key Information:\nExplanations: %c is correct. Because", 'A' + answer);
    for (int o = 0; o < q->n_options; ++o)
        if (o != answer) tt_str_format(user, "\n%c is incorrect. Because", 'A' + o);
    return tt_str_status(user);
}
