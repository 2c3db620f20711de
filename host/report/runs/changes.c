#include "host/report/runs/changes.h"

#include "host/base/memory.h"
#include "host/lab/paired.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct side {
    const tt_report_score *score; // NULL: there is none
    const tt_outcomes *outcomes;
    int64_t seed;
} side;

typedef struct pair {
    side before, after;
} pair;

bool tt_report_other_seed(const tt_report_change *c) {
    return c->seed_before >= 0 && c->seed_after >= 0 && c->seed_before != c->seed_after;
}

bool tt_report_sure(double low, double high) {
    return low > 0 || high < 0;
}

// ---- what is compared with what

const tt_report_phase *tt_report_before(const tt_report_run *run) {
    for (int p = 0; p + 1 < run->n_phases; ++p)
        if (!run->phases[p].preference && run->phases[p + 1].preference) return &run->phases[p];
    return NULL;
}

const tt_report_phase *tt_report_after(const tt_report_run *run) {
    const tt_report_phase *last = run->n_phases > 0 ? &run->phases[run->n_phases - 1] : NULL;
    return last && last->preference ? last : NULL;
}

static side side_of_phase(const tt_report_run *run, const tt_report_phase *phase) {
    side s = {.seed = run->seed};
    if (!phase || phase->test.n == 0) return s;
    s.score = &phase->test;
    s.outcomes = phase == &run->phases[run->n_phases - 1] ? &run->outcomes[TT_REPORT_TEST] : &phase->outcomes;
    return s;
}

static side side_of_score(const tt_report_run *run, tt_report_score_kind kind) {
    side s = {.seed = run->seed};
    if (run->scores[kind].n == 0) return s;
    s.score = &run->scores[kind];
    s.outcomes = &run->outcomes[kind];
    return s;
}

static pair pair_of(const tt_report_run *run, const tt_report_run *against, const tt_report_change *which) {
    pair p = {.before = {.score = NULL}, .after = {.score = NULL}};
    switch (which->kind) {
    case TT_CHANGE_REFLECTION:
        p.before = side_of_phase(run, tt_report_before(run));
        p.after = side_of_phase(run, tt_report_phase_of(run, which->phase));
        break;
    case TT_CHANGE_VOTING:
        p.before = side_of_score(run, (tt_report_score_kind)(which->answers - 1)); // greedy
        p.after = side_of_score(run, which->answers);
        break;
    case TT_CHANGE_GROUP:
        if (against) p.before = side_of_score(against, which->answers);
        p.after = side_of_score(run, which->answers);
        break;
    }
    return p;
}

static int count_runs(const tt_report *r, const tt_report_group *g) {
    int n = 0;
    for (int i = 0; i < g->n; ++i) n += tt_report_counts(&r->runs[g->runs[i]]);
    return n;
}

// Matched by seed; if both groups have one run, those two are matched.
static const tt_report_run *partner_in(
    const tt_report *r, const tt_report_group *first, const tt_report_run *run) {
    const tt_report_group *own = &r->groups[run->group];
    if (own == first || !tt_report_counts(run)) return NULL;
    const bool alone = count_runs(r, first) == 1 && count_runs(r, own) == 1;
    for (int i = 0; i < first->n; ++i) {
        const tt_report_run *other = &r->runs[first->runs[i]];
        if (tt_report_counts(other) && (alone || (run->seed >= 0 && other->seed == run->seed))) return other;
    }
    return NULL;
}

const tt_report_run *tt_report_partner(const tt_report *r, const tt_report_run *run) {
    return partner_in(r, &r->groups[0], run);
}

// ---- the numbers

// Whether the stored answers are those that result.json counts; if not, they come from another evaluation.
static bool fits_result(const side *s, char *why, size_t size) {
    if (s->outcomes->n == 0) {
        snprintf(why, size, "answers are not stored");
        return false;
    }
    const long long right = llround(s->score->accuracy * (double)s->score->n);
    if ((int64_t)s->outcomes->n == s->score->n && s->outcomes->right == right) return true;
    snprintf(why, size, "stored answers: %lld of %zu right, result.json: %lld of %lld",
        (long long)s->outcomes->right, s->outcomes->n, right, (long long)s->score->n);
    return false;
}

