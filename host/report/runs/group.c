#include "host/report/runs/group.h"

#include "host/base/log.h"
#include "host/base/memory.h"
#include "host/config/config.h"
#include "host/lab/config_lines.h"
#include "host/reason/vote.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool tt_report_key_ignored(const char *key) {
    switch (tt_config_role_of(key)) {
    case TT_ROLE_RUN:
    case TT_ROLE_PLACE:
        return true;
    case TT_ROLE_TRAINING:
    case TT_ROLE_SCORING:
        return false;
    }
    return false;
}

// A run whose configuration speaks for this one: itself, or, if it failed before it had any, another one of its variant.
static const tt_report_run *configured(const tt_report *r, const tt_report_run *run) {
    for (int i = 0; !run->resolved && i < r->n_runs; ++i) {
        const tt_report_run *other = &r->runs[i];
        if (other->resolved && other->sweep_number == run->sweep_number &&
            strcmp(other->variant, run->variant) == 0)
            return other;
    }
    return run;
}

// Appends a text that is the same for the runs of a group.
static tt_status identity_of(const tt_report *r, const tt_report_run *run, tt_str *out) {
    if (r->each) {
        tt_str_format(out, "path\n%s", run->path);
    } else if (*run->variant) {
        // Runs of one variant are the same but for their seeds, unless `precision: auto` met another machine.
        tt_config_line precision = {.value = ""};
        const char *resolved = configured(r, run)->resolved;
        if (resolved) tt_config_line_find(resolved, "precision", &precision);
        tt_str_format(
            out, "sweep\n%d\n%s\n%.*s", run->sweep_number, run->variant, precision.length, precision.value);
    } else if (run->resolved) {
        tt_config_line line = {.rest = run->resolved};
        while (tt_config_line_next(&line))
            if (!tt_report_key_ignored(line.key))
                tt_str_format(out, "%s: %.*s\n", line.key, line.length, line.value);
    } else {
        tt_str_format(out, "path\n%s", run->path);
    }
    return tt_str_status(out);
}

bool tt_report_is_silent(const tt_report_run *run) {
    return !run->resolved && !run->result;
}

static bool comes_after(const tt_report_run *a, const tt_report_run *b) {
    if (tt_report_is_silent(a) != tt_report_is_silent(b)) return tt_report_is_silent(a);
    return a->seed > b->seed;
}

// Sorts by seed, then in the order of paths; silent runs come last, since the first speaks for the group. An insertion
// sort, since groups are small.
static void sort_runs(tt_report_group *g, tt_report_run *runs) {
    for (int i = 1; i < g->n; ++i)
        for (int k = i; k > 0 && comes_after(&runs[g->runs[k - 1]], &runs[g->runs[k]]); --k) {
            const int swap = g->runs[k];
            g->runs[k] = g->runs[k - 1];
            g->runs[k - 1] = swap;
        }
}

static void mark_repeated(tt_report *r, const tt_report_group *g) {
    const tt_report_run *kept = NULL;
    for (int i = 0; i < g->n; ++i) {
        tt_report_run *run = &r->runs[g->runs[i]];
        if (run->state != TT_REPORT_FINISHED) continue;
        run->repeated = kept && run->seed >= 0 && kept->seed == run->seed;
        if (run->repeated)
            tt_warn(
                "%s: not counted, since it has the same configuration and seed as %s", run->path, kept->path);
        else
            kept = run;
    }
}

