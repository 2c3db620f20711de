#include "host/report/side_by_side.h"

#include "host/base/number.h"
#include "host/report/runs/changes.h"
#include "host/report/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static tt_status check_finished(const tt_report *r) {
    for (int i = 0; i < r->n_runs; ++i) {
        const tt_report_run *run = &r->runs[i];
        if (run->state == TT_REPORT_UNFINISHED && *run->failure)
            return tt_fail(TT_ERR_IO,
                "%s: this run of a sweep failed: %s; `tinythinker sweep FILE --retry` runs it once more",
                run->path, run->failure);
        if (run->state == TT_REPORT_UNFINISHED)
            return tt_fail(TT_ERR_IO,
                "%s: no result.json; has the run finished? `tinythinker run` resumes it", run->path);
        if (run->state == TT_REPORT_DAMAGED)
            return tt_fail(TT_ERR_FORMAT, "%s: its result.json cannot be read", run->path);
    }
    return TT_OK;
}

static double steps_of(const tt_report_run *run) {
    return (double)tt_report_run_steps(run);
}

// The test split after acquisition where reflection followed, then the scores of result.json.
typedef struct score {
    const char *word, *heading; // word: NULL at the end
    tt_report_mean mean;
    int64_t unanswered; // of one run; -1: not known
} score;

enum { SCORES = TT_REPORT_BEST + 1 };

static void scores_of(const tt_report *r, const tt_report_group *g, score out[SCORES + 1]) {
    const tt_report_run *run = &r->runs[g->runs[0]];
    const tt_report_phase *before = tt_report_before(run);
    int n = 0;
    if (before && before->test.n > 0)
        out[n++] = (score){.word = "test_before_reflection",
            .heading = "test, before reflection",
            .mean = tt_report_group_phase(r, g, before->name, true),
            .unanswered = tt_report_counted(r, g) == 1 ? before->test.unanswered : -1};
    for (int k = 0; k < TT_REPORT_BEST; ++k) {
        const tt_report_mean m = tt_report_group_score(r, g, (tt_report_score_kind)k);
        if (isfinite(m.mean))
            out[n++] = (score){.word = tt_report_score_word((tt_report_score_kind)k),
                .heading = tt_report_score_heading((tt_report_score_kind)k),
                .mean = m,
                .unanswered = tt_report_counted(r, g) == 1 ? run->scores[k].unanswered : -1};
    }
    out[n] = (score){.word = NULL};
}

// ---- text

// "[81.4, 86.0]", or nothing where it is not known.
static const char *percent_text(char out[32], double low, double high) {
    *out = '\0';
    if (isfinite(low)) tt_format(out, 32, "[%.1f, %.1f]", 100 * low, 100 * high);
    return out;
}

static void print_group(tt_str *out, const tt_report *r, const tt_report_group *g) {
    const int runs = tt_report_counted(r, g);
    score scores[SCORES + 1];
    tt_str_format(out, "%s: %s", g->label, r->runs[g->runs[0]].stages);
    if (runs > 1) tt_str_format(out, ", %d seeds; on average", runs);
    const double steps = tt_report_group_number(r, g, steps_of).mean;
    if (steps > 0) tt_str_format(out, "%s %.0f steps", runs > 1 ? "" : ",", steps);
    const double speed = tt_report_group_number(r, g, tt_report_run_speed).mean;
    if (speed > 0) tt_str_format(out, ", %.0f tokens/s", speed);
    const double wall = tt_report_group_number(r, g, tt_report_run_wall).mean;
    if (isfinite(wall)) tt_str_format(out, ", %.0f s", wall);
    const int64_t seed = r->runs[g->runs[0]].seed;
    if (runs == 1 && seed >= 0) tt_str_format(out, ", seed %lld", (long long)seed);
    tt_str_format(out, "\n  %-28s %8s  %-14s  %9s%s\n", "answers", "accuracy", "95 % interval", "questions",
        runs > 1 ? "" : "  unreadable");
    scores_of(r, g, scores);
    for (const score *s = scores; s->word; ++s) {
        char interval[32];
        tt_str_format(out, "  %-28s %6.1f %%  %-14s  %9lld", s->heading, 100 * s->mean.mean,
            percent_text(interval, s->mean.low, s->mean.high), (long long)s->mean.questions);
        if (s->unanswered >= 0) tt_str_format(out, "  %10lld", (long long)s->unanswered);
        tt_str_append(out, "\n");
        if (isfinite(s->mean.questions_low))
            tt_str_format(out, "  %-28s %8s  %s\n", "  over questions", "",
                percent_text(interval, s->mean.questions_low, s->mean.questions_high));
    }
    tt_str_append(out, "\n");
}

