// Questions about a world. For each question
//   draw the fact that it asks for, whose object is the right answer;
//   draw wrong answers among the objects that lack the fact and have most else in common with the right one;
//   word it.
#include "host/data/world/world.h"

#include "host/data/world/parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DRAWS = 2000, MIN_SHOWN = 3 };

// 64-bit hashes of texts; 0 marks a free slot.
typedef struct hash_set {
    uint64_t *slots;
    size_t size; // a power of two, more than twice the number of texts
} hash_set;

// The state of generating. Facts are indexed [object][property][value's place in its list].
typedef struct maker {
    tt_world world;
    bool *held_out; // [objects]: whether it belongs to the control split
    bool *novel;    // [objects x properties x TT_FACT_VALUES]: whether no training question asks for it
    int *common[TT_WORLD_PROPERTIES]; // [values]: objects outside the control split that have it
    int *shown;                       // [objects x properties]: times that training reasoning states it
    hash_set asked;                   // texts of training questions with their right answer
    hash_set questions;               // texts of all questions with their options
    tt_corpus *corpus;                // receives the questions
} maker;

// A question by indices, before it is worded.
typedef struct plan {
    int n_needs, property[TT_NEEDS], value[TT_NEEDS], options[TT_OPTIONS], gold;
} plan;

static bool set_has(const hash_set *set, uint64_t hash) {
    for (size_t i = hash & (set->size - 1); set->slots[i]; i = (i + 1) & (set->size - 1))
        if (set->slots[i] == hash) return true;
    return false;
}

static void set_add(hash_set *set, uint64_t hash) {
    if (set_has(set, hash)) return;
    size_t i = hash & (set->size - 1);
    while (set->slots[i]) i = (i + 1) & (set->size - 1);
    set->slots[i] = hash;
}

static bool *novel_at(maker *m, int thing, int property, int slot) {
    return &m->novel[(thing * TT_WORLD_PROPERTIES + property) * TT_FACT_VALUES + slot];
}

static int *shown_at(maker *m, int thing, int property) {
    return &m->shown[thing * TT_WORLD_PROPERTIES + property];
}

static bool has_value(const tt_fact *fact, int value) {
    for (int i = 0; i < fact->n; ++i)
        if (fact->values[i] == value) return true;
    return false;
}

// Whether `fact` clearly does not meet `value`: it has neither the value nor one close to it.
static bool lacks_value(const tt_property *p, const tt_fact *fact, int value) {
    for (int i = 0; i < fact->n; ++i)
        if (p->close[value * p->n_values + fact->values[i]]) return false;
    return true;
}

// Chooses the objects of the control split, and which of the other facts training never asks for: a share
// `novel` of those whose value another object can be asked for instead, so that the need itself is known.
static void divide_facts(maker *m) {
    tt_world *w = &m->world;
    tt_rng rng;
    tt_rng_open(&rng, w->seed, TT_FOR_SPLIT, 0, 0);
    for (int64_t left = w->held_out; left > 0;) {
        uint32_t thing = tt_rng_below(&rng, (uint32_t)w->n_things);
        left -= !m->held_out[thing];
        m->held_out[thing] = true;
    }
    for (int p = 0; p < w->n_properties; ++p)
        for (int t = 0; t < w->n_things; ++t)
            for (int i = 0; i < w->things[t].facts[p].n && !m->held_out[t]; ++i)
                m->common[p][w->things[t].facts[p].values[i]]++;
    for (int p = 0; p < w->n_properties; ++p) {
        int *novel_of = calloc((size_t)w->properties[p].n_values + 1, sizeof *novel_of);
        for (int t = 0; t < w->n_things && novel_of; ++t)
            for (int i = 0; i < w->things[t].facts[p].n && !m->held_out[t]; ++i) {
                int v = w->things[t].facts[p].values[i];
                if (tt_rng_uniform(&rng) >= w->novel || novel_of[v] + 1 >= m->common[p][v]) continue;
                *novel_at(m, t, p, i) = true;
                novel_of[v]++;
            }
        free(novel_of);
    }
}

// Whether a question of `split` may ask for this fact. `novel`: it must be one that training never asks for; otherwise
// it must not.
static bool may_ask(maker *m, int thing, int property, int slot, tt_split split, bool novel) {
    const tt_fact *fact = &m->world.things[thing].facts[property];
    int value = fact->values[slot];
    if (!m->world.properties[property].values[value].asked) return false;
    if (split == TT_CONTROL) return m->common[property][value] > 0;
    if (*novel_at(m, thing, property, slot) != novel) return false;
    return split == TT_TRAIN || *shown_at(m, thing, property) >= MIN_SHOWN;
}

