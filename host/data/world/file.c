// Reads a world: world.yaml and its table of objects, through libyaml's document API, which knows each node's line for
// messages.
#include "host/base/fs.h"
#include "host/base/number.h"
#include "host/config/yaml_file.h"
#include "host/data/world/parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct reader {
    yaml_document_t document;
    const char *path;
    tt_arena *memory;
} reader;

typedef const yaml_node_t node;

#define PLACE(r, n) (r)->path, (n)->start_mark.line + 1

static tt_status open_document(reader *r, const char *path, tt_arena *memory) {
    *r = (reader){.path = path, .memory = memory};
    return tt_yaml_open(&r->document, path, (size_t)64 << 20);
}

static node *node_at(reader *r, int index) {
    return yaml_document_get_node(&r->document, index);
}

static node *find_member(reader *r, node *map, const char *key) {
    for (yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top; ++p)
        if (strcmp(tt_yaml_text(node_at(r, p->key)), key) == 0) return node_at(r, p->value);
    return NULL;
}

// Checks that `map` is a mapping whose keys are among keys[0..n), each at most once.
static tt_status check_keys(reader *r, node *map, const char *what, const char *const *keys, int n) {
    if (map->type != YAML_MAPPING_NODE)
        return tt_fail(TT_ERR_CONFIG, "%s:%zu: %s: expected a mapping (key: value)", PLACE(r, map), what);
    for (yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top; ++p) {
        node *key = node_at(r, p->key);
        const char *name = tt_yaml_text(key);
        bool known = false;
        for (int i = 0; i < n; ++i) known = known || strcmp(keys[i], name) == 0;
        if (!known) {
            const char *near = tt_nearest(name, keys, n);
            return tt_fail(TT_ERR_CONFIG, "%s:%zu: %s: unknown key%s%s%s", PLACE(r, key), name,
                near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
        }
        if (find_member(r, map, name) != node_at(r, p->value))
            return tt_fail(TT_ERR_CONFIG, "%s:%zu: %s: given twice", PLACE(r, key), name);
    }
    return TT_OK;
}

static tt_status copy_text(reader *r, node *n, const char *key, const char **out) {
    if (n->type != YAML_SCALAR_NODE || n->data.scalar.length == 0)
        return tt_fail(TT_ERR_CONFIG, "%s:%zu: %s: expected a string", PLACE(r, n), key);
    size_t bad;
    if (!tt_utf8_valid(tt_yaml_text(n), n->data.scalar.length, &bad))
        return tt_fail(TT_ERR_CONFIG, "%s:%zu: %s: invalid UTF-8", PLACE(r, n), key);
    *out = tt_arena_strdup(r->memory, tt_yaml_text(n));
    return *out ? TT_OK : TT_ERR_NOMEM;
}

static tt_status read_number(
    reader *r, node *map, const char *key, double low, double high, bool whole, double *out) {
    node *n = find_member(r, map, key);
    if (!n) return TT_OK; // *out keeps its default
    char *end;
    const char *text = tt_yaml_text(n);
    double x = tt_parse_double(text, &end);
    if (*text == '\0' || *end != '\0' || !(x >= low && x <= high) || (whole && x != (double)(int64_t)x))
        return tt_fail(TT_ERR_CONFIG, "%s:%zu: %s: expected %s from %g to %g, not \"%s\"", PLACE(r, n), key,
            whole ? "a whole number" : "a number", low, high, text);
    *out = x;
    return TT_OK;
}

static tt_status read_count(reader *r, node *map, const char *key, int64_t low, int64_t *out) {
    double x = (double)*out;
    TT_TRY(read_number(r, map, key, (double)low, 1e7, true, &x));
    *out = (int64_t)x;
    return TT_OK;
}

// Reads a list of strings; a single string is a list of one. `blanks` are the names, separated by spaces, that may stand
// in braces ("_" for the space within a name); NULL = braces are not checked.
static tt_status read_texts(reader *r, node *n, const char *key, const char *blanks, tt_texts *out) {
    bool list = n->type == YAML_SEQUENCE_NODE;
    int count = list ? (int)(n->data.sequence.items.top - n->data.sequence.items.start) : 1;
    if (count == 0) return tt_fail(TT_ERR_CONFIG, "%s:%zu: %s: empty list", PLACE(r, n), key);
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
        node *item = list ? node_at(r, n->data.sequence.items.start[out->n]) : n;
        TT_TRY(copy_text(r, item, key, &out->items[out->n]));
        const char *unknown = blanks ? tt_unknown_blank(out->items[out->n], keys, n_keys, &length) : NULL;
        if (unknown)
            return tt_fail(TT_ERR_CONFIG, "%s:%zu: %s: unknown blank {%.*s}; allowed are %s", PLACE(r, item),
                key, length, unknown, blanks);
    }
    return TT_OK;
}