// "[-0.7, +1.1] *"; the star where it excludes 0.
static const char *points_text(char out[40], double low, double high) {
    tt_format(out, 40, "[%+.1f, %+.1f]%s", 100 * low, 100 * high, tt_report_sure(low, high) ? " *" : "");
    return out;
}

static void print_change(tt_str *out, const tt_report_change *c) {
    char interval[40];
    tt_str_format(out, "  %-28s", tt_report_score_heading(c->answers));
    if (c->pairs == 0) {
        tt_str_format(out, " not compared: %s\n", c->why);
        return;
    }
    tt_str_format(out, " %+6.1f  ", 100 * c->difference);
    if (c->questions > 0)
        tt_str_format(out, "%-16s %8lld %8lld %5lld\n", points_text(interval, c->low, c->high),
            (long long)c->to_right, (long long)c->to_wrong, (long long)c->questions);
    else
        tt_str_format(out, "not paired:\n    %s\n", c->why);
    if (tt_report_other_seed(c))
        tt_str_format(out, "    seed %lld against seed %lld: the difference is also one of seeds\n",
            (long long)c->seed_after, (long long)c->seed_before);
    if (isfinite(c->seeds_low)) {
        char over[32];
        snprintf(over, sizeof over, "  over %d seeds", c->pairs);
        tt_str_format(out, "  %-36s %s\n", over, points_text(interval, c->seeds_low, c->seeds_high));
    } else if (c->pairs > 1) {
        tt_str_format(out, "    the same in all %d seeds\n", c->pairs);
    }
    if (c->unpaired > 0)
        tt_str_format(out, "    %d run%s without a partner of the same seed %s left out\n", c->unpaired,
            c->unpaired == 1 ? "" : "s", c->unpaired == 1 ? "is" : "are");
}

static bool same_heading(const tt_report_change *a, const tt_report_change *b) {
    return a->group == b->group && a->kind == b->kind && a->phase == b->phase;
}

static bool several_seeds(const tt_report_change *changes, int n) {
    for (int i = 0; i < n; ++i)
        if (changes[i].pairs > 1) return true;
    return false;
}

static void print_changes(tt_str *out, const tt_report *r, const tt_report_change *changes, int n) {
    if (n == 0) return;
    tt_str_format(out, "%-30s %6s  %-16s %8s %8s %5s\n", "differences, same questions", "points",
        "95 % interval", "to right", "to wrong", "of");
    for (int i = 0; i < n; ++i) {
        if (i == 0 || !same_heading(&changes[i - 1], &changes[i])) {
            tt_str_format(out, "%s ", r->groups[changes[i].group].label);
            tt_report_change_label(out, r, &changes[i]);
            tt_str_append(out, "\n");
        }
        print_change(out, &changes[i]);
    }
    tt_str_append(out, "\n");
}

static bool has_seed_interval(const tt_report *r) {
    for (int g = 0; g < r->n_groups; ++g)
        for (int k = 0; k < TT_REPORT_SCORES; ++k)
            if (isfinite(tt_report_group_score(r, &r->groups[g], (tt_report_score_kind)k).questions_low))
                return true;
    return false;
}

static void print_notes(tt_str *out, const tt_report *r, const tt_report_change *changes, int n) {
    tt_str_append(out, "Accuracies: Wilson's interval over the questions of the run.\n");
    if (has_seed_interval(r))
        tt_str_append(out,
            "Of several seeds: the first interval is Student's t over the seeds, for these\n"
            "questions; the second one Wilson's of their mean, over the questions of one run.\n");
    if (n == 0) return;
    tt_str_append(out, "Differences: Tango's interval over paired questions; * where it excludes 0.\n"
                       "About one interval in twenty excludes 0 by chance.\n");
    if (several_seeds(changes, n))
        tt_str_append(out,
            "Of several seeds: the first interval is Student's t over the questions (the mean\n"
            "change of each), for these seeds; the second one Student's t over the seeds, for\n"
            "these questions. Changes to right and to wrong are counted over all seeds.\n");
}

