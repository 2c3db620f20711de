#include "host/lab/sweep/cost.h"

#include "host/base/log.h"
#include "host/base/temporary.h"
#include "host/lab/config_lines.h"
#include "host/lab/sweep/file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// What one kind of configuration takes.
typedef struct kind {
    char *text; // its configuration without what does not matter
    char model[TT_SPEED_MODEL];
    bool known;
    char why[512]; // it is not
    double memory;
    tt_needs_phase phases[TT_MAX_PHASES];
    int n_phases;
} kind;

enum { MOST_REASONINGS = 63 }; // of a question that are told apart

typedef struct counter {
    tt_sweep_costs *out;
    kind *kinds; // [n]
    size_t n, capacity;
    char *corpus_name; // of the corpus below; NULL: none
    tt_corpus corpus;
    int64_t whole[MOST_REASONINGS + 1], counted[MOST_REASONINGS + 1]; // see count_reasonings
    char tokens[TT_PATH_MAX];
    tt_needs *needs;
} counter;

// ---- a part of a corpus

static int64_t size_of(const tt_corpus *corpus, tt_split split) {
    int64_t n = 0;
    for (size_t i = 0; i < corpus->n_questions; ++i) n += corpus->questions[i].split == split;
    return n;
}

// Whether number i of n is among `most`: one of each of `most` stretches of equal length, and not always in the same place,
// since corpora may repeat a pattern.
static bool is_chosen(int64_t i, int64_t n, int64_t most) {
    if (n <= most) return true;
    const int64_t stretch = i * most / n, first = (stretch * n + most - 1) / most,
                  end = ((stretch + 1) * n + most - 1) / most;
    const uint64_t mixed = (uint64_t)(stretch + 1) * 0x9E3779B97F4A7C15u >> 33;
    return i == first + (int64_t)(mixed % (uint64_t)(end - first));
}

// place[q]: where question q of the whole went, -1: it was left out.
static tt_status choose_questions(tt_corpus *out, const tt_corpus *whole, int *place) {
    int64_t all[TT_SPLITS], seen[TT_SPLITS] = {0};
    for (int s = 0; s < TT_SPLITS; ++s) all[s] = size_of(whole, (tt_split)s);
    for (size_t q = 0; q < whole->n_questions; ++q) {
        const tt_split split = whole->questions[q].split;
        const int most = split == TT_TRAIN ? TT_COST_QUESTIONS : TT_COST_SCORED;
        place[q] = -1;
        if (!is_chosen(seen[split]++, all[split], most)) continue;
        place[q] = (int)out->n_questions;
        TT_TRY(tt_corpus_add_question(out, &whole->questions[q]));
    }
    return TT_OK;
}

// By how many questions have so many reasonings to learn from.
static void count_reasonings(const tt_corpus *corpus, int64_t out[MOST_REASONINGS + 1]) {
    memset(out, 0, (MOST_REASONINGS + 1) * sizeof *out);
    for (size_t q = 0; q < corpus->n_questions; ++q) {
        if (corpus->questions[q].split != TT_TRAIN) continue;
        const int n = tt_corpus_reasonings(corpus, (int)q, NULL);
        out[n < MOST_REASONINGS ? n : MOST_REASONINGS]++;
    }
}

static tt_status take_part(tt_corpus *out, const tt_corpus *whole) {
    int *place;
    *out = (tt_corpus){.hash = whole->hash + 1}; // tokens that are kept for the whole are not taken
    TT_TRY(tt_alloc(&place, whole->n_questions, sizeof *place, "questions"));
    tt_status status = choose_questions(out, whole, place);
    for (size_t i = 0; i < whole->n_reasoning && status == TT_OK; ++i) {
        tt_reasoning one = whole->reasoning[i];
        one.question = place[one.question];
        if (one.question >= 0) status = tt_corpus_add_reasoning(out, &one);
    }
    free(place);
    return status;
}

// The corpus of a configuration, or its part, stays for the next one.
static tt_status open_corpus(counter *c, const tt_config *config) {
    tt_corpus whole;
    bool has;
    if (c->corpus_name && strcmp(c->corpus_name, config->corpus) == 0) return TT_OK;
    free(c->corpus_name);
    c->corpus_name = NULL;
    tt_corpus_close(&c->corpus);
    TT_TRY(tt_needs_corpus(&whole, &has, config));
    tt_status status = TT_OK;
    if (has) status = take_part(&c->corpus, &whole);
    count_reasonings(&whole, c->whole);
    count_reasonings(&c->corpus, c->counted);
    c->out->part = c->out->part || size_of(&c->corpus, TT_TRAIN) < size_of(&whole, TT_TRAIN);
    tt_corpus_close(&whole);
    return status == TT_OK ? tt_strdup(&c->corpus_name, config->corpus) : status;
}

