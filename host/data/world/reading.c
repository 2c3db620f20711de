// Reading tasks and texts: what a student learns to read from before it meets a world.
//
// A task is one of the three stages over facts that are part of its input. Names and properties come from two worlds,
// the file's own (animals, say) and its vocabulary (tools), but never both from the vocabulary. So a heron may be used
// for boiling water and a kettle may eat frogs, but no kettle is used for anything: nothing about the vocabulary's world
// is learned.
#include "host/base/fs.h"
#include "host/data/world/parts.h"
#include "host/data/world/world.h"
#include "host/text/stages.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { TASK_RECALL, TASK_ANALYZE, TASK_SUMMARIZE, TASK_ANSWER, TASKS };
enum { FOR_TASKS, FOR_TEXTS };
enum { FEWEST = 2 }; // options of a task

typedef struct reader {
    tt_world own, vocabulary;
    bool two; // whether there is a vocabulary
    tt_str input, target, block, general, facts, specific[TT_OPTIONS];
} reader;

// Draws the values of one option for one need: with the needed value where `meets`, without it otherwise, the others at
// random. Most options have one value, and none has more than a thing of the world has. check_enough has seen to two
// values or more.
static void draw_values(tt_exercise *e, int need, int option, bool meets, tt_rng *rng) {
    const tt_property *p = e->property[need];
    uint32_t luck = tt_rng_below(rng, 10);
    int n = luck < 6 ? 1 : luck < 9 ? 2 : 3, filled = 0;
    if (n > p->most) n = p->most;
    if (!meets && n == p->n_values) --n; // all but the needed one
    int place = meets ? (int)tt_rng_below(rng, (uint32_t)n) : -1;
    while (filled < n) {
        const char *text = p->values[tt_rng_below(rng, (uint32_t)p->n_values)].text;
        bool taken = strcmp(text, e->need[need]) == 0;
        if (filled == place)
            text = e->need[need];
        else
            for (int i = 0; i < filled; ++i) taken = taken || strcmp(text, e->values[need][option][i]) == 0;
        if (taken && filled != place) continue;
        e->values[need][option][filled++] = text;
    }
    e->n_values[need][option] = n;
}

static void draw_names(tt_exercise *e, const tt_world *w, tt_rng *rng) {
    for (int o = 0; o < e->n_options;) {
        e->things[o] = w->things[tt_rng_below(rng, (uint32_t)w->n_things)].name;
        bool again = false;
        for (int k = 0; k < o; ++k) again = again || e->things[k] == e->things[o];
        o += !again;
    }
}

// Draws a property other than `other`, all with the same probability.
static const tt_property *draw_property(const tt_world *w, const tt_property *other, tt_rng *rng) {
    for (;;) {
        const tt_property *p = &w->properties[tt_rng_below(rng, (uint32_t)w->n_properties)];
        if (p != other) return p;
    }
}

static void draw_exercise(const reader *r, tt_rng *rng, tt_exercise *e) {
    uint32_t luck = r->two ? tt_rng_below(rng, 5)
                           : 4; // 0, 1: own names; 2, 3: own properties; 4: own names and properties
    const tt_world *names = luck == 2 || luck == 3 ? &r->vocabulary : &r->own;
    const tt_world *facts = luck < 2 ? &r->vocabulary : &r->own;
    *e = (tt_exercise){.n_needs = tt_rng_uniform(rng) < r->own.two_facts ? 2 : 1};
    e->n_options = FEWEST + (int)tt_rng_below(rng, TT_OPTIONS - FEWEST + 1);
    e->gold = (int)tt_rng_below(rng, (uint32_t)e->n_options);
    draw_names(e, names, rng);
    for (int k = 0; k < e->n_needs; ++k) {
        e->property[k] = draw_property(facts, k ? e->property[0] : NULL, rng);
        const tt_property *p = e->property[k];
        e->need[k] = p->values[tt_rng_below(rng, (uint32_t)p->n_values)].text;
    }
    for (int o = 0; o < e->n_options; ++o) {
        int meets = e->n_needs == 2 ? (int)tt_rng_below(rng, 5) / 2
                                    : -1; // 0, 1: it meets that need alone; 2: neither
        for (int k = 0; k < e->n_needs; ++k) draw_values(e, k, o, o == e->gold || meets == k, rng);
    }
}

// Says, in any order and one sentence each, the facts about option `asked` (all options where asked < 0) and about some
// of the others. A task with few sentences is easy, one with all of them is hard, and a student learns from the one to
// the other.
static void say_facts(reader *r, const tt_exercise *e, int asked, tt_rng *rng) {
    int32_t order[TT_OPTIONS];
    for (int o = 0; o < e->n_options; ++o) order[o] = o;
    tt_rng_shuffle(rng, order, e->n_options);
    const uint32_t share = tt_rng_below(rng, 4); // the others are stated with probability share / 4
    for (int o = 0; o < e->n_options; ++o) {
        const bool stated = tt_rng_below(rng, 4) < share;
        if (asked >= 0 && order[o] != asked && !stated) continue;
        if (r->facts.length > 0) tt_str_append(&r->facts, " ");
        tt_say_specific(&r->facts, &r->own, e, order[o], -1, rng);
    }
    tt_str_append(&r->facts, "\n");
}