static tt_status read_templates(
    reader *r, node *map, const char *key, const char *blanks, bool needed, tt_texts *out) {
    node *n = find_member(r, map, key);
    if (!n && needed) return tt_fail(TT_ERR_CONFIG, "%s:%zu: %s: missing", PLACE(r, map), key);
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
        return tt_fail(TT_ERR_CONFIG, "%s:%zu: %s: at most %d values", PLACE(r, n), p->name, TT_FACT_VALUES);
    for (int i = 0; i < texts.n; ++i) {
        int v = find_value(p, texts.items[i]);
        if (v < 0) {
            TT_TRY(tt_grow(&p->values, &p->capacity, (size_t)p->n_values + 1, sizeof *p->values, "values"));
            v = p->n_values++;
            p->values[v] = (tt_value){.text = texts.items[i], .asked = true};
        }
        for (int k = 0; k < fact->n; ++k)
            if (fact->values[k] == v)
                return tt_fail(
                    TT_ERR_CONFIG, "%s:%zu: %s: \"%s\" given twice", PLACE(r, n), p->name, texts.items[i]);
        fact->values[fact->n++] = v;
    }
    if (fact->n > p->most) p->most = fact->n;
    return TT_OK;
}

static tt_status read_things(tt_world *w, const char *path) {
    reader r;
    TT_TRY(open_document(&r, path, &w->memory));
    const char *keys[TT_WORLD_PROPERTIES + 1] = {"name"}, *top[] = {"objects"};
    for (int p = 0; p < w->n_properties; ++p) keys[p + 1] = w->properties[p].name;
    tt_status status = TT_OK;
    node *root = yaml_document_get_root_node(&r.document);
    if (!root) status = tt_fail(TT_ERR_CONFIG, "%s:1: the file is empty; expected objects: [..]", path);
    if (status == TT_OK) status = check_keys(&r, root, "objects", top, 1);
    node *list = status == TT_OK ? find_member(&r, root, "objects") : NULL;
    if (status == TT_OK && (!list || list->type != YAML_SEQUENCE_NODE))
        status = tt_fail(TT_ERR_CONFIG, "%s:%zu: objects: expected a list", PLACE(&r, root));
    int n =
        list && status == TT_OK ? (int)(list->data.sequence.items.top - list->data.sequence.items.start) : 0;
    if (status == TT_OK) status = tt_alloc(&w->things, (size_t)n, sizeof *w->things, "objects");
    for (int i = 0; i < n && status == TT_OK; ++i) {
        node *object = node_at(&r, list->data.sequence.items.start[i]), *name;
        tt_thing *thing = &w->things[i];
        TT_TRY_GOTO(status, check_keys(&r, object, "objects", keys, w->n_properties + 1), done);
        name = find_member(&r, object, "name");
        if (!name) {
            status = tt_fail(TT_ERR_CONFIG, "%s:%zu: name: missing", PLACE(&r, object));
            goto done;
        }
        TT_TRY_GOTO(status, copy_text(&r, name, "name", &thing->name), done);
        for (int k = 0; k < i; ++k)
            if (strcmp(w->things[k].name, thing->name) == 0) {
                status = tt_fail(
                    TT_ERR_CONFIG, "%s:%zu: name: another object is named %s", PLACE(&r, name), thing->name);
                goto done;
            }
        for (int p = 0; p < w->n_properties; ++p) {
            node *value = find_member(&r, object, w->properties[p].name);
            if (value) TT_TRY_GOTO(status, read_fact(&r, value, &w->properties[p], &thing->facts[p]), done);
        }
        w->n_things = i + 1;
    }
done:
    yaml_document_delete(&r.document);
    return status;
}

static tt_status value_index(reader *r, node *n, const tt_property *p, const char *key, int *out) {
    *out = find_value(p, tt_yaml_text(n));
    if (*out >= 0) return TT_OK;
    return tt_fail(
        TT_ERR_CONFIG, "%s:%zu: %s of %s: no object has \"%s\"", PLACE(r, n), key, p->name, tt_yaml_text(n));
}

static tt_status check_list(reader *r, node *n, const char *key) {
    if (n->type == YAML_SEQUENCE_NODE) return TT_OK;
    return tt_fail(TT_ERR_CONFIG, "%s:%zu: %s: expected a list", PLACE(r, n), key);
}