// ---- counting

static double all_questions(const int64_t questions[MOST_REASONINGS + 1]) {
    double n = 0;
    for (int k = 0; k <= MOST_REASONINGS; ++k) n += (double)questions[k];
    return n;
}

// Reasonings that are learned from, at most `most` of a question (0: all). Where there are none, each question counts once.
static double learned(const int64_t questions[MOST_REASONINGS + 1], int64_t most) {
    double n = 0;
    for (int k = 0; k <= MOST_REASONINGS; ++k)
        n += (double)questions[k] * (double)(most > 0 && k > most ? most : k);
    return n > 0 ? n : all_questions(questions);
}

// How many things a phase learns from in a corpus whose questions have so many reasonings each.
static double size_of_work(
    const tt_config *config, const tt_needs_phase *phase, const int64_t questions[MOST_REASONINGS + 1]) {
    if (strcmp(phase->section, "reflection") == 0) return learned(questions, 1); // pairs are of questions
    const bool answers_alone = strcmp(config->stages, "summarize_only") == 0;    // an example of a question
    return answers_alone ? all_questions(questions) : learned(questions, config->reasonings);
}

// How many times more steps the phase has than were counted: not more where a key says how many.
static double factor_of(const counter *c, const tt_config *config, const tt_needs_phase *phase) {
    const bool reflects = strcmp(phase->section, "reflection") == 0,
               acquires = strcmp(phase->section, "acquisition") == 0 && config->acquisition.steps == 0;
    const double counted = size_of_work(config, phase, c->counted);
    double all = size_of_work(config, phase, c->whole);
    if (!(reflects || acquires) || !(counted > 0)) return 1;
    if (reflects && config->reflection.questions > 0) all = fmin(all, (double)config->reflection.questions);
    return reflects ? fmax(1, all / counted) : all / counted;
}

static tt_status count_kind(counter *c, const tt_config *config, kind *out) {
    tt_needs_machine machine;
    TT_TRY(tt_needs_machine_here(&machine, config, false));
    machine.tokens_path = c->tokens;
    c->out->cuda = machine.cuda;
    TT_TRY(open_corpus(c, config));
    TT_TRY(tt_needs_count(c->needs, config, *config->corpus ? &c->corpus : NULL, &machine));
    const tt_need *largest = tt_needs_largest(c->needs);
    out->memory = largest ? (double)largest->peak.all : 0;
    out->n_phases = c->needs->n_phases;
    memcpy(out->phases, c->needs->phases, sizeof out->phases);
    for (int i = 0; i < out->n_phases; ++i) {
        const double factor = factor_of(c, config, &out->phases[i]);
        out->phases[i].steps = llround((double)out->phases[i].steps * factor);
        out->phases[i].tokens *= factor;
    }
    tt_speed_model(out->text, tt_precision_name(machine.precision), out->model);
    out->known = true;
    return TT_OK;
}

// Keys that change what is computed, but neither how often nor how large it is.
static bool is_free(const char *key) {
    static const char *const sections[] = {"pretraining.", "acquisition.", "reflection."};
    static const char *const everywhere[] = {"learning_rate", "min_learning_rate", "warmup", "schedule",
        "beta1", "beta2", "eps", "weight_decay", "clip", "interval", "beta", "nll_weight", "label_smoothing",
        "temperature", "rationale_weight"};
    if (tt_sweep_own_key(key, strlen(key))) return true;
    for (size_t s = 0; s < sizeof sections / sizeof *sections; ++s)
        for (size_t i = 0; tt_starts_with(key, sections[s]) && i < sizeof everywhere / sizeof *everywhere;
             ++i)
            if (strcmp(key + strlen(sections[s]), everywhere[i]) == 0) return true;
    return false;
}

// The configuration without what runs of one kind differ in.
static tt_status text_of(const tt_config *config, char **out) {
    tt_str yaml = {0}, text = {0};
    tt_status status = tt_config_write(config, &yaml);
    tt_config_line line = {.rest = tt_str_text(&yaml)};
    while (status == TT_OK && tt_config_line_next(&line))
        if (!is_free(line.key)) tt_str_format(&text, "%s: %.*s\n", line.key, line.length, line.value);
    if (status == TT_OK) status = tt_str_status(&text);
    if (status == TT_OK) status = tt_strdup(out, tt_str_text(&text));
    tt_str_close(&yaml);
    tt_str_close(&text);
    return status;
}

