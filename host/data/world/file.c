// Reads a world: world.yaml and its table of objects.
#include "host/base/fs.h"
#include "host/config/document.h"
#include "host/data/world/parts.h"
#include "host/data/world/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct reader {
    tt_document document;
    tt_arena *memory;
} reader;

typedef tt_document_node node;

static node *find_member(reader *r, node *map, const char *key) {
    return tt_document_find(&r->document, map, key);
}

// One line: texts are put together to documents and prompts, of which line breaks separate the parts.
static tt_status copy_text(reader *r, node *n, const char *key, const char **out) {
    static const char *const breaks[] = {
        "\n", "\r", "\v", "\f", "\xc2\x85", "\u2028", "\u2029"}; // \xc2\x85: U+0085
    TT_TRY(tt_document_text(&r->document, n, key, r->memory, out));
    for (size_t i = 0; i < sizeof breaks / sizeof *breaks; ++i)
        if (strstr(*out, breaks[i]))
            return tt_document_fail(
                &r->document, n, "%s: expected one line, got a text with a line break", key);
    return TT_OK;
}

// *out keeps its default where the key is not there.
static tt_status read_number(
    reader *r, node *map, const char *key, const tt_number_range *range, double *out) {
    node *n = find_member(r, map, key);
    return n ? tt_document_number(&r->document, n, key, range, out) : TT_OK;
}

static tt_status read_count(reader *r, node *map, const char *key, int64_t low, int64_t *out) {
    double x = (double)*out;
    TT_TRY(read_number(r, map, key, &(tt_number_range){.low = (double)low, .high = 1e7, .whole = true}, &x));
    *out = (int64_t)x;
    return TT_OK;
}

// Reads a list of strings; a single string is a list of one. `blanks` are the names, separated by spaces, that may stand
// in braces ("_" for the space within a name); NULL = braces are not checked.
static tt_status read_texts(reader *r, node *n, const char *key, const char *blanks, tt_texts *out) {
    bool list = n->type == YAML_SEQUENCE_NODE;
    int count = 1;
    if (list) TT_TRY(tt_document_list(&r->document, n, key, &count));
    if (count == 0) return tt_document_fail(&r->document, n, "%s: empty list", key);
    out->items = tt_arena_alloc(r->memory, (size_t)count * sizeof *out->items);
    if (!out->items) return TT_ERR_NOMEM;
    const char *keys[8];
    int n_keys = 0, length;
    char names[128] = "", *state;
    if (blanks) snprintf(names, sizeof names, "%s", blanks);
    for (char *name = strtok_r(names, " ", &state); name && n_keys < 8; name = strtok_r(NULL, " ", &state)) {
        for (char *c = name; *c; ++c) *c = *c == '_' ? ' ' : *c;
        keys[n_keys++] = name;
    }
    for (out->n = 0; out->n < count; ++out->n) {
        node *item = list ? tt_document_item(&r->document, n, out->n) : n;
        TT_TRY(copy_text(r, item, key, &out->items[out->n]));
        const char *unknown = blanks ? tt_unknown_blank(out->items[out->n], keys, n_keys, &length) : NULL;
        if (unknown)
            return tt_document_fail(
                &r->document, item, "%s: unknown blank {%.*s}; allowed are %s", key, length, unknown, blanks);
    }
    return TT_OK;
}

static tt_status read_templates(
    reader *r, node *map, const char *key, const char *blanks, bool needed, tt_texts *out) {
    node *n = find_member(r, map, key);
    if (!n && needed) return tt_document_fail(&r->document, map, "%s: missing", key);
    return n ? read_texts(r, n, key, blanks, out) : TT_OK;
}

static int find_value(const tt_property *p, const char *text) {
    for (int i = 0; i < p->n_values; ++i)
        if (strcmp(p->values[i].text, text) == 0) return i;
    return -1;
}