// Reads groups of values that are too near each other: any two of a group are close.
static tt_status read_close(reader *r, node *list, tt_property *p) {
    TT_TRY(check_list(r, list, "close"));
    for (yaml_node_item_t *i = list->data.sequence.items.start; i < list->data.sequence.items.top; ++i) {
        node *group = node_at(r, *i);
        TT_TRY(check_list(r, group, "close"));
        yaml_node_item_t *first = group->data.sequence.items.start, *end = group->data.sequence.items.top;
        for (yaml_node_item_t *a = first; a < end; ++a)
            for (yaml_node_item_t *b = first; b < end; ++b) {
                int v, w;
                TT_TRY(value_index(r, node_at(r, *a), p, "close", &v));
                TT_TRY(value_index(r, node_at(r, *b), p, "close", &w));
                p->close[v * p->n_values + w] = true;
            }
    }
    return TT_OK;
}

// Reads the parts of a property that name values, once the table of objects has been read.
static tt_status read_values(tt_world *w, reader *r, node *map, tt_property *p) {
    size_t cells = (size_t)p->n_values * (size_t)p->n_values;
    TT_TRY(tt_alloc(&p->close, cells, sizeof *p->close, "close values"));
    for (int v = 0; v < p->n_values; ++v) p->close[v * p->n_values + v] = true;
    node *list = find_member(r, map, "close"), *never = find_member(r, map, "never_asked"),
         *texts = find_member(r, map, "situations");
    if (list) TT_TRY(read_close(r, list, p));
    if (never) {
        TT_TRY(check_list(r, never, "never_asked"));
        for (yaml_node_item_t *i = never->data.sequence.items.start; i < never->data.sequence.items.top;
             ++i) {
            int v;
            TT_TRY(value_index(r, node_at(r, *i), p, "never_asked", &v));
            p->values[v].asked = false;
        }
    }
    if (!texts) return TT_OK;
    if (texts->type != YAML_MAPPING_NODE || p->endings.n == 0 || w->two_situations.n == 0)
        return tt_fail(TT_ERR_CONFIG,
            "%s:%zu: situations: expected a mapping from values to sentences; it also needs "
            "endings of the property and two_fact_situations of the world",
            PLACE(r, texts));
    for (yaml_node_pair_t *pair = texts->data.mapping.pairs.start; pair < texts->data.mapping.pairs.top;
         ++pair) {
        int v;
        TT_TRY(value_index(r, node_at(r, pair->key), p, "situations", &v));
        TT_TRY(read_texts(r, node_at(r, pair->value), "situations", "name", &p->values[v].situations));
    }
    return TT_OK;
}

static tt_status read_property(reader *r, node *key, node *map, tt_property *p) {
    static const char *const keys[] = {
        "weight", "predicates", "questions", "endings", "never_asked", "close", "situations"};
    TT_TRY(copy_text(r, key, "properties", &p->name));
    TT_TRY(check_keys(r, map, p->name, keys, 7));
    int64_t weight = 1;
    TT_TRY(read_count(r, map, "weight", 0, &weight));
    p->weight = (int)weight;
    TT_TRY(read_templates(r, map, "predicates", "v a_v", true, &p->predicates));
    TT_TRY(read_templates(r, map, "questions", "name v a_v", true, &p->questions));
    return read_templates(r, map, "endings", "name v a_v", false, &p->endings);
}

static tt_status read_properties(tt_world *w, reader *r, node *map, const char *objects) {
    if (!map || map->type != YAML_MAPPING_NODE)
        return tt_fail(TT_ERR_CONFIG, "%s:1: properties: expected a mapping of properties", r->path);
    yaml_node_pair_t *pairs = map->data.mapping.pairs.start;
    int n = (int)(map->data.mapping.pairs.top - pairs), sum = 0;
    if (n < 2 || n > TT_WORLD_PROPERTIES)
        return tt_fail(
            TT_ERR_CONFIG, "%s:%zu: properties: expected 2 to %d", PLACE(r, map), TT_WORLD_PROPERTIES);
    for (int i = 0; i < n; ++i) {
        TT_TRY(read_property(r, node_at(r, pairs[i].key), node_at(r, pairs[i].value), &w->properties[i]));
        w->n_properties = i + 1;
        sum += w->properties[i].weight;
    }
    if (sum == 0) return tt_fail(TT_ERR_CONFIG, "%s:%zu: properties: all weights are 0", PLACE(r, map));
    TT_TRY(read_things(w, objects));
    for (int i = 0; i < n; ++i) TT_TRY(read_values(w, r, node_at(r, pairs[i].value), &w->properties[i]));
    return TT_OK;
}