// Adds a pair to the counts and to each question's sum of changes.
static bool add_pair(tt_report_change *c, const pair *p, const pair *first, double *sums) {
    char why[TT_PAIRED_WHY];
    tt_paired counts;
    if (!fits_result(&p->before, why, sizeof why) || !fits_result(&p->after, why, sizeof why) ||
        !tt_outcomes_pair(p->before.outcomes, p->after.outcomes, &counts, why)) {
        if (c->pairs > 1)
            snprintf(c->why, sizeof c->why, "seed %lld: %s", (long long)p->after.seed, why);
        else
            snprintf(c->why, sizeof c->why, "%s", why);
        return false;
    }
    tt_paired same;
    if (p != first && !tt_outcomes_pair(first->before.outcomes, p->before.outcomes, &same, why)) {
        snprintf(c->why, sizeof c->why, "seeds were asked other questions");
        return false;
    }
    c->questions = counts.n;
    c->to_right += counts.to_right;
    c->to_wrong += counts.to_wrong;
    for (int64_t q = 0; q < counts.n; ++q) // sorted alike
        sums[q] += (double)p->after.outcomes->items[q].right - (double)p->before.outcomes->items[q].right;
    return true;
}

static void interval_over_questions(tt_report_change *c, double *sums) {
    if (c->pairs == 1) {
        tt_paired_interval(c->to_right, c->to_wrong, c->questions, &c->low, &c->high);
        c->mcnemar = tt_mcnemar(c->to_right, c->to_wrong);
        return;
    }
    for (int64_t q = 0; q < c->questions; ++q) sums[q] /= c->pairs;
    const tt_estimate e = tt_estimate_mean(sums, (int)c->questions);
    if (e.high - e.low > 1e-9) {
        c->low = fmax(e.low, -1);
        c->high = fmin(e.high, 1);
    } else { // all questions changed alike: the interval of one pair of runs that changed in the same way
        const int half = c->pairs / 2; // rounded
        tt_paired_interval((c->to_right + half) / c->pairs, (c->to_wrong + half) / c->pairs, c->questions,
            &c->low, &c->high);
    }
}

static tt_status work_out(tt_report_change *c, const pair *pairs) {
    double differences[c->pairs];
    size_t most = 0; // questions
    double *sums;
    for (int i = 0; i < c->pairs; ++i) {
        differences[i] = pairs[i].after.score->accuracy - pairs[i].before.score->accuracy;
        if (pairs[i].before.outcomes->n > most) most = pairs[i].before.outcomes->n;
    }
    const tt_estimate e = tt_estimate_mean(differences, c->pairs);
    c->difference = e.mean;
    if (c->pairs == 1) {
        c->seed_before = pairs[0].before.seed;
        c->seed_after = pairs[0].after.seed;
    }
    if (c->pairs > 1 && e.high - e.low > 1e-9) {
        c->seeds_low = fmax(e.low, -1);
        c->seeds_high = fmin(e.high, 1);
    }
    TT_TRY(tt_alloc(&sums, most, sizeof *sums, "changes of questions"));
    bool paired = true;
    for (int i = 0; i < c->pairs && paired; ++i) paired = add_pair(c, &pairs[i], &pairs[0], sums);
    if (paired)
        interval_over_questions(c, sums);
    else
        c->questions = c->to_right = c->to_wrong = 0;
    free(sums);
    return TT_OK;
}

static tt_report_change empty_change(const tt_report_change *which) {
    tt_report_change c = *which;
    c.pairs = c.unpaired = 0;
    c.seed_before = c.seed_after = -1;
    c.questions = c.to_right = c.to_wrong = 0;
    c.difference = c.low = c.high = c.seeds_low = c.seeds_high = c.mcnemar = NAN;
    *c.why = '\0';
    return c;
}

tt_status tt_report_change_of_run(const tt_report_run *run, const tt_report_run *against,
    const tt_report_change *which, tt_report_change *out) {
    *out = empty_change(which);
    const pair p = pair_of(run, against, which);
    out->pairs = tt_report_counts(run) && p.before.score && p.after.score;
    return out->pairs ? work_out(out, &p) : TT_OK;
}