static void make_task(reader *r, tt_rng *rng) {
    static const int weights[TASKS] = {3, 8, 4, 1};
    tt_str *texts[] = {&r->input, &r->target, &r->block, &r->general, &r->facts};
    for (int i = 0; i < 5; ++i) tt_str_clear(texts[i]);
    tt_exercise e;
    draw_exercise(r, rng, &e);
    int task = tt_draw(weights, TASKS, rng), option = (int)tt_rng_below(rng, (uint32_t)e.n_options);
    if (tt_rng_below(rng, 2) == 0) option = e.gold; // so that about half of the options are right
    tt_say_question(&r->general, &r->own, &e, rng);
    tt_stage_block(&r->block, tt_str_text(&r->general), e.things, e.n_options);
    tt_str_clear(&r->general);
    tt_say_general(&r->general, &r->own, &e, rng);
    const char *block = tt_str_text(&r->block), *general = tt_str_text(&r->general);
    if (task == TASK_ANALYZE || task == TASK_ANSWER) {
        say_facts(r, &e, task == TASK_ANALYZE ? option : -1, rng);
        tt_str_append(&r->input, tt_str_text(&r->facts));
    }
    if (task == TASK_RECALL) {
        tt_stage_recall_input(&r->input, block);
        tt_str_append(&r->target, general);
    } else if (task == TASK_ANALYZE) {
        tt_stage_analyze_input(&r->input, block, general, option);
        tt_say_specific(&r->target, &r->own, &e, option, option == e.gold, rng);
    } else if (task == TASK_SUMMARIZE) {
        const char *specific[TT_OPTIONS];
        for (int o = 0; o < e.n_options; ++o) {
            tt_str_clear(&r->specific[o]);
            tt_say_specific(&r->specific[o], &r->own, &e, o, o == e.gold, rng);
            specific[o] = tt_str_text(&r->specific[o]);
        }
        tt_stage_summarize_input(&r->input, block, general, specific, e.n_options);
        tt_stage_answer(&r->target, e.gold);
    } else {
        tt_stage_summarize_input(&r->input, block, NULL, NULL, e.n_options);
        tt_stage_answer(&r->target, e.gold);
    }
}

static tt_status make_tasks(reader *r, tt_str *out) {
    tt_status status = TT_OK;
    for (int64_t i = 0; i < r->own.tasks && status == TT_OK; ++i) {
        tt_rng rng;
        tt_rng_open(&rng, r->own.seed, TT_FOR_WORLD, (uint64_t)i, FOR_TASKS);
        make_task(r, &rng);
        json_t *line =
            json_pack("{s:s, s:s}", "input", tt_str_text(&r->input), "target", tt_str_text(&r->target));
        char *text = line ? json_dumps(line, JSON_COMPACT) : NULL;
        if (!text)
            status = tt_fail(TT_ERR_NOMEM, "%s: no memory for reading task %lld", r->own.path, (long long)i);
        tt_str_append(out, text ? text : "");
        tt_str_append(out, "\n");
        free(text);
        json_decref(line);
    }
    return status == TT_OK ? tt_str_status(out) : status;
}

// Says two to four facts of one thing of the world.
static void say_thing(reader *r, tt_rng *rng) {
    const tt_world *w = &r->own;
    const tt_thing *thing = &w->things[tt_rng_below(rng, (uint32_t)w->n_things)];
    tt_exercise e = {.n_needs = 1, .n_options = 1, .things = {thing->name}};
    for (uint32_t left = 2 + tt_rng_below(rng, 3); left > 0; --left) {
        int p = (int)tt_rng_below(rng, (uint32_t)w->n_properties);
        if (thing->facts[p].n == 0) continue;
        e.property[0] = &w->properties[p];
        e.n_values[0][0] = thing->facts[p].n;
        for (int i = 0; i < thing->facts[p].n; ++i)
            e.values[0][0][i] = w->properties[p].values[thing->facts[p].values[i]].text;
        tt_say_specific(&r->facts, w, &e, 0, -1, rng);
        tt_str_append(&r->facts, " ");
    }
}

// Says words of one world together: names with names, or values of one property.
static void mention_words(reader *r, bool things, tt_rng *rng) {
    const tt_world *w = r->two && tt_rng_below(rng, 3) > 0 ? &r->vocabulary : &r->own;
    const tt_texts *templates = things ? &r->own.mention_things : &r->own.mention_values;
    if (templates->n == 0) return;
    const tt_property *p = &w->properties[tt_rng_below(rng, (uint32_t)w->n_properties)];
    const char *words[4];
    int n = 2 + (int)tt_rng_below(rng, 3);
    for (int i = 0; i < n; ++i)
        words[i] = things ? w->things[tt_rng_below(rng, (uint32_t)w->n_things)].name
                          : p->values[tt_rng_below(rng, (uint32_t)p->n_values)].text;
    tt_str list = {0};
    tt_join(&list, words, n, things);
    tt_blank blanks[] = {
        {"name", tt_pick(&r->own.people, rng)}, {things ? "things" : "values", tt_str_text(&list)}};
    tt_fill(&r->facts, tt_pick(templates, rng), blanks, 2);
    tt_str_append(&r->facts, " ");
    tt_str_close(&list);
}