static tt_status read_fact(reader *r, node *n, tt_property *p, tt_fact *fact) {
    tt_texts texts;
    TT_TRY(read_texts(r, n, p->name, NULL, &texts));
    if (texts.n > TT_FACT_VALUES)
        return tt_document_fail(
            &r->document, n, "%s: expected at most %d values, got %d", p->name, TT_FACT_VALUES, texts.n);
    for (int i = 0; i < texts.n; ++i) {
        int v = find_value(p, texts.items[i]);
        if (v < 0) {
            TT_TRY(tt_grow(&p->values, &p->capacity, (size_t)p->n_values + 1, sizeof *p->values, "values"));
            v = p->n_values++;
            p->values[v] = (tt_value){.text = texts.items[i], .asked = true};
        }
        for (int k = 0; k < fact->n; ++k)
            if (fact->values[k] == v)
                return tt_document_fail(&r->document, n, "%s: \"%s\" given twice", p->name, texts.items[i]);
        fact->values[fact->n++] = v;
    }
    if (fact->n > p->most) p->most = fact->n;
    return TT_OK;
}

// Reads the next item of the list of objects.
static tt_status read_thing(tt_world *w, reader *r, node *list) {
    node *object = tt_document_item(&r->document, list, w->n_things);
    tt_thing *thing = &w->things[w->n_things];
    const char *keys[TT_WORLD_PROPERTIES + 1] = {"name"};
    for (int p = 0; p < w->n_properties; ++p) keys[p + 1] = w->properties[p].name;
    TT_TRY(tt_document_check_keys(&r->document, object, "objects", keys, w->n_properties + 1));
    node *name = find_member(r, object, "name");
    if (!name) return tt_document_fail(&r->document, object, "name: missing");
    TT_TRY(copy_text(r, name, "name", &thing->name));
    for (int i = 0; i < w->n_things; ++i)
        if (strcmp(w->things[i].name, thing->name) == 0)
            return tt_document_fail(&r->document, name, "name: the object in line %d is named %s, too",
                tt_document_line(tt_document_item(&r->document, list, i)), thing->name);
    for (int p = 0; p < w->n_properties; ++p) {
        node *value = find_member(r, object, w->properties[p].name);
        if (value) TT_TRY(read_fact(r, value, &w->properties[p], &thing->facts[p]));
    }
    w->n_things++;
    return TT_OK;
}

static tt_status read_objects(tt_world *w, reader *r) {
    static const char *const keys[] = {"objects"};
    node *root = tt_document_root(&r->document);
    TT_TRY(tt_document_check_keys(&r->document, root, "table of objects", keys, 1));
    node *list = find_member(r, root, "objects");
    int n;
    if (!list) return tt_document_fail(&r->document, root, "objects: missing");
    TT_TRY(tt_document_list(&r->document, list, "objects", &n));
    if (n == 0) return tt_document_fail(&r->document, list, "objects: empty list");
    TT_TRY(tt_alloc(&w->things, (size_t)n, sizeof *w->things, "objects"));
    while (w->n_things < n) TT_TRY(read_thing(w, r, list));
    return TT_OK;
}

static tt_status read_things(tt_world *w, const char *path) {
    reader r = {.memory = &w->memory};
    TT_TRY(tt_document_open(&r.document, path));
    tt_status status = read_objects(w, &r);
    tt_document_close(&r.document);
    return status;
}

static tt_status value_index(reader *r, node *n, const tt_property *p, const char *key, int *out) {
    const char *text;
    TT_TRY(copy_text(r, n, key, &text));
    *out = find_value(p, text);
    if (*out >= 0) return TT_OK;
    return tt_document_fail(&r->document, n, "%s of %s: no object has \"%s\"", key, p->name, text);
}

// Reads groups of values that are too near each other: any two of a group are close.
static tt_status read_close(reader *r, node *list, tt_property *p) {
    int groups, n;
    TT_TRY(tt_document_list(&r->document, list, "close", &groups));
    for (int g = 0; g < groups; ++g) {
        node *group = tt_document_item(&r->document, list, g);
        TT_TRY(tt_document_list(&r->document, group, "close", &n));
        for (int a = 0; a < n; ++a)
            for (int b = 0; b < n; ++b) {
                int v, w;
                TT_TRY(value_index(r, tt_document_item(&r->document, group, a), p, "close", &v));
                TT_TRY(value_index(r, tt_document_item(&r->document, group, b), p, "close", &w));
                p->close[v * p->n_values + w] = true;
            }
    }
    return TT_OK;
}

