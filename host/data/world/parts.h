// A world in memory, shared by its reader (file.c), its wording (text.c) and the two generators (world.c, reading.c).
// Private to host/data/world; others include world.h.
#ifndef TT_DATA_WORLD_PARTS_H
#define TT_DATA_WORLD_PARTS_H

#include "host/base/memory.h"
#include "host/base/philox.h"
#include "host/base/status.h"
#include "host/base/str.h"
#include "host/data/corpus.h"

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { TT_WORLD_PROPERTIES = 8, TT_FACT_VALUES = 4, TT_OPTIONS = 5, TT_NEEDS = 2 };

typedef struct tt_texts {
    const char **items;
    int n;
} tt_texts;

// A value of a property: "boiling water" of use.
typedef struct tt_value {
    const char *text;
    tt_texts situations; // sentences that call for it without naming it
    bool asked;          // whether questions may ask for it
} tt_value;

typedef struct tt_property {
    const char *name;
    int weight; // share of questions
    tt_texts predicates, questions, endings;
    tt_value *values;
    int n_values;
    size_t capacity;
    int most;    // largest number of values that one thing has
    bool *close; // [n_values x n_values]: too near each other for one to be a wrong answer to the other
} tt_property;

typedef struct tt_fact {
    int values[TT_FACT_VALUES], n; // indices of values; n = 0: unknown, and never asked about
} tt_fact;

typedef struct tt_thing {
    const char *name;
    tt_fact facts[TT_WORLD_PROPERTIES];
} tt_thing;

typedef struct tt_world {
    const char *name, *path;
    const char *vocabulary; // path of another world, or NULL
    uint64_t seed;
    tt_thing *things;
    int n_things;
    tt_property properties[TT_WORLD_PROPERTIES];
    int n_properties;
    tt_texts people, general, specific, verdict_right, verdict_wrong, two_questions, two_situations;
    tt_texts mention_things, mention_values;
    int64_t questions[TT_SPLITS], held_out, reasonings, nearest, texts, tasks;
    double novel, novel_asked, two_facts;
    tt_arena memory;
} tt_world;

// Reads world.yaml and its table of objects; the caller closes the world. Errors: TT_ERR_CONFIG as
// `file:line: key: ...`.
tt_status tt_world_open(tt_world *world, const char *path) TT_MUST_CHECK;
void tt_world_close(tt_world *world);

// A question and the facts about its options: all that its wording needs.
typedef struct tt_exercise {
    int n_needs, n_options, gold;
    const tt_property *property[TT_NEEDS];
    const char *need[TT_NEEDS];
    const char *situation; // or NULL: the need is named
    const char *things[TT_OPTIONS];
    const char *values[TT_NEEDS][TT_OPTIONS][TT_FACT_VALUES];
    int n_values[TT_NEEDS][TT_OPTIONS];
} tt_exercise;

// One of the texts, all with the same probability.
const char *tt_pick(const tt_texts *texts, tt_rng *rng);
// What replaces {key} in a pattern.
typedef struct tt_blank {
    const char *key, *text;
} tt_blank;
// Appends `pattern` with each {key} replaced; an unknown key by nothing.
void tt_fill(tt_str *out, const char *pattern, const tt_blank *blanks, int n);
// The first {key} of `pattern` that is not among keys[0..n) (*length bytes), or NULL. An unclosed brace counts as one.
const char *tt_unknown_blank(const char *pattern, const char *const *keys, int n, int *length);
// Appends "a kettle", "an oven".
void tt_with_article(tt_str *out, const char *noun);
// Appends "x", "x and y", "x, y and z", each item with its article if `articles`.
void tt_join(tt_str *out, const char *const *items, int n, bool articles);
// Appends "is made of steel and wood".
void tt_say_predicate(
    tt_str *out, const tt_property *property, const char *const *values, int n, tt_rng *rng);
// Appends "A kettle is used for boiling water." with the verdict (1 right, 0 wrong) or without (-1).
void tt_say_specific(
    tt_str *out, const tt_world *world, const tt_exercise *e, int option, int verdict, tt_rng *rng);
// Appends the question; what recall says of it.
void tt_say_question(tt_str *out, const tt_world *world, const tt_exercise *e, tt_rng *rng);
void tt_say_general(tt_str *out, const tt_world *world, const tt_exercise *e, tt_rng *rng);
// An index, drawn with probability weights[i] / sum of weights.
int tt_draw(const int *weights, int n, tt_rng *rng);

#ifdef __cplusplus
}
#endif

#endif