// The common beginning of the runs' names, without the number of the seed: everyday-seed-1 and
// everyday-seed-2 give everyday.
static void common_name(const tt_report *r, const tt_report_group *g, char *out, size_t size) {
    snprintf(out, size, "%s", r->runs[g->runs[0]].name);
    if (g->n == 1) return;
    size_t n = strlen(out);
    for (int i = 1; i < g->n; ++i) {
        const char *other = r->runs[g->runs[i]].name;
        size_t same = 0;
        while (same < n && other[same] == out[same]) same++;
        n = same;
    }
    while (n > 0 && isdigit((unsigned char)out[n - 1])) n--;
    while (n > 0 && strchr("-_. ", out[n - 1])) n--;
    if (n > 5 && strncmp(out + n - 4, "seed", 4) == 0 && strchr("-_. ", out[n - 5])) n -= 5;
    if (n > 2 && out[n - 1] == 's' && strchr("-_. ", out[n - 2])) n -= 2;
    if (n > 0) out[n] = '\0';
}

static void make_label(tt_report *r, int group, bool many_sweeps) {
    tt_report_group *g = &r->groups[group];
    const tt_report_run *first = &r->runs[g->runs[0]];
    if (r->each)
        snprintf(g->label, sizeof g->label, "%s", first->name);
    else if (*first->variant && many_sweeps)
        snprintf(g->label, sizeof g->label, "%s: %s", first->sweep, first->variant);
    else if (*first->variant)
        snprintf(g->label, sizeof g->label, "%s", first->variant);
    else
        common_name(r, g, g->label, TT_REPORT_NAME);
    int same = 1;
    for (int i = 0; i < group; ++i) {
        const size_t n = strlen(g->label);
        same += strncmp(r->groups[i].label, g->label, n) == 0 &&
                (!r->groups[i].label[n] || strncmp(r->groups[i].label + n, " (", 2) == 0);
    }
    const size_t n = strlen(g->label);
    if (same > 1) snprintf(g->label + n, sizeof g->label - n, " (%d)", same);
}

static void make_labels(tt_report *r) {
    bool many = false;
    for (int i = 0; i < r->n_runs; ++i) many = many || r->runs[i].sweep_number > 0;
    for (int g = 0; g < r->n_groups; ++g) make_label(r, g, many);
    for (int g = 0; g < r->n_groups; ++g) {
        char *label = r->groups[g].label;
        const size_t n = strlen(label);
        if (tt_report_group_old(r, &r->groups[g]))
            snprintf(label + n, sizeof r->groups[g].label - n, " %s", TT_REPORT_OLD);
    }
}

// Puts run i into the group with its identity, or into a new one.
static tt_status place_run(tt_report *r, char **identities, int i) {
    tt_report_run *run = &r->runs[i];
    for (run->group = 0; run->group < r->n_groups; ++run->group)
        if (strcmp(identities[r->groups[run->group].runs[0]], identities[i]) == 0) break;
    tt_report_group *g = &r->groups[run->group];
    if (run->group == r->n_groups) {
        TT_TRY(tt_alloc(&g->runs, (size_t)r->n_runs, sizeof *g->runs, "runs of a group"));
        r->n_groups++;
    }
    g->runs[g->n++] = i;
    return TT_OK;
}

tt_status tt_report_make_groups(tt_report *r) {
    char **identities;
    TT_TRY(tt_alloc(&identities, (size_t)r->n_runs, sizeof *identities, "groups"));
    tt_status status = tt_alloc(&r->groups, (size_t)r->n_runs, sizeof *r->groups, "groups");
    for (int i = 0; i < r->n_runs && status == TT_OK; ++i) {
        tt_str text = {0};
        status = identity_of(r, &r->runs[i], &text);
        if (status == TT_OK) status = tt_strdup(&identities[i], tt_str_text(&text));
        tt_str_close(&text);
    }
    for (int silent = 0; silent < 2; ++silent)
        for (int i = 0; i < r->n_runs && status == TT_OK; ++i)
            if (tt_report_is_silent(&r->runs[i]) == silent) status = place_run(r, identities, i);
    for (int g = 0; g < r->n_groups && status == TT_OK; ++g) {
        sort_runs(&r->groups[g], r->runs);
        mark_repeated(r, &r->groups[g]);
    }
    if (status == TT_OK) make_labels(r);
    for (int i = 0; i < r->n_runs; ++i) free(identities[i]);
    free(identities);
    return status;
}