// Reads the parts of a property that name values, once the table of objects has been read.
static tt_status read_values(tt_world *w, reader *r, node *map, tt_property *p) {
    size_t cells = (size_t)p->n_values * (size_t)p->n_values;
    TT_TRY(tt_alloc(&p->close, cells, sizeof *p->close, "close values"));
    for (int i = 0; i < p->n_values; ++i) p->close[i * p->n_values + i] = true;
    node *list = find_member(r, map, "close"), *never = find_member(r, map, "never_asked"),
         *texts = find_member(r, map, "situations");
    int n, v;
    if (list) TT_TRY(read_close(r, list, p));
    if (never) {
        TT_TRY(tt_document_list(&r->document, never, "never_asked", &n));
        for (int i = 0; i < n; ++i) {
            TT_TRY(value_index(r, tt_document_item(&r->document, never, i), p, "never_asked", &v));
            p->values[v].asked = false;
        }
    }
    if (!texts) return TT_OK;
    if (texts->type != YAML_MAPPING_NODE || p->endings.n == 0 || w->two_situations.n == 0)
        return tt_document_fail(&r->document, texts,
            "situations: expected a mapping from values to sentences; it also needs "
            "endings of the property and two_fact_situations of the world");
    TT_TRY(tt_document_mapping(&r->document, texts, "situations", &n));
    for (int i = 0; i < n; ++i) {
        TT_TRY(value_index(r, tt_document_key(&r->document, texts, i), p, "situations", &v));
        TT_TRY(read_texts(
            r, tt_document_value(&r->document, texts, i), "situations", "name", &p->values[v].situations));
    }
    return TT_OK;
}

static tt_status read_property(reader *r, node *key, node *map, tt_property *p) {
    static const char *const keys[] = {
        "weight", "predicates", "questions", "endings", "never_asked", "close", "situations"};
    TT_TRY(copy_text(r, key, "properties", &p->name));
    TT_TRY(tt_document_check_keys(&r->document, map, p->name, keys, 7));
    int64_t weight = 1;
    TT_TRY(read_count(r, map, "weight", 0, &weight));
    p->weight = (int)weight;
    TT_TRY(read_templates(r, map, "predicates", "v a_v", true, &p->predicates));
    TT_TRY(read_templates(r, map, "questions", "name v a_v", true, &p->questions));
    return read_templates(r, map, "endings", "name v a_v", false, &p->endings);
}

static tt_status read_properties(tt_world *w, reader *r, node *map, const char *objects) {
    int n, sum = 0;
    TT_TRY(tt_document_mapping(&r->document, map, "properties", &n));
    if (n < 2 || n > TT_WORLD_PROPERTIES)
        return tt_document_fail(
            &r->document, map, "properties: expected 2 to %d, got %d", TT_WORLD_PROPERTIES, n);
    for (int i = 0; i < n; ++i) {
        TT_TRY(read_property(r, tt_document_key(&r->document, map, i),
            tt_document_value(&r->document, map, i), &w->properties[i]));
        w->n_properties = i + 1;
        sum += w->properties[i].weight;
    }
    if (sum == 0) return tt_document_fail(&r->document, map, "properties: all weights are 0");
    TT_TRY(read_things(w, objects));
    for (int i = 0; i < n; ++i)
        TT_TRY(read_values(w, r, tt_document_value(&r->document, map, i), &w->properties[i]));
    return TT_OK;
}