static tt_status read_verdicts(tt_world *w, reader *r, node *list) {
    if (!list) return tt_fail(TT_ERR_CONFIG, "%s:1: verdicts: missing", r->path);
    TT_TRY(check_list(r, list, "verdicts"));
    int n = (int)(list->data.sequence.items.top - list->data.sequence.items.start);
    if (n == 0) return tt_fail(TT_ERR_CONFIG, "%s:%zu: verdicts: empty list", PLACE(r, list));
    w->verdict_right.items = tt_arena_alloc(r->memory, (size_t)n * sizeof(char *));
    w->verdict_wrong.items = tt_arena_alloc(r->memory, (size_t)n * sizeof(char *));
    if (!w->verdict_right.items || !w->verdict_wrong.items) return TT_ERR_NOMEM;
    for (int i = 0; i < n; ++i) {
        tt_texts pair = {0};
        node *item = node_at(r, list->data.sequence.items.start[i]);
        TT_TRY(read_texts(r, item, "verdicts", "", &pair));
        if (pair.n != 2)
            return tt_fail(TT_ERR_CONFIG,
                "%s:%zu: verdicts: expected a pair [for the right option, for a wrong one]", PLACE(r, item));
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
    return read_verdicts(w, r, find_member(r, root, "verdicts"));
}

static tt_status read_numbers(tt_world *w, reader *r, node *root) {
    w->seed = 1;
    w->reasonings = 1;
    w->nearest = 16;
    int64_t seed = 1;
    TT_TRY(read_count(r, root, "seed", 0, &seed));
    w->seed = (uint64_t)seed;
    TT_TRY(read_count(r, root, "held_out", 0, &w->held_out));
    TT_TRY(read_count(r, root, "reasonings", 1, &w->reasonings));
    TT_TRY(read_count(r, root, "nearest", TT_OPTIONS - 1, &w->nearest));
    TT_TRY(read_number(r, root, "novel", 0, 1, false, &w->novel));
    TT_TRY(read_number(r, root, "novel_asked", 0, 1, false, &w->novel_asked));
    TT_TRY(read_number(r, root, "two_facts", 0, 1, false, &w->two_facts));
    node *splits = find_member(r, root, "splits"), *reading = find_member(r, root, "reading");
    static const char *const of_reading[] = {"texts", "tasks"};
    static const char *const of_splits[TT_SPLITS] = {TT_SPLIT_MAP(TT_WORD_TEXT)};
    if (splits) TT_TRY(check_keys(r, splits, "splits", of_splits, TT_SPLITS));
    for (int s = 0; s < TT_SPLITS && splits; ++s)
        TT_TRY(read_count(r, splits, of_splits[s], 0, &w->questions[s]));
    if (!reading) return TT_OK;
    TT_TRY(check_keys(r, reading, "reading", of_reading, 2));
    TT_TRY(read_count(r, reading, "texts", 0, &w->texts));
    return read_count(r, reading, "tasks", 0, &w->tasks);
}

static tt_status path_beside(tt_world *w, const char *name, const char **out) {
    char dir[TT_PATH_MAX], joined[TT_PATH_MAX];
    TT_TRY(tt_path_dir(dir, sizeof dir, w->path));
    TT_TRY(tt_path_join(joined, sizeof joined, dir, name));
    *out = tt_arena_strdup(&w->memory, joined);
    return *out ? TT_OK : TT_ERR_NOMEM;
}

static tt_status read_world(tt_world *w, reader *r) {
    static const char *const keys[] = {"name", "seed", "objects", "vocabulary", "people", "splits", "reading",
        "held_out", "reasonings", "novel", "novel_asked", "two_facts", "nearest", "general", "specific",
        "verdicts", "two_fact_questions", "two_fact_situations", "mention_things", "mention_values",
        "properties"};
    node *root = yaml_document_get_root_node(&r->document);
    if (!root) return tt_fail(TT_ERR_CONFIG, "%s:1: the file is empty", r->path);
    TT_TRY(check_keys(r, root, "world", keys, (int)(sizeof keys / sizeof *keys)));
    node *name = find_member(r, root, "name"), *objects = find_member(r, root, "objects"),
         *other = find_member(r, root, "vocabulary");
    if (!name || !objects)
        return tt_fail(TT_ERR_CONFIG, "%s:1: %s: missing", r->path, name ? "objects" : "name");
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
    TT_TRY(read_properties(w, r, find_member(r, root, "properties"), file));
    if (w->held_out > w->n_things)
        return tt_fail(TT_ERR_CONFIG, "%s:%zu: held_out: the world has only %d objects",
            PLACE(r, find_member(r, root, "held_out")), w->n_things);
    return TT_OK;
}

tt_status tt_world_open(tt_world *world, const char *path) {
    *world = (tt_world){0};
    reader r;
    world->path = tt_arena_strdup(&world->memory, path);
    tt_status status = world->path ? open_document(&r, world->path, &world->memory) : TT_ERR_NOMEM;
    if (status == TT_OK) {
        status = read_world(world, &r);
        yaml_document_delete(&r.document);
    }
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