// Draws a fact of `thing`, or of any object of the split (thing < 0), that may be asked for.
static bool draw_fact(
    maker *m, tt_split split, bool novel, int property, int thing, tt_rng *rng, int *drawn, int *value) {
    const tt_world *w = &m->world;
    for (int draw = 0; draw < 64; ++draw) {
        int t = thing >= 0 ? thing : (int)tt_rng_below(rng, (uint32_t)w->n_things);
        const tt_fact *fact = &w->things[t].facts[property];
        if (m->held_out[t] != (split == TT_CONTROL) || fact->n == 0) continue;
        int slot = (int)tt_rng_below(rng, (uint32_t)fact->n);
        if (!may_ask(m, t, property, slot, split, novel)) continue;
        *drawn = t;
        *value = fact->values[slot];
        return true;
    }
    return false;
}

// How much an object has in common with the right one; rare values count more. With 0 it is no hard wrong answer.
static int likeness(const maker *m, const plan *q, int thing) {
    int score = 0;
    for (int p = 0; p < m->world.n_properties; ++p) {
        const tt_fact *fact = &m->world.things[thing].facts[p];
        for (int i = 0; i < fact->n; ++i) {
            int common = m->common[p][fact->values[i]];
            if (has_value(&m->world.things[q->gold].facts[p], fact->values[i]))
                score += common < 12 ? 6 : common < 30 ? 4 : 1;
        }
    }
    return score;
}

typedef struct candidate {
    int thing, score, meets; // meets: index of the need that it meets, or -1
} candidate;

static int by_score(const void *a, const void *b) {
    const candidate *x = a, *y = b;
    return x->score != y->score ? y->score - x->score : x->thing - y->thing;
}

// Finds wrong answers that clearly fail at least one need, the most alike first, and returns their number.
static int find_candidates(maker *m, const plan *q, tt_split split, tt_rng *rng, candidate *out) {
    const tt_world *w = &m->world;
    int n = 0;
    for (int t = 0; t < w->n_things; ++t) {
        bool known = true, fails = false;
        candidate c = {.thing = t, .meets = -1};
        for (int k = 0; k < q->n_needs; ++k) {
            const tt_fact *fact = &w->things[t].facts[q->property[k]];
            known = known && fact->n > 0;
            fails = fails || lacks_value(&w->properties[q->property[k]], fact, q->value[k]);
            if (has_value(fact, q->value[k])) c.meets = k;
        }
        if (t == q->gold || m->held_out[t] != (split == TT_CONTROL) || !known || !fails) continue;
        c.score = likeness(m, q, t);
        if (c.score == 0 && split != TT_CONTROL) continue;
        c.score += (int)tt_rng_below(rng, 3); // so that ties are broken at random
        out[n++] = c;
    }
    qsort(out, (size_t)n, sizeof *out, by_score);
    return n;
}

// Takes one of the first `among` candidates that meets need `meets` (-1: any). It draws two and takes the one whose fact
// training has stated less often, so that every fact is stated. -1 where there is none.
static int take_candidate(maker *m, const plan *q, candidate *c, int n, int among, int meets, tt_rng *rng) {
    int best = -1;
    for (int draw = 0, found = 0; draw < 40 && found < 2; ++draw) {
        int i = (int)tt_rng_below(rng, (uint32_t)(among < n ? among : n));
        if (c[i].thing < 0 || (meets >= 0 && c[i].meets != meets)) continue;
        ++found;
        if (best < 0 ||
            *shown_at(m, c[i].thing, q->property[0]) < *shown_at(m, c[best].thing, q->property[0]))
            best = i;
    }
    if (best < 0) return -1;
    int thing = c[best].thing;
    c[best].thing = -1;
    return thing;
}

static bool draw_options(maker *m, plan *q, tt_split split, tt_rng *rng) {
    candidate *c = malloc((size_t)m->world.n_things * sizeof *c);
    int n = c ? find_candidates(m, q, split, rng, c) : 0, nearest = (int)m->world.nearest, k = 0;
    q->options[k++] = q->gold;
    while (k < TT_OPTIONS && n >= TT_OPTIONS - 1) {
        int thing = -1;
        // One that meets the first need alone, one that meets the second alone, the last from all candidates.
        if (q->n_needs == 2 && k <= 2) thing = take_candidate(m, q, c, n, n, k - 1, rng);
        if (thing < 0) thing = take_candidate(m, q, c, n, k == TT_OPTIONS - 1 ? n : nearest, -1, rng);
        if (thing < 0) break;
        q->options[k++] = thing;
    }
    free(c);
    if (k < TT_OPTIONS) return false;
    tt_rng_shuffle(rng, q->options, TT_OPTIONS);
    return true;
}