tt_status tt_report_change_of_group(
    const tt_report *r, const tt_report_change *which, tt_report_change *out) {
    const tt_report_group *g = &r->groups[which->group], *first = &r->groups[which->against];
    pair pairs[g->n];
    int own = 0, others = 0;
    *out = empty_change(which);
    for (int i = 0; i < g->n; ++i) {
        const tt_report_run *run = &r->runs[g->runs[i]];
        if (!tt_report_counts(run)) continue;
        pairs[out->pairs] = pair_of(run, partner_in(r, first, run), which);
        own += pairs[out->pairs].after.score != NULL;
        if (pairs[out->pairs].before.score && pairs[out->pairs].after.score)
            out->pairs++;
        else if (pairs[out->pairs].after.score && which->kind == TT_CHANGE_GROUP)
            out->unpaired++;
    }
    for (int i = 0; i < first->n && which->kind == TT_CHANGE_GROUP; ++i) {
        const tt_report_run *run = &r->runs[first->runs[i]];
        others += tt_report_counts(run) && run->scores[which->answers].n > 0;
    }
    if (which->kind == TT_CHANGE_GROUP && others > 0) out->unpaired += others - out->pairs;
    if (out->pairs > 0) return work_out(out, pairs);
    if (own == 0 || others == 0) out->unpaired = 0; // one side has no such score: nothing to say
    snprintf(out->why, sizeof out->why, "no run of the same seed");
    return TT_OK;
}

// ---- all of a report

typedef struct list {
    tt_report_change *items;
    size_t n, capacity;
} list;

static tt_status add_change(list *all, const tt_report *r, tt_report_change which) {
    TT_TRY(tt_grow(&all->items, &all->capacity, all->n + 1, sizeof *all->items, "differences"));
    tt_report_change *out = &all->items[all->n];
    TT_TRY(tt_report_change_of_group(r, &which, out));
    all->n += out->pairs > 0 || out->unpaired > 0;
    return TT_OK;
}

static tt_status add_against(list *all, const tt_report *r, int g, int against) {
    for (int k = 0; k < TT_REPORT_BEST; ++k)
        TT_TRY(add_change(all, r,
            (tt_report_change){.kind = TT_CHANGE_GROUP,
                .group = g,
                .against = against,
                .answers = (tt_report_score_kind)k}));
    return TT_OK;
}

static tt_status add_group(list *all, const tt_report *r, int g) {
    const tt_report_run *run = &r->runs[r->groups[g].runs[0]];
    for (int i = 1; i < r->groups[g].n && !tt_report_counts(run); ++i) run = &r->runs[r->groups[g].runs[i]];
    const tt_report_phase *before = tt_report_before(run);
    for (int p = 0; p < run->n_phases && before; ++p)
        if (run->phases[p].preference)
            TT_TRY(add_change(all, r,
                (tt_report_change){.kind = TT_CHANGE_REFLECTION,
                    .group = g,
                    .answers = TT_REPORT_TEST,
                    .phase = run->phases[p].name,
                    .before = before->name}));
    for (int k = TT_REPORT_TEST_VOTED; k < TT_REPORT_BEST; k += 2)
        TT_TRY(add_change(all, r,
            (tt_report_change){.kind = TT_CHANGE_VOTING, .group = g, .answers = (tt_report_score_kind)k}));
    if (g > 0) TT_TRY(add_against(all, r, g, 0));
    return r->groups[g].against > 0 ? add_against(all, r, g, r->groups[g].against) : TT_OK;
}

tt_status tt_report_changes(const tt_report *r, tt_report_change **out, int *n) {
    list all = {0};
    tt_status status = TT_OK;
    for (int g = 0; g < r->n_groups && status == TT_OK; ++g) status = add_group(&all, r, g);
    if (status != TT_OK) {
        free(all.items);
        all = (list){0};
    }
    *out = all.items;
    *n = (int)all.n;
    return status;
}

// ---- words

void tt_report_change_label(tt_str *out, const tt_report *r, const tt_report_change *c) {
    switch (c->kind) {
    case TT_CHANGE_REFLECTION:
        tt_str_format(out, "after %s, against after %s", c->phase, c->before);
        break;
    case TT_CHANGE_VOTING:
        tt_str_append(out, "self-consistency, against greedy");
        break;
    case TT_CHANGE_GROUP:
        tt_str_format(out, "against %s", r->groups[c->against].label);
        break;
    }
}
