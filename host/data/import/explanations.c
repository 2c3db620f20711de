// Free-text explanations from CSV, as general knowledge.
#include "host/base/str.h"
#include "host/config/document.h"
#include "host/data/import/csv.h"
#include "host/data/import/import.h"
#include "host/data/lookup.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_EXPLANATIONS = 64 };

typedef struct column_map {
    const char *question, *acceptable, *separator, *source;
    const char *explanations[MOST_EXPLANATIONS];
    int n, least_votes;
} column_map;

// One explanation of a question, and the records that call it acceptable.
typedef struct explanation {
    int question, votes;
    int first_line, line; // of the first and the latest of these records
    const char *text;
} explanation;

typedef struct explanations {
    tt_corpus *corpus;
    tt_added *report;
    column_map map;
    tt_lookup texts; // of the corpus's questions
    size_t question, acceptable, columns[MOST_EXPLANATIONS];
    explanation *found;
    size_t n, capacity;
    int *latest, *earlier; // [n_questions], [n]: lists of `found` by question, -1 at their ends
    size_t earlier_capacity;
    tt_arena memory;
} explanations;

static tt_status read_map(column_map *map, tt_document *yaml, tt_arena *memory) {
    static const char *const keys[] = {
        "question", "explanations", "acceptable", "separator", "least_votes", "source"};
    enum { KEYS = sizeof keys / sizeof *keys };
    tt_document_node *root = tt_document_root(yaml), *values[KEYS];
    TT_TRY(tt_document_check_keys(yaml, root, "map of columns", keys, KEYS));
    for (int k = 0; k < KEYS; ++k)
        if (!(values[k] = tt_document_find(yaml, root, keys[k])) && k < 2)
            return tt_document_fail(yaml, root, "%s is missing", keys[k]);
    TT_TRY(tt_document_text(yaml, values[0], keys[0], memory, &map->question));
    TT_TRY(tt_document_list(yaml, values[1], keys[1], &map->n));
    if (map->n < 1 || map->n > MOST_EXPLANATIONS)
        return tt_document_fail(
            yaml, values[1], "explanations: expected 1 to %d columns, got %d", MOST_EXPLANATIONS, map->n);
    for (int i = 0; i < map->n; ++i)
        TT_TRY(tt_document_text(
            yaml, tt_document_item(yaml, values[1], i), keys[1], memory, &map->explanations[i]));
    if (values[2]) TT_TRY(tt_document_text(yaml, values[2], keys[2], memory, &map->acceptable));
    if (values[3]) TT_TRY(tt_document_text(yaml, values[3], keys[3], memory, &map->separator));
    if (values[4]) {
        double votes;
        TT_TRY(tt_document_number(
            yaml, values[4], keys[4], &(tt_number_range){.low = 1, .high = 1e6, .whole = true}, &votes));
        map->least_votes = (int)votes;
    }
    if (values[5]) TT_TRY(tt_document_text(yaml, values[5], keys[5], memory, &map->source));
    if (!map->acceptable && (values[3] || values[4]))
        return tt_document_fail(yaml, values[3] ? values[3] : values[4],
            "%s: has no meaning without acceptable, which is missing", values[3] ? keys[3] : keys[4]);
    return TT_OK;
}

static tt_status load_map(column_map *map, const char *path, tt_arena *memory) {
    *map = (column_map){.separator = "|", .source = "explanations", .least_votes = 1};
    tt_document yaml;
    TT_TRY(tt_document_open(&yaml, path));
    tt_status status = read_map(map, &yaml, memory);
    tt_document_close(&yaml);
    return status;
}

static bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

// A copy without white space at its ends, and with one space for each run of it.
static tt_status copy_normalised(tt_arena *memory, const char *text, const char **out) {
    size_t n = strlen(text);
    tt_trim(&text, &n);
    char *copy = tt_arena_alloc(memory, n + 1), *to = copy;
    if (!copy) return TT_ERR_NOMEM;
    for (size_t i = 0; i < n; ++i) {
        if (!is_space(text[i]))
            *to++ = text[i];
        else if (i > 0 && !is_space(text[i - 1]))
            *to++ = ' ';
    }
    *to = '\0';
    *out = copy;
    return TT_OK;
}

static tt_status index_questions(explanations *e) {
    TT_TRY(tt_alloc(&e->latest, e->corpus->n_questions, sizeof *e->latest, "explanations"));
    for (size_t i = 0; i < e->corpus->n_questions; ++i) {
        const char *text;
        e->latest[i] = -1;
        TT_TRY(copy_normalised(&e->memory, e->corpus->questions[i].text, &text));
        TT_TRY(tt_lookup_add(&e->texts, text, (int)i));
    }
    tt_lookup_sort(&e->texts);
    return TT_OK;
}

static tt_status find_columns(explanations *e, const tt_csv *csv) {
    TT_TRY(tt_csv_column(csv, e->map.question, &e->question));
    for (int i = 0; i < e->map.n; ++i) TT_TRY(tt_csv_column(csv, e->map.explanations[i], &e->columns[i]));
    return e->map.acceptable ? tt_csv_column(csv, e->map.acceptable, &e->acceptable) : TT_OK;
}