static tt_status read_verdicts(tt_world *w, reader *r, node *list) {
    int n;
    TT_TRY(tt_document_list(&r->document, list, "verdicts", &n));
    if (n == 0) return tt_document_fail(&r->document, list, "verdicts: empty list");
    w->verdict_right.items = tt_arena_alloc(r->memory, (size_t)n * sizeof(char *));
    w->verdict_wrong.items = tt_arena_alloc(r->memory, (size_t)n * sizeof(char *));
    if (!w->verdict_right.items || !w->verdict_wrong.items) return TT_ERR_NOMEM;
    for (int i = 0; i < n; ++i) {
        tt_texts pair = {0};
        node *item = tt_document_item(&r->document, list, i);
        TT_TRY(read_texts(r, item, "verdicts", "", &pair));
        if (pair.n != 2)
            return tt_document_fail(
                &r->document, item, "verdicts: expected a pair [for the right option, for a wrong one]");
        w->verdict_right.items[w->verdict_right.n++] = pair.items[0];
        w->verdict_wrong.items[w->verdict_wrong.n++] = pair.items[1];
    }
    return TT_OK;
}

static tt_status read_wording(tt_world *w, reader *r, node *root) {
    TT_TRY(read_templates(r, root, "people", "", true, &w->people));
    TT_TRY(read_templates(r, root, "general", "need", true, &w->general));
    TT_TRY(read_templates(r, root, "specific", "thing a_thing A_thing fact verdict", true, &w->specific));
    TT_TRY(read_templates(r, root, "two_fact_questions", "name first second", true, &w->two_questions));
    TT_TRY(
        read_templates(r, root, "two_fact_situations", "name situation second", false, &w->two_situations));
    TT_TRY(read_templates(r, root, "mention_things", "name things", false, &w->mention_things));
    TT_TRY(read_templates(r, root, "mention_values", "name values", false, &w->mention_values));
    node *verdicts = find_member(r, root, "verdicts");
    return verdicts ? read_verdicts(w, r, verdicts)
                    : tt_document_fail(&r->document, root, "verdicts: missing");
}

static tt_status read_numbers(tt_world *w, reader *r, node *root) {
    w->seed = 1;
    w->reasonings = 1;
    w->nearest = 16;
    w->texts = w->tasks = -1;
    static const tt_number_range share = {.high = 1};
    int64_t seed = 1;
    TT_TRY(read_count(r, root, "seed", 0, &seed));
    w->seed = (uint64_t)seed;
    TT_TRY(read_count(r, root, "held_out", 0, &w->held_out));
    TT_TRY(read_count(r, root, "reasonings", 1, &w->reasonings));
    TT_TRY(read_count(r, root, "nearest", TT_OPTIONS - 1, &w->nearest));
    TT_TRY(read_number(r, root, "novel", &share, &w->novel));
    TT_TRY(read_number(r, root, "novel_asked", &share, &w->novel_asked));
    TT_TRY(read_number(r, root, "two_facts", &share, &w->two_facts));
    node *splits = find_member(r, root, "splits"), *reading = find_member(r, root, "reading");
    static const char *const of_reading[] = {"texts", "tasks"};
    static const char *const of_splits[TT_SPLITS] = {TT_SPLIT_MAP(TT_WORD_TEXT)};
    if (splits) TT_TRY(tt_document_check_keys(&r->document, splits, "splits", of_splits, TT_SPLITS));
    for (int s = 0; s < TT_SPLITS && splits; ++s)
        TT_TRY(read_count(r, splits, of_splits[s], 0, &w->questions[s]));
    if (!reading) return TT_OK;
    TT_TRY(tt_document_check_keys(&r->document, reading, "reading", of_reading, 2));
    TT_TRY(read_count(r, reading, "texts", 0, &w->texts));
    return read_count(r, reading, "tasks", 0, &w->tasks);
}

// What a world at `path` calls `name`.
static tt_status find_beside(char out[TT_PATH_MAX], const char *path, const char *name) {
    char folder[TT_PATH_MAX];
    TT_TRY(tt_path_dir(folder, sizeof folder, path));
    return tt_path_join(out, TT_PATH_MAX, folder, name);
}

static tt_status path_beside(tt_world *w, const char *name, const char **out) {
    char joined[TT_PATH_MAX];
    TT_TRY(find_beside(joined, w->path, name));
    *out = tt_arena_strdup(&w->memory, joined);
    return *out ? TT_OK : TT_ERR_NOMEM;
}