static tt_status find_kind(counter *c, const tt_config *config, const kind **out) {
    char *text = NULL;
    TT_TRY(text_of(config, &text));
    for (size_t k = 0; k < c->n; ++k) {
        if (strcmp(c->kinds[k].text, text) != 0) continue;
        free(text);
        *out = &c->kinds[k];
        return TT_OK;
    }
    tt_status status = tt_grow(&c->kinds, &c->capacity, c->n + 1, sizeof *c->kinds, "configurations");
    if (status != TT_OK) {
        free(text);
        return status;
    }
    kind *new = &c->kinds[c->n++];
    *new = (kind){.text = text};
    *out = new;
    tt_log_mute(true); // the run itself will warn of what its data lack
    status = count_kind(c, config, new);
    tt_log_mute(false);
    if (status != TT_OK) snprintf(new->why, sizeof new->why, "%s", tt_error_message());
    return status == TT_ERR_NOMEM ? status : TT_OK;
}

// ---- runs and phases

static tt_sweep_cost cost_of(const kind *k, const tt_needs_phase *phase, tt_speeds *speeds) {
    const double speed = tt_speeds_find(speeds, k->model, phase->section);
    return (tt_sweep_cost){.known = true,
        .steps = (double)phase->steps,
        .tokens = phase->tokens,
        .seconds = speed > 0 ? phase->tokens / speed : NAN};
}

// `more`: how often the last phase, an iteration of reflection, comes again.
static void add_run(
    counter *c, const tt_sweep_graph *graph, int run, const kind *k, int more, tt_speeds *speeds) {
    tt_sweep_cost *all = &c->out->runs[run];
    *all = (tt_sweep_cost){.known = k->known};
    c->out->memory[run] = k->memory;
    int phase = graph->last[run];
    for (int i = k->known ? k->n_phases - 1 + more : -1; i >= 0; --i) {
        const int known = i < k->n_phases ? i : k->n_phases - 1;
        const tt_sweep_cost one = cost_of(k, &k->phases[known], speeds);
        all->steps += one.steps;
        all->tokens += one.tokens;
        all->seconds += one.seconds;
        if (phase < 0) continue;
        c->out->phases[phase] = one;
        phase = graph->phases[phase].before;
    }
}

static tt_status count_runs(counter *c, const tt_sweep_graph *graph, tt_speeds *speeds) {
    for (int i = 0; i < graph->sweeps->n; ++i) {
        const tt_sweep_run *run = graph->sweeps->runs[i];
        const kind *k = NULL;
        tt_config config;
        TT_TRY(tt_config_load(&config, run->sweep->base, run->overrides, run->n));
        // Iterations of reflection after the first take what that one does.
        const int more = config.reflection.iterations > 1 ? (int)config.reflection.iterations - 1 : 0;
        config.reflection.iterations -= more;
        const tt_status status = find_kind(c, &config, &k);
        tt_config_close(&config);
        TT_TRY(status);
        add_run(c, graph, i, k, more, speeds);
        if (!k->known) TT_TRY(tt_strdup(&c->out->why[i], k->why));
    }
    return TT_OK;
}

tt_status tt_sweep_costs_open(tt_sweep_costs *out, const tt_sweep_graph *graph, tt_speeds *speeds) {
    const size_t n = (size_t)graph->sweeps->n;
    counter c = {.out = out};
    *out = (tt_sweep_costs){.n = graph->sweeps->n};
    tt_status status = tt_alloc(&out->runs, n, sizeof *out->runs, "costs");
    if (status == TT_OK) status = tt_alloc(&out->phases, (size_t)graph->n + 1, sizeof *out->phases, "costs");
    if (status == TT_OK) status = tt_alloc(&out->memory, n, sizeof *out->memory, "costs");
    if (status == TT_OK) status = tt_alloc(&out->why, n, sizeof *out->why, "costs");
    if (status == TT_OK) status = tt_alloc(&c.needs, 1, sizeof *c.needs, "costs");
    if (status == TT_OK) {
        if (tt_temporary_make_private("tinythinker-sweep", c.tokens) != TT_OK) *c.tokens = 0;
        status = count_runs(&c, graph, speeds);
        if (*c.tokens) tt_temporary_remove(c.tokens);
    }
    for (size_t k = 0; k < c.n; ++k) free(c.kinds[k].text);
    free(c.kinds);
    free(c.corpus_name);
    free(c.needs);
    tt_corpus_close(&c.corpus);
    if (status != TT_OK) tt_sweep_costs_close(out);
    return status;
}

void tt_sweep_costs_close(tt_sweep_costs *costs) {
    free(costs->runs);
    free(costs->phases);
    free(costs->memory);
    for (int i = 0; costs->why && i < costs->n; ++i) free(costs->why[i]);
    free(costs->why);
    *costs = (tt_sweep_costs){0};
}