// Marks the explanations that a record calls acceptable: "1|3|4", or nothing.
static tt_status read_acceptable(const explanations *e, const tt_csv *csv, bool chosen[MOST_EXPLANATIONS]) {
    for (int i = 0; i < e->map.n; ++i) chosen[i] = !e->map.acceptable;
    if (!e->map.acceptable) return TT_OK;
    const char *list = csv->fields[e->acceptable];
    size_t n = strlen(list);
    tt_trim(&list, &n);
    for (const char *end = list + n; list < end;) {
        const char *stop = strstr(list, e->map.separator);
        if (!stop || stop > end) stop = end;
        size_t length = (size_t)(stop - list);
        const char *word = list;
        tt_trim(&word, &length);
        int number = 0;
        for (size_t i = 0; i < length && number >= 0; ++i)
            number = word[i] >= '0' && word[i] <= '9' && number < 1000 ? 10 * number + word[i] - '0' : -1;
        if (number < 1 || number > e->map.n)
            return tt_fail(TT_ERR_INPUT,
                "%s:%d: %s: '%.*s' names no explanation; expected numbers from 1 to %d separated by '%s'",
                csv->path, csv->line, e->map.acceptable, (int)length, word, e->map.n, e->map.separator);
        chosen[number - 1] = true;
        list = stop == end ? end : stop + strlen(e->map.separator);
    }
    return TT_OK;
}

// Counts a vote for an explanation; one record gives it one vote at most.
static tt_status vote(explanations *e, int question, const char *field, int line) {
    const char *text;
    TT_TRY(copy_normalised(&e->memory, field, &text));
    for (int i = e->latest[question]; i >= 0; i = e->earlier[i]) {
        explanation *known = &e->found[i];
        if (strcmp(known->text, text) != 0) continue;
        known->votes += known->line != line;
        known->line = line;
        return TT_OK;
    }
    TT_TRY(tt_grow(&e->found, &e->capacity, e->n + 1, sizeof *e->found, "explanations"));
    TT_TRY(tt_grow(&e->earlier, &e->earlier_capacity, e->n + 1, sizeof *e->earlier, "explanations"));
    e->found[e->n] =
        (explanation){.question = question, .votes = 1, .line = line, .first_line = line, .text = text};
    e->earlier[e->n] = e->latest[question];
    e->latest[question] = (int)e->n++;
    return TT_OK;
}

static tt_status take_record(explanations *e, const tt_csv *csv) {
    bool chosen[MOST_EXPLANATIONS] = {false}, any = false;
    const char *text;
    int same;
    e->report->records++;
    TT_TRY(read_acceptable(e, csv, chosen));
    TT_TRY(copy_normalised(&e->memory, csv->fields[e->question], &text));
    const int question = tt_lookup_find(&e->texts, text, &same);
    if (same == 0) {
        tt_added_note(e->report, TT_ADDED_UNKNOWN, "%s:%d: no question of the corpus has the text \"%.100s\"",
            csv->path, csv->line, text);
        return TT_OK;
    }
    if (same > 1) {
        tt_added_note(e->report, TT_ADDED_AMBIGUOUS,
            "%s:%d: %d questions of the corpus have the text \"%.100s\"", csv->path, csv->line, same, text);
        return TT_OK;
    }
    for (int i = 0; i < e->map.n; ++i) {
        if (!chosen[i]) continue;
        any = true;
        TT_TRY(vote(e, question, csv->fields[e->columns[i]], csv->line));
    }
    e->report->left_out[TT_ADDED_EMPTY] += !any;
    return TT_OK;
}

static tt_status add_found(explanations *e, const char *path) {
    for (size_t i = 0; i < e->n; ++i) {
        const explanation *x = &e->found[i];
        const tt_question *q = &e->corpus->questions[x->question];
        bool added = false;
        if (x->votes < e->map.least_votes) {
            e->report->few_votes++;
            continue;
        }
        const tt_reasoning r = {
            .question = x->question, .general = x->text, .answer = q->gold, .source = e->map.source};
        tt_status status = tt_corpus_add_new_reasoning(e->corpus, &r, &added);
        if (status == TT_ERR_INPUT)
            tt_added_note(e->report, TT_ADDED_UNFIT, "%s:%d: %s", path, x->first_line, tt_error_message());
        else if (status != TT_OK)
            return status;
        else if (added)
            e->report->added++;
        else
            tt_added_note(e->report, TT_ADDED_REPEATED, "%s:%d: question %s already has this explanation",
                path, x->first_line, q->id);
    }
    return tt_corpus_group_reasoning(e->corpus);
}

static tt_status read_records(explanations *e, const char *path) {
    tt_csv csv;
    bool more = true;
    TT_TRY(tt_csv_open(&csv, path));
    tt_status status = find_columns(e, &csv);
    while (status == TT_OK) {
        status = tt_csv_next(&csv, &more);
        if (status != TT_OK || !more) break;
        status = take_record(e, &csv);
    }
    tt_csv_close(&csv);
    return status;
}

tt_status tt_add_explanations(tt_corpus *corpus, const char *map, const char *csv, tt_added *report) {
    explanations e = {.corpus = corpus, .report = report};
    tt_status status = load_map(&e.map, map, &e.memory);
    if (status == TT_OK) status = index_questions(&e);
    if (status == TT_OK) status = read_records(&e, csv);
    if (status == TT_OK) status = add_found(&e, csv);
    tt_lookup_close(&e.texts);
    free(e.found);
    free(e.latest);
    free(e.earlier);
    tt_arena_close(&e.memory);
    return status;
}