static tt_status read_world(tt_world *w, reader *r) {
    static const char *const keys[] = {"name", "seed", "objects", "vocabulary", "people", "splits", "reading",
        "held_out", "reasonings", "novel", "novel_asked", "two_facts", "nearest", "general", "specific",
        "verdicts", "two_fact_questions", "two_fact_situations", "mention_things", "mention_values",
        "properties"};
    node *root = tt_document_root(&r->document);
    TT_TRY(tt_document_check_keys(&r->document, root, "world", keys, (int)(sizeof keys / sizeof *keys)));
    node *name = find_member(r, root, "name"), *objects = find_member(r, root, "objects"),
         *other = find_member(r, root, "vocabulary"), *properties = find_member(r, root, "properties");
    if (!name || !objects || !properties)
        return tt_document_fail(&r->document, root, "%s: missing",
            !name      ? "name"
            : !objects ? "objects"
                       : "properties");
    const char *file;
    TT_TRY(copy_text(r, name, "name", &w->name));
    TT_TRY(copy_text(r, objects, "objects", &file));
    TT_TRY(path_beside(w, file, &file));
    if (other) {
        TT_TRY(copy_text(r, other, "vocabulary", &w->vocabulary));
        TT_TRY(path_beside(w, w->vocabulary, &w->vocabulary));
    }
    TT_TRY(read_numbers(w, r, root));
    TT_TRY(read_wording(w, r, root));
    TT_TRY(read_properties(w, r, properties, file));
    if (w->held_out > w->n_things)
        return tt_document_fail(&r->document, find_member(r, root, "held_out"),
            "held_out: is %d, but the world has only %d objects", (int)w->held_out, w->n_things);
    return TT_OK;
}

tt_status tt_world_open(tt_world *world, const char *path) {
    *world = (tt_world){0};
    reader r = {.memory = &world->memory};
    world->path = tt_arena_strdup(&world->memory, path);
    tt_status status = world->path ? tt_document_open(&r.document, world->path) : TT_ERR_NOMEM;
    if (status == TT_OK) status = read_world(world, &r);
    tt_document_close(&r.document);
    if (status != TT_OK) tt_world_close(world);
    return status;
}

void tt_world_close(tt_world *world) {
    free(world->things);
    for (int p = 0; p < TT_WORLD_PROPERTIES; ++p) {
        free(world->properties[p].values);
        free(world->properties[p].close);
    }
    tt_arena_close(&world->memory);
    *world = (tt_world){0};
}

static tt_status add_input(
    reader *r, const char *path, const char *key, tt_world_input out[TT_WORLD_INPUTS], int *n) {
    const char *name;
    node *file = find_member(r, tt_document_root(&r->document), key);
    if (!file || *n == TT_WORLD_INPUTS) return TT_OK; // a missing key is told where the world is read
    TT_TRY(copy_text(r, file, key, &name));
    out[*n].key = key;
    TT_TRY(find_beside(out[*n].path, path, name));
    ++*n;
    return TT_OK;
}

static tt_status add_inputs(const char *path, bool outer, tt_world_input out[TT_WORLD_INPUTS], int *n) {
    tt_arena memory = {0};
    reader r = {.memory = &memory};
    tt_status status = tt_document_open(&r.document, path);
    if (status == TT_OK) status = add_input(&r, path, "objects", out, n);
    const int vocabulary = *n;
    if (status == TT_OK && outer) status = add_input(&r, path, "vocabulary", out, n);
    tt_document_close(&r.document);
    tt_arena_close(&memory);
    if (status != TT_OK || *n == vocabulary) return status;
    return add_inputs(out[vocabulary].path, false, out, n);
}

tt_status tt_world_inputs(const char *world_yaml, tt_world_input out[TT_WORLD_INPUTS], int *n) {
    *n = 0;
    TT_TRY(tt_file_check(world_yaml, "a file, beside which the files that it names lie"));
    return add_inputs(world_yaml, true, out, n);
}