static bool draw_plan(maker *m, tt_split split, tt_rng *rng, plan *q) {
    const tt_world *w = &m->world;
    int weights[TT_WORLD_PROPERTIES];
    for (int p = 0; p < w->n_properties; ++p) weights[p] = w->properties[p].weight;
    bool novel = (split == TT_VALIDATION || split == TT_TEST) && tt_rng_uniform(rng) < w->novel_asked;
    *q = (plan){.n_needs = tt_rng_uniform(rng) < w->two_facts ? 2 : 1};
    q->property[0] = tt_draw(weights, w->n_properties, rng);
    q->property[1] = tt_draw(weights, w->n_properties, rng);
    if (!draw_fact(m, split, novel, q->property[0], -1, rng, &q->gold, &q->value[0])) return false;
    if (q->n_needs == 2) {
        int same;
        if (q->property[0] == q->property[1]) return false;
        if (!draw_fact(m, split, false, q->property[1], q->gold, rng, &same, &q->value[1])) return false;
    }
    return draw_options(m, q, split, rng);
}

static void plan_exercise(const tt_world *w, const plan *q, tt_rng *rng, tt_exercise *e) {
    *e = (tt_exercise){.n_needs = q->n_needs, .n_options = TT_OPTIONS};
    for (int o = 0; o < TT_OPTIONS; ++o) {
        e->things[o] = w->things[q->options[o]].name;
        if (q->options[o] == q->gold) e->gold = o;
    }
    for (int k = 0; k < q->n_needs; ++k) {
        const tt_property *p = &w->properties[q->property[k]];
        e->property[k] = p;
        e->need[k] = p->values[q->value[k]].text;
        for (int o = 0; o < TT_OPTIONS; ++o) {
            const tt_fact *fact = &w->things[q->options[o]].facts[q->property[k]];
            e->n_values[k][o] = fact->n;
            for (int i = 0; i < fact->n; ++i) e->values[k][o][i] = p->values[fact->values[i]].text;
        }
    }
    const tt_texts *situations = &w->properties[q->property[0]].values[q->value[0]].situations;
    if (situations->n > 0 && tt_rng_below(rng, 3) > 0) e->situation = tt_pick(situations, rng);
}

// Adds a reasoning to the latest question.
static tt_status add_reasoning(maker *m, const tt_exercise *e, tt_rng *rng) {
    tt_str general = {0}, specific[TT_OPTIONS] = {0};
    const char *texts[TT_OPTIONS];
    tt_say_general(&general, &m->world, e, rng);
    tt_status status = tt_str_status(&general);
    for (int o = 0; o < e->n_options; ++o) {
        tt_say_specific(&specific[o], &m->world, e, o, o == e->gold, rng);
        texts[o] = tt_str_text(&specific[o]);
        if (status == TT_OK) status = tt_str_status(&specific[o]);
    }
    if (status == TT_OK)
        status =
            tt_corpus_add_reasoning(m->corpus, &(tt_reasoning){.question = (int)m->corpus->n_questions - 1,
                                                   .general = tt_str_text(&general),
                                                   .specific = texts,
                                                   .answer = e->gold});
    tt_str_close(&general);
    for (int o = 0; o < e->n_options; ++o) tt_str_close(&specific[o]);
    return status;
}

static tt_status add_question(
    maker *m, tt_split split, int64_t number, const tt_exercise *e, const char *question, tt_rng *rng) {
    const tt_world *w = &m->world;
    tt_str id = {0};
    tt_str_format(&id, "%s-%s-%04lld", w->name, tt_split_name(split), (long long)number + 1);
    tt_status status = tt_str_status(&id);
    if (status == TT_OK)
        status = tt_corpus_add_question(m->corpus, &(tt_question){.id = tt_str_text(&id),
                                                       .text = question,
                                                       .options = e->things,
                                                       .n_options = e->n_options,
                                                       .gold = e->gold,
                                                       .split = split});
    for (int64_t r = 0; status == TT_OK && r < (split == TT_TRAIN ? w->reasonings : 1); ++r)
        status = add_reasoning(m, e, rng);
    tt_str_close(&id);
    return status == TT_ERR_INPUT ? tt_context(status, "%s", w->path) : status;
}

// Words the plan and accepts it unless the question was asked before: in any split with the same options, or in training
// with the same right answer.
static tt_status accept_plan(
    maker *m, tt_split split, int64_t number, const plan *q, tt_rng *rng, bool *accepted) {
    tt_exercise e;
    tt_str question = {0}, key = {0};
    plan_exercise(&m->world, q, rng, &e);
    tt_say_question(&question, &m->world, &e, rng);
    tt_str_format(&key, "%s|%s", tt_str_text(&question), e.things[e.gold]);
    uint64_t asked = tt_hash(tt_str_text(&key), key.length);
    for (int o = 0; o < e.n_options; ++o) tt_str_format(&key, "|%s", e.things[o]);
    uint64_t whole = tt_hash(tt_str_text(&key), key.length);
    tt_status status = tt_str_status(&key);
    *accepted = status == TT_OK && !set_has(&m->questions, whole) &&
                (split == TT_TRAIN || !set_has(&m->asked, asked));
    if (*accepted) {
        set_add(&m->questions, whole);
        if (split == TT_TRAIN) {
            set_add(&m->asked, asked);
            for (int k = 0; k < q->n_needs; ++k)
                for (int o = 0; o < TT_OPTIONS; ++o) ++*shown_at(m, q->options[o], q->property[k]);
        }
        status = add_question(m, split, number, &e, tt_str_text(&question), rng);
    }
    tt_str_close(&question);
    tt_str_close(&key);
    return status;
}