// Says a situation of the vocabulary, without the value that it calls for.
static void say_situation(reader *r, tt_rng *rng) {
    for (int draw = 0; draw < 20 && r->two; ++draw) {
        const tt_world *w = &r->vocabulary;
        const tt_property *p = &w->properties[tt_rng_below(rng, (uint32_t)w->n_properties)];
        const tt_texts *texts = &p->values[tt_rng_below(rng, (uint32_t)p->n_values)].situations;
        if (texts->n == 0) continue;
        tt_blank name = {"name", tt_pick(&r->own.people, rng)};
        tt_fill(&r->facts, tt_pick(texts, rng), &name, 1);
        tt_str_append(&r->facts, " ");
        return;
    }
}

static tt_status make_texts(reader *r, tt_str *out) {
    for (int64_t i = 0; i < r->own.texts; ++i) {
        tt_rng rng;
        tt_rng_open(&rng, r->own.seed, TT_FOR_WORLD, (uint64_t)i, FOR_TEXTS);
        tt_str_clear(&r->facts);
        for (int part = 0; part < 3; ++part) {
            uint32_t luck = tt_rng_below(&rng, 6);
            if (luck < 3)
                say_thing(r, &rng);
            else if (luck < 5)
                mention_words(r, luck == 3, &rng);
            else
                say_situation(r, &rng);
        }
        if (r->facts.length < 2) continue;
        tt_str_append_n(out, r->facts.data, r->facts.length - 1); // without the last space
        tt_str_append(out, "\n");
    }
    return tt_str_status(out);
}

// Whether there is enough to draw from: options of a task have names of their own, and one that does not meet a need has
// another value of that property.
static tt_status check_enough(const tt_world *w, bool tasks) {
    const int values = tasks ? 2 : 1;
    if (tasks && w->n_things < TT_OPTIONS)
        return tt_fail(TT_ERR_CONFIG,
            "%s: reading tasks choose among up to %d objects; this world has %d; add some", w->path,
            (int)TT_OPTIONS, w->n_things);
    for (int p = 0; p < w->n_properties; ++p)
        if (w->properties[p].n_values < values)
            return tt_fail(TT_ERR_CONFIG,
                "%s: properties.%s: the objects have %d value(s) of it; reading needs %d or more; add some, "
                "or remove the property",
                w->path, w->properties[p].name, w->properties[p].n_values, values);
    return TT_OK;
}

// Names of both worlds would get facts: nothing may be told of the vocabulary's.
static tt_status check_apart(const tt_world *own, const tt_world *vocabulary) {
    for (int i = 0; i < own->n_things; ++i)
        for (int k = 0; k < vocabulary->n_things; ++k)
            if (strcmp(own->things[i].name, vocabulary->things[k].name) == 0)
                return tt_fail(TT_ERR_CONFIG,
                    "%s: vocabulary: %s has %s among its objects, as this world has; expected a world of "
                    "other objects",
                    own->path, vocabulary->path, own->things[i].name);
    return TT_OK;
}

static tt_status open_reader(reader *r, const char *world_yaml) {
    TT_TRY(tt_world_open(&r->own, world_yaml));
    const char *missing = r->own.texts < 0 ? "texts" : r->own.tasks < 0 ? "tasks" : NULL;
    if (missing)
        return tt_fail(TT_ERR_CONFIG,
            "%s: reading.%s: missing; expected a number, e.g. `reading: {texts: 20000, tasks: 300000}`",
            world_yaml, missing);
    TT_TRY(check_enough(&r->own, r->own.tasks > 0));
    if (!r->own.vocabulary) return TT_OK;
    TT_TRY(tt_world_open(&r->vocabulary, r->own.vocabulary));
    r->two = true;
    TT_TRY(check_enough(&r->vocabulary, r->own.tasks > 0));
    return check_apart(&r->own, &r->vocabulary);
}

tt_status tt_reading_generate(const char *world_yaml, const char *out_texts, const char *out_pairs) {
    reader r = {0};
    tt_str tasks = {0}, texts = {0};
    tt_status status = open_reader(&r, world_yaml);
    if (status == TT_OK) status = make_tasks(&r, &tasks);
    if (status == TT_OK) status = make_texts(&r, &texts);
    if (status == TT_OK) status = tt_write_file(out_pairs, tt_str_text(&tasks), tasks.length);
    if (status == TT_OK) status = tt_write_file(out_texts, tt_str_text(&texts), texts.length);
    tt_str_close(&tasks);
    tt_str_close(&texts);
    tt_str *all[] = {&r.input, &r.target, &r.block, &r.general, &r.facts};
    for (int i = 0; i < 5; ++i) tt_str_close(all[i]);
    for (int o = 0; o < TT_OPTIONS; ++o) tt_str_close(&r.specific[o]);
    tt_world_close(&r.own);
    tt_world_close(&r.vocabulary);
    return status;
}