const tt_report_run *tt_report_first_run(const tt_report *r, int group) {
    return &r->runs[r->groups[group].runs[0]];
}

int tt_report_counted(const tt_report *r, const tt_report_group *g) {
    int n = 0;
    for (int i = 0; i < g->n; ++i) n += tt_report_counts(&r->runs[g->runs[i]]);
    return n;
}

bool tt_report_group_old(const tt_report *r, const tt_report_group *g) {
    for (int i = 0; i < g->n; ++i)
        if (r->runs[g->runs[i]].old && tt_report_counts(&r->runs[g->runs[i]])) return true;
    return false;
}

int tt_report_old_runs(const tt_report *r) {
    int n = 0;
    for (int i = 0; i < r->n_runs; ++i) n += r->runs[i].old;
    return n;
}

// ---- numbers of a group

typedef struct scores {
    double *accuracy;
    double low, high; // outermost ends of the runs' own intervals
    int64_t questions;
    int n;
} scores;

static void add_score(scores *all, tt_report_score score) {
    if (!isfinite(score.accuracy)) return;
    if (all->n == 0 || score.n < all->questions) all->questions = score.n;
    all->low = all->n == 0 ? score.low : fmin(all->low, score.low);
    all->high = all->n == 0 ? score.high : fmax(all->high, score.high);
    all->accuracy[all->n++] = score.accuracy;
}

static tt_report_mean mean_of(const scores *all) {
    tt_report_mean m = {.mean = NAN,
        .low = NAN,
        .high = NAN,
        .deviation = NAN,
        .questions_low = NAN,
        .questions_high = NAN,
        .seeds = all->n,
        .questions = all->questions};
    if (all->n == 0) return m;
    const tt_estimate e = tt_estimate_mean(all->accuracy, all->n);
    m.mean = e.mean;
    m.low = all->low;
    m.high = all->high;
    if (e.n > 1) m.deviation = (e.high - e.mean) * sqrt(e.n) / tt_student_t95(e.n - 1);
    if (all->n < 2 || e.high - e.low <= 1e-9) return m;
    m.low = fmax(e.low, 0);
    m.high = fmin(e.high, 1);
    if (all->questions > 0) tt_wilson_share(e.mean, (int)all->questions, &m.questions_low, &m.questions_high);
    return m;
}

tt_report_mean tt_report_group_score(
    const tt_report *r, const tt_report_group *g, tt_report_score_kind kind) {
    double values[g->n];
    scores all = {.accuracy = values};
    for (int i = 0; i < g->n; ++i) {
        const tt_report_run *run = &r->runs[g->runs[i]];
        if (tt_report_counts(run)) add_score(&all, run->scores[kind]);
    }
    return mean_of(&all);
}

tt_report_mean tt_report_group_phase(
    const tt_report *r, const tt_report_group *g, const char *phase, bool test) {
    double values[g->n];
    scores all = {.accuracy = values};
    for (int i = 0; i < g->n; ++i) {
        const tt_report_run *run = &r->runs[g->runs[i]];
        for (int p = 0; p < run->n_phases && tt_report_counts(run); ++p)
            if (strcmp(run->phases[p].name, phase) == 0)
                add_score(&all, test ? run->phases[p].test : run->phases[p].best);
    }
    return mean_of(&all);
}

tt_estimate tt_report_group_number(const tt_report *r, const tt_report_group *g, tt_report_of_run number) {
    double values[g->n];
    int n = 0;
    for (int i = 0; i < g->n; ++i)
        if (tt_report_counts(&r->runs[g->runs[i]])) values[n++] = number(&r->runs[g->runs[i]]);
    return tt_estimate_mean(values, n);
}

bool tt_report_any_score(const tt_report *r, tt_report_score_kind kind) {
    for (int i = 0; i < r->n_runs; ++i)
        if (isfinite(r->runs[i].scores[kind].accuracy)) return true;
    return false;
}