static tt_status make_split(maker *m, tt_split split) {
    for (int64_t number = 0; number < m->world.questions[split]; ++number) {
        tt_rng rng;
        tt_rng_open(&rng, m->world.seed, TT_FOR_WORLD, (uint64_t)number, (uint32_t)split);
        bool accepted = false;
        for (int draw = 0; draw < MAX_DRAWS && !accepted; ++draw) {
            plan q;
            if (draw_plan(m, split, &rng, &q)) TT_TRY(accept_plan(m, split, number, &q, &rng, &accepted));
        }
        if (!accepted)
            return tt_fail(TT_ERR_INPUT,
                "%s: found no new %s question after %lld; ask for fewer questions, or add objects, "
                "values or wordings",
                m->world.path, tt_split_name(split), (long long)number);
    }
    return TT_OK;
}

static tt_status set_open(hash_set *set, int64_t texts) {
    set->size = 64;
    while (set->size < 2 * (size_t)texts + 2) set->size *= 2;
    return tt_alloc(&set->slots, set->size, sizeof *set->slots, "questions asked");
}

static tt_status open_maker(maker *m, const char *world_yaml) {
    TT_TRY(tt_world_open(&m->world, world_yaml));
    const tt_world *w = &m->world;
    size_t things = (size_t)w->n_things;
    int64_t all = 0;
    for (int s = 0; s < TT_SPLITS; ++s) all += w->questions[s];
    TT_TRY(tt_alloc(&m->held_out, things, sizeof *m->held_out, "objects"));
    TT_TRY(tt_alloc(&m->novel, things * TT_WORLD_PROPERTIES * TT_FACT_VALUES, sizeof *m->novel, "facts"));
    TT_TRY(tt_alloc(&m->shown, things * TT_WORLD_PROPERTIES, sizeof *m->shown, "facts"));
    for (int p = 0; p < w->n_properties; ++p)
        TT_TRY(tt_alloc(&m->common[p], (size_t)w->properties[p].n_values, sizeof *m->common[p], "values"));
    TT_TRY(set_open(&m->asked, w->questions[TT_TRAIN]));
    return set_open(&m->questions, all);
}

static void close_maker(maker *m) {
    free(m->held_out);
    free(m->novel);
    free(m->shown);
    for (int p = 0; p < TT_WORLD_PROPERTIES; ++p) free(m->common[p]);
    free(m->asked.slots);
    free(m->questions.slots);
    tt_world_close(&m->world);
}

// "datasets/everyday/world.yaml" is called everyday; "worlds/ships.yaml" is called ships.
static const char *world_name(tt_arena *memory, const char *path) {
    const char *slash = strrchr(path, '/'), *file = slash ? slash + 1 : path;
    char name[128];
    size_t n = strcspn(file, ".");
    if (slash && n == 5 && strncmp(file, "world", n) == 0) {
        const char *folder = slash;
        while (folder > path && folder[-1] != '/') --folder;
        file = folder;
        n = (size_t)(slash - folder);
    }
    snprintf(name, sizeof name, "%.*s", (int)n, file);
    return tt_arena_strdup(memory, name);
}

static tt_status describe(tt_corpus *corpus, const char *world_yaml) {
    tt_str from = {0};
    tt_str_format(&from, "{\"world\": \"%s\"}", world_yaml);
    tt_status status = tt_str_status(&from);
    corpus->name = world_name(&corpus->memory, world_yaml);
    corpus->provenance = tt_arena_strdup(&corpus->memory, tt_str_text(&from));
    tt_str_close(&from);
    if (status == TT_OK && (!corpus->name || !corpus->provenance)) status = TT_ERR_NOMEM;
    return status;
}

tt_status tt_world_corpus(tt_corpus *corpus, const char *world_yaml) {
    maker m = {.corpus = corpus};
    tt_status status = open_maker(&m, world_yaml);
    if (status == TT_OK) status = describe(corpus, world_yaml);
    if (status == TT_OK) divide_facts(&m);
    for (int split = 0; split < TT_SPLITS && status == TT_OK; ++split)
        status = make_split(&m, (tt_split)split);
    close_maker(&m);
    return status;
}