tt_status tt_side_by_side(const tt_report *r, FILE *out) {
    tt_str text = {0};
    tt_report_change *changes;
    int n;
    TT_TRY(check_finished(r));
    TT_TRY(tt_report_changes(r, &changes, &n));
    for (int g = 0; g < r->n_groups; ++g) print_group(&text, r, &r->groups[g]);
    print_changes(&text, r, changes, n);
    print_notes(&text, r, changes, n);
    tt_status status = tt_str_status(&text);
    if (status == TT_OK) fputs(tt_str_text(&text), out);
    tt_str_close(&text);
    free(changes);
    return status;
}

// ---- JSON

static json_t *number_json(double value) {
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *interval_json(double low, double high) {
    return isfinite(low) && isfinite(high) ? json_pack("[f, f]", low, high) : json_null();
}

static json_t *group_json(const tt_report *r, const tt_report_group *g) {
    score scores[SCORES + 1];
    json_t *list = json_array(), *paths = json_array();
    for (int i = 0; i < g->n; ++i)
        if (!r->runs[g->runs[i]].repeated)
            json_array_append_new(paths, json_string(r->runs[g->runs[i]].path));
    scores_of(r, g, scores);
    for (const score *s = scores; s->word; ++s)
        json_array_append_new(
            list, json_pack("{s:s, s:f, s:o, s:o, s:i, s:I}", "answers", s->word, "accuracy", s->mean.mean,
                      "ci95", interval_json(s->mean.low, s->mean.high), "ci95_over_questions",
                      interval_json(s->mean.questions_low, s->mean.questions_high), "seeds", s->mean.seeds,
                      "n", (json_int_t)s->mean.questions));
    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o}", "name", g->label, "stages",
        r->runs[g->runs[0]].stages, "runs", paths, "steps",
        number_json(tt_report_group_number(r, g, steps_of).mean), "tokens_per_second",
        number_json(tt_report_group_number(r, g, tt_report_run_speed).mean), "wall_seconds",
        number_json(tt_report_group_number(r, g, tt_report_run_wall).mean), "scores", list);
}

static json_t *change_json(const tt_report *r, const tt_report_change *c) {
    static const char *const kinds[] = {"reflection", "self_consistency", "group"};
    const bool paired = c->questions > 0;
    json_t *object = json_pack("{s:s, s:s, s:s, s:i, s:i, s:o, s:o, s:o, s:o}", "group",
        r->groups[c->group].label, "kind", kinds[c->kind], "answers", tt_report_score_word(c->answers),
        "pairs", c->pairs, "runs_without_partner", c->unpaired, "difference", number_json(c->difference),
        "ci95_over_questions", interval_json(c->low, c->high), "ci95_over_seeds",
        interval_json(c->seeds_low, c->seeds_high), "mcnemar_p", number_json(c->mcnemar));
    if (c->kind == TT_CHANGE_GROUP)
        json_object_set_new(object, "against", json_string(r->groups[c->against].label));
    if (c->phase) json_object_set_new(object, "phase", json_string(c->phase));
    if (c->before) json_object_set_new(object, "against", json_string(c->before));
    if (c->kind == TT_CHANGE_VOTING)
        json_object_set_new(
            object, "against", json_string(tt_report_score_word((tt_report_score_kind)(c->answers - 1))));
    if (c->seed_before >= 0) json_object_set_new(object, "seed_before", json_integer(c->seed_before));
    if (c->seed_after >= 0) json_object_set_new(object, "seed_after", json_integer(c->seed_after));
    json_object_set_new(object, "questions", paired ? json_integer(c->questions) : json_null());
    json_object_set_new(object, "to_right", paired ? json_integer(c->to_right) : json_null());
    json_object_set_new(object, "to_wrong", paired ? json_integer(c->to_wrong) : json_null());
    if (*c->why) json_object_set_new(object, "why_not_paired", json_string(c->why));
    return object;
}

tt_status tt_side_by_side_json(const tt_report *r, FILE *out) {
    tt_report_change *changes;
    int n;
    TT_TRY(check_finished(r));
    TT_TRY(tt_report_changes(r, &changes, &n));
    json_t *groups = json_array(), *list = json_array();
    for (int g = 0; g < r->n_groups; ++g) json_array_append_new(groups, group_json(r, &r->groups[g]));
    for (int i = 0; i < n; ++i) json_array_append_new(list, change_json(r, &changes[i]));
    free(changes);
    json_t *root = json_pack("{s:o, s:o}", "groups", groups, "differences", list);
    char *text = root ? json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(root);
    if (!text) return tt_fail(TT_ERR_NOMEM, "no memory for the comparison");
    fprintf(out, "%s\n", text);
    free(text);
    return TT_OK;
}
